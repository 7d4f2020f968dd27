package expr

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// arguments compiles what can be compiled before the function is known: all but lambdas. Their nodes are nil.
func (c *compiler) arguments(list []ast.Expr) ([]*node, []function.Arg, error) {
	nodes, args := make([]*node, len(list)), make([]function.Arg, len(list))
	for i, e := range list {
		args[i].Text = ast.Format(e)
		if l, ok := e.(*ast.Lambda); ok {
			args[i].Lambda = max(len(l.Params), 1)
			continue
		}
		if unit, ok := c.unit(e); ok {
			nodes[i] = constant(e, nil, row.NewString(unit.String()))
			args[i].Unit = true
			continue
		}
		n, err := c.compile(e)
		if err != nil {
			return nil, nil, err
		}
		nodes[i], args[i].Type = n, n.typ
		if n.constant {
			args[i].Const = &n.value
		}
	}
	return nodes, args, nil
}

// unit reads a unit of time. A word such as DAY may be a column, too: then it is that.
func (c *compiler) unit(e ast.Expr) (ast.Unit, bool) {
	switch e := e.(type) {
	case *ast.IntervalUnit:
		return e.Unit, true
	case *ast.ColumnRef:
		unit, ok := ast.UnitOf(e.Name.Text)
		if !ok || e.Source.Given() || e.Name.Quoted {
			return 0, false
		}
		for _, v := range c.vars {
			if v.name == e.Name.Text {
				return 0, false
			}
		}
		_, _, err := c.scope.Column(e)
		return unit, err != nil
	}
	return 0, false
}

func (c *compiler) call(e *ast.Call) (*node, error) {
	switch c.lib.Kind(e.Name.Text) {
	case function.AggregateFunction:
		return nil, errorAt(e, CodeUnsupported, "Aggregate function %s cannot be used here", e.Name.Text).hint("aggregates stand in SELECT and HAVING of a query with GROUP BY")
	case function.TableFunction:
		return nil, errorAt(e, CodeUnsupported, "Table function %s cannot be used here", e.Name.Text).hint("table functions stand in SELECT only, and not within others")
	}
	nodes, args, err := c.arguments(e.Args)
	if err != nil {
		return nil, err
	}
	m, err := c.lib.Scalar(e.Name.Text, args)
	if err != nil {
		return nil, located(e, err)
	}
	var lambdas []lambda
	for i, a := range e.Args {
		l, ok := a.(*ast.Lambda)
		if !ok {
			continue
		}
		compiled, err := c.lambda(l, m, i)
		if err != nil {
			return nil, err
		}
		lambdas = append(lambdas, compiled)
		nodes[i] = constant(a, nil, row.Null)
	}
	bound, err := m.Bind()
	if err != nil {
		return nil, located(e, err)
	}
	for i, p := range bound.Params {
		if p == nil || args[i].Lambda > 0 || args[i].Unit {
			continue
		}
		if nodes[i], err = c.argument(nodes[i], p); err != nil {
			return nil, err
		}
	}
	return c.callNode(e, bound, nodes, lambdas), nil
}

// argument brings an argument to the type of its parameter.
func (c *compiler) argument(n *node, t *row.Type) (*node, error) {
	if n.typ.Equal(t) {
		return n, nil
	}
	if n.typ == nil {
		return c.convert(n, t)
	}
	return c.castNode(n.e, n, t)
}

// operands are the arguments of a call that have to be computed for each row. All have a part of the frame's memory of their own, in which
// constants stand already.
type operands struct {
	list      []operand
	from, end int
	nulls     bool // the function wants nulls
}

type operand struct {
	at     int // which argument it is
	column int // of the row, -1: it is computed
	eval   eval
}

func (c *compiler) operands(e *ast.Call, nodes []*node, nulls bool) *operands {
	o := &operands{from: len(c.args), nulls: nulls}
	for i, n := range nodes {
		_, isLambda := e.Args[i].(*ast.Lambda)
		c.args = append(c.args, n.value)
		if !isLambda && (!n.constant || n.value.IsNull() && !nulls) {
			o.list = append(o.list, operand{i, n.column, n.eval})
		}
	}
	o.end = len(c.args)
	c.needFrame()
	return o
}

// values computes the arguments; none: one is null, and so is what the function gives.
func (o *operands) values(e env) (values []row.Value, none bool, err error) {
	values = e.frame.args[o.from:o.end:o.end]
	for i := range o.list {
		var v row.Value
		if one := &o.list[i]; one.column >= 0 {
			v = e.row.At(one.column)
		} else if v, err = one.eval(e); err != nil {
			return nil, false, err
		}
		if v.IsNull() && !o.nulls {
			return nil, true, nil
		}
		values[o.list[i].at] = v
	}
	return values, false, nil
}

// callNode makes the node of a call.
func (c *compiler) callNode(e *ast.Call, b *function.Bound, nodes []*node, lambdas []lambda) *node {
	args, name, compute := c.operands(e, nodes, b.Nulls), b.Name, b.Eval
	at := c.lambdas
	if len(lambdas) > 0 {
		c.lambdas++
	}
	n := newNode(e, b.Returns, func(e env) (v row.Value, err error) {
		values, none, err := args.values(e)
		if err != nil || none {
			return row.Null, err
		}
		if compute != nil {
			v, err = compute(values)
		} else {
			v, err = b.Apply(values, e.frame.closures(at, lambdas))
		}
		if err == nil {
			err = e.frame.did(v)
		}
		if err != nil {
			return row.Null, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	})
	if b.Cut != nil {
		n.elements = cutting(b.Cut, args)
	}
	if name == "transform" && len(lambdas) == 1 && nodes[0].typ.Is(row.KindArray) {
		if len(nodes[0].parts) == 1 {
			n.single = single(e, name, nodes[0].parts[0].eval, lambdas[0])
		}
		if at := fieldOf(e.Args[1], nodes[0].typ.Elem); at >= 0 && nodes[0].typ.Elem.Fields[at].Type.Equal(b.Returns.Elem) {
			n.elements = fields(nodes[0], at)
			n.eval = made(name, n.elements)
		}
	}
	if b.Varies || len(lambdas) > 0 {
		return n
	}
	return c.fold(n, nodes...)
}

// single computes what a lambda makes of the only element of ARRAY[x], without an array: TRANSFORM(ARRAY[x], v => …)[1] is how SQL gives x a
// name.
func single(e ast.Expr, name string, x eval, l lambda) *node {
	bind := func(e env) { e.frame.vars[l.slot] = part(x, e, "element of an array") }
	named := func(err error) error { return fmt.Errorf("%s: %w", name, err) }
	n := newNode(e, l.body.typ, func(e env) (row.Value, error) {
		bind(e)
		v, err := l.body.eval(e)
		if err == nil {
			err = e.frame.did(v)
		}
		if err != nil {
			return row.Null, named(err)
		}
		return v, nil
	})
	if l.body.elements != nil {
		n.elements = func(e env) (row.Elements, error) {
			bind(e)
			v, err := l.body.elements(e)
			if err != nil {
				return row.Elements{}, named(err)
			}
			return v, nil
		}
	}
	return n
}

// fieldOf is the field that a lambda gives of its parameter, of type t, -1: it gives something else.
func fieldOf(arg ast.Expr, t *row.Type) int {
	l, ok := arg.(*ast.Lambda)
	if !ok || len(l.Params) != 1 || !t.Is(row.KindStruct) {
		return -1
	}
	f, ok := l.Body.(*ast.FieldRef)
	if !ok {
		return -1
	}
	if of, ok := f.Base.(*ast.ColumnRef); !ok || of.Source.Given() || of.Name.Text != l.Params[0].Text {
		return -1
	}
	return t.Field(f.Field.Text)
}

// elements compute an array without making it.
type elements func(env) (row.Elements, error)

// cutting is what a function cuts out of its first argument.
func cutting(f function.Cut, args *operands) elements {
	return func(e env) (row.Elements, error) {
		values, none, err := args.values(e)
		if err != nil || none {
			return row.Elements{}, err
		}
		from, to, ok := f(values)
		if !ok {
			return row.Elements{}, nil
		}
		return row.Elements{Of: values[0].Row(), From: from, To: to, Part: -1}, e.frame.work(to - from)
	}
}

// fields computes TRANSFORM(x, e => e->field): the fields are cut out of the elements.
func fields(array *node, at int) elements {
	return func(e env) (row.Elements, error) {
		if array.elements == nil {
			v, err := array.eval(e)
			if err != nil || v.IsNull() {
				return row.Elements{}, err
			}
			return row.Elements{Of: v.Row(), To: v.Len(), Part: at}, e.frame.work(v.Len())
		}
		v, err := array.elements(e)
		if err == nil && v.Part >= 0 { // a field of a field
			v = row.ElementsOf(v.Array())
		}
		if v.Part = at; err != nil || v.IsNull() {
			return row.Elements{}, err
		}
		return v, e.frame.work(v.To - v.From)
	}
}

// made makes the array.
func made(name string, f elements) eval {
	return func(e env) (row.Value, error) {
		x, err := f(e)
		if err != nil {
			return row.Null, err
		}
		v := x.Array()
		if err := e.frame.did(v); err != nil {
			return row.Null, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}
}

// A lambda is a compiled lambda: its body reads its parameters from slots of the frame.
type lambda struct {
	slot   int
	params int
	body   *node
}

// lambda compiles a lambda for the i-th argument of the function that was chosen.
func (c *compiler) lambda(l *ast.Lambda, m *function.Match, i int) (lambda, error) {
	types := m.LambdaTypes(i)
	slot := len(c.vars)
	for j, p := range l.Params {
		c.vars = append(c.vars, variable{p.Text, types[j]})
	}
	c.maxVars = max(c.maxVars, len(c.vars))
	body, err := c.compile(l.Body)
	if err == nil {
		var t *row.Type
		if t, err = m.LambdaReturns(i, body.typ); err != nil {
			err = located(l.Body, err)
		} else if t != nil && !t.Equal(body.typ) {
			body, err = c.argument(body, t)
		}
	}
	c.vars = c.vars[:slot]
	if err != nil {
		return lambda{}, err
	}
	return lambda{slot, len(l.Params), body}, nil
}

// closures are the lambdas of a call, whose place among such calls is given.
func (f *frame) closures(at int, lambdas []lambda) []function.Lambda {
	if len(lambdas) == 0 {
		return nil
	}
	if f.lambdas[at] != nil {
		return f.lambdas[at]
	}
	out := make([]function.Lambda, len(lambdas))
	for i, l := range lambdas {
		out[i] = func(args ...row.Value) (row.Value, error) {
			copy(f.vars[l.slot:l.slot+l.params], args)
			v, err := l.body.eval(env{f.row, f})
			if err == nil {
				err = f.did(v)
			}
			return v, err
		}
	}
	f.lambdas[at] = out
	return out
}
