package randomsql

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/mainstemio/mainstem/row"
)

// A generator makes a case from a seed.
type generator struct {
	r *rand.Rand
	c *testCase
	// disorder is how far times go back behind the highest one, at most, in ms.
	disorder int64
	columns  int // made so far: names count
}

func newCase(seed uint64) *testCase {
	g := &generator{r: rand.New(rand.NewPCG(seed, 7)), c: &testCase{seed: seed}}
	if !g.one(3) {
		g.disorder = int64(1 + g.r.IntN(4000))
	}
	shape := g.shape()
	for range 1 + g.r.IntN(3) {
		g.c.sources = append(g.c.sources, g.source(shape))
	}
	queries := 1 + g.r.IntN(3)
	for range 20 {
		if len(g.c.queries) == queries {
			break
		}
		if q := g.query(); q != nil {
			g.c.queries = append(g.c.queries, q)
		}
	}
	g.records()
	return g.c
}

func (g *generator) one(n int) bool { return g.r.IntN(n) == 0 }

func pickOne[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// shape is the types that all sources have some of, so that they can be joined; the first is that of keys.
func (g *generator) shape() []*row.Type {
	out := []*row.Type{keyTypes[g.r.IntN(len(keyTypes))]}
	for range 2 + g.r.IntN(3) {
		out = append(out, scalars[g.r.IntN(len(scalars))])
	}
	return out
}

func (g *generator) name(prefix string) string {
	g.columns++
	return fmt.Sprintf("%s%d", prefix, g.columns)
}

var letters = []string{"s", "t", "u", "v"}

func (g *generator) source(shape []*row.Type) *source {
	s := &source{name: letters[len(g.c.sources)], table: g.one(2), keyFormat: "JSON", valueFormat: pickOne(g.r, "JSON", "JSON", "AVRO", "JSON_SR")}
	keys := 1
	switch {
	case g.one(10):
		keys = 2
	case !s.table && g.one(4):
		keys = 0
	}
	for i := range keys {
		t := shape[0]
		if i > 0 || g.one(6) {
			t = keyTypes[g.r.IntN(len(keyTypes))]
		}
		s.columns = append(s.columns, column{name: g.name("k"), typ: t, key: true})
	}
	if keys == 1 && bareKey(s.columns[0].typ) && g.one(2) {
		s.keyFormat = "KAFKA"
	}
	for _, t := range shape {
		if g.one(4) {
			continue
		}
		s.columns = append(s.columns, column{name: g.name("c"), typ: t})
	}
	if g.one(2) || len(s.columns) == keys {
		s.columns = append(s.columns, column{name: g.name("c"), typ: nested[g.r.IntN(len(nested))]})
	}
	if g.one(2) {
		s.columns = append(s.columns, column{name: g.name("c"), typ: scalars[g.r.IntN(len(scalars))]})
	}
	return s
}

// records makes the sources' records. Times go up, but for the disorder.
func (g *generator) records() {
	n := 5 + g.r.IntN(45)
	at := int64(g.r.IntN(3)) * 7000
	keys := map[string][][]row.Value{}
	for _, s := range g.c.sources {
		for range 2 + g.r.IntN(4) {
			keys[s.name] = append(keys[s.name], g.key(s))
		}
	}
	for range n {
		at += int64(g.r.IntN(3) * g.r.IntN(1500))
		s := g.c.sources[g.r.IntN(len(g.c.sources))]
		in := input{source: s.name, ts: at, delete: s.table && g.one(6)}
		if g.disorder > 0 && g.one(2) {
			in.ts = max(0, at-g.r.Int64N(g.disorder+1))
		}
		in.values = slices.Clone(keys[s.name][g.r.IntN(len(keys[s.name]))])
		for _, c := range s.columns[s.keys():] {
			in.values = append(in.values, maybeNull(g.r, c.typ, 7))
		}
		g.c.inputs = append(g.c.inputs, in)
	}
	if g.c.end > 0 {
		g.closing()
	}
}

func (g *generator) key(s *source) []row.Value {
	out := make([]row.Value, s.keys())
	for i := range out {
		if out[i] = value(g.r, s.columns[i].typ); !s.table && len(out) == 1 && g.one(9) {
			out[i] = row.Null
		}
	}
	return out
}

// closing repeats all records of streams at a time when everything before is closed, so that each partition gets there.
func (g *generator) closing() {
	for _, in := range g.c.inputs {
		if g.c.relation(in.source).isTable() {
			continue
		}
		in.ts = g.c.end
		g.c.inputs = append(g.c.inputs, in)
	}
}

// endOfTime is when everything is closed in cases with closing records: less than a day behind the others, so that nothing is late by default.
const endOfTime = 30_000_000

// relations are those that the next query can read.
func (g *generator) relations() []relation {
	var out []relation
	for _, s := range g.c.sources {
		out = append(out, s)
	}
	for _, q := range g.c.queries {
		if q.window == nil {
			out = append(out, q, q) // rather than sources
		}
	}
	return out
}

// query writes the next query, nil if the dice fell badly.
func (g *generator) query() *query {
	all := g.relations()
	first := all[g.r.IntN(len(all))]
	q := &query{name: fmt.Sprintf("q%d", len(g.c.queries)), table: first.isTable()}
	q.from = []from{{of: first.called(), alias: g.alias()}}
	for tries := g.r.IntN(4); tries > 0; tries-- {
		g.join(q, all[g.r.IntN(len(all))])
	}
	a := author{g.r, g.scope(q)}
	if g.one(2) {
		q.where = a.expr(row.Boolean, 3)
	}
	switch n := g.r.IntN(10); {
	case n < 5 || n < 6 && q.table:
		if !g.group(q, a) {
			return nil
		}
	default:
		g.project(q, a)
	}
	g.keyFormat(q)
	if g.one(3) {
		q.valueFormat = pickOne(g.r, "AVRO", "PROTOBUF", "JSON_SR", "JSON")
	}
	if (q.valueFormat == "" || q.valueFormat == "PROTOBUF") && slices.ContainsFunc(q.list(), func(c column) bool { return c.typ.Kind.IsNested() }) {
		q.valueFormat = pickOne(g.r, "AVRO", "JSON") // Protobuf's lists have no nulls
	}
	return q
}

// keyFormat takes one that can hold the keys.
func (g *generator) keyFormat(q *query) {
	cols := q.list()
	keys := 0
	for keys < len(cols) && cols[keys].key {
		keys++
	}
	switch {
	case keys == 1 && bareKey(cols[0].typ) && g.one(2):
		q.keyFormat = "KAFKA"
	case keys > 0:
		q.keyFormat = "JSON"
	}
}

// bareKey tells the types that the format KAFKA knows.
func bareKey(t *row.Type) bool {
	return t.Kind == row.KindInt || t.Kind == row.KindBigint || t.Kind == row.KindString
}

// alias is a name of a relation within one query, different in all queries.
func (g *generator) alias() string { return g.name("r") }

// scope is the columns of FROM.
func (g *generator) scope(q *query) scope {
	var out scope
	for _, f := range q.from {
		for _, c := range g.c.relation(f.of).list() {
			if !c.set {
				out = append(out, leaf(c.typ, f.alias+"."+c.name, ""))
			}
		}
	}
	return out
}

// keyOf is the column of a relation's only key, nil if it has none or several.
func keyOf(r relation, alias string) *expr {
	cols := r.list()
	if len(cols) < 2 || !cols[0].key || cols[1].key {
		return nil
	}
	return leaf(cols[0].typ, alias+"."+cols[0].name, "")
}

func (g *generator) keyItem(q *query, e *expr) item { return item{e: e, name: g.name("k"), key: true} }

// project writes the SELECT list of a query without GROUP BY.
func (g *generator) project(q *query, a author) {
	stream := !q.table
	switch {
	case stream && g.one(4):
		t := keyTypes[g.r.IntN(len(keyTypes))]
		q.partition = a.expr(t, 2)
		if len(q.partition.args) == 0 && !isColumn(a.scope, q.partition) {
			q.partition = nil // a literal
		} else if g.c.unsure(q, q.partition) {
			q.partition = nil
		}
	}
	switch {
	case q.partition != nil:
		q.items = append(q.items, g.keyItem(q, q.partition))
	default:
		g.keys(q)
	}
	for range 1 + g.r.IntN(4) {
		t := pickOne(g.r, scalars[g.r.IntN(len(scalars))], scalars[g.r.IntN(len(scalars))], nested[g.r.IntN(len(nested))])
		if c := a.scope[g.r.IntN(len(a.scope))]; g.one(3) {
			t = c.typ
		}
		e := a.expr(t, 3)
		if g.isKey(q, e) {
			e = call(t, "AS_VALUE($1)", "$1", e)
		}
		q.items = append(q.items, item{e: e, name: g.name("c")})
	}
	if stream && g.one(6) {
		list := pickOne(g.r, ints, texts, bigints)
		q.explode = a.expr(list, 2)
		q.items = append(q.items, item{e: call(list.Elem, "EXPLODE($1)", "x"+q.name+".v", q.explode), name: g.name("c")})
	}
}

func isColumn(s scope, e *expr) bool { return slices.Contains(s, e) }

// isKey tells whether an expression would be taken for a key column.
func (g *generator) isKey(q *query, e *expr) bool {
	sure, unsure := g.c.keyNames(q)
	for _, i := range q.items {
		if i.key {
			sure = append(sure, i.e)
		}
	}
	return named(sure, e) || named(unsure, e)
}
