package session

import (
	"time"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// An Entity is what a statement shows: one of the types of this file.
type Entity interface{ entity() }

// A SourceList is LIST STREAMS or LIST TABLES.
type SourceList struct {
	Tables  bool
	Sources []*catalog.Source
}

// A SourceDescription is a stream or table with what is known of it.
type SourceDescription struct {
	*catalog.Source
	Extended bool
	Readers  []RunningQuery // queries that read it
	Writers  []RunningQuery // queries that write it
	Topic    TopicInfo
	// Groups tells, where it is Extended, how far the queries that read it are.
	Groups []GroupOffsets
}

// GroupOffsets is how far a query is in a topic.
type GroupOffsets struct {
	Group   string
	Offsets []PartitionOffsets
}

// PartitionOffsets are those of one partition: its ends and the next offset of the reader, -1 if there is none.
type PartitionOffsets struct {
	Partition       int32
	Start, End, Now int64
}

// SourceDescriptions is DESCRIBE: one, or with List all streams or tables.
type SourceDescriptions struct {
	List    bool
	Sources []SourceDescription
}

// A RunningQuery is a query with how it does.
type RunningQuery struct {
	*Query
	Status Status
}

// A QueryList is LIST QUERIES.
type QueryList struct {
	Queries []RunningQuery
	Pushes  []PushQuery
}

// A PushEnd is TERMINATE of a push query.
type PushEnd struct{ ID string }

// A QueryDescription is EXPLAIN, and each query of LIST QUERIES EXTENDED.
type QueryDescription struct {
	RunningQuery
	Running  bool   // it is one that runs, not a statement
	Push     bool   // it is a push query: its plan is that of a persistent one of the same rows
	Topology string // of its steps
	Steps    string // those of the language
	App      string // its consumer group
}

// QueryDescriptions is LIST QUERIES EXTENDED.
type QueryDescriptions struct{ Queries []QueryDescription }

// An Explanation is EXPLAIN with a stage.
type Explanation struct {
	Stage ast.ExplainStage
	Text  string
}

// A TopicList is LIST TOPICS.
type TopicList struct {
	Extended bool
	Topics   []TopicInfo
}

// A FunctionList is LIST FUNCTIONS.
type FunctionList struct{ Functions []function.Description }

// A FunctionDescription is DESCRIBE FUNCTION.
type FunctionDescription struct{ function.Description }

// A PropertyList is LIST PROPERTIES.
type PropertyList struct{ Properties []Property }

// A TypeList is LIST TYPES.
type TypeList struct{ Types map[string]*row.Type }

// A VariableList is LIST VARIABLES.
type VariableList struct{ Variables map[string]string }

// A ConnectorList is LIST CONNECTORS.
type ConnectorList struct{ Connectors []RunningConnector }

// A PluginList is LIST CONNECTOR PLUGINS.
type PluginList struct{ Plugins []Plugin }

// A ConnectorDescription is DESCRIBE CONNECTOR.
type ConnectorDescription struct {
	RunningConnector
	Sources []SourceDescription // on its topics
}

// A Warning says why a statement that may do nothing, by IF NOT EXISTS or IF EXISTS, did nothing.
type Warning struct{ Message string }

// A ConnectorMade is CREATE CONNECTOR.
type ConnectorMade struct{ *Connector }

// A ConnectorDropped is DROP CONNECTOR.
type ConnectorDropped struct{ Name string }

// A TopicAssertion is an ASSERT TOPIC that holds.
type TopicAssertion struct {
	Topic  string
	Exists bool
}

// A SchemaAssertion is an ASSERT SCHEMA that holds.
type SchemaAssertion struct {
	Subject string // empty: any
	ID      int    // 0: any
	Exists  bool
}

func (SourceList) entity()           {}
func (SourceDescriptions) entity()   {}
func (QueryList) entity()            {}
func (PushEnd) entity()              {}
func (QueryDescription) entity()     {}
func (QueryDescriptions) entity()    {}
func (Explanation) entity()          {}
func (TopicList) entity()            {}
func (FunctionList) entity()         {}
func (FunctionDescription) entity()  {}
func (PropertyList) entity()         {}
func (TypeList) entity()             {}
func (VariableList) entity()         {}
func (ConnectorList) entity()        {}
func (PluginList) entity()           {}
func (ConnectorDescription) entity() {}
func (Warning) entity()              {}
func (ConnectorMade) entity()        {}
func (ConnectorDropped) entity()     {}
func (TopicAssertion) entity()       {}
func (SchemaAssertion) entity()      {}

// maxTimeout bounds how long an ASSERT waits.
const maxTimeout = 10 * time.Minute
