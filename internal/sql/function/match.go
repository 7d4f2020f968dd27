package function

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// A Match is a scalar function chosen for arguments whose lambdas may not be typed yet.
type Match struct {
	Name     string
	overload *Overload
	args     []Arg
	generics generics
	settings map[string]string
}

// Scalar chooses a scalar function. The error is an *Error.
func (l *Library) Scalar(name string, args []Arg) (*Match, error) {
	f, ok := l.functions[strings.ToUpper(name)].(*Scalar)
	if !ok {
		return nil, l.unknown(name)
	}
	sigs := make([]*signature, len(f.Overloads))
	for i := range f.Overloads {
		sigs[i] = &f.Overloads[i].sig
	}
	c, err := choose(f.Name, sigs, args)
	if err != nil {
		return nil, err
	}
	return &Match{Name: f.Name, overload: &f.Overloads[c.index], args: args, generics: c.generics, settings: l.settings}, nil
}

// Lookup chooses a scalar function by types alone and makes it ready.
func (l *Library) Lookup(name string, types ...*row.Type) (*Bound, error) {
	m, err := l.Scalar(name, Types(types...))
	if err != nil {
		return nil, err
	}
	return m.Bind()
}

// LambdaTypes are the types of the parameters of the i-th argument, which is a lambda. Lambdas are asked for from left to right.
func (m *Match) LambdaTypes(i int) []*row.Type {
	p := m.overload.sig.param(i, len(m.args))
	out := make([]*row.Type, len(p.lambda)-1)
	for j := range out {
		out[j] = p.lambda[j].instance(&m.generics, nil)
	}
	return out
}

// LambdaReturns notes the type that the i-th argument's lambda gives, and returns the type it has to give: they differ where the function
// wants a wider number. The error is an *Error.
func (m *Match) LambdaReturns(i int, t *row.Type) (*row.Type, error) {
	p := m.overload.sig.param(i, len(m.args))
	want := p.lambda[len(p.lambda)-1]
	if want.generic != 0 && m.generics.get(want.generic) == nil || t == nil {
		if t != nil {
			m.generics[want.generic-'A'] = t
		}
		return t, nil
	}
	target := want.instance(&m.generics, t)
	if target.Equal(t) || target != nil && t.Kind.IsNumber() && target.Kind.IsNumber() && wideness(t.Kind) <= wideness(target.Kind) {
		return target, nil
	}
	return nil, &Error{
		CodeArguments, fmt.Sprintf("Function '%s' wants a lambda that gives %s, but it gives %s.", m.Name, target, t), "cast the lambda's result",
	}
}

// A Bound is a scalar function ready to be called.
type Bound struct {
	Name    string
	Params  []*row.Type // what the arguments have to be cast to; nil: as they are
	Returns *row.Type
	Nulls   bool // it wants null arguments too
	Varies  bool
	Eval    Eval
	Cut     Cut                                                     // of functions that cut arrays, besides Eval
	Apply   func(args []row.Value, fns []Lambda) (row.Value, error) // of functions with lambdas
}

// Bind makes the function ready.
func (m *Match) Bind() (*Bound, error) {
	o := m.overload
	params, returns := bindTypes(&o.sig, m.args, &m.generics, o.Returns)
	b := &Bound{Name: m.Name, Params: params, Returns: returns, Nulls: o.Nulls, Varies: o.Varies, Eval: o.Eval, Cut: o.Cut, Apply: o.Apply}
	if o.Cut != nil {
		b.Eval = o.Cut.eval
	}
	if o.Bind != nil {
		b.Eval = o.Bind(Binding{Args: params, Returns: returns, Settings: m.settings})
	}
	return b, nil
}

func bindTypes(s *signature, args []Arg, g *generics, returns func([]*row.Type) *row.Type) ([]*row.Type, *row.Type) {
	params := make([]*row.Type, len(args))
	for i, a := range args {
		params[i] = s.param(i, len(args)).instance(g, a.Type)
	}
	if returns != nil {
		return params, returns(params)
	}
	return params, s.result.instance(g, nil)
}

// A BoundAggregate is an aggregate ready to be used.
type BoundAggregate struct {
	Accumulator
	Name    string
	Params  []*row.Type // for each argument; those of literals are nil
	Values  []int       // which arguments are values, not literals
	Returns *row.Type
}

// Aggregate chooses an aggregate and makes it ready. The error is an *Error, or what the aggregate says of its literals.
func (l *Library) Aggregate(name string, args []Arg) (*BoundAggregate, error) {
	f, ok := l.functions[strings.ToUpper(name)].(*Aggregate)
	if !ok {
		return nil, l.unknown(name)
	}
	sigs := make([]*signature, len(f.Overloads))
	for i := range f.Overloads {
		sigs[i] = &f.Overloads[i].sig
	}
	c, err := choose(f.Name, sigs, args)
	if err != nil {
		return nil, err
	}
	o := &f.Overloads[c.index]
	params, returns := bindTypes(&o.sig, args, &c.generics, o.Returns)
	out := &BoundAggregate{Name: f.Name, Params: params, Returns: returns}
	b := Binding{Returns: returns, Settings: l.settings}
	for i, a := range args {
		if !o.sig.param(i, len(args)).constant {
			out.Values = append(out.Values, i)
			b.Args = append(b.Args, params[i])
			continue
		}
		if a.Const == nil {
			return nil, &Error{
				CodeConstant, fmt.Sprintf("Parameter %d passed to function %s must be a literal constant, but was expression: '%s'",
					i+1, f.Name, a.Text), "write the value itself",
			}
		}
		out.Params[i] = nil
		b.Consts = append(b.Consts, *a.Const)
	}
	out.Accumulator, err = o.New(b)
	return out, err
}

// A BoundTable is a table function ready to be called.
type BoundTable struct {
	Name    string
	Params  []*row.Type
	Returns *row.Type
	Rows    func(args []row.Value) ([]row.Value, error)
}

// Table chooses a table function and makes it ready. The error is an *Error.
func (l *Library) Table(name string, args []Arg) (*BoundTable, error) {
	f, ok := l.functions[strings.ToUpper(name)].(*Table)
	if !ok {
		return nil, l.unknown(name)
	}
	sigs := make([]*signature, len(f.Overloads))
	for i := range f.Overloads {
		sigs[i] = &f.Overloads[i].sig
	}
	c, err := choose(f.Name, sigs, args)
	if err != nil {
		return nil, err
	}
	o := &f.Overloads[c.index]
	params, returns := bindTypes(&o.sig, args, &c.generics, o.Returns)
	b := &BoundTable{Name: f.Name, Params: params, Returns: returns, Rows: o.Rows}
	if o.Bind != nil {
		b.Rows = o.Bind(Binding{Args: params, Returns: returns, Settings: l.settings})
	}
	return b, nil
}
