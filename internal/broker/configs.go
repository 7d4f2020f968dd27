package broker

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A Config is one setting as DescribeConfigs shows it. Source is "default", "topic", "group", "broker" (its options), or "node" and "nodes"
// (changed while it ran, for it or for all).
type Config struct {
	Name      string
	Value     string
	Default   string
	Source    string
	Type      string // boolean, int, long, short, string, list, double
	ReadOnly  bool
	Doc       string
	Sensitive bool
	Follows   string // the setting of the node that a topic or group without its own follows; empty: none
}

// TopicConfigs lists every topic setting of a topic; BrokerConfigs those of the node.
func (b *Broker) TopicConfigs(name string) ([]Config, *kerr.Error) {
	t, err := b.view.Load().find(TopicRef{Name: name})
	if err != nil {
		return nil, err
	}
	out := make([]Config, 0, len(settings.Table))
	for i := range settings.Table {
		s := &settings.Table[i]
		c := Config{Name: s.Name, Default: s.Default, Type: s.Kind, Doc: s.Doc, Follows: s.Broker}
		c.Value, c.Source = b.topicDefault(s)
		if v, ok := t.Configs[s.Name]; ok {
			c.Value, c.Source = v, "topic"
		}
		out = append(out, c)
	}
	return out, nil
}

// topicDefault is what a topic without the setting follows, and why.
func (b *Broker) topicDefault(s *settings.Setting) (value, source string) {
	fixed, ok := b.o.nodeDefaults()[s.Name]
	if !ok {
		fixed = s.Default
	}
	return b.nodeValue(s.Broker, fixed, s.Default)
}

// nodeValue is the value of a node setting that has fixed by the node's options, and why.
func (b *Broker) nodeValue(name, fixed, orElse string) (value, source string) {
	switch v, own, ok := b.view.Load().node.Value(name); {
	case ok && own:
		return v, "node"
	case ok:
		return v, "nodes"
	case fixed != orElse:
		return fixed, "broker"
	}
	return fixed, "default"
}

// BrokerConfigs lists the settings of the node, sorted by name. Those that AlterNodeConfigs does not change are read-only.
func (b *Broker) BrokerConfigs() []Config {
	out := b.brokerSettings()
	for i := range out {
		c := &out[i]
		c.ReadOnly = true
		c.Value, c.Source = b.nodeValue(c.Name, c.Value, c.Default)
	}
	for _, s := range settings.NodeTable() {
		out = slices.DeleteFunc(out, func(c Config) bool { return c.Name == s.Name }) // one that the node's options set, too
		c := Config{Name: s.Name, Type: s.Kind, Default: s.Default, Doc: s.Doc}
		fixed := s.Default
		if s.Name == settings.CleanerBackoff {
			fixed = millis(b.o.Cleanup.WithDefaults().Backoff, 0)
		}
		c.Value, c.Source = b.nodeValue(s.Name, fixed, s.Default)
		out = append(out, c)
	}
	for i := range settings.Table {
		if s := &settings.Table[i]; s.Broker != "" {
			c := Config{Name: s.Broker, Type: s.Kind, Default: s.Default, Doc: s.Doc}
			c.Value, c.Source = b.topicDefault(s)
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Config) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// NodesConfigs lists the settings that AlterNodeConfigs changed for all nodes.
func (b *Broker) NodesConfigs() []Config {
	var out []Config
	all := b.view.Load().node.All
	for _, c := range b.BrokerConfigs() {
		if v, ok := all[c.Name]; ok {
			c.Value, c.Source = v, "nodes"
			out = append(out, c)
		}
	}
	return out
}

// AlterNodeConfigs changes settings of the node while it runs, or (all) those of all nodes, which its own go before; the rest is
// as with AlterTopicConfigs.
func (b *Broker) AlterNodeConfigs(all bool, cs []ConfigChange, replace, validateOnly bool) *Future[TopicResult] {
	lost := func(why *stop) TopicResult { return TopicResult{Err: why.partition} }
	return submit(b, lost, func(s *sequencer) TopicResult {
		next, err, detail := s.st.node.With(all, cs, replace)
		if err == nil && !validateOnly {
			s.append(frame.KindNodeSettings, frame.AppendNodeSettings(nil, next.Own, next.All))
			s.st.applyNodeSettings(next)
		}
		return TopicResult{Err: err, Detail: detail}
	})
}

// A ConfigChange sets (Value non-nil) or removes one setting. Op is "set", "delete", "append" or "subtract" (lists).
type ConfigChange = settings.Change

// AlterTopicConfigs changes settings; replace drops those not named (AlterConfigs) instead of keeping them.
func (b *Broker) AlterTopicConfigs(topic string, cs []ConfigChange, replace, validateOnly bool) *Future[TopicResult] {
	lost := func(why *stop) TopicResult { return TopicResult{Name: topic, Err: why.partition} }
	return submit(b, lost, func(s *sequencer) TopicResult {
		t := s.st.topics[topic]
		if t == nil {
			return TopicResult{Name: topic, Err: kerr.UnknownTopicOrPartition}
		}
		now := maps.Clone(t.Configs)
		if replace || now == nil {
			now = map[string]string{}
		}
		err, detail := settings.Apply(now, cs)
		if err == nil {
			err, detail = settings.Check(now)
		}
		out := TopicResult{Name: topic, Topic: t.Topic, Err: err, Detail: detail}
		if err != nil || validateOnly || maps.Equal(now, t.Configs) {
			return out
		}
		f := frame.ConfigChanged{ID: t.ID, Configs: now}
		s.append(frame.KindConfigChanged, f.Append(nil))
		if err := s.st.applyConfigChanged(f); err != nil && s.err == nil {
			s.err = err
		}
		out.Topic = s.st.topics[topic].Topic
		return out
	})
}

// brokerSettings are node-wide settings besides those that topics follow. Values come from Options.
func (b *Broker) brokerSettings() []Config {
	yes := func(v bool) string { return strconv.FormatBool(v) }
	consumers, retention := b.o.Group.Consumer.WithDefaults(), b.o.Group.WithDefaults().Retention
	rows := []Config{
		{Name: "auto.create.topics.enable", Type: "boolean", Value: yes(!b.o.NoAutoCreate), Default: "true", Doc: "Create unknown topics when a client asks for them."},
		{Name: "broker.id", Type: "int", Value: strconv.Itoa(int(b.o.NodeID)), Default: "-1", Doc: "Number of this node."},
		{Name: "default.replication.factor", Type: "int", Value: "1", Default: "1", Doc: "Replicas of a topic created without a count."},
		{Name: "delete.topic.enable", Type: "boolean", Value: "true", Default: "true", Doc: "Topics may be deleted."},
		{Name: "group.consumer.assignment.interval.ms", Type: "int", Value: "0", Default: "1000", Doc: "Shortest time between two assignments of a consumer group; they are made at once."},
		{Name: "group.consumer.assignors", Type: "list", Value: strings.Join(assign.Names(), ","), Default: "uniform,range", Doc: "Assignors that members of consumer groups may ask for; the first is for those that do not."},
		{Name: "group.consumer.heartbeat.interval.ms", Type: "int", Value: millis(consumers.Heartbeat, 0), Default: "5000", Doc: "How often members of consumer groups report."},
		{Name: "group.consumer.max.heartbeat.interval.ms", Type: "int", Value: millis(consumers.MaxHeartbeat, 0), Default: "15000", Doc: "Longest heartbeat interval that a group may have."},
		{Name: "group.consumer.max.session.timeout.ms", Type: "int", Value: millis(consumers.MaxSession, 0), Default: "60000", Doc: "Longest session timeout that a consumer group may have."},
		{Name: "group.consumer.max.size", Type: "int", Value: strconv.Itoa(orElse(consumers.MaxSize, math.MaxInt32)), Default: "2147483647", Doc: "Members of a consumer group."},
		{Name: "group.consumer.migration.policy", Type: "string", Value: string(consumers.Migration), Default: "bidirectional", Doc: "Which way a group with members may change between the classic and the consumer protocol."},
		{Name: "group.consumer.min.heartbeat.interval.ms", Type: "int", Value: millis(consumers.MinHeartbeat, 0), Default: "5000", Doc: "Shortest heartbeat interval that a group may have."},
		{Name: "group.consumer.min.session.timeout.ms", Type: "int", Value: millis(consumers.MinSession, 0), Default: "45000", Doc: "Shortest session timeout that a consumer group may have."},
		{Name: "group.consumer.session.timeout.ms", Type: "int", Value: millis(consumers.Session, 0), Default: "45000", Doc: "How long a member of a consumer group may be silent."},
		{Name: "group.coordinator.rebalance.protocols", Type: "list", Value: "classic,consumer", Default: "classic,consumer,streams", Doc: "Group protocols that are served."},
		{Name: "group.initial.rebalance.delay.ms", Type: "int", Value: millis(b.o.Group.InitialDelay, 0), Default: "3000", Doc: "How long an empty group waits for more members."},
		{Name: "group.max.session.timeout.ms", Type: "int", Value: millis(b.o.Group.MaxSession, 1800000), Default: "1800000", Doc: "Longest session timeout that a member may ask for."},
		{Name: "group.max.size", Type: "int", Value: strconv.Itoa(orElse(b.o.Group.MaxSize, math.MaxInt32)), Default: "2147483647", Doc: "Members of a group."},
		{Name: "group.min.session.timeout.ms", Type: "int", Value: millis(b.o.Group.MinSession, 6000), Default: "6000", Doc: "Shortest session timeout that a member may ask for."},
		{Name: "node.id", Type: "int", Value: strconv.Itoa(int(b.o.NodeID)), Default: "-1", Doc: "Number of this node."},
		{Name: "num.partitions", Type: "int", Value: strconv.Itoa(int(b.o.DefaultPartitions)), Default: "1", Doc: "Partitions of a topic created without a count."},
		{Name: "offset.metadata.max.bytes", Type: "int", Value: strconv.Itoa(b.o.Group.MaxMetadata), Default: "4096", Doc: "Bytes of metadata with a committed offset."},
		{Name: "offsets.retention.check.interval.ms", Type: "long", Value: millis(group.CheckInterval, 0), Default: "600000", Doc: "Time between looks for offsets that nobody needs."},
		{Name: "offsets.retention.minutes", Type: "int", Value: strconv.FormatInt(int64(retention/time.Minute), 10), Default: "10080", Doc: "How long offsets are kept that no member of their group needs. Those of groups that never had members stay."},
		{Name: "offsets.topic.replication.factor", Type: "short", Value: "1", Default: "3", Doc: "Group offsets live in the journal, not in a topic."},
		{Name: "producer.id.expiration.ms", Type: "int", Value: strconv.FormatInt(producerExpiry.Milliseconds(), 10), Default: "86400000", Doc: "How long an idle producer is remembered."},
		{Name: "transaction.max.timeout.ms", Type: "int", Value: millis(b.o.Txn.MaxTimeout, 900000), Default: "900000", Doc: "Longest transaction timeout that a producer may ask for."},
		{Name: "transaction.state.log.replication.factor", Type: "short", Value: "1", Default: "3", Doc: "Transactions live in the journal, not in a topic."},
		{Name: "transactional.id.expiration.ms", Type: "int", Value: millis(b.o.Txn.Expiry, 604800000), Default: "604800000", Doc: "How long an unused transactional id is remembered."},
	}
	return append(rows, b.cleanupSettings()...)
}

// cleanupSettings are those of retention and compaction that no topic has.
func (b *Broker) cleanupSettings() []Config {
	c := b.o.Cleanup
	retention, roll := settings.Find("retention.ms"), settings.Find("segment.ms")
	return []Config{
		{Name: "log.cleaner.backoff.ms", Type: "long", Value: millis(c.Backoff, 0), Default: "15000", Doc: "How long the cleaner rests when nothing is to be compacted."},
		{Name: "log.cleaner.dedupe.buffer.size", Type: "long", Value: strconv.FormatInt(c.MapBytes, 10), Default: "134217728", Doc: "Memory for the keys of a compaction, 16 bytes each; more keys take several passes."},
		{Name: "log.cleaner.enable", Type: "boolean", Value: strconv.FormatBool(!c.NoCompaction), Default: "true", Doc: "Compact topics that ask for it."},
		{Name: "log.cleaner.io.max.bytes.per.second", Type: "double", Value: "1.7976931348623157E308", Default: "1.7976931348623157E308", Doc: "Bound of the cleaner's reads and writes; there is none."},
		{Name: "log.cleaner.threads", Type: "int", Value: "1", Default: "1", Doc: "Logs that are compacted at a time."},
		{Name: "log.retention.check.interval.ms", Type: "long", Value: millis(c.CheckInterval, 0), Default: "300000", Doc: "Time between looks for what retention removes."},
		{Name: "log.retention.hours", Type: "int", Value: hours(first(b.topicDefault(retention))), Default: "168", Doc: "How long records are kept, in whole hours; log.retention.ms says it exactly."},
		{Name: "log.roll.hours", Type: "int", Value: hours(first(b.topicDefault(roll))), Default: "168", Doc: "Age at which a segment ends, in whole hours; log.roll.ms says it exactly."},
	}
}

func first(a, _ string) string { return a }

// hours is a checked number of milliseconds in hours.
func hours(ms string) string {
	n, err := strconv.ParseInt(strings.TrimSpace(ms), 10, 64)
	if err != nil || n < 0 {
		return "-1"
	}
	return strconv.FormatInt(n/time.Hour.Milliseconds(), 10)
}

func millis(d time.Duration, orElse int64) string {
	if d > 0 {
		orElse = d.Milliseconds()
	}
	return strconv.FormatInt(orElse, 10)
}

func orElse(v, other int) int {
	if v == 0 {
		return other
	}
	return v
}
