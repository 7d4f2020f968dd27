package expr

import (
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// A node is a compiled part of an expression.
type node struct {
	e        ast.Expr
	typ      *row.Type // nil: NULL
	eval     eval
	constant bool // value is the result
	value    row.Value
	column   int       // of the row, -1: no plain column
	parts    []*node   // of a constructor: elements, keys and values by turns, fields
	literal  bool      // written as a value: it converts more freely
	rebuild  rebuilder // makes a constructor of converted parts
	single   *node     // of TRANSFORM(ARRAY[x], …): its only element
	elements elements  // computes an array of what another one has; nil: eval makes it
}

// A rebuilder makes a constructor's node anew for a type.
type rebuilder func(parts []*node, t *row.Type) *node

type compiler struct {
	scope   Scope
	lib     *function.Library
	vars    []variable // of the lambdas around, the innermost last
	maxVars int
	args    []row.Value // of calls: constants, and room for what is computed
	lambdas int         // calls with lambdas
	parts   bool        // constructors were met
	columns map[int]bool
}

// A variable is a lambda's parameter.
type variable struct {
	name string
	typ  *row.Type
}

// inLambda tells whether what is compiled runs within a lambda, where arithmetic with null is an error as in ksqlDB.
func (c *compiler) inLambda() bool { return len(c.vars) > 0 }

func newNode(e ast.Expr, t *row.Type, f eval) *node { return &node{e: e, typ: t, eval: f, column: -1} }

func constant(e ast.Expr, t *row.Type, v row.Value) *node {
	return &node{e: e, typ: t, constant: true, value: v, column: -1, eval: func(env) (row.Value, error) { return v, nil }}
}

// fold computes a node whose operands are constants. A node that fails stays: the error belongs to the row.
func (c *compiler) fold(n *node, operands ...*node) *node {
	for _, o := range operands {
		if !o.constant {
			return n
		}
	}
	v, err := n.eval(env{frame: c.frame()})
	if err != nil {
		return n
	}
	k := constant(n.e, n.typ, v)
	k.parts, k.rebuild = n.parts, n.rebuild
	return k
}

func (c *compiler) compile(e ast.Expr) (*node, error) {
	switch e := e.(type) {
	case *ast.ColumnRef:
		return c.column(e)
	case *ast.FieldRef:
		return c.field(e)
	case *ast.Subscript:
		return c.subscript(e)
	case *ast.Call:
		return c.call(e)
	case *ast.Unary:
		return c.unary(e)
	case *ast.Binary:
		return c.binary(e)
	case *ast.Case:
		return c.cases(e)
	case *ast.Cast:
		return c.cast(e)
	case *ast.ArrayExpr:
		return c.array(e)
	case *ast.MapExpr:
		return c.mapping(e)
	case *ast.StructExpr:
		return c.structure(e)
	case *ast.AtTimeZone:
		return c.atZone(e)
	case *ast.IsNull, *ast.Like, *ast.In, *ast.Between:
		return c.predicate(e)
	case *ast.Lambda:
		return nil, errorAt(e, CodeUnsupported, "A lambda can only be the argument of a function").hint("TRANSFORM, FILTER and REDUCE take lambdas")
	case *ast.IntervalUnit:
		return nil, errorAt(e, CodeUnsupported, "%s can only be the argument of a function", e.Unit)
	}
	return c.literal(e)
}

func (c *compiler) compileAll(list []ast.Expr) ([]*node, error) {
	out := make([]*node, len(list))
	for i, e := range list {
		n, err := c.compile(e)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

func (c *compiler) literal(e ast.Expr) (*node, error) {
	n, err := literalNode(e)
	if err != nil {
		return nil, err
	}
	n.literal = true
	return n, nil
}

func literalNode(e ast.Expr) (*node, error) {
	switch e := e.(type) {
	case *ast.NullLiteral:
		return constant(e, nil, row.Null), nil
	case *ast.BoolLiteral:
		return constant(e, row.Boolean, row.NewBoolean(e.Value)), nil
	case *ast.IntegerLiteral:
		if e.Big() {
			return constant(e, row.Bigint, row.NewBigint(e.Value)), nil
		}
		return constant(e, row.Int, row.NewInt(int32(e.Value))), nil
	case *ast.DecimalLiteral:
		d, err := row.ParseDecimal(e.Text)
		if err != nil {
			return nil, errorAt(e, CodeLiteral, "Invalid numeric literal: %s", e.Text)
		}
		return constant(e, decimal.TypeOf(d), row.FromDecimal(d)), nil
	case *ast.DoubleLiteral:
		return constant(e, row.Double, row.NewDouble(e.Value)), nil
	case *ast.StringLiteral:
		return constant(e, row.StringType, row.NewString(e.Value)), nil
	case *ast.TypedLiteral:
		return typedLiteral(e)
	case *ast.Variable:
		return nil, errorAt(e, CodeLiteral, "The variable ${%s} has no value", e.Name).hint("DEFINE " + e.Name + " = '...';")
	}
	return nil, errorAt(e, CodeUnsupported, "This expression is not supported: %s", ast.Format(e))
}

func typedLiteral(e *ast.TypedLiteral) (*node, error) {
	t := map[string]*row.Type{"DATE": row.DateType, "TIME": row.TimeType, "TIMESTAMP": row.TimestampType}[e.Type]
	if e.Type == "DECIMAL" {
		d, err := row.ParseDecimal(e.Value)
		if err != nil {
			return nil, errorAt(e, CodeLiteral, "invalid input syntax for type DECIMAL: %q.", e.Value)
		}
		return constant(e, decimal.TypeOf(d), row.FromDecimal(d)), nil
	}
	if t == nil {
		return nil, errorAt(e, CodeLiteral, "There are no literals of the type %s", e.Type)
	}
	v, err := fromText(e.Value, t)
	if err != nil {
		return nil, errorAt(e, CodeLiteral, "invalid input syntax for type %s: %q.", e.Type, e.Value)
	}
	return constant(e, t, v), nil
}
