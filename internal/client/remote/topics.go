package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topics implements client.Door. Settings are left out where the cluster does not let us see them.
func (d *Door) Topics(ctx context.Context, names ...string) (map[string]client.TopicInfo, error) {
	infos, err := d.describe(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	existing := make([]string, 0, len(infos))
	for name := range infos {
		existing = append(existing, name)
	}
	if len(existing) == 0 {
		return infos, nil
	}
	configs, err := d.adm.DescribeTopicConfigs(ctx, existing...)
	if err != nil && len(configs) == 0 {
		if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
			return infos, nil
		}
		return nil, fmt.Errorf("describe topics' settings: %w", err)
	}
	for _, rc := range configs {
		t, ok := infos[rc.Name]
		if !ok || rc.Err != nil {
			continue
		}
		t.Configs = map[string]string{}
		for _, c := range rc.Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				t.Configs[c.Key] = c.MaybeValue()
			}
		}
		infos[rc.Name] = t
	}
	return infos, nil
}

// Names implements client.Door.
func (d *Door) Names(ctx context.Context) ([]string, error) {
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, d.cl)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var names []string
	for _, t := range resp.Topics {
		if !t.IsInternal && t.Topic != nil {
			names = append(names, *t.Topic)
		}
	}
	return names, nil
}

// describe returns the existing topics among names, without settings.
func (d *Door) describe(ctx context.Context, names []string) (map[string]client.TopicInfo, error) {
	infos := make(map[string]client.TopicInfo, len(names))
	if len(names) == 0 {
		return infos, nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, d.cl)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err != nil && !errors.Is(err, kerr.LeaderNotAvailable) { // it exists, its leaders are being elected
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
		info := client.TopicInfo{Name: *t.Topic, ID: t.TopicID, Partitions: int32(len(t.Partitions))}
		if info.Partitions > 0 {
			info.Replicas = int32(len(t.Partitions[0].Replicas))
		}
		infos[*t.Topic] = info
	}
	return infos, nil
}

// DeleteTopics implements client.Door.
func (d *Door) DeleteTopics(ctx context.Context, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, d.o.CommitTimeout)
	defer cancel()
	results, err := d.adm.DeleteTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("delete %d topics: %w", len(names), err)
	}
	deleted := make(map[string][16]byte, len(results))
	for _, r := range results {
		if errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if r.Err != nil {
			return fmt.Errorf("delete topic %s: %w", r.Topic, r.Err)
		}
		deleted[r.Topic] = r.ID
	}
	return d.waitUntilGone(ctx, deleted)
}

// waitUntilGone waits until the cluster has spread the word about deleted topics, given by their ids: a new topic may have an old one's name.
func (d *Door) waitUntilGone(ctx context.Context, deleted map[string][16]byte) error {
	names := slices.Collect(maps.Keys(deleted))
	for b := (backoff{clock: d.o.Clock}); ; {
		have, err := d.describe(ctx, names)
		if err != nil {
			return fmt.Errorf("wait for deleted topics to go: %w", err)
		}
		left := slices.ContainsFunc(names, func(name string) bool {
			t, there := have[name]
			return there && t.ID == deleted[name]
		})
		if !left {
			return nil
		}
		if err := b.wait(ctx); err != nil {
			return fmt.Errorf("wait for deleted topics to go: %w", err)
		}
	}
}

// EnsureTopics implements client.Door. Replication is the cluster's default.
func (d *Door) EnsureTopics(ctx context.Context, specs ...client.TopicSpec) (map[string]client.TopicInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, d.o.CommitTimeout)
	defer cancel()
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	have, err := d.describe(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("ensure topics: %w", err)
	}
	if len(have) < len(specs) {
		if err := d.create(ctx, specs, have); err != nil {
			return nil, err
		}
		if err := d.waitForLeaders(ctx, names); err != nil {
			return nil, err
		}
	}
	return d.Topics(ctx, names...)
}

func (d *Door) create(ctx context.Context, specs []client.TopicSpec, have map[string]client.TopicInfo) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(d.o.CommitTimeout.Milliseconds())
	for _, s := range specs {
		if _, ok := have[s.Name]; ok {
			continue
		}
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = s.Name, s.Partitions, -1
		if s.Partitions == 0 {
			t.NumPartitions = -1
		}
		for k, v := range s.Configs {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = k, kmsg.StringPtr(v)
			t.Configs = append(t.Configs, c)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, d.cl)
	if err != nil {
		return fmt.Errorf("create %d topics: %w", len(req.Topics), err)
	}
	for _, t := range resp.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) { // or made by somebody else meanwhile
			continue
		}
		message := ""
		if t.ErrorMessage != nil {
			message = *t.ErrorMessage
		}
		return fmt.Errorf("create topic %s: %w", t.Topic, explained(err, message))
	}
	return nil
}

// FitTopic implements client.Door.
func (d *Door) FitTopic(ctx context.Context, spec client.TopicSpec) (client.TopicInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, d.o.CommitTimeout)
	defer cancel()
	have, err := d.describe(ctx, []string{spec.Name})
	if err == nil && have[spec.Name].Partitions < spec.Partitions {
		err = d.addPartitions(ctx, spec)
	}
	if err != nil {
		return client.TopicInfo{}, fmt.Errorf("add partitions to topic %s: %w", spec.Name, err)
	}
	var changes []kadm.AlterConfig
	for name, value := range spec.Configs {
		changes = append(changes, kadm.AlterConfig{Name: name, Value: &value})
	}
	results, err := d.adm.AlterTopicConfigs(ctx, changes, spec.Name)
	for _, r := range results {
		err = cmp.Or(err, explained(r.Err, r.ErrMessage))
	}
	if err != nil {
		return client.TopicInfo{}, fmt.Errorf("change topic %s: %w", spec.Name, err)
	}
	infos, err := d.Topics(ctx, spec.Name)
	return infos[spec.Name], err
}

// addPartitions returns when the new partitions have leaders.
func (d *Door) addPartitions(ctx context.Context, spec client.TopicSpec) error {
	results, err := d.adm.UpdatePartitions(ctx, int(spec.Partitions), spec.Name)
	for _, r := range results {
		if !errors.Is(r.Err, kerr.InvalidPartitions) { // somebody else has added them meanwhile
			err = cmp.Or(err, explained(r.Err, r.ErrMessage))
		}
	}
	if err != nil {
		return err
	}
	for b := (backoff{clock: d.o.Clock}); ; {
		if err := d.waitForLeaders(ctx, []string{spec.Name}); err != nil {
			return err
		}
		have, err := d.describe(ctx, []string{spec.Name})
		if err != nil || have[spec.Name].Partitions >= spec.Partitions {
			return err
		}
		if err := b.wait(ctx); err != nil {
			return fmt.Errorf("wait for the new partitions: %w", err)
		}
	}
}

func explained(err error, message string) error {
	if err != nil && message != "" {
		return fmt.Errorf("%w: %s", err, message)
	}
	return err
}

// waitForLeaders waits until the cluster has spread the word about new topics.
func (d *Door) waitForLeaders(ctx context.Context, names []string) error {
	for b := (backoff{clock: d.o.Clock}); ; {
		ends, err := d.adm.ListEndOffsets(ctx, names...)
		if err == nil {
			err = ends.Error()
		}
		if err == nil {
			return nil
		}
		if !kerr.IsRetriable(err) && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("wait for new topics' leaders: %w", err)
		}
		if werr := b.wait(ctx); werr != nil {
			return fmt.Errorf("wait for new topics' leaders: %w: %w", werr, err)
		}
	}
}

// Starts implements client.Door.
func (d *Door) Starts(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	return offsets(ctx, tps, d.adm.ListStartOffsets)
}

// Ends implements client.Door.
func (d *Door) Ends(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	return offsets(ctx, tps, d.adm.ListCommittedOffsets)
}

// Since implements client.Door. Brokers may find a record of an open transaction, which is committed or aborted when the reader gets there.
func (d *Door) Since(ctx context.Context, ts record.Timestamp, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	ends, err := d.Ends(ctx, tps...)
	if err != nil {
		return nil, err
	}
	found, err := offsets(ctx, tps, func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
		return d.adm.ListOffsetsAfterMilli(ctx, max(0, int64(ts)), topics...)
	})
	for tp, at := range found {
		found[tp] = min(at, ends[tp]) // where there is none it is the end, with open transactions
	}
	return found, err
}

type lister func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error)

func offsets(ctx context.Context, tps []record.TopicPartition, list lister) (map[record.TopicPartition]record.Offset, error) {
	m := make(map[record.TopicPartition]record.Offset, len(tps))
	if len(tps) == 0 {
		return m, nil
	}
	var topics []string
	seen := map[string]bool{}
	for _, tp := range tps {
		if !seen[tp.Topic] {
			seen[tp.Topic] = true
			topics = append(topics, tp.Topic)
		}
	}
	listed, err := list(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list offsets of %v: %w", topics, err)
	}
	for _, tp := range tps {
		o, ok := listed.Lookup(tp.Topic, tp.Partition)
		if !ok {
			if o, ok = listed.Lookup(tp.Topic, -1); !ok { // where kadm puts the error of a whole topic
				o.Err = kerr.UnknownTopicOrPartition
			}
		}
		if o.Err != nil {
			return nil, fmt.Errorf("list offset of %s: %w", tp, explain(o.Err))
		}
		m[tp] = record.Offset(o.Offset)
	}
	return m, nil
}

// errUndecided: positions that a commit made durable may not show yet.
var errUndecided = errors.New("a transaction is being ended")

// Committed implements client.Door. It waits while a transaction may still move a position. A cluster older than 3.0 cannot
// tell all of that: there, positions of partitions that never had one are certain only after OpenProducer.
func (d *Door) Committed(ctx context.Context, app string) (map[record.TopicPartition]record.Offset, error) {
	for b := (backoff{clock: d.o.Clock}); ; {
		m, err := d.committed(ctx, app)
		if err == nil {
			return m, nil
		}
		if !errors.Is(err, errUndecided) && !errors.Is(err, kerr.UnstableOffsetCommit) && !kerr.IsRetriable(err) {
			return nil, fmt.Errorf("committed positions of %s: %w", app, err)
		}
		if werr := b.wait(ctx); werr != nil {
			return nil, fmt.Errorf("committed positions of %s: %w: %w", app, werr, err)
		}
	}
}

// ending looks whether the application's last transaction is decided and not yet carried out. An answer to "all offsets of the
// group" leaves out a partition whose first offset is in such a transaction, even when stable offsets are asked for.
func (d *Door) ending(ctx context.Context, app string) error {
	txns, err := d.adm.DescribeTransactions(ctx, app)
	if err != nil && len(txns) == 0 {
		return nil // not supported, or not ours to see
	}
	switch t := txns[app]; {
	case t.Err == nil && (t.State == "PrepareCommit" || t.State == "PrepareAbort"):
		return errUndecided
	case kerr.IsRetriable(t.Err):
		return t.Err
	}
	return nil
}

func (d *Door) committed(ctx context.Context, app string) (map[record.TopicPartition]record.Offset, error) {
	if err := d.ending(ctx, app); err != nil {
		return nil, err
	}
	all, err := d.adm.FetchOffsets(kadm.RequireStable(ctx), app)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[record.TopicPartition]record.Offset{}, nil
	}
	if err != nil {
		return nil, err
	}
	m := map[record.TopicPartition]record.Offset{}
	for _, o := range all.Sorted() {
		if o.Err != nil {
			return nil, fmt.Errorf("%s/%d: %w", o.Topic, o.Partition, o.Err)
		}
		if o.At >= 0 {
			m[record.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = record.Offset(o.At)
		}
	}
	return m, nil
}
