package randomsql

import (
	"fmt"
	"strings"
)

// joined is FROM in PostgreSQL as it grows join by join.
type joined struct {
	text    string
	seq, ts string // of streams
	key     string // empty: the first source has several keys or none
	table   bool
	limits  []string // what WHERE has to say for it
	first   relation
}

func (q *query) joined(c *testCase, asOf string) joined {
	first := c.relation(q.from[0].of)
	a := q.from[0].alias
	j := joined{text: "(" + first.rows(c, asOf) + ") " + a, seq: a + ".seq", ts: a + ".ts", table: first.isTable(), first: first}
	if cols := first.list(); len(cols) > 1 && cols[0].key && !cols[1].key {
		j.key = a + "." + cols[0].name
	}
	for _, f := range q.from[1:] {
		j = j.join(c, f, asOf)
	}
	return j
}

func (j joined) join(c *testCase, f from, asOf string) joined {
	right := c.relation(f.of)
	l, r := pgsql(f.left), pgsql(f.right)
	b := f.alias
	switch {
	case j.table:
		j.text += fmt.Sprintf(" %s JOIN (%s) %s ON %s = %s", f.kind, right.rows(c, asOf), b, l, r)
		if !f.foreign {
			j.key = "COALESCE(" + l + ", " + r + ")"
		}
		return j
	case right.isTable():
		j.text += fmt.Sprintf(" %s JOIN LATERAL (SELECT %s.* FROM (%s) %s WHERE %s = %s) %s ON TRUE", f.kind, b, right.rows(c, j.seq), b, r, l, b)
		j.key = l
		return j
	}
	on := fmt.Sprintf("%s = %s AND %s.ts BETWEEN %s - %d AND %s + %d", l, r, b, j.ts, f.within.before, j.ts, f.within.after)
	other := "(" + right.rows(c, asOf) + ") " + b
	switch {
	case f.kind == "INNER":
		j.text += " JOIN " + other + " ON " + on
	case f.within.grace < 0:
		j = j.eager(c, f, on, asOf)
	default:
		// What found nothing is there when its time is over: all but the records at the very end.
		j.text += " " + f.kind + " JOIN " + other + " ON " + on
		// A row without a key waits for nobody.
		late := func(key, ts string, ahead int64) string {
			return fmt.Sprintf("(%s IS NULL OR %s + %d < %d)", key, ts, ahead+f.within.grace, c.end)
		}
		j.limits = append(j.limits, fmt.Sprintf("(%s IS NOT NULL AND %s.seq IS NOT NULL OR %s.seq IS NULL AND %s OR %s IS NULL AND %s)",
			j.seq, b, b, late(l, j.ts, f.within.after), j.seq, late(r, b+".ts", f.within.before)))
	}
	j.key = fmt.Sprintf("CASE WHEN %s IS NULL THEN %s ELSE %s END", j.seq, r, l)
	j.seq, j.ts = fmt.Sprintf("GREATEST(%s, %s.seq)", j.seq, b), fmt.Sprintf("GREATEST(%s, %s.ts)", j.ts, b)
	return j
}

// eager is a join of streams without GRACE PERIOD: what finds nothing when it comes is there at once, and again with each partner that comes
// later. The left side is one source; a row of nulls stands in it for right rows without a partner.
func (j joined) eager(c *testCase, f from, on, asOf string) joined {
	b := f.alias
	a := j.text[strings.LastIndexByte(j.text, ' ')+1:]
	left, right := j.text, "("+c.relation(f.of).rows(c, asOf)+") "+b
	nothing := func(in, mine, other string) string {
		return fmt.Sprintf("NOT EXISTS (SELECT 1 FROM %s WHERE %s AND %s.seq < %s.seq)", in, on, other, mine)
	}
	found := fmt.Sprintf("SELECT %s.* FROM %s WHERE %s.seq IS NOT NULL AND %s", b, right, a, on)
	if f.kind != "RIGHT" {
		found += fmt.Sprintf("\n    UNION ALL SELECT %s WHERE %s.seq IS NOT NULL AND %s", nulls(c.relation(f.of)), a, nothing(right, a, b))
	}
	if f.kind != "LEFT" {
		found += fmt.Sprintf("\n    UNION ALL SELECT %s.* FROM %s WHERE %s.seq IS NULL AND %s", b, right, a, nothing(left, b, a))
		left = fmt.Sprintf("(SELECT * FROM %s UNION ALL SELECT %s) %s", left, nulls(j.first), a)
	}
	j.text = fmt.Sprintf("%s JOIN LATERAL (%s) %s ON TRUE", left, found, b)
	return j
}

// nulls is the row of a stream that is not there.
func nulls(r relation) string {
	out := []string{"NULL::int", "NULL::int8"}
	for _, c := range r.list() {
		out = append(out, "NULL::"+pgType(c.typ))
	}
	return strings.Join(out, ", ")
}

// rows implements relation.
func (q *query) rows(c *testCase, asOf string) string {
	j := q.joined(c, asOf)
	where := j.limits
	if q.where != nil {
		where = append(where, pgsql(q.where))
	}
	if q.group != nil {
		return q.grouped(c, j, where)
	}
	var out []string
	if !q.table {
		out = []string{j.seq + " AS seq", j.ts + " AS ts"}
	}
	exploded := ""
	for _, col := range q.list() {
		for _, i := range q.items {
			switch {
			case i.name != col.name:
			case i.key && q.partition == nil && j.key != "":
				out = append(out, j.key+" AS "+i.name)
			default:
				out = append(out, pgsql(i.e)+" AS "+i.name)
			}
		}
	}
	if q.explode != nil {
		exploded = " CROSS JOIN LATERAL unnest(" + pgsql(q.explode) + ") x" + q.name + "(v)"
	}
	return "SELECT " + strings.Join(out, ", ") + "\n  FROM " + j.text + exploded + conditions(where)
}

func conditions(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "\n  WHERE " + strings.Join(list, " AND ")
}

// orderly tells whether no two rows of FROM have one seq: they are those of one stream, maybe with what tables had then.
func (c *testCase) orderly(q *query) bool {
	for i, f := range q.from {
		if r := c.relation(f.of); r.isTable() != (i > 0) || i == 0 && !r.orderly(c) {
			return false
		}
	}
	return true
}

// orderly implements relation.
func (q *query) orderly(c *testCase) bool { return q.group == nil && q.explode == nil && c.orderly(q) }

// grouped is a query with GROUP BY: the groups and the arguments of aggregates, then their windows, the aggregates, and what stands behind.
func (q *query) grouped(c *testCase, j joined, where []string) string {
	var inner, groups []string
	for i, g := range q.group {
		inner = append(inner, fmt.Sprintf("%s AS g%d", pgsql(g), i))
		groups = append(groups, fmt.Sprintf("g%d", i))
	}
	calls := q.aggregates()
	var results []string
	for n, a := range calls {
		for i, arg := range a.args {
			inner = append(inner, fmt.Sprintf("%s AS a%d_%d", pgsql(arg), n, i))
		}
		results = append(results, fmt.Sprintf("%s AS r%d", a.result(n), n))
	}
	if !j.table {
		inner = append(inner, j.seq+" AS seq", j.ts+" AS ts")
	}
	rows := "SELECT " + strings.Join(inner, ", ") + "\n  FROM " + j.text + conditions(where)
	for i := range groups {
		rows = fmt.Sprintf("SELECT * FROM (%s) n%d WHERE g%d IS NOT NULL", rows, i, i)
	}
	list := strings.Join(groups, ", ")
	by := list
	if q.window != nil {
		rows = q.window.rows(rows, list)
		by += ", " + q.window.by()
		list += ", " + q.window.bounds()
	}
	folded := fmt.Sprintf("SELECT %s FROM (%s) rows GROUP BY %s", strings.Join(append([]string{list}, results...), ", "), rows, by)
	var out, keep []string
	if q.having != nil {
		keep = append(keep, q.behind(q.having, calls))
	}
	if q.final {
		keep = append(keep, fmt.Sprintf("wend + %d <= (SELECT max(ts) FROM (%s) every)", max(q.window.grace, 0), rows))
	}
	for _, col := range q.list() {
		for _, i := range q.items {
			if i.name == col.name {
				out = append(out, q.behind(i.e, calls)+" AS "+i.name)
			}
		}
	}
	if q.window != nil {
		out = append(out, "wstart", "wend")
	}
	return "SELECT " + strings.Join(out, ", ") + " FROM (" + folded + ") folded" + conditions(keep)
}

// rows adds the windows of each row: wstart and wend, or a session's number. What comes too late is left out.
func (w *window) rows(rows, groups string) string {
	if w.kind == "SESSION" {
		return fmt.Sprintf(`SELECT *, sum(fresh) OVER (PARTITION BY %s ORDER BY ts, seq ROWS UNBOUNDED PRECEDING) AS session FROM (
    SELECT *, CASE WHEN ts - lag(ts) OVER (PARTITION BY %s ORDER BY ts, seq) <= %d THEN 0 ELSE 1 END AS fresh FROM (%s) timed) marked`,
			groups, groups, w.size, rows)
	}
	late := ""
	if w.grace >= 0 {
		late = fmt.Sprintf(" WHERE wstart + %d > now - %d", w.size, w.grace)
	}
	return fmt.Sprintf("SELECT *, wstart + %d AS wend FROM (SELECT *, max(ts) OVER (ORDER BY seq) AS now FROM (%s) timed) t,\n    generate_series(GREATEST(0, ts - %d) / %d * %d, ts, %d) wstart%s",
		w.size, rows, w.size-w.advance, w.advance, w.advance, w.advance, late)
}

func (w *window) by() string {
	if w.kind == "SESSION" {
		return "session"
	}
	return "wstart, wend"
}

func (w *window) bounds() string {
	if w.kind == "SESSION" {
		return "min(ts) AS wstart, max(ts) AS wend"
	}
	return "wstart, wend"
}
