package expr

import (
	"encoding/base64"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/mainstemio/mainstem/internal/java/datetime"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/row"
)

// comparisonNames are the operators in messages.
var comparisonNames = map[ast.BinaryOp]string{
	ast.Eq: "EQUAL", ast.Ne: "NOT_EQUAL", ast.Lt: "LESS_THAN", ast.Le: "LESS_THAN_OR_EQUAL", ast.Gt: "GREATER_THAN",
	ast.Ge: "GREATER_THAN_OR_EQUAL", ast.Distinct: "IS_DISTINCT_FROM", ast.NotDistinct: "IS_NOT_DISTINCT_FROM",
}

func (c *compiler) comparison(e *ast.Binary) (*node, error) {
	l, err := c.compile(e.Left)
	if err != nil {
		return nil, err
	}
	r, err := c.compile(e.Right)
	if err != nil {
		return nil, err
	}
	return c.compare(e, e.Op, l, r)
}

// compare makes the node of l op r; e is what messages and the node stand for.
func (c *compiler) compare(e ast.Expr, op ast.BinaryOp, l, r *node) (*node, error) {
	distinct := op == ast.Distinct || op == ast.NotDistinct
	if l.typ == nil || r.typ == nil {
		if !distinct {
			return nil, errorAt(e, CodeCompare, "Comparison with NULL not supported: %s %s %s\nUse 'IS NULL' or 'IS NOT NULL' instead.\nStatement: %s",
				l.typ, op, r.typ, ast.Format(e))
		}
		return c.fold(newNode(e, row.Boolean, distinctFrom(l.eval, r.eval, compareEqual, op == ast.Distinct)), l, r), nil
	}
	a, b, err := c.comparable(e, op, l, r)
	if err != nil {
		return nil, err
	}
	if distinct {
		return c.fold(newNode(e, row.Boolean, distinctFrom(a.eval, b.eval, comparator(a.typ, b.typ), op == ast.Distinct)), a, b), nil
	}
	return c.fold(newNode(e, row.Boolean, compareEval(op, a, b)), a, b), nil
}

// comparable brings both sides to types that can be compared: text is read as a date, a time or bytes where the other side is one.
func (c *compiler) comparable(e ast.Expr, op ast.BinaryOp, l, r *node) (*node, *node, error) {
	refuse := func() error {
		return errorAt(e, CodeCompare, "Cannot compare %s (%s) to %s (%s) with %s.\nStatement: %s",
			ast.Format(l.e), l.typ, ast.Format(r.e), r.typ, comparisonNames[op], ast.Format(e)).hint("cast one side to the type of the other")
	}
	if k, ok := instantColumn(l, r); ok {
		return l, k, nil
	}
	if k, ok := instantColumn(r, l); ok {
		return k, r, nil
	}
	a, b := l.typ.Kind, r.typ.Kind
	switch {
	case a.IsNumber() && b.IsNumber():
		return l, r, nil
	case a == row.KindString && textLike(b, l):
		n, err := c.textAs(l, r.typ)
		return n, r, err
	case b == row.KindString && textLike(a, r):
		n, err := c.textAs(r, l.typ)
		return l, n, err
	case a == row.KindDate && b == row.KindTimestamp:
		n, err := c.castNode(l.e, l, row.TimestampType)
		return n, r, err
	case a == row.KindTimestamp && b == row.KindDate:
		n, err := c.castNode(r.e, r, row.TimestampType)
		return l, n, err
	case a != b:
		return nil, nil, refuse()
	}
	ordered := op == ast.Lt || op == ast.Le || op == ast.Gt || op == ast.Ge
	if ordered && (a.IsNested() || a == row.KindBoolean) {
		return nil, nil, refuse()
	}
	if a.IsNested() && !l.typ.Equal(r.typ) {
		t, err := c.merge(l.typ, r)
		if err != nil {
			return nil, nil, refuse()
		}
		if l, err = c.convert(l, t); err != nil {
			return nil, nil, refuse()
		}
		if r, err = c.convert(r, t); err != nil {
			return nil, nil, refuse()
		}
	}
	return l, r, nil
}

// textLike tells whether text can be compared with a value of the kind; with bytes only a literal can.
func textLike(k row.Kind, text *node) bool {
	return k.IsTemporal() || k == row.KindBytes && text.literal
}

// textAs reads text as a value of the type; a literal now.
func (c *compiler) textAs(n *node, t *row.Type) (*node, error) {
	if !n.literal {
		return c.castNode(n.e, n, t)
	}
	v, err := fromText(n.value.Text(), t)
	if err != nil {
		return nil, errorAt(n.e, CodeLiteral, "invalid input syntax for type %s: %q.", t, n.value.Text()).hint(literalForm[t.Kind])
	}
	return constant(n.e, t, v), nil
}

var literalForm = map[row.Kind]string{
	row.KindDate: "write '2018-03-04'", row.KindTime: "write '10:20:30'", row.KindTimestamp: "write '2018-03-04T10:20:30.500'",
	row.KindBytes: "write the bytes in base64",
}

// instantColumn: ROWTIME, WINDOWSTART and WINDOWEND may be compared with the text of a timestamp.
func instantColumn(col, text *node) (*node, bool) {
	ref, ok := col.e.(*ast.ColumnRef)
	if !ok || !text.literal || !text.typ.Is(row.KindString) || !col.typ.Is(row.KindBigint) {
		return nil, false
	}
	switch ref.Name.Text {
	case "ROWTIME", "WINDOWSTART", "WINDOWEND":
	default:
		return nil, false
	}
	ms, err := datetime.Instant(text.value.Text())
	if err != nil {
		return nil, false
	}
	return constant(text.e, row.Bigint, row.NewBigint(ms)), true
}

// fromText reads a literal's text as a value of a type.
func fromText(s string, t *row.Type) (row.Value, error) {
	switch t.Kind {
	case row.KindBytes:
		b, err := base64.StdEncoding.DecodeString(s)
		return row.NewBytes(string(b)), err
	case row.KindBoolean:
		return booleanText(s)
	}
	return castText(s, t)
}

// A compareFunc orders two values that are not null. Of values without an order it tells equal (0) from different (1).
type compareFunc func(a, b row.Value) int

// comparator is the order of values of two types.
func comparator(a, b *row.Type) compareFunc {
	switch {
	case a.Kind == row.KindDouble || b.Kind == row.KindDouble:
		return compareDouble
	case a.Kind == row.KindDecimal || b.Kind == row.KindDecimal:
		return func(a, b row.Value) int { return a.AsDecimal().Cmp(b.AsDecimal()) }
	case a.Kind == row.KindString || a.Kind == row.KindBytes:
		return func(a, b row.Value) int { return strings.Compare(a.Text(), b.Text()) }
	case a.Kind.IsNested():
		return compareEqual
	}
	return compareInt
}

func compareInt(a, b row.Value) int {
	x, y := a.Int64(), b.Int64()
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// compareDouble goes by number: 0.0 equals -0.0, and NaN is above all others.
func compareDouble(a, b row.Value) int {
	x, y := a.AsDouble(), b.AsDouble()
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	switch nx, ny := x != x, y != y; {
	case nx && ny:
		return 0
	case nx:
		return 1
	}
	return -1
}

func compareEqual(a, b row.Value) int {
	if a == b {
		return 0
	}
	return 1
}

// holds tells whether an order satisfies an operator.
func holds(op ast.BinaryOp, order int) bool {
	switch op {
	case ast.Eq:
		return order == 0
	case ast.Ne:
		return order != 0
	case ast.Lt:
		return order < 0
	case ast.Le:
		return order <= 0
	case ast.Gt:
		return order > 0
	}
	return order >= 0
}

// accepted has which orders satisfy an operator: below, equal, above.
func accepted(op ast.BinaryOp) [3]bool { return [3]bool{holds(op, -1), holds(op, 0), holds(op, 1)} }

var (
	isTrue  = row.NewBoolean(true)
	isFalse = row.NewBoolean(false)
)

func boolean(b bool) row.Value {
	if b {
		return isTrue
	}
	return isFalse
}

// compareEval compares; a column with a constant is the common case and needs no calls.
func compareEval(op ast.BinaryOp, l, r *node) eval {
	yes := accepted(op)
	if l.column >= 0 && r.constant && !r.value.IsNull() {
		if f := compareConstant(yes, l, r); f != nil {
			return f
		}
	}
	cmp, left, right := comparator(l.typ, r.typ), l.eval, r.eval
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
			return isFalse, nil
		}
		return boolean(yes[cmp(a, b)+1]), nil
	}
}

func compareConstant(yes [3]bool, l, r *node) eval {
	col := l.column
	switch {
	case l.typ.Kind == row.KindString && r.typ.Kind == row.KindString:
		k := r.value.Text()
		return func(e env) (row.Value, error) {
			v := e.row.At(col)
			return boolean(!v.IsNull() && yes[strings.Compare(v.Text(), k)+1]), nil
		}
	case l.typ.Kind == row.KindDouble:
		k := row.NewDouble(r.value.AsDouble())
		return func(e env) (row.Value, error) {
			v := e.row.At(col)
			return boolean(!v.IsNull() && yes[compareDouble(v, k)+1]), nil
		}
	case l.typ.Kind == row.KindDecimal && r.typ.Kind != row.KindDouble:
		d := r.value.AsDecimal()
		if same, err := decimal.Round(d, l.typ.Scale, apd.RoundDown); err == nil && same.Equal(d) {
			d = same // numbers of one scale are compared without a look at their digits
		}
		return func(e env) (row.Value, error) {
			v := e.row.At(col)
			return boolean(!v.IsNull() && yes[v.Decimal().Cmp(d)+1]), nil
		}
	case integral(l.typ.Kind) && integral(r.typ.Kind):
		k := r.value
		return func(e env) (row.Value, error) {
			v := e.row.At(col)
			return boolean(!v.IsNull() && yes[compareInt(v, k)+1]), nil
		}
	}
	return nil
}

// integral kinds are whole numbers within.
func integral(k row.Kind) bool {
	return k == row.KindInt || k == row.KindBigint || k.IsTemporal() || k == row.KindBoolean
}

// distinctFrom compares where null is a value like others.
func distinctFrom(l, r eval, cmp compareFunc, distinct bool) eval {
	return func(e env) (row.Value, error) {
		a, err := l(e)
		if err != nil {
			return row.Null, err
		}
		b, err := r(e)
		if err != nil {
			return row.Null, err
		}
		same := a.IsNull() && b.IsNull()
		if !a.IsNull() && !b.IsNull() {
			same = cmp(a, b) == 0
		}
		return boolean(same != distinct), nil
	}
}
