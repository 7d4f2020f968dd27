package randomsql

import (
	"slices"

	"github.com/mainstemio/mainstem/row"
)

// shrink makes a case that fails smaller for as long as it fails in the same way: fewer records, queries, columns and clauses, smaller
// expressions.
func shrink(c *testCase, o *oracle) *testCase {
	s := &shrinker{c, o, c.check(o), 0}
	for changed := true; changed && s.tries < maxShrinks; {
		changed = s.queries() || s.records() || s.clauses() || s.expressions()
	}
	return s.c
}

const maxShrinks = 3000

type shrinker struct {
	c     *testCase
	o     *oracle
	err   error
	tries int
}

// try takes a smaller case if it fails as the one before.
func (s *shrinker) try(change func(c *testCase) bool) bool {
	next := s.c.clone()
	if !change(next) || s.tries >= maxShrinks {
		return false
	}
	s.tries++
	if err := next.check(s.o); err == nil || !sameKind(s.err, err) {
		return false
	}
	s.c = next
	return true
}

func (c *testCase) clone() *testCase {
	out := *c
	out.inputs = slices.Clone(c.inputs)
	out.sources = slices.Clone(c.sources)
	out.queries = nil
	for _, q := range c.queries {
		n := *q
		n.from, n.items, n.group = slices.Clone(q.from), slices.Clone(q.items), slices.Clone(q.group)
		out.queries = append(out.queries, &n)
	}
	return &out
}

// queries leaves out queries and sources that nothing reads.
func (s *shrinker) queries() (changed bool) {
	for i := len(s.c.queries) - 1; i >= 0; i-- {
		changed = s.try(func(c *testCase) bool {
			if c.read(c.queries[i].name) {
				return false
			}
			c.queries = slices.Delete(c.queries, i, i+1)
			return len(c.queries) > 0
		}) || changed
	}
	for i := len(s.c.sources) - 1; i >= 0; i-- {
		changed = s.try(func(c *testCase) bool {
			name := c.sources[i].name
			if c.read(name) {
				return false
			}
			c.sources = slices.Delete(c.sources, i, i+1)
			c.inputs = slices.DeleteFunc(c.inputs, func(in input) bool { return in.source == name })
			return true
		}) || changed
	}
	return changed
}

// read tells whether a query reads a relation.
func (c *testCase) read(name string) bool {
	return slices.ContainsFunc(c.queries, func(q *query) bool {
		return slices.ContainsFunc(q.from, func(f from) bool { return f.of == name })
	})
}

// records leaves out records, many at a time first.
func (s *shrinker) records() (changed bool) {
	for size := max(len(s.c.inputs)/2, 1); size > 0; size /= 2 {
		for at := 0; at < len(s.c.inputs); {
			if s.try(func(c *testCase) bool {
				c.inputs = slices.Delete(c.inputs, at, min(at+size, len(c.inputs)))
				return true
			}) {
				changed = true
				continue
			}
			at += size
		}
	}
	return changed
}

// clauses leaves out clauses, columns and joins.
func (s *shrinker) clauses() (changed bool) {
	for i := range s.c.queries {
		for _, drop := range []func(q *query) bool{
			func(q *query) bool { had := q.where != nil; q.where = nil; return had },
			func(q *query) bool { had := q.having != nil; q.having = nil; return had },
			func(q *query) bool { had := q.valueFormat != ""; q.valueFormat = ""; return had },
			func(q *query) bool { had := q.final; q.final = false; return had },
			func(q *query) bool { had := q.window != nil; q.window, q.final = nil, false; return had },
			func(q *query) bool {
				n := len(q.from)
				q.from = q.from[:max(n-1, 1)]
				return n > 1
			},
		} {
			changed = s.try(func(c *testCase) bool { return drop(c.queries[i]) }) || changed
		}
		for at := len(s.c.queries[i].items) - 1; at >= 0; at-- {
			changed = s.try(func(c *testCase) bool {
				q := c.queries[i]
				if q.items[at].key {
					return false
				}
				if e := q.items[at].e; len(e.args) == 1 && e.args[0] == q.explode {
					q.explode = nil
				}
				q.items = slices.Delete(q.items, at, at+1)
				return true
			}) || changed
		}
	}
	return changed
}

// expressions puts parts of expressions, or literals, in the place of the whole.
func (s *shrinker) expressions() (changed bool) {
	for i := range s.c.queries {
		places := []func(q *query) **expr{
			func(q *query) **expr { return &q.where },
			func(q *query) **expr { return &q.having },
		}
		for at := range s.c.queries[i].items {
			places = append(places, func(q *query) **expr { return &q.items[at].e })
		}
		for _, place := range places {
			for s.smaller(i, place) {
				changed = true
			}
		}
	}
	return changed
}

// smaller tries the smaller forms of the expression at a place.
func (s *shrinker) smaller(i int, place func(q *query) **expr) bool {
	e := *place(s.c.queries[i])
	if e == nil || s.c.queries[i].explode != nil && len(e.args) == 1 && e.args[0] == s.c.queries[i].explode {
		return false
	}
	for _, n := range variants(e) {
		if s.try(func(c *testCase) bool { *place(c.queries[i]) = n; return true }) {
			return true
		}
	}
	return false
}

// variants are smaller forms of an expression.
func variants(e *expr) []*expr {
	var out []*expr
	for _, a := range e.args {
		if a.typ.Equal(e.typ) {
			out = append(out, a)
		}
	}
	if len(e.args) > 0 && !e.typ.Kind.IsNested() {
		out = append(out, literal(row.Null, e.typ))
	}
	for i, a := range e.args {
		for _, v := range variants(a) {
			n := *e
			n.args = slices.Clone(e.args)
			n.args[i] = v
			out = append(out, &n)
		}
	}
	return out
}
