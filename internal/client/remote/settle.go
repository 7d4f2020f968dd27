package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cleanupInterval is how often a cluster looks for transactions that timed out: Kafka's default.
const cleanupInterval = 10 * time.Second

var errStillOpen = errors.New("a transaction is open for longer than its timeout")

// settling bounds the waiting for other workers' transactions.
func (d *Door) settling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d.o.TransactionTimeout+2*cleanupInterval, errStillOpen)
}

// SettledEnds implements client.Door. A transaction may be decided, and its positions stable, before its markers stand in all partitions: the
// last stable offset alone would leave out what belongs to the positions.
func (d *Door) SettledEnds(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	ctx, cancel := d.settling(ctx)
	defer cancel()
	written, err := offsets(ctx, tps, d.adm.ListEndOffsets)
	if err != nil {
		return nil, err
	}
	for b := (backoff{clock: d.o.Clock}); ; {
		ends, err := d.Ends(ctx, tps...)
		if err != nil {
			return nil, err
		}
		open := slices.IndexFunc(tps, func(tp record.TopicPartition) bool { return ends[tp] < written[tp] })
		if open < 0 {
			return ends, nil
		}
		if err := b.wait(ctx); err != nil {
			return nil, fmt.Errorf("wait for the end of %s to be committed: %w", tps[open], err)
		}
	}
}

// stableOffsets returns the positions of tps once no transaction may move them. Partitions are asked for one by one: an answer to "all" leaves
// out those whose first position is in an open transaction.
func (d *Door) stableOffsets(ctx context.Context, group string, tps []record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	ctx, cancel := d.settling(ctx)
	defer cancel()
	for b := (backoff{clock: d.o.Clock}); ; {
		m, err := d.fetchOffsets(ctx, group, tps)
		if err == nil || errors.Is(err, kerr.GroupIDNotFound) {
			return m, nil
		}
		if !errors.Is(err, kerr.UnstableOffsetCommit) && !passes(err) {
			return nil, fmt.Errorf("committed positions of %s: %w", group, err)
		}
		if werr := b.wait(ctx); werr != nil {
			return nil, fmt.Errorf("committed positions of %s: %w: %w", group, werr, err)
		}
	}
}

func (d *Door) fetchOffsets(ctx context.Context, group string, tps []record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	m := make(map[record.TopicPartition]record.Offset, len(tps))
	if len(tps) == 0 { // no topics would mean all
		return m, nil
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = group
	at := map[string]int{}
	for _, tp := range tps {
		i, ok := at[tp.Topic]
		if !ok {
			t := kmsg.NewOffsetFetchRequestGroupTopic()
			t.Topic = tp.Topic
			i = len(rg.Topics)
			at[tp.Topic], rg.Topics = i, append(rg.Topics, t)
		}
		rg.Topics[i].Partitions = append(rg.Topics[i].Partitions, tp.Partition)
	}
	req.Groups = append(req.Groups, rg)
	resp, err := req.RequestWith(ctx, d.cl)
	if err != nil {
		return nil, err
	}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return m, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
				}
				if p.Offset >= 0 {
					m[record.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = record.Offset(p.Offset)
				}
			}
		}
	}
	return m, nil
}

// Trim implements client.Door.
func (d *Door) Trim(ctx context.Context, before map[record.TopicPartition]record.Offset) error {
	os := kadm.Offsets{}
	for tp, o := range before {
		os.AddOffset(tp.Topic, tp.Partition, int64(o), -1)
	}
	deleted, err := d.adm.DeleteRecords(ctx, os)
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("delete records of %d partitions: %w", len(before), explain(err))
	}
	for tp, o := range before {
		r, ok := deleted.Lookup(tp.Topic, tp.Partition)
		if ok && r.Err != nil && !errors.Is(r.Err, kerr.OffsetOutOfRange) && !errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete records of %s before %d: %w", tp, o, r.Err)
		}
	}
	return nil
}

var _ client.Member = (*member)(nil)
