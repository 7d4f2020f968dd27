package expr

import (
	"errors"
	"math"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/cast"
	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// errZero: a whole number was divided by zero.
var errZero = errors.New("division by zero")

var operations = map[ast.BinaryOp]decimal.Op{
	ast.Add: decimal.Add, ast.Sub: decimal.Sub, ast.Mul: decimal.Mul, ast.Div: decimal.Div, ast.Mod: decimal.Rem,
}

func (c *compiler) binary(e *ast.Binary) (*node, error) {
	switch {
	case e.Op.Logical():
		return c.logical(e)
	case e.Op.Comparison():
		return c.comparison(e)
	case e.Op == ast.Concat:
		return c.call(&ast.Call{Span: e.Span, Name: ast.Name{Text: "CONCAT", Span: e.OpSpan}, Args: []ast.Expr{e.Left, e.Right}})
	}
	l, err := c.compile(e.Left)
	if err != nil {
		return nil, err
	}
	r, err := c.compile(e.Right)
	if err != nil {
		return nil, err
	}
	return c.arithmetic(e, l, r)
}

func (c *compiler) arithmetic(e *ast.Binary, l, r *node) (*node, error) {
	if e.Op == ast.Add && l.typ.Is(row.KindString) && r.typ.Is(row.KindString) {
		c.needFrame() // texts grow: it counts how much
		return c.fold(newNode(e, row.StringType, concat(l.eval, r.eval)), l, r), nil
	}
	if l.typ == nil || r.typ == nil {
		return nil, errorAt(e, CodeType, "Error processing expression: %s. Arithmetic on types %s and %s are not supported.",
			ast.Format(e), typeName(l.typ), typeName(r.typ)).hint("say which type the NULL has, as in CAST(NULL AS INT)")
	}
	if !l.typ.Kind.IsNumber() || !r.typ.Kind.IsNumber() {
		return nil, errorAt(e, CodeType, "Error processing expression: %s. Unsupported arithmetic types. %s %s",
			ast.Format(e), kindName(l.typ), kindName(r.typ)).hint("cast both sides to numbers, or to STRING to join texts with +")
	}
	op := operations[e.Op]
	t := function.WiderNumber(l.typ, r.typ)
	nulls := nullOperand(c.inLambda())
	var f eval
	switch t.Kind {
	case row.KindDouble:
		f = doubles(op, l, r, nulls)
	case row.KindDecimal:
		a, b := decimal.Of(l.typ), decimal.Of(r.typ)
		t = decimal.Result(op, a, b)
		f = decimals(op, l.eval, r.eval, t, nulls)
	default:
		f = integers(op, l, r, t.Kind == row.KindInt, nulls)
	}
	return c.fold(newNode(e, t, f), l, r), nil
}

// nullOperand is what arithmetic with null gives: null, within lambdas an error.
func nullOperand(inLambda bool) error {
	if inLambda {
		return errNull
	}
	return nil
}

func concat(l, r eval) eval {
	return func(e env) (row.Value, error) {
		a, err := l(e)
		if err != nil || a.IsNull() {
			return row.Null, err
		}
		b, err := r(e)
		if err != nil || b.IsNull() {
			return row.Null, err
		}
		if function.Size(a)+function.Size(b) > function.MaxBytes {
			return row.Null, function.ErrTooLarge
		}
		v := row.NewString(a.Text() + b.Text())
		return v, e.frame.did(v)
	}
}

func computeInt(op decimal.Op, a, b int64, narrow bool) (row.Value, error) {
	var v int64
	switch op {
	case decimal.Add:
		v = a + b
	case decimal.Sub:
		v = a - b
	case decimal.Mul:
		v = a * b
	default:
		if b == 0 {
			return row.Null, errZero
		}
		if op == decimal.Div {
			v = a / b
		} else {
			v = a % b
		}
	}
	if narrow {
		return row.NewInt(int32(v)), nil
	}
	return row.NewBigint(v), nil
}

// integers computes with INTEGER and BIGINT. A column with a constant is the common case and needs no calls.
func integers(op decimal.Op, l, r *node, narrow bool, nulls error) eval {
	if l.column >= 0 && r.constant && !r.value.IsNull() {
		col, k := l.column, r.value.Int64()
		return func(e env) (row.Value, error) {
			a := e.row.At(col)
			if a.IsNull() {
				return row.Null, nulls
			}
			return computeInt(op, a.Int64(), k, narrow)
		}
	}
	left, right := l.eval, r.eval
	return func(e env) (row.Value, error) {
		a, err := left(e)
		if err != nil {
			return row.Null, err
		}
		b, err := right(e)
		if err != nil {
			return row.Null, err
		}
		if a.IsNull() || b.IsNull() {
			return row.Null, nulls
		}
		return computeInt(op, a.Int64(), b.Int64(), narrow)
	}
}

func computeDouble(op decimal.Op, a, b float64) row.Value {
	switch op {
	case decimal.Add:
		return row.NewDouble(a + b)
	case decimal.Sub:
		return row.NewDouble(a - b)
	case decimal.Mul:
		return row.NewDouble(a * b)
	case decimal.Div:
		return row.NewDouble(a / b)
	}
	return row.NewDouble(math.Mod(a, b))
}

func doubles(op decimal.Op, l, r *node, nulls error) eval {
	if l.column >= 0 && l.typ.Kind == row.KindDouble && r.constant && !r.value.IsNull() {
		col, k := l.column, r.value.AsDouble()
		return func(e env) (row.Value, error) {
			a := e.row.At(col)
			if a.IsNull() {
				return row.Null, nulls
			}
			return computeDouble(op, a.Double(), k), nil
		}
	}
	left, right := l.eval, r.eval
	return func(e env) (row.Value, error) {
		a, err := left(e)
		if err != nil {
			return row.Null, err
		}
		b, err := right(e)
		if err != nil {
			return row.Null, err
		}
		if a.IsNull() || b.IsNull() {
			return row.Null, nulls
		}
		return computeDouble(op, a.AsDouble(), b.AsDouble()), nil
	}
}

func decimals(op decimal.Op, l, r eval, t *row.Type, nulls error) eval {
	return func(e env) (row.Value, error) {
		a, err := l(e)
		if err != nil {
			return row.Null, err
		}
		b, err := r(e)
		if err != nil {
			return row.Null, err
		}
		if a.IsNull() || b.IsNull() {
			return row.Null, nulls
		}
		d, err := decimal.Compute(op, a.AsDecimal(), b.AsDecimal(), t)
		if err != nil {
			return row.Null, err
		}
		return row.FromDecimal(d), nil
	}
}

func (c *compiler) unary(e *ast.Unary) (*node, error) {
	x, err := c.compile(e.X)
	if err != nil {
		return nil, err
	}
	if e.Op == ast.Not {
		return c.not(e, x)
	}
	if x.typ == nil || !x.typ.Kind.IsNumber() {
		return nil, errorAt(e, CodeType, "Error processing expression: %s. Unsupported arithmetic types. %s", ast.Format(e), kindName(x.typ))
	}
	if e.Op == ast.Pos {
		return x, nil
	}
	f, kind := x.eval, x.typ.Kind
	zero, nulls := row.NewDecimal(0, 0), nullOperand(c.inLambda())
	t := x.typ
	return c.fold(newNode(e, t, func(e env) (row.Value, error) {
		v, err := f(e)
		if err != nil {
			return row.Null, err
		}
		if v.IsNull() {
			return row.Null, nulls
		}
		switch kind {
		case row.KindInt:
			return row.NewInt(int32(-v.Int64())), nil
		case row.KindBigint:
			return row.NewBigint(-v.Int64()), nil
		case row.KindDouble:
			return row.NewDouble(-v.Double()), nil
		}
		d, err := decimal.Compute(decimal.Sub, zero, v.Decimal(), t)
		return row.FromDecimal(d), err
	}), x), nil
}

func (c *compiler) cast(e *ast.Cast) (*node, error) {
	x, err := c.compile(e.X)
	if err != nil {
		return nil, err
	}
	t, err := ResolveType(e.Type, c.named())
	if err != nil {
		return nil, err
	}
	return c.castNode(e, x, t)
}

func (c *compiler) castNode(e ast.Expr, x *node, t *row.Type) (*node, error) {
	f, err := cast.Compile(x.typ, t)
	if err != nil {
		return nil, errorAt(e, CodeCast, "%s", err.Error()).hint("see the casts that there are: numbers, texts, dates and times, and nested types of those")
	}
	if f == nil {
		n := *x
		n.e, n.typ, n.literal, n.parts = e, t, false, nil
		return &n, nil
	}
	inner := x.eval
	return c.fold(newNode(e, t, func(e env) (row.Value, error) {
		v, err := inner(e)
		if err != nil || v.IsNull() {
			return row.Null, err
		}
		return f(v)
	}), x), nil
}

func (c *compiler) atZone(e *ast.AtTimeZone) (*node, error) {
	utc := &ast.StringLiteral{Span: e.Span, Value: "UTC"}
	zone := &ast.StringLiteral{Span: e.Span, Value: e.Zone}
	return c.call(&ast.Call{Span: e.Span, Name: ast.Name{Text: "CONVERT_TZ", Span: e.Span}, Args: []ast.Expr{e.X, utc, zone}})
}
