package randomsql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// A column of a source or a query's result. Its name is the same in both systems.
type column struct {
	name string
	typ  *row.Type
	key  bool
	set  bool // a list whose order means nothing
}

// A relation is what a query can read.
type relation interface {
	called() string
	isTable() bool
	list() []column
	// rows is the relation in PostgreSQL: a SELECT with seq and ts of streams' rows and the columns. asOf, an expression, leaves out what came
	// later; empty: nothing.
	rows(c *testCase, asOf string) string
	// orderly tells whether no two rows have one seq.
	orderly(c *testCase) bool
}

// A testCase is some sources, their records in the order in which they come, and queries one on the other.
type testCase struct {
	seed    uint64
	sources []*source
	inputs  []input
	queries []*query
	end     int64 // the time of the records that close everything; 0: there are none
	ordered bool  // results depend on the order or the time in which records of several keys come: one partition only
}

func (c *testCase) relation(name string) relation {
	for _, s := range c.sources {
		if s.name == name {
			return s
		}
	}
	for _, q := range c.queries {
		if q.name == name {
			return q
		}
	}
	return nil
}

// A source is a stream or a table over a topic. Its first columns are the keys.
type source struct {
	name, keyFormat, valueFormat string
	table                        bool
	columns                      []column
}

func (s *source) called() string         { return s.name }
func (s *source) isTable() bool          { return s.table }
func (s *source) list() []column         { return s.columns }
func (s *source) orderly(*testCase) bool { return true }

func (s *source) keys() int {
	n := 0
	for n < len(s.columns) && s.columns[n].key {
		n++
	}
	return n
}

// An input is a record of a source.
type input struct {
	source string
	values []row.Value // keys first
	delete bool
	ts     int64
}

func (s *source) statement() string {
	var columns []string
	for _, c := range s.columns {
		text := c.name + " " + c.typ.String()
		if c.key {
			text += map[bool]string{true: " PRIMARY KEY", false: " KEY"}[s.table]
		}
		columns = append(columns, text)
	}
	kind := map[bool]string{true: "TABLE", false: "STREAM"}[s.table]
	return fmt.Sprintf("CREATE %s %s (%s) WITH (kafka_topic='%s', partitions=1, key_format='%s', value_format='%s');",
		kind, s.name, strings.Join(columns, ", "), s.name, s.keyFormat, s.valueFormat)
}

func (s *source) rows(c *testCase, asOf string) string {
	var names, keys []string
	for _, col := range s.columns {
		names = append(names, col.name)
		if col.key {
			keys = append(keys, col.name)
		}
	}
	list := strings.Join(names, ", ")
	where := ""
	if asOf != "" {
		where = " WHERE seq <= " + asOf
	}
	if !s.table {
		return fmt.Sprintf("SELECT seq, ts, %s FROM %s%s", list, s.name, where)
	}
	k := strings.Join(keys, ", ")
	return fmt.Sprintf("SELECT %s FROM (SELECT DISTINCT ON (%s) * FROM %s%s ORDER BY %s, seq DESC) last WHERE NOT gone", list, k, s.name, where, k)
}

// with is the source's records as a part of PostgreSQL's WITH.
func (s *source) with(c *testCase) string {
	names := []string{"seq", "ts", "gone"}
	for _, col := range s.columns {
		names = append(names, col.name)
	}
	var rows []string
	for i, in := range c.inputs {
		if in.source != s.name {
			continue
		}
		cells := []string{fmt.Sprint(i), fmt.Sprint(in.ts), fmt.Sprint(in.delete)}
		for j, col := range s.columns {
			v := in.values[j]
			if in.delete && !col.key {
				v = row.Null
			}
			cells = append(cells, pgLiteral(v, col.typ))
		}
		rows = append(rows, "("+strings.Join(cells, ", ")+")")
	}
	if len(rows) == 0 {
		cells := []string{"0", "0", "false"}
		for _, col := range s.columns {
			cells = append(cells, pgLiteral(row.Null, col.typ))
		}
		return fmt.Sprintf("%s(%s) AS (SELECT %s WHERE FALSE)", s.name, strings.Join(names, ", "), strings.Join(cells, ", "))
	}
	return fmt.Sprintf("%s(%s) AS (VALUES %s)", s.name, strings.Join(names, ", "), strings.Join(rows, ",\n  "))
}

// A query makes a stream or a table of others.
type query struct {
	name                   string
	table                  bool
	from                   []from
	where                  *expr
	explode                *expr // an array whose elements are the column of the item that is exploded
	partition              *expr
	group                  []*expr
	window                 *window
	having                 *expr
	final                  bool
	items                  []item
	keyFormat, valueFormat string // empty: as the first source
}

// A from is one source of a query, with how it joins what stands before it.
type from struct {
	of, alias   string
	kind        string // of the join: "", INNER, LEFT, RIGHT, FULL
	left, right *expr
	within      *within
	foreign     bool
}

type within struct {
	before, after int64 // ms
	grace         int64 // ms, -1: none given
}

type window struct {
	kind                 string // TUMBLING, HOPPING, SESSION
	size, advance, grace int64  // ms; grace -1: none given
}

// An item is a column of the SELECT list: over the columns of FROM, or behind GROUP BY over the groups and aggregates.
type item struct {
	e    *expr
	name string
	key  bool
	set  bool
}

func (q *query) called() string { return q.name }
func (q *query) isTable() bool  { return q.table }

func (q *query) list() []column {
	var out []column
	for _, i := range q.items {
		out = append(out, column{i.name, i.e.typ, i.key, i.set})
	}
	slices.SortStableFunc(out, func(a, b column) int {
		switch {
		case a.key == b.key:
			return 0
		case a.key:
			return -1
		}
		return 1
	})
	return out
}

// statement is the query in ksqlDB's SQL.
func (q *query) statement() string {
	var b strings.Builder
	kind := map[bool]string{true: "TABLE", false: "STREAM"}[q.table]
	fmt.Fprintf(&b, "CREATE %s %s", kind, q.name)
	var with []string
	if q.keyFormat != "" {
		with = append(with, "key_format='"+q.keyFormat+"'")
	}
	if q.valueFormat != "" {
		with = append(with, "value_format='"+q.valueFormat+"'")
		if q.valueFormat == "PROTOBUF" {
			with = append(with, "value_protobuf_nullable_representation='OPTIONAL'")
		}
	}
	if len(with) > 0 {
		fmt.Fprintf(&b, " WITH (%s)", strings.Join(with, ", "))
	}
	var items []string
	for _, i := range q.items {
		items = append(items, ksql(i.e)+" AS "+i.name)
	}
	fmt.Fprintf(&b, " AS SELECT %s\n  FROM %s", strings.Join(items, ", "), q.from[0].statement())
	for _, f := range q.from[1:] {
		fmt.Fprintf(&b, "\n  %s", f.statement())
	}
	if q.window != nil {
		fmt.Fprintf(&b, "\n  WINDOW %s", q.window.statement())
	}
	if q.where != nil {
		fmt.Fprintf(&b, "\n  WHERE %s", ksql(q.where))
	}
	if q.partition != nil {
		fmt.Fprintf(&b, "\n  PARTITION BY %s", ksql(q.partition))
	}
	if q.group != nil {
		fmt.Fprintf(&b, "\n  GROUP BY %s", strings.Join(each(q.group, ksql), ", "))
	}
	if q.having != nil {
		fmt.Fprintf(&b, "\n  HAVING %s", ksql(q.having))
	}
	b.WriteString(map[bool]string{true: "\n  EMIT FINAL;", false: "\n  EMIT CHANGES;"}[q.final])
	return b.String()
}

func each(list []*expr, d dialect) []string {
	var out []string
	for _, e := range list {
		out = append(out, d(e))
	}
	return out
}

func (f from) statement() string {
	if f.kind == "" {
		return f.of + " " + f.alias
	}
	text := f.kind + " JOIN " + f.of + " " + f.alias
	if w := f.within; w != nil {
		if w.before == w.after {
			text += fmt.Sprintf(" WITHIN %d MILLISECONDS", w.before)
		} else {
			text += fmt.Sprintf(" WITHIN (%d MILLISECONDS, %d MILLISECONDS)", w.before, w.after)
		}
		if w.grace >= 0 {
			text += fmt.Sprintf(" GRACE PERIOD %d MILLISECONDS", w.grace)
		}
	}
	return text + " ON " + ksql(f.left) + " = " + ksql(f.right)
}

func (w *window) statement() string {
	text := fmt.Sprintf("%s (SIZE %d MILLISECONDS", w.kind, w.size)
	switch w.kind {
	case "SESSION":
		text = fmt.Sprintf("SESSION (%d MILLISECONDS", w.size)
	case "HOPPING":
		text += fmt.Sprintf(", ADVANCE BY %d MILLISECONDS", w.advance)
	}
	if w.grace >= 0 {
		text += fmt.Sprintf(", GRACE PERIOD %d MILLISECONDS", w.grace)
	}
	return text + ")"
}

// script is all statements.
func (c *testCase) script() string {
	var b strings.Builder
	for _, s := range c.sources {
		b.WriteString(s.statement() + "\n")
	}
	for _, q := range c.queries {
		b.WriteString(q.statement() + "\n")
	}
	return b.String()
}
