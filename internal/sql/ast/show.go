package ast

// ListKind is what LIST or SHOW lists.
type ListKind string

// The lists.
const (
	ListProperties       ListKind = "PROPERTIES"
	ListTopics           ListKind = "TOPICS"
	ListStreams          ListKind = "STREAMS"
	ListTables           ListKind = "TABLES"
	ListFunctions        ListKind = "FUNCTIONS"
	ListQueries          ListKind = "QUERIES"
	ListTypes            ListKind = "TYPES"
	ListVariables        ListKind = "VARIABLES"
	ListConnectors       ListKind = "CONNECTORS"
	ListSourceConnectors ListKind = "SOURCE CONNECTORS"
	ListSinkConnectors   ListKind = "SINK CONNECTORS"
	ListConnectorPlugins ListKind = "CONNECTOR PLUGINS"
)

// List is LIST or SHOW something.
type List struct {
	Span
	Kind     ListKind
	All      bool // TOPICS: hidden ones too
	Extended bool // TOPICS, STREAMS, TABLES, QUERIES
}

// Describe is DESCRIBE source [EXTENDED].
type Describe struct {
	Span
	Name     Name
	Extended bool
}

// DescribeAll is DESCRIBE STREAMS|TABLES [EXTENDED].
type DescribeAll struct {
	Span
	Tables, Extended bool
}

// DescribeFunction is DESCRIBE FUNCTION name.
type DescribeFunction struct {
	Span
	Name Name
}

// DescribeConnector is DESCRIBE CONNECTOR name.
type DescribeConnector struct {
	Span
	Name Name
}

// SetProperty is SET 'name'='value'.
type SetProperty struct {
	Span
	Name, Value string
}

// UnsetProperty is UNSET 'name'.
type UnsetProperty struct {
	Span
	Name string
}

// AlterSystem is ALTER SYSTEM 'name'='value'.
type AlterSystem struct {
	Span
	Name, Value string
}

// Define is DEFINE name = 'value'. Names of variables keep their case.
type Define struct {
	Span
	Name, Value string
}

// Undefine is UNDEFINE name.
type Undefine struct {
	Span
	Name string
}

// RunScript is RUN SCRIPT 'file': a statement of the command line and the test tool only.
type RunScript struct {
	Span
	File string
}

// AssertTopic is ASSERT [NOT EXISTS] TOPIC name [WITH (…)] [TIMEOUT n unit]. The topic keeps its case.
type AssertTopic struct {
	Span
	NotExists bool
	Topic     Name
	With      []Property
	Timeout   *Duration
}

// AssertSchema is ASSERT [NOT EXISTS] SCHEMA [SUBJECT name] [ID n] [TIMEOUT n unit]. The subject keeps its case.
type AssertSchema struct {
	Span
	NotExists bool
	Subject   Name // zero if none
	ID        *Count
	Timeout   *Duration
}

// AssertValues is ASSERT VALUES source [(columns)] VALUES (…), and with Null ASSERT NULL VALUES source [(columns)] KEY (…), which wants a
// tombstone. The test tool's only, like AssertSource.
type AssertValues struct {
	Span
	Null    bool
	Source  Name
	Columns []Name // nil if not given
	Values  []Expr
}

// AssertSource is ASSERT STREAM|TABLE name (columns) WITH (…).
type AssertSource struct {
	Span
	Table    bool
	Name     Name
	Elements []ColumnDef
	With     []Property
}

func (*List) statement()              {}
func (*Describe) statement()          {}
func (*DescribeAll) statement()       {}
func (*DescribeFunction) statement()  {}
func (*DescribeConnector) statement() {}
func (*SetProperty) statement()       {}
func (*UnsetProperty) statement()     {}
func (*AlterSystem) statement()       {}
func (*Define) statement()            {}
func (*Undefine) statement()          {}
func (*RunScript) statement()         {}
func (*AssertTopic) statement()       {}
func (*AssertSchema) statement()      {}
func (*AssertValues) statement()      {}
func (*AssertSource) statement()      {}
