package host

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
)

// publishBytes is about how much is written in one step.
const publishBytes = 1 << 20

// publishLocked writes to the topic of a table's sink what turns the table that is there into the one that the query has computed. Given again
// it writes what is still missing. The keys of one partition, of both tables, are in memory meanwhile.
func (h *Host) publishLocked(ctx context.Context, q *session.Query) error {
	for p := range q.Plan.Sink.Partitions {
		from := record.TopicPartition{Topic: h.stagingTopic(q.ID), Partition: p}
		to := record.TopicPartition{Topic: q.Plan.Sink.Topic, Partition: p}
		if err := h.publishPartition(ctx, from, to); err != nil {
			return fmt.Errorf("publish to %s/%d: %w", to.Topic, to.Partition, err)
		}
	}
	return nil
}

// A row of a table's topic: where it stands, and what it is.
type topicRow struct {
	at  record.Offset
	sum [sha256.Size]byte
}

// rowsOf are the rows of a table by their keys, as the records of a partition leave it.
func (h *Host) rowsOf(ctx context.Context, tp record.TopicPartition) (map[string]topicRow, error) {
	rows := map[string]topicRow{}
	err := client.ReadAll(ctx, h.o.Door, tp, func(c client.Chunk) error {
		for i, key := range c.Keys {
			if c.Values[i] == nil {
				delete(rows, string(key))
			} else {
				rows[string(key)] = topicRow{c.Offsets[i], sha256.Sum256(c.Values[i])}
			}
		}
		return nil
	})
	return rows, err
}

func (h *Host) publishPartition(ctx context.Context, from, to record.TopicPartition) error {
	have, err := h.rowsOf(ctx, to)
	if err != nil {
		return err
	}
	want, err := h.rowsOf(ctx, from)
	if err != nil {
		return err
	}
	e := h.mu.producer.NewEpoch()
	write := func(ts record.Timestamp, key, value []byte) error {
		if err := e.Append(to, ts, key, value, nil); err != nil || e.Size() < publishBytes {
			return err
		}
		full := e
		e = h.mu.producer.NewEpoch()
		return h.mu.producer.Commit(ctx, full, nil)
	}
	for key := range have {
		if _, stays := want[key]; stays {
			continue
		}
		if err := write(h.o.Now(), []byte(key), nil); err != nil {
			return err
		}
	}
	err = client.ReadAll(ctx, h.o.Door, from, func(c client.Chunk) error {
		for i, key := range c.Keys {
			row, last := want[string(key)]
			if old, there := have[string(key)]; !last || row.at != c.Offsets[i] || there && old.sum == row.sum {
				continue
			}
			if err := write(c.Timestamps[i], key, c.Values[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.mu.producer.Commit(ctx, e, nil)
}
