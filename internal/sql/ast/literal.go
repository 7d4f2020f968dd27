package ast

import "math"

// NullLiteral is NULL.
type NullLiteral struct{ Span }

// BoolLiteral is TRUE or FALSE.
type BoolLiteral struct {
	Span
	Value bool
}

// IntegerLiteral is a whole number with its sign, of type INTEGER or BIGINT by its size.
type IntegerLiteral struct {
	Span
	Value int64
}

// Big says whether the number needs BIGINT.
func (l *IntegerLiteral) Big() bool { return l.Value < math.MinInt32 || l.Value > math.MaxInt32 }

// DecimalLiteral is a number with a point and no exponent. Text is exact and tells the scale: a sign or none, digits, a point, digits or none.
type DecimalLiteral struct {
	Span
	Text string
}

// DoubleLiteral is a number with an exponent. Text is as written, in upper case, with its sign; Value is finite.
type DoubleLiteral struct {
	Span
	Text  string
	Value float64
}

// StringLiteral is 'text'; Value has its quotes undone.
type StringLiteral struct {
	Span
	Value string
}

// TypedLiteral is a type's name before a string: DATE '2024-01-31', TIME '…', TIMESTAMP '…'. Whether the text fits is the binder's question.
type TypedLiteral struct {
	Span
	Type  string // DATE, TIME, TIMESTAMP or DECIMAL
	Value string
}

// Variable is ${Name} in the place of a literal, not substituted.
type Variable struct {
	Span
	Name string
}

// IntervalUnit is a unit of time as a function's argument: TIMESTAMPADD(HOURS, 2, t). Only the words that are reserved become one; DAY,
// HOUR, MINUTE and SECOND may be columns and are parsed as *ColumnRef, which a function that wants a unit reads by UnitOf.
type IntervalUnit struct {
	Span
	Unit Unit
}

func (*NullLiteral) expr()    {}
func (*BoolLiteral) expr()    {}
func (*IntegerLiteral) expr() {}
func (*DecimalLiteral) expr() {}
func (*DoubleLiteral) expr()  {}
func (*StringLiteral) expr()  {}
func (*TypedLiteral) expr()   {}
func (*Variable) expr()       {}
func (*IntervalUnit) expr()   {}
