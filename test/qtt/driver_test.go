package qtt

// A Driver runs statements and their queries in memory: the SQL engine as this suite sees it. One driver serves one case and one
// goroutine.
//
// Its world is fixed: service id "some.ksql.service.id", auto.offset.reset earliest, every update emitted (no record cache), record headers
// kept, all records in partition 0 with increasing offsets by topic. Time is that of the records; only functions that ask for the current
// time read the machine's clock.
type Driver interface {
	// CreateTopic makes an empty topic before the statements run.
	CreateTopic(name string, partitions, replicas int) error

	// Exec parses a script of statements that end with semicolons and executes them in order; properties count as set before the
	// first. It stops at the first failure, which is a *StatementError; what earlier statements did stays.
	Exec(script string, properties map[string]string) error

	// Queries returns the persistent queries in the order of their creation; one that was replaced keeps its place, one that was
	// dropped is missing.
	Queries() []Query

	// Pipe gives one record of a source topic to one query, and to no other even if it reads the same topic, and runs it to completion,
	// through repartition topics too. The record's offset is the number of records of the topic that the query has had. An error
	// means that the query died.
	Pipe(query, topic string, r Record) error

	// Drain returns the records that queries and INSERT VALUES wrote to a topic since the last call, oldest first. What Pipe gave is
	// not among them. The runner drains all topics after each Pipe.
	Drain(topic string) []Record

	// Sources returns the catalog's streams and tables.
	Sources() []Source

	// Topics returns all topics: created, sinks, and those internal to queries with the names that a broker would see.
	Topics() []Topic

	Close() error
}

// A Query is a persistent query.
type Query struct {
	ID      string
	Sources []string // topics
	Sink    string   // topic
}

// A Record is one record of partition 0; nil is null.
type Record struct {
	Key, Value []byte
	Timestamp  int64 // ms
	Headers    []Header
}

// A Header is one header; a nil value is null.
type Header struct {
	Key   string
	Value []byte
}

// A Source is a stream or a table of the catalog.
type Source struct {
	Name       string
	Type       string // "stream", "table"
	Schema     string // as in CREATE, without named types: "ID INT KEY, `v` ARRAY<STRING>"; header columns too: "H BYTES HEADER('k')"
	Topic      string
	Key, Value Format
	Window     Window
	ReadOnly   bool // CREATE SOURCE
}

// A Format is how a source's keys or values are written.
//
// Properties are named as ksqlDB names them, and only those that it sets: "delimiter"; "fullSchemaName" of AVRO's keys
// ("io.confluent.ksql.avro_schemas.<SOURCE>Key") and where WITH names a schema; "schemaId"; "unwrapPrimitives" ("true") of PROTOBUF;
// "nullableRepresentation" ("optional", "wrapper"). Features are WRAP_SINGLES and UNWRAP_SINGLES; a single key column of a format that
// knows both is unwrapped.
type Format struct {
	Name       string // "JSON", "KAFKA", …
	Properties map[string]string
	Features   []string
}

// A Window is how keys are windowed; Type is "" for plain keys.
type Window struct {
	Type string // "TUMBLING", "HOPPING", "SESSION"
	Size int64  // ms; 0 for sessions
}

// A Topic is a topic of the broker.
type Topic struct {
	Name       string
	Partitions int
	Replicas   int
	Internal   bool   // repartition topics and changelogs
	Key, Value Format // of internal topics, where the driver knows them
}

// A Phase is where a statement fails.
type Phase int

// The phases of a statement.
const (
	PhaseParse   Phase = iota + 1 // the text is no statement of the language
	PhaseAnalyse                  // the statement is refused: names, types, rules
	PhaseRun                      // it was accepted; executing it, or its query, failed
)

func (p Phase) String() string { return [...]string{"no phase", "parse", "analyse", "run"}[p] }

// A StatementError is what Exec fails with.
type StatementError struct {
	Phase     Phase
	Statement int // index in the script, from 0
	Err       error
}

func (e *StatementError) Error() string { return e.Err.Error() }
func (e *StatementError) Unwrap() error { return e.Err }
