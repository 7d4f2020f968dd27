package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/record"
)

var positionsTable = Table{
	Name: "mainstem_positions",
	Columns: []Column{
		{Name: "sink", Type: "TEXT"},
		{Name: "topic", Type: "TEXT"},
		{Name: "partition", Type: "INTEGER"},
		{Name: "offset", Type: "INTEGER", NotNull: true}, // the next one to apply
		{Name: "epoch", Type: "INTEGER", NotNull: true},  // of the writer that set the row
		{Name: "topic_id", Type: "BLOB", NotNull: true},  // 16 bytes, zero when the broker does not tell
	},
	PrimaryKey: []string{"sink", "topic", "partition"},
	Group:      []string{"sink"},
}

// The row that holds a sink's epoch, also before it has any position.
const (
	epochTopic     = "" // no topic has this name
	epochPartition = -1
)

var (
	selectPositions = fmt.Sprintf(`SELECT topic, "partition", "offset", epoch, topic_id FROM %s WHERE sink = ?`, quote(positionsTable.Name))
	upsertPosition  = fmt.Sprintf(`INSERT INTO %s (sink, topic, "partition", "offset", epoch, topic_id) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (sink, topic, "partition") DO UPDATE SET "offset" = excluded."offset", epoch = excluded.epoch, topic_id = excluded.topic_id`, quote(positionsTable.Name))
	selectEpoch = fmt.Sprintf(`SELECT coalesce(max(epoch), 0) FROM %s WHERE sink = ?`, quote(positionsTable.Name))
)

// raiseEpoch makes this writer the sink's latest. It runs in an immediate transaction, so two openers get different epochs.
func raiseEpoch(ctx context.Context, c *sql.Conn, sink string) (int64, error) {
	var epoch int64
	if err := c.QueryRowContext(ctx, selectEpoch, sink).Scan(&epoch); err != nil {
		return 0, fmt.Errorf("read epoch: %w", err)
	}
	epoch++
	if _, err := c.ExecContext(ctx, upsertPosition, sink, epochTopic, epochPartition, 0, epoch, make([]byte, 16)); err != nil {
		return 0, fmt.Errorf("raise epoch: %w", err)
	}
	return epoch, nil
}

// readPositions returns the epoch of the latest writer (0 when its row is gone) and all positions.
func (s *Sink[K, V]) readPositions(ctx context.Context) (int64, map[record.TopicPartition]connect.Position, error) {
	rows, err := s.exec.positions.QueryContext(ctx, s.cfg.Name)
	if err != nil {
		return 0, nil, fmt.Errorf("read positions: %w", err)
	}
	defer rows.Close()
	var latest int64
	held := map[record.TopicPartition]connect.Position{}
	for rows.Next() {
		var tp record.TopicPartition
		var p connect.Position
		var epoch int64
		var id []byte
		if err := rows.Scan(&tp.Topic, &tp.Partition, &p.Offset, &epoch, &id); err != nil {
			return 0, nil, fmt.Errorf("read positions: %w", err)
		}
		if tp.Topic == epochTopic && tp.Partition == epochPartition {
			latest = epoch
			continue
		}
		if len(id) != len(p.TopicID) || p.Offset < 0 {
			return 0, nil, fmt.Errorf("table %s is damaged: the row of %s has offset %d and a topic id of %d bytes", positionsTable.Name, tp, p.Offset, len(id))
		}
		copy(p.TopicID[:], id)
		held[tp] = p
	}
	if err := rows.Err(); err != nil {
		return 0, nil, fmt.Errorf("read positions: %w", err)
	}
	return latest, held, nil
}

// savePositions moves the held positions up to the goal, never back, and returns what the database holds then.
func (s *Sink[K, V]) savePositions(ctx context.Context, held, goal map[record.TopicPartition]connect.Position) (map[record.TopicPartition]connect.Position, error) {
	for tp, p := range goal {
		if old, ok := held[tp]; ok && old.Offset >= p.Offset {
			continue
		}
		if _, err := s.exec.position.ExecContext(ctx, s.cfg.Name, tp.Topic, tp.Partition, int64(p.Offset), s.epoch, p.TopicID[:]); err != nil {
			return nil, fmt.Errorf("save position of %s: %w", tp, err)
		}
		held[tp] = p
	}
	return held, nil
}

// reached returns the positions of a batch of which only the first n records are applied.
func reached(b connect.Batch, n int) map[record.TopicPartition]connect.Position {
	if n == len(b.Records) {
		return b.Positions
	}
	goal := make(map[record.TopicPartition]connect.Position, len(b.Positions))
	for tp, p := range b.Positions {
		goal[tp] = p
	}
	for i := len(b.Records) - 1; i >= n; i-- { // backwards: the first unapplied record of each partition wins
		r := &b.Records[i]
		goal[r.TopicPartition] = connect.Position{Offset: r.Offset, TopicID: b.Positions[r.TopicPartition].TopicID}
	}
	return goal
}
