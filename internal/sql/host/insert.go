package host

import (
	"context"
	"fmt"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// An Inserter writes rows into one stream. It is safe for concurrent use.
type Inserter struct {
	host *Host
	to   *session.Target
}

// Insert returns what writes rows into a stream, for those who have values instead of statements. The error is a *session.StatementError
// where the stream is at fault.
func (h *Host) Insert(_ context.Context, name ast.Name) (*Inserter, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.producer == nil {
		return nil, ErrClosed
	}
	to, err := h.mu.session.Target(name)
	if err != nil {
		return nil, err
	}
	return &Inserter{h, to}, nil
}

// Columns are those of the stream's key, then those of its value.
func (i *Inserter) Columns() (key, value row.Schema) { return i.to.Key, i.to.Value }

// Insert writes rows, values by their columns' names, and returns when they are durable: all of them, or with an error none.
func (i *Inserter) Insert(ctx context.Context, rows []map[string]row.Value) error {
	topic := i.to.Topic
	n, err := i.host.Partitions(ctx, topic)
	if err == nil && n == 0 {
		err = client.ErrUnknownTopic
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	records := make([]session.Record, len(rows))
	for j, values := range rows {
		if records[j], err = i.to.Record(values); err != nil {
			return err
		}
	}
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	if i.host.mu.producer == nil {
		return ErrClosed
	}
	e, now := i.host.mu.producer.NewEpoch(), i.host.o.Now()
	for _, r := range records {
		tp := record.TopicPartition{Topic: topic, Partition: operator.Partition(r.Key, n)}
		if err := e.Append(tp, now, r.Key, r.Value, nil); err != nil {
			return err
		}
	}
	return i.host.mu.producer.Commit(ctx, e, nil)
}
