// Package local is the client's door to the embedded broker in this process: Go calls in place of sockets, record batches
// handed over as they are.
//
// The root opens a Door on its broker and gives it to the engine. It calls packages broker, epoch and batch.
//
// Owner and locks: a Door has no state and may be used from anywhere. A Reader belongs to one goroutine, except that Pause,
// Resume and Close may be called from another. A Producer's NewEpoch may run beside its Commit. There are no locks and no
// goroutines.
//
// Format: the broker stores an epoch's batches and the group's offsets in one journal frame, so there are no control records
// and nothing to abort.
//
// Not here: durability and fencing (broker), what positions mean (engine), other processes (package remote).
package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// pendingRetry is how often Committed looks again while a foreign transaction holds newer positions.
const pendingRetry = 10 * time.Millisecond

// A Door is the door to one broker, which stays its owner's.
type Door struct {
	b     *broker.Broker
	clock clock.Clock
}

var _ client.Door = (*Door)(nil)

// New returns a Door on b. clk times the waiting for foreign transactions.
func New(b *broker.Broker, clk clock.Clock) *Door { return &Door{b: b, clock: clk} }

// Close implements client.Door; the broker goes on.
func (d *Door) Close() error { return nil }

// Topics implements client.Door.
func (d *Door) Topics(_ context.Context, names ...string) (map[string]client.TopicInfo, error) {
	all := d.b.Topics()
	infos := make(map[string]client.TopicInfo, len(names))
	for _, name := range names {
		if t := all.ByName[name]; t != nil {
			infos[name] = info(t)
		}
	}
	return infos, nil
}

// Names implements client.Door.
func (d *Door) Names(context.Context) ([]string, error) {
	return slices.Collect(maps.Keys(d.b.Topics().ByName)), nil
}

func info(t *broker.Topic) client.TopicInfo {
	info := client.TopicInfo{Name: t.Name, ID: t.ID, Partitions: t.Partitions, Replicas: 1, Configs: t.Configs}
	if info.Configs == nil {
		info.Configs = map[string]string{}
	}
	return info
}

// EnsureTopics implements client.Door.
func (d *Door) EnsureTopics(ctx context.Context, specs ...client.TopicSpec) (map[string]client.TopicInfo, error) {
	infos := make(map[string]client.TopicInfo, len(specs))
	var missing []broker.TopicSpec
	all := d.b.Topics()
	for _, s := range specs {
		if t := all.ByName[s.Name]; t != nil {
			infos[s.Name] = info(t)
			continue
		}
		partitions := s.Partitions
		if partitions == 0 {
			partitions = -1
		}
		missing = append(missing, broker.TopicSpec{Name: s.Name, Partitions: partitions, Replication: -1, Configs: s.Configs})
	}
	if len(missing) == 0 {
		return infos, nil
	}
	results, err := d.b.CreateTopics(missing, false).Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("create %d topics: %w", len(missing), err)
	}
	for _, r := range results {
		t := r.Topic
		if r.Err == kerr.TopicAlreadyExists { // made by somebody else meanwhile
			t = d.b.Topics().ByName[r.Name]
		} else if r.Err != nil {
			return nil, fmt.Errorf("create topic %s: %w", r.Name, explain(r.Err, r.Detail))
		}
		if t == nil {
			return nil, fmt.Errorf("create topic %s: %w", r.Name, client.ErrUnknownTopic)
		}
		infos[r.Name] = info(t)
	}
	return infos, nil
}

// FitTopic implements client.Door.
func (d *Door) FitTopic(ctx context.Context, spec client.TopicSpec) (client.TopicInfo, error) {
	if t := d.b.Topics().ByName[spec.Name]; t != nil && t.Partitions < spec.Partitions {
		r, err := d.b.CreatePartitions(spec.Name, spec.Partitions, false).Wait(ctx)
		if _, err = changed(r, err); err != nil {
			return client.TopicInfo{}, fmt.Errorf("add partitions to topic %s: %w", spec.Name, err)
		}
	}
	var changes []broker.ConfigChange
	for name, value := range spec.Configs {
		changes = append(changes, broker.ConfigChange{Name: name, Value: value, Op: "set"})
	}
	r, err := d.b.AlterTopicConfigs(spec.Name, changes, false, false).Wait(ctx)
	t, err := changed(r, err)
	if err != nil {
		return client.TopicInfo{}, fmt.Errorf("change topic %s: %w", spec.Name, err)
	}
	return info(t), nil
}

func changed(r broker.TopicResult, err error) (*broker.Topic, error) {
	if err == nil && r.Err != nil {
		err = explain(r.Err, r.Detail)
	}
	return r.Topic, err
}

// DeleteTopics implements client.Door.
func (d *Door) DeleteTopics(ctx context.Context, names ...string) error {
	refs := make([]broker.TopicRef, len(names))
	for i, name := range names {
		refs[i] = broker.TopicRef{Name: name}
	}
	results, err := d.b.DeleteTopics(refs).Wait(ctx)
	if err != nil {
		return fmt.Errorf("delete %d topics: %w", len(names), err)
	}
	for _, r := range results {
		if r.Err != nil && r.Err != kerr.UnknownTopicOrPartition {
			return fmt.Errorf("delete topic %s: %w", r.Name, explain(r.Err, r.Detail))
		}
	}
	return nil
}

// Times of ListOffset.
const (
	timeEnd   = -1
	timeStart = -2
)

// Starts implements client.Door.
func (d *Door) Starts(_ context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	return d.offsets(tps, timeStart)
}

// Ends implements client.Door.
func (d *Door) Ends(_ context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	return d.offsets(tps, timeEnd)
}

// Since implements client.Door.
func (d *Door) Since(_ context.Context, ts record.Timestamp, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	ends, err := d.offsets(tps, timeEnd) // first: what comes meanwhile may be that old, too
	if err != nil {
		return nil, err
	}
	found, err := d.offsets(tps, max(0, int64(ts)))
	for tp, at := range found {
		if at < 0 {
			found[tp] = ends[tp]
		}
	}
	return found, err
}

func (d *Door) offsets(tps []record.TopicPartition, at int64) (map[record.TopicPartition]record.Offset, error) {
	m := make(map[record.TopicPartition]record.Offset, len(tps))
	for _, tp := range tps {
		r := d.b.ListOffset(broker.TopicRef{Name: tp.Topic}, tp.Partition, at, true)
		if r.Err != nil {
			return nil, fmt.Errorf("list offset of %s: %w", tp, explain(r.Err, ""))
		}
		m[tp] = r.Offset
	}
	return m, nil
}

// SettledEnds implements client.Door.
func (d *Door) SettledEnds(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	written := make(map[record.TopicPartition]record.Offset, len(tps))
	for _, tp := range tps {
		r := d.b.ListOffset(broker.TopicRef{Name: tp.Topic}, tp.Partition, timeEnd, false)
		if r.Err != nil {
			return nil, fmt.Errorf("list offset of %s: %w", tp, explain(r.Err, ""))
		}
		written[tp] = r.Offset
	}
	for {
		ends, err := d.Ends(ctx, tps...)
		if err != nil {
			return nil, err
		}
		open := slices.IndexFunc(tps, func(tp record.TopicPartition) bool { return ends[tp] < written[tp] })
		if open < 0 {
			return ends, nil
		}
		select {
		case <-d.clock.After(pendingRetry):
		case <-ctx.Done():
			return nil, fmt.Errorf("end of %s: a transaction is open: %w", tps[open], context.Cause(ctx))
		}
	}
}

// Trim implements client.Door.
func (d *Door) Trim(ctx context.Context, before map[record.TopicPartition]record.Offset) error {
	for tp, o := range before {
		r, err := d.b.DeleteRecords(tp, o).Wait(ctx)
		if err == nil && r.Err != nil && r.Err != kerr.OffsetOutOfRange && r.Err != kerr.UnknownTopicOrPartition {
			err = r.Err
		}
		if err != nil {
			return fmt.Errorf("delete records of %s before %d: %w", tp, o, err)
		}
	}
	return nil
}

// ErrOneEngine: this door belongs to the engine in the broker's own process, which runs all of an application.
var ErrOneEngine = errors.New("the in-process door is for one engine: workers that share an application connect to the node's Kafka address")

// Join implements client.Door.
func (d *Door) Join(_ context.Context, m client.Membership) (client.Member, error) {
	return nil, fmt.Errorf("join %s: %w", m.App, ErrOneEngine)
}

// Workers implements client.Door.
func (d *Door) Workers(ctx context.Context, app string) ([]string, error) {
	groups, err := d.b.DescribeGroups([]string{app}).Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("workers of %s: %w", app, err)
	}
	var names []string
	for _, g := range groups {
		for _, m := range g.Members {
			names = append(names, cmp.Or(m.InstanceID, m.ID))
		}
	}
	return names, nil
}

// Committed implements client.Door. It waits while an open transaction (of an instance on the remote door) may still move a position.
func (d *Door) Committed(ctx context.Context, app string) (map[record.TopicPartition]record.Offset, error) {
	for {
		all, err := d.b.FetchOffsets(app, nil).Wait(ctx)
		if err != nil {
			return nil, fmt.Errorf("committed positions of %s: %w", app, err)
		}
		pending := false
		m := make(map[record.TopicPartition]record.Offset, len(all))
		for tp, c := range all {
			pending = pending || c.Pending
			if c.Offset >= 0 {
				m[tp] = c.Offset
			}
		}
		if !pending {
			return m, nil
		}
		select {
		case <-d.clock.After(pendingRetry):
		case <-ctx.Done():
			return nil, fmt.Errorf("committed positions of %s: a transaction is open: %w", app, context.Cause(ctx))
		}
	}
}

// OpenProducer implements client.Door. It takes the application's transactional id too: that fences an instance on the remote
// door and aborts what it left unfinished. Nobody takes over unnoticed from a process that is the broker's own: it claims the application.
func (d *Door) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	owner, err := d.take(ctx, client.OwnerID(app))
	if err == nil {
		_, err = d.take(ctx, app)
	}
	if err != nil {
		return nil, fmt.Errorf("open producer of %s: %w", app, err)
	}
	return newProducer(d.b, app, owner), nil
}

// take makes the caller the producer of a transactional id.
func (d *Door) take(ctx context.Context, id string) (txn.Producer, error) {
	r, err := d.b.InitProducer(txn.Init{ID: id, Timeout: time.Minute, Current: txn.None}).Wait(ctx)
	if err == nil && r.Err != nil {
		err = explain(r.Err, "")
	}
	return r.Producer, err
}

// sentinels maps the broker's errors to the client's; others are passed on as they are.
var sentinels = map[*kerr.Error]error{
	kerr.UnknownTopicOrPartition: client.ErrUnknownTopic,
	kerr.UnknownTopicID:          client.ErrUnknownTopic,
	kerr.OffsetOutOfRange:        client.ErrGap,
	kerr.MessageTooLarge:         client.ErrTooLarge,
	kerr.RecordListTooLarge:      client.ErrTooLarge,
	kerr.ProducerFenced:          client.ErrFenced,
	kerr.InvalidProducerEpoch:    client.ErrFenced,
}

// explain returns the sentinel for err, with the broker's sentence.
func explain(err *kerr.Error, detail string) error {
	var e error = err
	if s := sentinels[err]; s != nil {
		e = s
	}
	if detail != "" {
		return fmt.Errorf("%w: %s", e, detail)
	}
	return e
}
