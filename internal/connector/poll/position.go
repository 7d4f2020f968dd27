package poll

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// A position is behind which row reading goes on. Times are texts as SQLite has them, which compares them with the column's own kind.
type position struct {
	Number *int64 `json:"incrementing,omitempty"`
	Time   string `json:"timestamp,omitempty"`
}

func (p position) bytes() []byte {
	b, _ := json.Marshal(p) // numbers and texts
	return b
}

// key is that of a table's position.
func (r *reading) key(table string) []byte { return []byte(r.cfg.Name + "/" + table) }

// load reads the positions of this connector.
func (r *reading) load(ctx context.Context, door client.Door) error {
	return client.ReadAll(ctx, door, record.TopicPartition{Topic: Positions}, func(c client.Chunk) error {
		for i, k := range c.Keys {
			table, ours := strings.CutPrefix(string(k), r.cfg.Name+"/")
			if !ours {
				continue
			}
			var at position
			if err := json.Unmarshal(c.Values[i], &at); err != nil {
				return fmt.Errorf("position at %s offset %d: %w", c.TopicPartition, c.Offsets[i], err)
			}
			r.at[table] = at
		}
		return nil
	})
}

// limited tells whether a query asks for one batch only.
func (r *reading) limited() bool { return r.cfg.Mode.numbered() }

// query is the SELECT of the rows behind the position. The first columns are the next position's: the number and the time, as the mode has
// them.
func (r *reading) query(table string) (text string, args []any) {
	from := quoted(table)
	if table == "" {
		from = "(" + strings.TrimRight(strings.TrimSpace(r.cfg.Query), ";") + ")"
	}
	number, when := "rows."+quoted(r.cfg.Number), "rows."+quoted(r.cfg.Time)
	at := r.at[table]
	var columns, where, order []string
	if r.cfg.Mode.timed() {
		order = append(order, when)
	}
	if r.cfg.Mode.numbered() {
		columns, order = append(columns, "CAST("+number+" AS INTEGER)"), append(order, number)
	}
	if r.cfg.Mode.timed() {
		columns = append(columns, "CAST("+when+" AS TEXT)")
	}
	for _, c := range order {
		where = append(where, c+" IS NOT NULL")
	}
	switch {
	case r.cfg.Mode == Incrementing && at.Number != nil:
		where, args = append(where, number+" > ?"), append(args, *at.Number)
	case r.cfg.Mode == Timestamp && at.Time != "":
		where, args = append(where, when+" > ?"), append(args, at.Time)
	case r.cfg.Mode == Both && at.Number != nil:
		where, args = append(where, "("+when+" > ? OR "+when+" = ? AND "+number+" > ?)"), append(args, at.Time, at.Time, *at.Number)
	}
	text = "SELECT " + strings.Join(append(columns, "rows.*"), ", ") + " FROM " + from + " AS rows"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ") + " ORDER BY " + strings.Join(order, ", ")
	}
	if r.limited() {
		text += fmt.Sprintf(" LIMIT %d", r.cfg.BatchRows)
	}
	return text, args
}

// quoted is a name in SQLite's quotes.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
