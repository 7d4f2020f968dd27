package stream

import "fmt"

// A kind of step: what mistakes call it, and the prefix of its name where it is given none. Prefixes and counting are those of Kafka
// Streams, so that its users find the stores and topics that they know.
type kind struct{ word, prefix string }

var (
	kindSource         = kind{"From", "KSTREAM-SOURCE-"}
	kindTableSource    = kind{"TableFrom", "KTABLE-SOURCE-"}
	kindSink           = kind{"To", "KSTREAM-SINK-"}
	kindFilter         = kind{"Filter", "KSTREAM-FILTER-"}
	kindPeek           = kind{"Peek", "KSTREAM-PEEK-"}
	kindForEach        = kind{"ForEach", "KSTREAM-FOREACH-"}
	kindMerge          = kind{"Merge", "KSTREAM-MERGE-"}
	kindSplit          = kind{"Split", "KSTREAM-BRANCH-"}
	kindMap            = kind{"Map", "KSTREAM-MAP-"}
	kindMapValues      = kind{"MapValues", "KSTREAM-MAPVALUES-"}
	kindFlatMap        = kind{"FlatMap", "KSTREAM-FLATMAP-"}
	kindFlatMapValues  = kind{"FlatMapValues", "KSTREAM-FLATMAPVALUES-"}
	kindSelectKey      = kind{"SelectKey", "KSTREAM-KEY-SELECT-"}
	kindProcess        = kind{"Process", "KSTREAM-PROCESSOR-"}
	kindProcessValues  = kind{"ProcessValues", "KSTREAM-PROCESSVALUES-"}
	kindProcessTable   = kind{"ProcessTable", "KTABLE-TRANSFORMVALUES-"}
	kindMapAsync       = kind{word: "MapAsync"} // unknown to Kafka Streams: not counted
	kindRepartition    = kind{"Repartition", "KSTREAM-REPARTITION-"}
	kindToTable        = kind{"ToTable", "KSTREAM-TOTABLE-"}
	kindAggregate      = kind{"Aggregate", "KSTREAM-AGGREGATE-"}
	kindReduce         = kind{"Reduce", "KSTREAM-REDUCE-"}
	kindTableFilter    = kind{"Filter", "KTABLE-FILTER-"}
	kindTableMap       = kind{"MapTable", "KTABLE-MAPVALUES-"}
	kindUpdates        = kind{"Updates", "KTABLE-TOSTREAM-"}
	kindTableGroup     = kind{"GroupTableBy", "KTABLE-SELECT-"}
	kindTableAggregate = kind{"AggregateTable", "KTABLE-AGGREGATE-"}
	kindForeignJoin    = kind{"JoinForeign", "KTABLE-FK-JOIN-"}
	kindTableReduce    = kind{"ReduceTable", "KTABLE-REDUCE-"}
	kindKeep           = kind{word: "Keep"}     // always named
	kindGroupBy        = kind{word: "GroupBy"}  // named for its store
	kindNullable       = kind{word: "Nullable"} // unknown to Kafka Streams: not counted
)

// newName makes the next name with a prefix. Names that are thrown away count too, where Kafka Streams makes one.
func (b *Builder) newName(prefix string) string {
	b.names++
	return fmt.Sprintf("%s%010d", prefix, b.names-1)
}

// newStoreName makes the name of a store for a step that is given none.
func (b *Builder) newStoreName(prefix string) string { return b.newName(prefix + "STATE-STORE-") }

// SkipNames counts n generated names as used. A pipeline that lost n steps keeps the names of the stores and topics behind them so.
func (b *Builder) SkipNames(n int) {
	if n < 0 {
		b.mistake("SkipNames: %d names, but must not be negative", n)
		return
	}
	b.burn(n)
}

// burn counts n names that Kafka Streams would make for steps that are one here.
func (b *Builder) burn(n int) { b.names += n }

// burnForCount counts the name that Kafka Streams makes in vain for a count whose store is given none.
func (b *Builder) burnForCount(opts []Option) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if !o.named {
		b.burn(1)
	}
}

// repartitionNames is how many Kafka Streams makes for a repartition: a sink, a filter of null keys and a source.
const repartitionNames = 3

// tableRepartitionNames is the same where a table is regrouped: a sink and a source.
const tableRepartitionNames = 2
