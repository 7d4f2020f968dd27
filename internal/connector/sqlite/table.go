package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Column of a table.
type Column struct {
	Name    string
	Type    string // INTEGER, REAL, TEXT or BLOB
	NotNull bool
}

// A Table is the target of a sink.
type Table struct {
	Name       string
	Columns    []Column
	PrimaryKey []string // names of columns
	// Group names the leading columns of the primary key that a record's key stands for: one record owns all rows with its values
	// in them. All of the primary key means one row a record.
	Group []string
}

func (t Table) validate() error {
	if t.Name == "" || len(t.Columns) == 0 {
		return errors.New("table needs a name and columns")
	}
	if strings.EqualFold(t.Name, positionsTable.Name) || strings.HasPrefix(strings.ToLower(t.Name), "sqlite_") {
		return fmt.Errorf("table name %s is reserved", t.Name)
	}
	seen := map[string]bool{}
	for _, c := range t.Columns {
		lower := strings.ToLower(c.Name) // SQLite's column names ignore case
		if c.Name == "" || strings.Contains(c.Name, "\x00") || seen[lower] {
			return fmt.Errorf("table %s: column %q is unnamed or named twice", t.Name, c.Name)
		}
		seen[lower] = true
		if !slices.Contains([]string{"INTEGER", "REAL", "TEXT", "BLOB"}, c.Type) {
			return fmt.Errorf("table %s: column %s: type %q is none of INTEGER, REAL, TEXT, BLOB", t.Name, c.Name, c.Type)
		}
	}
	if len(t.PrimaryKey) == 0 {
		return fmt.Errorf("table %s needs a primary key", t.Name)
	}
	for i, k := range t.PrimaryKey {
		if t.column(k) < 0 || slices.Index(t.PrimaryKey, k) != i {
			return fmt.Errorf("table %s: primary key column %s is no column or named twice", t.Name, k)
		}
	}
	if n := len(t.Group); n == 0 || n > len(t.PrimaryKey) || !slices.Equal(t.Group, t.PrimaryKey[:n]) {
		return fmt.Errorf("table %s: group %v must be the first columns of the primary key %v", t.Name, t.Group, t.PrimaryKey)
	}
	return nil
}

func (t Table) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// groupIsKey reports whether a group is a single row, which can be upserted in place.
func (t Table) groupIsKey() bool { return len(t.Group) == len(t.PrimaryKey) }

// groupColumns returns the places of the group columns in a row.
func (t Table) groupColumns() []int {
	places := make([]int, len(t.Group))
	for i, name := range t.Group {
		places[i] = t.column(name)
	}
	return places
}

// quote makes an SQL identifier of a name. It is the only place where names enter SQL text; values are always bound.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}

func (t Table) createSQL() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (", quote(t.Name))
	for _, c := range t.Columns {
		b.WriteString(quote(c.Name) + " " + c.Type)
		if c.NotNull || slices.Contains(t.PrimaryKey, c.Name) {
			b.WriteString(" NOT NULL")
		}
		b.WriteString(", ")
	}
	// STRICT refuses values of another type instead of keeping them; WITHOUT ROWID stores the rows of a group side by side.
	fmt.Fprintf(&b, "PRIMARY KEY (%s)) STRICT, WITHOUT ROWID", quoteAll(t.PrimaryKey))
	return b.String()
}

// statements are the SQL texts that change a table.
type statements struct{ remove, put string }

func (t Table) statements() statements {
	names := make([]string, len(t.Columns))
	var rest []string // assignments of the columns outside the primary key
	for i, c := range t.Columns {
		names[i] = c.Name
		if !slices.Contains(t.PrimaryKey, c.Name) {
			rest = append(rest, quote(c.Name)+" = excluded."+quote(c.Name))
		}
	}
	where := make([]string, len(t.Group))
	for i, g := range t.Group {
		where[i] = quote(g) + " = ?"
	}
	s := statements{
		remove: fmt.Sprintf("DELETE FROM %s WHERE %s", quote(t.Name), strings.Join(where, " AND ")),
		put: fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", quote(t.Name), quoteAll(names),
			strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")),
	}
	if t.groupIsKey() {
		action := "NOTHING"
		if len(rest) > 0 {
			action = "UPDATE SET " + strings.Join(rest, ", ")
		}
		s.put += fmt.Sprintf(" ON CONFLICT (%s) DO %s", quoteAll(t.PrimaryKey), action)
	}
	return s
}

// prepared are the statements of an open sink.
type prepared struct{ remove, put, positions, position *sql.Stmt }

func (s statements) prepare(ctx context.Context, c *sql.Conn) (prepared, error) {
	var p prepared
	for _, e := range []struct {
		into **sql.Stmt
		text string
	}{{&p.remove, s.remove}, {&p.put, s.put}, {&p.positions, selectPositions}, {&p.position, upsertPosition}} {
		stmt, err := c.PrepareContext(ctx, e.text)
		if err != nil {
			return prepared{}, errors.Join(err, p.close())
		}
		*e.into = stmt
	}
	return p, nil
}

func (p prepared) close() error {
	var err error
	for _, s := range []*sql.Stmt{p.remove, p.put, p.positions, p.position} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// ensureTable creates the table when missing and compares an existing one with what is wanted.
func ensureTable(ctx context.Context, c *sql.Conn, t Table) error {
	if _, err := c.ExecContext(ctx, t.createSQL()); err != nil {
		return fmt.Errorf("create table %s: %w", t.Name, err)
	}
	have, err := existingColumns(ctx, c, t.Name)
	if err != nil {
		return fmt.Errorf("read columns of table %s: %w", t.Name, err)
	}
	var want []string
	for _, col := range t.Columns {
		want = append(want, describeColumn(col.Name, col.Type, slices.Index(t.PrimaryKey, col.Name)+1))
	}
	if !slices.Equal(have, want) {
		return fmt.Errorf("table %s exists with other columns: it has (%s), the sink needs (%s); rename or drop it, or use another file",
			t.Name, strings.Join(have, ", "), strings.Join(want, ", "))
	}
	return nil
}

func existingColumns(ctx context.Context, c *sql.Conn, table string) ([]string, error) {
	rows, err := c.QueryContext(ctx, "SELECT name, type, pk FROM pragma_table_xinfo(?) ORDER BY cid", table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var have []string
	for rows.Next() {
		var name, typ string
		var pk int
		if err := rows.Scan(&name, &typ, &pk); err != nil {
			return nil, err
		}
		have = append(have, describeColumn(name, typ, pk))
	}
	return have, rows.Err()
}

// describeColumn renders what is compared: the column's name, its type and its place in the primary key (0 for none).
func describeColumn(name, typ string, key int) string {
	s := name + " " + strings.ToUpper(typ)
	if key > 0 {
		s += fmt.Sprintf(" key %d", key)
	}
	return s
}
