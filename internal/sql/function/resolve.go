package function

import (
	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/row"
)

// An Arg is what is known of an argument when a function is looked up.
type Arg struct {
	Type   *row.Type // nil: NULL, a lambda or a unit
	Lambda int       // how many parameters a lambda has, 0: no lambda
	Unit   bool      // a unit of time
	Const  *row.Value
	Text   string // for messages
}

// Types are arguments of which only types are known.
func Types(types ...*row.Type) []Arg {
	out := make([]Arg, len(types))
	for i, t := range types {
		out[i].Type = t
	}
	return out
}

// String is the argument's type in messages.
func (a Arg) String() string {
	switch {
	case a.Lambda > 0:
		return "LAMBDA"
	case a.Unit:
		return "INTERVALUNIT"
	case a.Type == nil:
		return "null"
	}
	return a.Type.String()
}

// param is the pattern for the i-th of n arguments.
func (s *signature) param(i, n int) *pattern {
	times := n - len(s.params) + 1 // that the variadic one is there
	switch {
	case s.variadic < 0 || i < s.variadic:
		return s.params[i]
	case i < s.variadic+times:
		return s.params[s.variadic]
	}
	return s.params[i-times+1]
}

// match tells whether the signature takes the arguments, what its letters stand for then and how far types were widened.
func (s *signature) match(args []Arg, casts bool) (g generics, cost int, ok bool) {
	if s.variadic < 0 && len(args) != len(s.params) || len(args) < len(s.params)-1 {
		return g, 0, false
	}
	for i, a := range args {
		c, ok := s.param(i, len(args)).match(a, &g, casts)
		if !ok {
			return g, 0, false
		}
		cost += c
	}
	return g, cost, true
}

func (p *pattern) match(a Arg, g *generics, casts bool) (cost int, ok bool) {
	switch {
	case p.lambda != nil:
		return 0, a.Lambda == len(p.lambda)-1
	case p.unit:
		return 0, a.Unit
	case a.Lambda > 0 || a.Unit:
		return 0, false
	}
	return p.matchType(a.Type, g, casts)
}

func (p *pattern) matchType(t *row.Type, g *generics, casts bool) (cost int, ok bool) {
	switch {
	case p.any:
		return 0, true
	case t == nil:
		return 0, true
	case p.generic != 0:
		return g.bind(p.generic, t, casts)
	case p.exact != nil:
		return 0, t.Equal(p.exact)
	case p.kind == row.KindArray || p.kind == row.KindMap:
		return p.matchNested(t, g, casts)
	case t.Kind == p.kind:
		return 0, true
	case !casts:
		return 0, false
	case t.Kind.IsNumber() && p.kind.IsNumber():
		d := wideness(p.kind) - wideness(t.Kind)
		return d, d > 0
	}
	return 5, t.Kind == row.KindString && p.kind.IsTemporal()
}

func (p *pattern) matchNested(t *row.Type, g *generics, casts bool) (int, bool) {
	if t.Kind != p.kind {
		return 0, false
	}
	cost, ok := p.elem.matchType(t.Elem, g, casts)
	if !ok || p.key == nil {
		return cost, ok
	}
	more, ok := p.key.matchType(t.Key, g, casts)
	return cost + more, ok
}

// wideness orders the numbers by what can be turned into what.
func wideness(k row.Kind) int {
	switch k {
	case row.KindInt:
		return 0
	case row.KindBigint:
		return 1
	case row.KindDecimal:
		return 2
	}
	return 3
}

// bind lets a letter stand for t. If it stands for something else already, casts may make it the wider number of both.
func (g *generics) bind(letter byte, t *row.Type, casts bool) (cost int, ok bool) {
	old := g[letter-'A']
	switch {
	case old == nil:
		g[letter-'A'] = t
		return 0, true
	case old.Equal(t):
		return 0, true
	case !casts || !old.Kind.IsNumber() || !t.Kind.IsNumber():
		return 0, false
	}
	g[letter-'A'] = WiderNumber(old, t)
	return 1, true
}

// WiderNumber is the type that holds the values of two numeric types.
func WiderNumber(a, b *row.Type) *row.Type {
	if a.Kind == row.KindDecimal || b.Kind == row.KindDecimal {
		if x, y := decimal.Of(a), decimal.Of(b); x != nil && y != nil {
			return decimal.Wider(x, y)
		}
	}
	if wideness(a.Kind) >= wideness(b.Kind) {
		return a
	}
	return b
}

// genericCount counts the letters among the parameters: the fewer, the closer a signature is to the arguments.
func (s *signature) genericCount() (n int) {
	for _, p := range s.params {
		for q := p; q != nil; q = q.elem {
			if q.generic != 0 || q.any {
				n++
			}
		}
	}
	return n
}

// A candidate is a signature that takes the arguments.
type candidate struct {
	index    int
	generics generics
	cost     int
}

// choose picks the signature for the arguments. Those that take them as they are come first, then those that need wider types. Without
// variable parameters beats with them, fewer letters beat more, and among the rest the least widening, except between variable ones: which
// of them was meant cannot be told.
func choose(name string, sigs []*signature, args []Arg) (candidate, error) {
	for _, casts := range []bool{false, true} {
		var best []candidate
		for i, s := range sigs {
			g, cost, ok := s.match(args, casts)
			if !ok {
				continue
			}
			c := candidate{i, g, cost}
			if len(best) > 0 {
				switch order := compare(s, sigs[best[0].index], c, best[0], casts); {
				case order > 0:
					continue
				case order < 0:
					best = best[:0]
				}
			}
			best = append(best, c)
		}
		switch len(best) {
		case 0:
			continue
		case 1:
			return best[0], nil
		}
		return candidate{}, ambiguous(name, args)
	}
	return candidate{}, noMatch(name, sigs, args)
}

// compare is below 0 if a is the better choice, above if b is, 0 if neither is.
func compare(a, b *signature, x, y candidate, casts bool) int {
	if (a.variadic >= 0) != (b.variadic >= 0) {
		if a.variadic < 0 {
			return -1
		}
		return 1
	}
	if d := a.genericCount() - b.genericCount(); d != 0 {
		return d
	}
	if casts && a.variadic < 0 {
		return x.cost - y.cost
	}
	return 0
}
