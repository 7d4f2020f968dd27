package randomsql

import (
	"slices"

	"github.com/mainstemio/mainstem/row"
)

// group writes GROUP BY with what belongs to it; false: the dice fell badly.
func (g *generator) group(q *query, a author) bool {
	over := q.table
	for range 1 + g.r.IntN(2)*g.r.IntN(2) {
		t := keyTypes[g.r.IntN(len(keyTypes))]
		e := a.expr(t, pickOne(g.r, 0, 0, 0, 2))
		if len(e.args) == 0 && !isColumn(a.scope, e) || g.c.unsure(q, e) {
			continue
		}
		if !slices.ContainsFunc(q.group, func(o *expr) bool { return ksql(o) == ksql(e) }) {
			q.group = append(q.group, e)
		}
	}
	if len(q.group) == 0 {
		return false
	}
	orderly := g.c.orderly(q)
	if !over && g.one(2) {
		g.window(q, orderly)
	}
	// Behind GROUP BY stand the groups and the aggregates.
	b := author{r: g.r}
	for _, e := range q.group {
		b.scope = append(b.scope, &expr{typ: e.typ, group: e})
	}
	sets := scope{}
	for range 1 + g.r.IntN(4) {
		e, set := g.aggregate(q, a, orderly)
		switch {
		case e == nil:
		case set:
			sets = append(sets, e)
		default:
			b.scope = append(b.scope, e)
		}
	}
	count := &expr{typ: row.Bigint, call: &aggregateCall{aggregate: &aggregates[0]}}
	b.scope = append(b.scope, count)
	g.groupItems(q, b, sets)
	if over { // a group whose rows are gone stays in ksqlDB, with a count of zero
		q.having = call(row.Boolean, "($1 > 0)", "", count)
	}
	if g.one(3) {
		more := b.expr(row.Boolean, 2)
		if q.having != nil {
			more = call(row.Boolean, "($1 AND $2)", "", q.having, more)
		}
		q.having = more
	}
	q.table = true
	return true
}

func (g *generator) groupItems(q *query, b author, sets scope) {
	for i := range q.group {
		q.items = append(q.items, g.keyItem(q, b.scope[i]))
	}
	for _, e := range b.scope[len(q.group):] {
		q.items = append(q.items, item{e: e, name: g.name("c")})
	}
	for _, e := range sets {
		q.items = append(q.items, item{e: e, name: g.name("c"), set: true})
	}
	for range g.r.IntN(3) {
		e := b.expr(scalars[g.r.IntN(len(scalars))], 2)
		if e.group != nil {
			e = call(e.typ, "AS_VALUE($1)", "$1", e)
		}
		if len(e.args) > 0 {
			q.items = append(q.items, item{e: e, name: g.name("c")})
		}
	}
}

// aggregate writes a call of an aggregate that the query can have, nil if there is none this time.
func (g *generator) aggregate(q *query, a author, orderly bool) (e *expr, set bool) {
	f := &aggregates[g.r.IntN(len(aggregates))]
	session := q.window != nil && q.window.kind == "SESSION"
	if q.table && !f.undo || f.ordered && (!orderly || session) {
		return nil, false
	}
	c := &aggregateCall{aggregate: f}
	var types []*row.Type
	for _, t := range f.args {
		if t == nil {
			t = keyTypes[g.r.IntN(len(keyTypes))]
			if col := a.scope[g.r.IntN(len(a.scope))]; slices.Contains(keyTypes, col.typ) {
				t = col.typ
			}
		}
		arg := a.expr(t, pickOne(g.r, 0, 0, 2))
		if len(arg.args) == 0 && !isColumn(a.scope, arg) {
			return nil, false // a literal could be taken for a parameter
		}
		c.args, types = append(c.args, arg), append(types, t)
	}
	return &expr{typ: f.result(types), call: c}, f.set
}

// window writes WINDOW. With little grace records are late: they are the same for each partition only where there is one.
func (g *generator) window(q *query, orderly bool) {
	w := &window{kind: pickOne(g.r, "TUMBLING", "HOPPING", "SESSION"), size: 1 + g.r.Int64N(6000), grace: -1}
	w.advance = w.size
	if w.kind == "HOPPING" {
		w.advance = w.size/(1+g.r.Int64N(4)) + 1
		w.advance = min(w.advance, w.size)
	}
	q.window = w
	if w.kind == "SESSION" || !orderly {
		return
	}
	if g.one(2) {
		w.grace = g.r.Int64N(3000)
		g.c.ordered = true
	}
	if w.grace >= 0 && g.one(3) {
		q.final = true
	}
}
