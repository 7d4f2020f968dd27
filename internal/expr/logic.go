package expr

import (
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/row"
)

// logical makes AND and OR. The right side is not computed where the left one decides.
func (c *compiler) logical(e *ast.Binary) (*node, error) {
	l, err := c.condition(e.Left)
	if err != nil {
		return nil, err
	}
	r, err := c.condition(e.Right)
	if err != nil {
		return nil, err
	}
	left, right, decisive := l.eval, r.eval, e.Op == ast.Or
	return c.fold(newNode(e, row.Boolean, func(e env) (row.Value, error) {
		a, err := left(e)
		if err != nil {
			return row.Null, err
		}
		if !a.IsNull() && a.Boolean() == decisive {
			return a, nil
		}
		b, err := right(e)
		if err != nil {
			return row.Null, err
		}
		if a.IsNull() && (b.IsNull() || b.Boolean() != decisive) {
			return row.Null, nil
		}
		return b, nil
	}), l, r), nil
}

// condition compiles a side of AND, OR and NOT, which has to be BOOLEAN.
func (c *compiler) condition(e ast.Expr) (*node, error) {
	n, err := c.compile(e)
	if err != nil {
		return nil, err
	}
	if n.typ != nil && n.typ.Kind != row.KindBoolean {
		return nil, errorAt(e, CodeType, "Unexpected boolean expression: %s is %s", ast.Format(e), n.typ).hint("compare it with something")
	}
	return n, nil
}

func (c *compiler) not(e ast.Expr, x *node) (*node, error) {
	if x.typ != nil && x.typ.Kind != row.KindBoolean {
		return nil, errorAt(e, CodeType, "Unexpected boolean expression: %s is %s", ast.Format(x.e), x.typ).hint("compare it with something")
	}
	return c.fold(newNode(e, row.Boolean, negated(x.eval)), x), nil
}

func negated(f eval) eval {
	return func(e env) (row.Value, error) {
		v, err := f(e)
		if err != nil || v.IsNull() {
			return row.Null, err
		}
		return boolean(!v.Boolean()), nil
	}
}

// predicate compiles what tests a value, with or without NOT.
func (c *compiler) predicate(e ast.Expr) (*node, error) {
	var n *node
	var err error
	var not bool
	switch e := e.(type) {
	case *ast.IsNull:
		return c.isNull(e)
	case *ast.Like:
		n, err = c.like(e)
		not = e.Not
	case *ast.In:
		n, err = c.in(e)
		not = e.Not
	case *ast.Between:
		n, err = c.between(e)
		not = e.Not
	}
	if err != nil || !not {
		return n, err
	}
	return c.fold(newNode(e, row.Boolean, negated(n.eval)), n), nil
}

func (c *compiler) isNull(e *ast.IsNull) (*node, error) {
	x, err := c.compile(e.X)
	if err != nil {
		return nil, err
	}
	f, not := x.eval, e.Not
	if at := x.column; at >= 0 {
		return newNode(e, row.Boolean, func(e env) (row.Value, error) { return boolean(e.row.IsNullAt(at) != not), nil }), nil
	}
	return c.fold(newNode(e, row.Boolean, func(e env) (row.Value, error) {
		v, err := f(e)
		if err != nil {
			return row.Null, err
		}
		return boolean(v.IsNull() != not), nil
	}), x), nil
}

// between is X >= Low AND X <= High, with X computed once where it is no column.
func (c *compiler) between(e *ast.Between) (*node, error) {
	x, err := c.compile(e.X)
	if err != nil {
		return nil, err
	}
	low, err := c.compile(e.Low)
	if err != nil {
		return nil, err
	}
	high, err := c.compile(e.High)
	if err != nil {
		return nil, err
	}
	above, err := c.compare(e, ast.Ge, x, low)
	if err != nil {
		return nil, within("Invalid expression: ", err)
	}
	below, err := c.compare(e, ast.Le, x, high)
	if err != nil {
		return nil, within("Invalid expression: ", err)
	}
	first, second := above.eval, below.eval
	return c.fold(newNode(e, row.Boolean, func(e env) (row.Value, error) {
		v, err := first(e)
		if err != nil || !v.Boolean() {
			return v, err
		}
		return second(e)
	}), x, low, high), nil
}

// in compares with a list. All of it, with the value itself, is brought to one type.
func (c *compiler) in(e *ast.In) (*node, error) {
	x, err := c.compile(e.X)
	if err != nil {
		return nil, err
	}
	list, err := c.compileAll(e.List)
	if err != nil {
		return nil, err
	}
	nodes, _, err := c.unify(append([]*node{x}, list...))
	if err != nil {
		return nil, within("Invalid Predicate: ", err)
	}
	x, list = nodes[0], nodes[1:]
	set := map[row.Value]bool{}
	var others []eval
	for _, n := range list {
		switch {
		case !n.constant:
			others = append(others, n.eval)
		case !n.value.IsNull():
			set[n.value] = true
		}
	}
	f := x.eval
	return c.fold(newNode(e, row.Boolean, func(e env) (row.Value, error) {
		v, err := f(e)
		if err != nil {
			return row.Null, err
		}
		if v.IsNull() {
			return isFalse, nil
		}
		if set[v] {
			return isTrue, nil
		}
		for _, other := range others {
			o, err := other(e)
			if err != nil {
				return row.Null, err
			}
			if o == v {
				return isTrue, nil
			}
		}
		return isFalse, nil
	}), nodes...), nil
}

// within says in which test types do not go together.
func within(words string, err error) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // it is made here, not wrapped
		e.Message = words + e.Message
	}
	return err
}

func (c *compiler) like(e *ast.Like) (*node, error) {
	x, err := c.compile(e.X)
	if err != nil {
		return nil, err
	}
	p, err := c.compile(e.Pattern)
	if err != nil {
		return nil, err
	}
	for _, n := range []*node{x, p} {
		if n.typ != nil && n.typ.Kind != row.KindString {
			return nil, errorAt(n.e, CodeType, "The column type for Like condition must be VARCHAR. The column type is %s: %s", n.typ, ast.Format(n.e)).hint("cast it to STRING")
		}
	}
	escape := rune(-1)
	for _, r := range e.Escape {
		escape = r
	}
	f, pattern := x.eval, p.eval
	if p.constant && !p.value.IsNull() {
		m := compileLike(p.value.Text(), escape)
		return c.fold(newNode(e, row.Boolean, func(e env) (row.Value, error) {
			v, err := f(e)
			if err != nil || v.IsNull() {
				return row.Null, err
			}
			return boolean(m.match(v.Text())), nil
		}), x, p), nil
	}
	return c.fold(newNode(e, row.Boolean, func(e env) (row.Value, error) {
		v, err := f(e)
		if err != nil || v.IsNull() {
			return row.Null, err
		}
		q, err := pattern(e)
		if err != nil || q.IsNull() {
			return row.Null, err
		}
		m := compileLike(q.Text(), escape)
		return boolean(m.match(v.Text())), nil
	}), x, p), nil
}
