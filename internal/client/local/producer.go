package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/epoch"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// defaultMaxMessageBytes is Kafka's default of message.max.bytes, for a broker that doesn't tell.
const defaultMaxMessageBytes = 1048588

var (
	errClosed    = errors.New("producer is closed")
	errOvertaken = errors.New("another instance fenced this one and has no right to")
)

// A producer commits epochs through the broker's epoch writer, which does the fencing.
type producer struct {
	b      *broker.Broker
	app    string
	owner  txn.Producer // of client.OwnerID: the right to commit
	w      *broker.EpochWriter
	pool   *epoch.Pool
	topics atomic.Uint64 // version of the topics that the pool's rules come from
	closed atomic.Bool
}

func newProducer(b *broker.Broker, app string, owner txn.Producer) *producer {
	p := &producer{b: b, app: app, owner: owner, w: b.OpenEpochs(app)}
	p.pool = epoch.NewPool(p.rules)
	return p
}

// NewEpoch implements client.Producer.
func (p *producer) NewEpoch() client.Epoch {
	if v := p.b.Topics().Version; p.topics.Swap(v) != v { // topics or settings changed: rules are looked up again
		p.pool.Forget()
	}
	return p.pool.Get()
}

// Rest implements client.Producer.
func (p *producer) Rest() { p.pool.Forget() }

// rules are the topic's max.message.bytes, else the broker's, and the codec of the application's own topics. One with a compression.type
// gets that from the broker.
func (p *producer) rules(tp record.TopicPartition) (epoch.Rules, error) {
	r := epoch.Rules{MaxBytes: defaultMaxMessageBytes}
	t := p.b.Topics().ByName[tp.Topic]
	if t == nil || tp.Partition < 0 || tp.Partition >= t.Partitions {
		return r, client.ErrUnknownTopic
	}
	stored := "producer"
	for _, c := range p.b.BrokerConfigs() {
		switch c.Name {
		case "message.max.bytes":
			r.MaxBytes = number(c.Value, r.MaxBytes)
		case compressionType:
			stored = c.Value
		}
	}
	r.MaxBytes = number(t.Configs["max.message.bytes"], r.MaxBytes)
	if cmp.Or(t.Configs[compressionType], stored) == "producer" && topology.Internal(p.app, tp.Topic) {
		// The cheapest for its size here. It and compaction, which inflates, cost what they save in batches that become five times smaller; in
		// those of half the size or a third a pipeline took a tenth more CPU.
		r.Codec, r.Times = batch.Snappy, 4
	}
	return r, nil
}

const compressionType = "compression.type"

// number is s as a number, or what is to stand in for it.
func number(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return otherwise
}

// Commit implements client.Producer.
func (p *producer) Commit(ctx context.Context, ce client.Epoch, positions map[record.TopicPartition]record.Offset) error {
	if p.closed.Load() {
		return fmt.Errorf("commit of %s: %w", p.app, errClosed)
	}
	e, batches, err := p.pool.Take(ce)
	if err != nil {
		return fmt.Errorf("commit of %s: %w", p.app, err)
	}
	if err := p.append(ctx, batches, positions); err != nil {
		return fmt.Errorf("commit of %s: %w", p.app, err)
	}
	p.pool.Recycle(e, batches) // the journal and the logs have written them
	return nil
}

// append hands the batches to the broker and waits until they are durable.
func (p *producer) append(ctx context.Context, batches []epoch.Batch, positions map[record.TopicPartition]record.Offset) error {
	if len(batches) == 0 && len(positions) == 0 {
		return nil
	}
	e := broker.Epoch{Batches: make([]broker.EpochBatch, len(batches)), Offsets: commits(positions)}
	for i, b := range batches {
		e.Batches[i] = broker.EpochBatch(b)
	}
	r, err := p.w.Append(e).Wait(ctx)
	if err != nil {
		return fmt.Errorf("outcome unknown: %w", err)
	}
	if r.Err == nil {
		return nil
	}
	err = explain(r.Err, r.Detail)
	if now, ok := p.b.DescribeTransaction(client.OwnerID(p.app)); errors.Is(err, client.ErrFenced) && ok && now.Producer == p.owner {
		// An instance on the remote door that lost its right a moment ago: it will notice. Not wrapped: it must not look like fencing.
		return fmt.Errorf("%w (%v)", errOvertaken, err)
	}
	return err
}

// commits lists positions in a fixed order, so that the same run writes the same journal.
func commits(positions map[record.TopicPartition]record.Offset) []group.OffsetCommit {
	cs := make([]group.OffsetCommit, 0, len(positions))
	for tp, o := range positions {
		cs = append(cs, group.OffsetCommit{TopicPartition: tp, Offset: o, LeaderEpoch: -1})
	}
	slices.SortFunc(cs, func(a, b group.OffsetCommit) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return cs
}

// Close implements client.Producer. An epoch handed to Commit before still takes place.
func (p *producer) Close() { p.closed.Store(true) }
