package ast

// ColumnRef is a column, a pseudo column or, inside a lambda, one of its parameters: [Source.]Name.
type ColumnRef struct {
	Span
	Source Name // zero if there is no qualifier
	Name   Name
}

// FieldRef is Base->Field.
type FieldRef struct {
	Span
	Base  Expr
	Field Name
}

// Subscript is Base[Index].
type Subscript struct {
	Span
	Base, Index Expr
}

// Call is a function call. Name is in upper case whether quoted or not. Lambdas and interval units stand among the arguments.
type Call struct {
	Span
	Name Name
	Args []Expr
	Star bool // COUNT(*): no arguments
}

// Lambda is a function's argument: x => Body or (x, y) => Body.
type Lambda struct {
	Span
	Params []Name
	Body   Expr
}

// UnaryOp is the operator of Unary.
type UnaryOp string

// The unary operators. A minus before a number is part of the literal.
const (
	Neg UnaryOp = "-"
	Pos UnaryOp = "+"
	Not UnaryOp = "NOT"
)

// Unary is Op X.
type Unary struct {
	Span
	Op UnaryOp
	X  Expr
}

// BinaryOp is the operator of Binary, as canonical text.
type BinaryOp string

// The binary operators.
const (
	Add         BinaryOp = "+"
	Sub         BinaryOp = "-"
	Mul         BinaryOp = "*"
	Div         BinaryOp = "/"
	Mod         BinaryOp = "%"
	Concat      BinaryOp = "||"
	Eq          BinaryOp = "="
	Ne          BinaryOp = "<>"
	Lt          BinaryOp = "<"
	Le          BinaryOp = "<="
	Gt          BinaryOp = ">"
	Ge          BinaryOp = ">="
	Distinct    BinaryOp = "IS DISTINCT FROM"
	NotDistinct BinaryOp = "IS NOT DISTINCT FROM"
	And         BinaryOp = "AND"
	Or          BinaryOp = "OR"
)

// Arithmetic says whether the operator computes with numbers.
func (op BinaryOp) Arithmetic() bool {
	return op == Add || op == Sub || op == Mul || op == Div || op == Mod
}

// Comparison says whether the operator compares two values.
func (op BinaryOp) Comparison() bool {
	switch op {
	case Eq, Ne, Lt, Le, Gt, Ge, Distinct, NotDistinct:
		return true
	}
	return false
}

// Logical says whether the operator is AND or OR.
func (op BinaryOp) Logical() bool { return op == And || op == Or }

// Binary is Left Op Right.
type Binary struct {
	Span
	Op          BinaryOp
	OpSpan      Span
	Left, Right Expr
}

// IsNull is X IS [NOT] NULL.
type IsNull struct {
	Span
	X   Expr
	Not bool
}

// Like is X [NOT] LIKE Pattern [ESCAPE 'c']. Escape is one character or empty.
type Like struct {
	Span
	X, Pattern Expr
	Escape     string
	Not        bool
}

// In is X [NOT] IN (List); the list is never empty.
type In struct {
	Span
	X    Expr
	List []Expr
	Not  bool
}

// Between is X [NOT] BETWEEN Low AND High.
type Between struct {
	Span
	X, Low, High Expr
	Not          bool
}

// Case is CASE [Operand] WHEN … THEN … [ELSE …] END; Operand and Else may be nil.
type Case struct {
	Span
	Operand Expr
	Whens   []When
	Else    Expr
}

// When is one branch of Case.
type When struct {
	Span
	When, Then Expr
}

// Cast is CAST(X AS Type).
type Cast struct {
	Span
	X    Expr
	Type Type
}

// ArrayExpr is ARRAY[…].
type ArrayExpr struct {
	Span
	Elems []Expr
}

// MapExpr is MAP(key := value, …).
type MapExpr struct {
	Span
	Entries []MapEntry
}

// MapEntry is one pair of MapExpr.
type MapEntry struct {
	Span
	Key, Value Expr
}

// StructExpr is STRUCT(field := value, …).
type StructExpr struct {
	Span
	Fields []StructEntry
}

// StructEntry is one field of StructExpr.
type StructEntry struct {
	Span
	Name  Name
	Value Expr
}

// AtTimeZone is X AT TIME ZONE 'zone'.
type AtTimeZone struct {
	Span
	X    Expr
	Zone string
}

func (*ColumnRef) expr()  {}
func (*FieldRef) expr()   {}
func (*Subscript) expr()  {}
func (*Call) expr()       {}
func (*Lambda) expr()     {}
func (*Unary) expr()      {}
func (*Binary) expr()     {}
func (*IsNull) expr()     {}
func (*Like) expr()       {}
func (*In) expr()         {}
func (*Between) expr()    {}
func (*Case) expr()       {}
func (*Cast) expr()       {}
func (*ArrayExpr) expr()  {}
func (*MapExpr) expr()    {}
func (*StructExpr) expr() {}
func (*AtTimeZone) expr() {}
