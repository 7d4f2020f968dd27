package ast

// Property is one entry of WITH. Value is a literal or a *Variable.
type Property struct {
	Span
	Name  Name // upper-cased, or as written when it was a string ('connector.class'): then Quoted
	Value Expr
}

// Constraint is what follows a column's type.
type Constraint int

// The constraints. HEADER('k') is Header with its key in ColumnDef.
const (
	NoConstraint Constraint = iota
	Key
	PrimaryKey
	Headers
	Header
)

// String returns the words of the constraint, HEADER without its key.
func (c Constraint) String() string {
	switch c {
	case Key:
		return "KEY"
	case PrimaryKey:
		return "PRIMARY KEY"
	case Headers:
		return "HEADERS"
	case Header:
		return "HEADER"
	}
	return ""
}

// ColumnDef is a column of CREATE STREAM or CREATE TABLE.
type ColumnDef struct {
	Span
	Name       Name
	Type       Type
	Constraint Constraint
	HeaderKey  string // for Header
}

// CreateSource is CREATE [OR REPLACE] [SOURCE] STREAM|TABLE [IF NOT EXISTS] name (columns) WITH (…).
type CreateSource struct {
	Span
	OrReplace, IfNotExists bool
	SourceOnly             bool // SOURCE
	Table                  bool
	Name                   Name
	Elements               []ColumnDef
	With                   []Property
}

// CreateAs is CREATE [OR REPLACE] STREAM|TABLE [IF NOT EXISTS] name WITH (…) AS query.
type CreateAs struct {
	Span
	OrReplace, IfNotExists bool
	Table                  bool
	Name                   Name
	With                   []Property
	Query                  *Query
}

// InsertInto is INSERT INTO target [WITH (QUERY_ID=…)] query.
type InsertInto struct {
	Span
	Target Name
	With   []Property
	Query  *Query
}

// InsertValues is INSERT INTO target [(columns)] VALUES (…).
type InsertValues struct {
	Span
	Target  Name
	Columns []Name // nil if not given
	Values  []Expr
}

// AlterSource is ALTER STREAM|TABLE name ADD [COLUMN] column type, ….
type AlterSource struct {
	Span
	Table bool
	Name  Name
	Add   []ColumnDef
}

// DropSource is DROP STREAM|TABLE [IF EXISTS] name [DELETE TOPIC].
type DropSource struct {
	Span
	Table, IfExists, DeleteTopic bool
	Name                         Name
}

// Select is a query as a statement: pull without EMIT, push with it.
type Select struct {
	Span
	Query *Query
}

// Print is PRINT topic [FROM BEGINNING] [INTERVAL n] [LIMIT n]. The topic keeps its case.
type Print struct {
	Span
	Topic         Name
	FromBeginning bool
	Interval      *Count
	Limit         *Count
}

// QueryTarget names one running query, or all. The id keeps its case.
type QueryTarget struct {
	ID  Name
	All bool
}

// Terminate is TERMINATE id|ALL.
type Terminate struct {
	Span
	QueryTarget
}

// Pause is PAUSE id|ALL.
type Pause struct {
	Span
	QueryTarget
}

// Resume is RESUME id|ALL.
type Resume struct {
	Span
	QueryTarget
}

// ExplainStage is how far EXPLAIN follows a statement.
type ExplainStage string

// The stages of EXPLAIN; ksqlDB's EXPLAIN names none.
const (
	ExplainDefault   ExplainStage = ""
	ExplainAST       ExplainStage = "AST"
	ExplainBound     ExplainStage = "BOUND"
	ExplainLogical   ExplainStage = "LOGICAL"
	ExplainOptimized ExplainStage = "OPTIMIZED"
	ExplainPhysical  ExplainStage = "PHYSICAL"
	ExplainTasks     ExplainStage = "TASKS"
)

// Explain is EXPLAIN [(stage)] statement or EXPLAIN [(stage)] id. The id keeps its case.
type Explain struct {
	Span
	Stage     ExplainStage
	Statement Statement // nil when ID is given
	ID        Name
}

// CreateType is CREATE TYPE [IF NOT EXISTS] name AS type.
type CreateType struct {
	Span
	IfNotExists bool
	Name        Name
	Type        Type
}

// DropType is DROP TYPE [IF EXISTS] name.
type DropType struct {
	Span
	IfExists bool
	Name     Name
}

// CreateConnector is CREATE SOURCE|SINK CONNECTOR [IF NOT EXISTS] name WITH (…).
type CreateConnector struct {
	Span
	Sink, IfNotExists bool
	Name              Name
	With              []Property
}

// DropConnector is DROP CONNECTOR [IF EXISTS] name.
type DropConnector struct {
	Span
	IfExists bool
	Name     Name
}

func (*CreateSource) statement()    {}
func (*CreateAs) statement()        {}
func (*InsertInto) statement()      {}
func (*InsertValues) statement()    {}
func (*AlterSource) statement()     {}
func (*DropSource) statement()      {}
func (*Select) statement()          {}
func (*Print) statement()           {}
func (*Terminate) statement()       {}
func (*Pause) statement()           {}
func (*Resume) statement()          {}
func (*Explain) statement()         {}
func (*CreateType) statement()      {}
func (*DropType) statement()        {}
func (*CreateConnector) statement() {}
func (*DropConnector) statement()   {}
