// Package settings is the table of Kafka's topic settings: names, types, defaults, what values are right, and what the broker does
// with them; and the rules for topic names.
//
// Package broker asks it about each request. It holds no state and takes no lock. Every setting of Kafka 4 is accepted, checked and
// described; Rules are those that have effect. Not here: the node's own settings, which come from the broker's Options.
package settings

import "math"

// A Setting is one row of the table of topic settings: everything that Kafka 4 knows for a topic.
type Setting struct {
	Name    string
	Kind    string // boolean, int, long, double, string, list
	Default string
	check   func(string) string
	Doc     string
	Broker  string // the node-wide setting that a topic without its own one follows; empty when there is none
}

const (
	maxLong  = "9223372036854775807"
	weekMs   = "604800000"
	dayMs    = "86400000"
	noEffect = " Accepted for compatibility; without effect on a single node."
	ownLevel = " Accepted for compatibility; the node compresses with its own level."
)

// Table is sorted by name and must not be changed.
var Table = []Setting{
	{"cleanup.policy", "list", "delete", oneOfList("compact", "delete"), "What happens to old records: whole segments are deleted by age and size, or the last record of each key is kept, or both.", "log.cleanup.policy"},
	{"compression.gzip.level", "int", "-1", between(-1, 9), "Level for gzip." + ownLevel, "compression.gzip.level"},
	{"compression.lz4.level", "int", "9", between(1, 17), "Level for lz4." + ownLevel, "compression.lz4.level"},
	{
		"compression.type", "string", "producer", oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
		"Compression of stored batches: that of their producer, or this one.", "compression.type",
	},
	{"compression.zstd.level", "int", "3", between(-131072, 22), "Level for zstd." + ownLevel, "compression.zstd.level"},
	{"delete.retention.ms", "long", dayMs, atLeast(0), "How long compaction keeps tombstones and the markers of transactions without records, in milliseconds.", "log.cleaner.delete.retention.ms"},
	{"file.delete.delay.ms", "long", "60000", atLeast(0), "How long deleted files stay. Readers keep theirs open; files go at once, whatever the value.", "log.segment.delete.delay.ms"},
	{"flush.messages", "long", maxLong, atLeast(1), "Records between syncs. Every batch is synced before it is acknowledged, whatever the value.", "log.flush.interval.messages"},
	{"flush.ms", "long", maxLong, atLeast(0), "Time between syncs. Every batch is synced before it is acknowledged, whatever the value.", "log.flush.interval.ms"},
	{"follower.replication.throttled.replicas", "list", "", throttled, "Throttled follower replicas." + noEffect, ""},
	{"index.interval.bytes", "int", "4096", between(0, math.MaxInt32), "Bytes between index entries." + noEffect, "log.index.interval.bytes"},
	{"leader.replication.throttled.replicas", "list", "", throttled, "Throttled leader replicas." + noEffect, ""},
	{"local.retention.bytes", "long", "-2", atLeast(-2), "Bytes kept locally with tiered storage." + noEffect, "log.local.retention.bytes"},
	{"local.retention.ms", "long", "-2", atLeast(-2), "Time kept locally with tiered storage." + noEffect, "log.local.retention.ms"},
	{"max.compaction.lag.ms", "long", maxLong, atLeast(1), "Longest time in milliseconds before a record may be compacted: older ones start compaction.", "log.cleaner.max.compaction.lag.ms"},
	{"max.message.bytes", "int", "1048588", between(0, math.MaxInt32), "Largest record batch in bytes, as its producer compressed it.", "message.max.bytes"},
	{"message.timestamp.after.max.ms", "long", "3600000", atLeast(0), "How far a record's time may lie ahead of the clock.", "log.message.timestamp.after.max.ms"},
	{"message.timestamp.before.max.ms", "long", maxLong, atLeast(0), "How far a record's time may lie behind the clock.", "log.message.timestamp.before.max.ms"},
	{"message.timestamp.type", "string", "CreateTime", oneOf("CreateTime", "LogAppendTime"), "Whether a record's time is its producer's or the broker's.", "log.message.timestamp.type"},
	{"min.cleanable.dirty.ratio", "double", "0.5", ratio, "Share of uncompacted bytes in the log that starts compaction.", "log.cleaner.min.cleanable.ratio"},
	{"min.compaction.lag.ms", "long", "0", atLeast(0), "Shortest time in milliseconds that a record stays uncompacted.", "log.cleaner.min.compaction.lag.ms"},
	{"min.insync.replicas", "int", "1", between(1, math.MaxInt32), "Replicas that must have a record." + noEffect, "min.insync.replicas"},
	{"preallocate", "boolean", "false", boolean, "Preallocate segment files." + noEffect, "log.preallocate"},
	{"remote.log.copy.disable", "boolean", "false", boolean, "Stop copying to tiered storage." + noEffect, ""},
	{"remote.log.delete.on.disable", "boolean", "false", boolean, "Delete tiered data when it is disabled." + noEffect, ""},
	{"remote.storage.enable", "boolean", "false", notTiered, "Tiered storage; not available.", ""},
	{"retention.bytes", "long", "-1", atLeast(math.MinInt64), "Bytes kept in a partition, in whole segments; negative for no bound.", "log.retention.bytes"},
	{"retention.ms", "long", weekMs, atLeast(-1), "How long records are kept by their timestamps, in milliseconds and whole segments; -1 for ever.", "log.retention.ms"},
	{"segment.bytes", "int", "1073741824", between(1<<20, math.MaxInt32), "Size at which a segment file ends. The node's own bound may be lower.", "log.segment.bytes"},
	{"segment.index.bytes", "int", "10485760", between(4, math.MaxInt32), "Size of an index file." + noEffect, "log.index.size.max.bytes"},
	{"segment.jitter.ms", "long", "0", atLeast(0), "Most time in milliseconds by which segments end before segment.ms, so that not all do at once.", "log.roll.jitter.ms"},
	{"segment.ms", "long", weekMs, atLeast(1), "Age in milliseconds at which a segment ends; retention and compaction come to its records then.", "log.roll.ms"},
	{"unclean.leader.election.enable", "boolean", "false", boolean, "Elect replicas that lag." + noEffect, "unclean.leader.election.enable"},
}

// Find returns a row, nil when there is none. The table is small and changes are rare.
func Find(name string) *Setting { return find(Table, name) }

func find(table []Setting, name string) *Setting {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// Check tells what is wrong with value, nothing when it is right.
func (s *Setting) Check(value string) string { return s.check(value) }
