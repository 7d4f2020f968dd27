package broker

import (
	"math"
	"strconv"
)

// A setting is one row of the table of topic settings: everything that Kafka 4 knows for a topic.
type setting struct {
	name  string
	kind  string // boolean, int, long, double, string, list
	value string // the default
	check func(string) string
	doc   string
	// broker is the name of the node-wide setting that a topic without its own one follows.
	broker string
}

const (
	maxLong   = "9223372036854775807"
	weekMs    = "604800000"
	dayMs     = "86400000"
	noEffect  = " Accepted for compatibility; without effect on a single node."
	laterWork = " Stored and described; this version keeps all records."
)

// topicSettings is sorted by name. checks return what is wrong with a value, or nothing.
var topicSettings = []setting{
	{"cleanup.policy", "list", "delete", oneOfList("compact", "delete"), "What happens to old records: delete, compact, or both." + laterWork, "log.cleanup.policy"},
	{"compression.gzip.level", "int", "-1", between(-1, 9), "Level for gzip." + noEffect, "compression.gzip.level"},
	{"compression.lz4.level", "int", "9", between(1, 17), "Level for lz4." + noEffect, "compression.lz4.level"},
	{"compression.type", "string", "producer", oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
		"Compression of stored batches. Batches are kept as their producer compressed them, whatever the value.", "compression.type"},
	{"compression.zstd.level", "int", "3", between(-131072, 22), "Level for zstd." + noEffect, "compression.zstd.level"},
	{"delete.retention.ms", "long", dayMs, atLeast(0), "How long compaction keeps tombstones." + laterWork, "log.cleaner.delete.retention.ms"},
	{"file.delete.delay.ms", "long", "60000", atLeast(0), "How long deleted files stay." + noEffect, "log.segment.delete.delay.ms"},
	{"flush.messages", "long", maxLong, atLeast(1), "Records between syncs. Every batch is synced before it is acknowledged, whatever the value.", "log.flush.interval.messages"},
	{"flush.ms", "long", maxLong, atLeast(0), "Time between syncs. Every batch is synced before it is acknowledged, whatever the value.", "log.flush.interval.ms"},
	{"follower.replication.throttled.replicas", "list", "", throttled, "Throttled follower replicas." + noEffect, ""},
	{"index.interval.bytes", "int", "4096", atLeast(0), "Bytes between index entries." + noEffect, "log.index.interval.bytes"},
	{"leader.replication.throttled.replicas", "list", "", throttled, "Throttled leader replicas." + noEffect, ""},
	{"local.retention.bytes", "long", "-2", atLeast(-2), "Bytes kept locally with tiered storage." + noEffect, "log.local.retention.bytes"},
	{"local.retention.ms", "long", "-2", atLeast(-2), "Time kept locally with tiered storage." + noEffect, "log.local.retention.ms"},
	{"max.compaction.lag.ms", "long", maxLong, atLeast(1), "Longest time a record stays uncompacted." + laterWork, "log.cleaner.max.compaction.lag.ms"},
	{"max.message.bytes", "int", "1048588", atLeast(0), "Largest record batch in bytes, as its producer compressed it.", "message.max.bytes"},
	{"message.timestamp.after.max.ms", "long", "3600000", atLeast(0), "How far a record's time may lie ahead of the clock.", "log.message.timestamp.after.max.ms"},
	{"message.timestamp.before.max.ms", "long", maxLong, atLeast(0), "How far a record's time may lie behind the clock.", "log.message.timestamp.before.max.ms"},
	{"message.timestamp.type", "string", "CreateTime", oneOf("CreateTime", "LogAppendTime"), "Whether a record's time is its producer's or the broker's.", "log.message.timestamp.type"},
	{"min.cleanable.dirty.ratio", "double", "0.5", ratio, "Share of uncompacted bytes that starts compaction." + laterWork, "log.cleaner.min.cleanable.ratio"},
	{"min.compaction.lag.ms", "long", "0", atLeast(0), "Shortest time a record stays uncompacted." + laterWork, "log.cleaner.min.compaction.lag.ms"},
	{"min.insync.replicas", "int", "1", atLeast(1), "Replicas that must have a record." + noEffect, "min.insync.replicas"},
	{"preallocate", "boolean", "false", boolean, "Preallocate segment files." + noEffect, "log.preallocate"},
	{"remote.log.copy.disable", "boolean", "false", boolean, "Stop copying to tiered storage." + noEffect, ""},
	{"remote.log.delete.on.disable", "boolean", "false", boolean, "Delete tiered data when it is disabled." + noEffect, ""},
	{"remote.storage.enable", "boolean", "false", notTiered, "Tiered storage; not available.", ""},
	{"retention.bytes", "long", "-1", atLeast(-1), "Bytes kept in a partition; -1 for no bound." + laterWork, "log.retention.bytes"},
	{"retention.ms", "long", weekMs, atLeast(-1), "How long records are kept; -1 for ever." + laterWork, "log.retention.ms"},
	{"segment.bytes", "int", "1073741824", atLeast(14), "Size at which a segment file ends. The node's own bound may be lower.", "log.segment.bytes"},
	{"segment.index.bytes", "int", "10485760", atLeast(4), "Size of an index file." + noEffect, "log.index.size.max.bytes"},
	{"segment.jitter.ms", "long", "0", atLeast(0), "Random delay of rolling." + noEffect, "log.roll.jitter.ms"},
	{"segment.ms", "long", weekMs, atLeast(1), "Age at which a segment ends." + laterWork, "log.roll.ms"},
	{"unclean.leader.election.enable", "boolean", "false", boolean, "Elect replicas that lag." + noEffect, "unclean.leader.election.enable"},
}

// settingByName finds a row; the table is small and changes are rare.
func settingByName(name string) *setting {
	for i := range topicSettings {
		if topicSettings[i].name == name {
			return &topicSettings[i]
		}
	}
	return nil
}

// brokerSettings are node-wide settings besides those that topics follow. They cannot be changed yet; values come from Options.
func (b *Broker) brokerSettings() []Config {
	yes := func(v bool) string { return strconv.FormatBool(v) }
	rows := []Config{
		{Name: "auto.create.topics.enable", Type: "boolean", Value: yes(!b.o.NoAutoCreate), Default: "true", Doc: "Create unknown topics when a client asks for them."},
		{Name: "broker.id", Type: "int", Value: strconv.Itoa(int(b.o.NodeID)), Default: "-1", Doc: "Number of this node."},
		{Name: "default.replication.factor", Type: "int", Value: "1", Default: "1", Doc: "Replicas of a topic created without a count."},
		{Name: "delete.topic.enable", Type: "boolean", Value: "true", Default: "true", Doc: "Topics may be deleted."},
		{Name: "group.initial.rebalance.delay.ms", Type: "int", Value: millis(b.o.Group.InitialDelay, 0), Default: "3000", Doc: "How long an empty group waits for more members."},
		{Name: "group.max.session.timeout.ms", Type: "int", Value: millis(b.o.Group.MaxSession, 1800000), Default: "1800000", Doc: "Longest session timeout that a member may ask for."},
		{Name: "group.max.size", Type: "int", Value: strconv.Itoa(orElse(b.o.Group.MaxSize, math.MaxInt32)), Default: "2147483647", Doc: "Members of a group."},
		{Name: "group.min.session.timeout.ms", Type: "int", Value: millis(b.o.Group.MinSession, 6000), Default: "6000", Doc: "Shortest session timeout that a member may ask for."},
		{Name: "node.id", Type: "int", Value: strconv.Itoa(int(b.o.NodeID)), Default: "-1", Doc: "Number of this node."},
		{Name: "num.partitions", Type: "int", Value: strconv.Itoa(int(b.o.DefaultPartitions)), Default: "1", Doc: "Partitions of a topic created without a count."},
		{Name: "offset.metadata.max.bytes", Type: "int", Value: strconv.Itoa(b.o.Group.MaxMetadata), Default: "4096", Doc: "Bytes of metadata with a committed offset."},
		{Name: "offsets.topic.replication.factor", Type: "short", Value: "1", Default: "3", Doc: "Group offsets live in the journal, not in a topic."},
		{Name: "producer.id.expiration.ms", Type: "int", Value: strconv.FormatInt(producerExpiry.Milliseconds(), 10), Default: dayMs, Doc: "How long an idle producer is remembered."},
		{Name: "transaction.max.timeout.ms", Type: "int", Value: millis(b.o.Txn.MaxTimeout, 900000), Default: "900000", Doc: "Longest transaction timeout that a producer may ask for."},
		{Name: "transaction.state.log.replication.factor", Type: "short", Value: "1", Default: "3", Doc: "Transactions live in the journal, not in a topic."},
		{Name: "transactional.id.expiration.ms", Type: "int", Value: millis(b.o.Txn.Expiry, 604800000), Default: weekMs, Doc: "How long an unused transactional id is remembered."},
	}
	return append(rows,
		Config{Name: "log.retention.hours", Type: "int", Value: "168", Default: "168", Doc: "How long records are kept, unless log.retention.ms is set." + laterWork},
		Config{Name: "log.roll.hours", Type: "int", Value: "168", Default: "168", Doc: "Age at which a segment ends, unless log.roll.ms is set." + laterWork},
	)
}
