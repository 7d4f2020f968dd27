package broker

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A Config is one setting as DescribeConfigs shows it. Source is "default", "topic" or "broker".
type Config struct {
	Name      string
	Value     string
	Default   string
	Source    string
	Type      string // boolean, int, long, short, string, list, double
	ReadOnly  bool
	Doc       string
	Sensitive bool
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
		c := Config{Name: s.Name, Default: b.topicDefault(s), Source: "default", Type: s.Kind, Doc: s.Doc}
		c.Value = c.Default
		if v, ok := t.Configs[s.Name]; ok {
			c.Value, c.Source = v, "topic"
		}
		out = append(out, c)
	}
	return out, nil
}

// topicDefault is what a topic without the setting follows.
func (b *Broker) topicDefault(s *settings.Setting) string {
	if s.Name == "max.message.bytes" {
		return strconv.Itoa(b.o.MaxBatchBytes)
	}
	return s.Default
}

// BrokerConfigs lists the settings of the node, sorted by name. All are read-only.
func (b *Broker) BrokerConfigs() []Config {
	out := b.brokerSettings()
	for i := range settings.Table {
		s := &settings.Table[i]
		if s.Broker != "" {
			out = append(out, Config{Name: s.Broker, Type: s.Kind, Value: b.topicDefault(s), Default: s.Default, Doc: s.Doc})
		}
	}
	for i := range out {
		out[i].ReadOnly, out[i].Source = true, "default"
		if out[i].Value != out[i].Default {
			out[i].Source = "broker"
		}
	}
	slices.SortFunc(out, func(a, b Config) int { return cmp.Compare(a.Name, b.Name) })
	return out
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
		{Name: "producer.id.expiration.ms", Type: "int", Value: strconv.FormatInt(producerExpiry.Milliseconds(), 10), Default: "86400000", Doc: "How long an idle producer is remembered."},
		{Name: "transaction.max.timeout.ms", Type: "int", Value: millis(b.o.Txn.MaxTimeout, 900000), Default: "900000", Doc: "Longest transaction timeout that a producer may ask for."},
		{Name: "transaction.state.log.replication.factor", Type: "short", Value: "1", Default: "3", Doc: "Transactions live in the journal, not in a topic."},
		{Name: "transactional.id.expiration.ms", Type: "int", Value: millis(b.o.Txn.Expiry, 604800000), Default: "604800000", Doc: "How long an unused transactional id is remembered."},
	}
	return append(rows,
		Config{Name: "log.retention.hours", Type: "int", Value: "168", Default: "168", Doc: "How long records are kept, unless log.retention.ms is set."},
		Config{Name: "log.roll.hours", Type: "int", Value: "168", Default: "168", Doc: "Age at which a segment ends, unless log.roll.ms is set."},
	)
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
