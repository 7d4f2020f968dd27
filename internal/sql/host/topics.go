package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
)

// Partitions implements session.Host.
func (h *Host) Partitions(ctx context.Context, topic string) (int32, error) {
	infos, err := h.o.Door.Topics(ctx, topic)
	return infos[topic].Partitions, err
}

// Topics implements session.Host.
func (h *Host) Topics(ctx context.Context) ([]session.TopicInfo, error) {
	names, err := h.o.Door.Names(ctx)
	if err != nil {
		return nil, err
	}
	infos, err := h.o.Door.Topics(ctx, names...)
	if err != nil {
		return nil, err
	}
	out := make([]session.TopicInfo, 0, len(infos))
	for name, info := range infos {
		out = append(out, session.TopicInfo{Name: name, Partitions: info.Partitions, Replicas: max(info.Replicas, 1), Records: -1})
	}
	slices.SortFunc(out, func(a, b session.TopicInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// CreateTopic implements session.Host. One that is there is left as it is.
func (h *Host) CreateTopic(ctx context.Context, t session.Topic) error {
	_, err := h.o.Door.EnsureTopics(ctx, client.TopicSpec{Name: t.Name, Partitions: t.Partitions, Configs: t.Configs})
	return err
}

// DeleteTopic implements session.Host.
func (h *Host) DeleteTopic(ctx context.Context, topic string) error {
	return h.o.Door.DeleteTopics(ctx, topic)
}

// partitionsOf are the partitions of a topic with their ends.
func (h *Host) partitionsOf(ctx context.Context, topic string) (tps []record.TopicPartition, starts, ends map[record.TopicPartition]record.Offset, err error) {
	n, err := h.Partitions(ctx, topic)
	if err == nil && n == 0 {
		err = fmt.Errorf("topic %s: %w", topic, client.ErrUnknownTopic)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	for p := range n {
		tps = append(tps, record.TopicPartition{Topic: topic, Partition: p})
	}
	if starts, err = h.o.Door.Starts(ctx, tps...); err == nil {
		ends, err = h.o.Door.Ends(ctx, tps...)
	}
	return tps, starts, ends, err
}

// Topic implements session.Offsets.
func (h *Host) Topic(ctx context.Context, topic string) (session.TopicInfo, error) {
	tps, starts, ends, err := h.partitionsOf(ctx, topic)
	info := session.TopicInfo{Name: topic, Partitions: int32(len(tps)), Replicas: 1}
	for _, tp := range tps {
		info.Records += int64(ends[tp] - starts[tp])
	}
	return info, err
}

// Of implements session.Offsets.
func (h *Host) Of(ctx context.Context, q *session.Query, topic string) (session.GroupOffsets, error) {
	g := session.GroupOffsets{Group: h.o.Service.App(q.ID)}
	tps, starts, ends, err := h.partitionsOf(ctx, topic)
	if err != nil {
		return g, err
	}
	at, err := h.o.Door.Committed(ctx, g.Group)
	for _, tp := range tps {
		now := record.Offset(-1)
		if o, ok := at[tp]; ok {
			now = o
		}
		g.Offsets = append(g.Offsets, session.PartitionOffsets{Partition: tp.Partition, Start: int64(starts[tp]), End: int64(ends[tp]), Now: int64(now)})
	}
	return g, err
}

// Produce implements session.Host.
func (h *Host) Produce(ctx context.Context, topic string, r session.Record) error {
	if r.Timestamp == record.NoTimestamp {
		r.Timestamp = h.o.Now()
	}
	n, err := h.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("topic %s: %w", topic, client.ErrUnknownTopic)
	}
	return h.appendLocked(ctx, record.TopicPartition{Topic: topic, Partition: operator.Partition(r.Key, n)}, r)
}

// appendLocked writes one record and waits until it is durable.
func (h *Host) appendLocked(ctx context.Context, tp record.TopicPartition, r session.Record) error {
	e := h.mu.producer.NewEpoch()
	if err := e.Append(tp, r.Timestamp, r.Key, r.Value, nil); err != nil {
		return err
	}
	return h.mu.producer.Commit(ctx, e, nil)
}

// Wait implements session.Waiter.
func (h *Host) Wait(ctx context.Context, d time.Duration) error {
	select {
	case <-h.o.Clock.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
