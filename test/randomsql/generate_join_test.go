package randomsql

import (
	"slices"

	"github.com/mainstemio/mainstem/row"
)

// keys puts the key columns into the SELECT list: those of the first source, or what the last join made of them.
func (g *generator) keys(q *query) {
	last := q.from[len(q.from)-1]
	if last.kind == "" || last.foreign {
		for _, c := range g.c.relation(q.from[0].of).list() {
			if c.key {
				q.items = append(q.items, g.keyItem(q, leaf(c.typ, q.from[0].alias+"."+c.name, "")))
			}
		}
		return
	}
	q.items = append(q.items, g.keyItem(q, g.joinKey(q)))
}

// joinKey is what a join's rows have as their key.
func (g *generator) joinKey(q *query) *expr {
	last := q.from[len(q.from)-1]
	l, r := isColumnRef(last.left), isColumnRef(last.right)
	switch {
	case last.kind == "FULL" || !l && !r:
		return leaf(last.left.typ, "ROWKEY", "")
	case l && (!r || g.one(2)):
		return last.left
	}
	return last.right
}

// keyNames are expressions that ksqlDB takes for the key of FROM's rows. Those of a side whose row may be missing are so too, though they are
// null then: such are never grouped, partitioned or joined by.
func (c *testCase) keyNames(q *query) (sure, unsure []*expr) {
	if k := keyOf(c.relation(q.from[0].of), q.from[0].alias); k != nil {
		sure = []*expr{k}
	}
	for _, f := range q.from[1:] {
		if f.foreign {
			continue
		}
		if !named(sure, f.left) {
			sure, unsure = []*expr{f.left}, nil
		}
		switch f.kind {
		case "LEFT":
			unsure = append(unsure, f.right)
		case "RIGHT":
			sure, unsure = []*expr{f.right}, append(unsure, sure...)
		default:
			sure = append(sure, f.right)
		}
	}
	return sure, unsure
}

func named(list []*expr, e *expr) bool {
	text := ksql(e)
	return slices.ContainsFunc(list, func(o *expr) bool { return ksql(o) == text })
}

// unsure tells whether an expression is taken for the key though it may be null.
func (c *testCase) unsure(q *query, e *expr) bool {
	_, unsure := c.keyNames(q)
	return named(unsure, e)
}

func isColumnRef(e *expr) bool { return len(e.args) == 0 && e.call == nil && !isLiteral(e) }

func isLiteral(e *expr) bool { return e.pg != "" }

// join adds a join with a relation, if one is possible.
func (g *generator) join(q *query, with relation) {
	if len(q.from) > 3 || slices.ContainsFunc(q.from, func(f from) bool { return f.of == with.called() || f.kind == "FULL" || f.foreign }) {
		return
	}
	f := from{of: with.called(), alias: g.alias()}
	var ok bool
	switch {
	case q.table && with.isTable():
		ok = g.tables(q, &f, with)
	case with.isTable():
		ok = g.lookUp(q, &f, with)
	case !q.table:
		ok = g.streams(q, &f, with)
	}
	if ok {
		q.from = append(q.from, f)
	}
}

// currentKey is the key of what FROM has so far.
func (g *generator) currentKey(q *query) *expr {
	sure, _ := g.c.keyNames(q)
	if len(sure) == 0 {
		return nil
	}
	return pickOne(g.r, sure...)
}

// tables joins tables on their keys, or on a foreign key.
func (g *generator) tables(q *query, f *from, with relation) bool {
	right := keyOf(with, f.alias)
	if right == nil {
		return false
	}
	f.right = right
	key := g.currentKey(q)
	if key != nil && key.typ.Equal(right.typ) && !g.one(4) {
		f.left, f.kind = key, pickOne(g.r, "INNER", "LEFT", "RIGHT", "FULL")
		return true
	}
	if len(q.from) > 1 || right.typ.Kind == row.KindDouble {
		return false
	}
	f.left = author{g.r, g.scope(q)}.expr(right.typ, pickOne(g.r, 0, 0, 2))
	if !g.reads(q, f.left) || key != nil && ksql(f.left) == ksql(key) {
		return false
	}
	f.kind, f.foreign = pickOne(g.r, "INNER", "LEFT"), true
	return true
}

// reads tells whether an expression reads exactly one of the sources in FROM.
func (g *generator) reads(q *query, e *expr) bool {
	found := map[string]bool{}
	var visit func(e *expr)
	visit = func(e *expr) {
		for _, f := range q.from {
			for _, c := range g.c.relation(f.of).list() {
				if e.sql == f.alias+"."+c.name {
					found[f.alias] = true
				}
			}
		}
		for _, a := range e.args {
			visit(a)
		}
	}
	visit(e)
	return len(found) == 1
}

// lookUp joins a stream with a table: what the table has when the record comes.
func (g *generator) lookUp(q *query, f *from, with relation) bool {
	right := keyOf(with, f.alias)
	if right == nil || g.c.waits(q) || !g.c.before(with, q) {
		return false
	}
	f.right, f.left = right, author{g.r, g.scope(q)}.expr(right.typ, pickOne(g.r, 0, 0, 0, 2))
	f.kind = pickOne(g.r, "INNER", "LEFT")
	return g.reads(q, f.left) && !g.c.unsure(q, f.left)
}

// waits tells whether some rows of what a query reads come later than their partners: those of outer joins with a grace period.
func (c *testCase) waits(q *query) bool {
	return slices.ContainsFunc(q.from, func(f from) bool {
		if f.within != nil && f.within.grace >= 0 && f.kind != "INNER" {
			return true
		}
		below, ok := c.relation(f.of).(*query)
		return ok && c.waits(below)
	})
}

// before tells whether it is clear what a table has when a record of what q reads comes: they share no source, or both read it directly, the
// table's query first.
func (c *testCase) before(table relation, q *query) bool {
	below, ok := table.(*query)
	for _, f := range q.from {
		left := c.relation(f.of)
		if !c.related(left, table) {
			continue
		}
		_, derived := left.(*query)
		if !ok || derived || slices.ContainsFunc(below.from, func(b from) bool { _, derived := c.relation(b.of).(*query); return derived }) {
			return false
		}
	}
	return true
}

// related tells whether rows of both can come from one record: then it is not told which comes first.
func (c *testCase) related(a, b relation) bool {
	q, ok := b.(*query)
	if !ok {
		if _, ok := a.(*query); ok {
			return c.related(b, a)
		}
		return a == b
	}
	return slices.ContainsFunc(q.from, func(f from) bool { return c.related(a, c.relation(f.of)) })
}

// streams joins streams within a time.
func (g *generator) streams(q *query, f *from, with relation) bool {
	a := author{g.r, g.scope(q)}
	t := keyTypes[g.r.IntN(len(keyTypes))]
	if k := g.currentKey(q); k != nil && !g.one(4) {
		t = k.typ
	}
	var there scope
	for _, c := range with.list() {
		if !c.set {
			there = append(there, leaf(c.typ, f.alias+"."+c.name, ""))
		}
	}
	f.left, f.right = a.expr(t, pickOne(g.r, 0, 0, 2)), author{g.r, there}.expr(t, pickOne(g.r, 0, 0, 2))
	after := *q
	after.from = []from{{of: f.of, alias: f.alias}}
	if !g.reads(q, f.left) || g.c.unsure(q, f.left) || !g.reads(&after, f.right) || t.Kind == row.KindDouble {
		return false
	}
	w := &within{before: g.r.Int64N(5000), after: g.r.Int64N(5000), grace: -1}
	if g.one(2) {
		w.after = w.before
	}
	below, derived := with.(*query)
	left := g.c.relation(q.from[0].of)
	_, second := left.(*query)
	orderly := len(q.from) == 1 && left.orderly(g.c) && with.orderly(g.c)
	plain := orderly && !derived && !second // records at the end close these
	f.within = w
	if f.kind = "INNER"; !isColumnRef(f.left) || !isColumnRef(f.right) {
		plain = false // PostgreSQL joins so on columns only
	}
	switch {
	case g.c.waits(q) || derived && g.c.waits(below): // rows that come late find nobody any more
		return false
	case orderly && !g.c.related(left, with) && g.one(2):
		f.kind = pickOne(g.r, "LEFT", "LEFT", "RIGHT", "FULL")
	case plain && g.one(2):
		f.kind, w.grace = pickOne(g.r, "LEFT", "LEFT", "RIGHT", "FULL"), g.disorder+g.r.Int64N(2000)
		// A record that comes behind its window is a result alone at once, as in Kafka Streams, though partners may come within the grace: none
		// does.
		w.before, w.after = w.before+g.disorder, w.after+g.disorder
		g.c.end = endOfTime
	case g.one(3):
		w.grace = g.disorder + g.r.Int64N(2000)
	}
	return true
}
