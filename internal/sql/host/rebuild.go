package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
)

// A query that CREATE OR REPLACE builds beside another one goes through these states. What is in brackets is the record of the catalog topic
// that makes the step durable; a crash before it leaves the query in the state before.
//
//	[statement] building: it reads its sources from where a new query begins, and writes to a topic of its own. The old one runs
//	            meeting: both stand still, then it, and for a stream the old one too, reads up to one place and stops
//	[switched]  placed: it is in the place of the old one, which is gone. It takes no records yet; its table can be looked up
//	[done]      running: the topic of the sink has got the table that it computed, and it writes there from now on
//
// Of a table the topic gets the changes that turn the old table into the new one, so that all who follow it have the new one. Of a stream what
// was written stays, and the new query's rows come behind the meeting place. See docs/adr/0008.

const (
	lookEvery   = 200 * time.Millisecond // at how far a query has come that is built
	nearRecords = 10_000                 // unread: from then on the rest is read while both queries stand still for others
	meetEvery   = 5 * time.Millisecond
	meetLimit   = 30 * time.Second // then the old query goes on, and another attempt follows
)

var errNotMet = errors.New("the new query did not come to the place of the old one in time; it goes on beside it")

// stagingTopic is where a query writes that is built beside another one.
func (h *Host) stagingTopic(id string) string { return h.o.Service.App(id) + "-rebuild" }

func (h *Host) staging(q *session.Query) string {
	if q.Beside == "" {
		return ""
	}
	return h.stagingTopic(q.ID)
}

// Rebuilds implements session.Rebuilder.
func (h *Host) Rebuilds() bool { return h.o.Background != nil }

// stage makes the topic that a query writes to while it is built: with the partitions of its sink. Only that of a table is read.
func (h *Host) stage(ctx context.Context, q *session.Query) error {
	configs := map[string]string{"cleanup.policy": "compact"}
	if !q.Plan.Sink.Table {
		configs = map[string]string{"cleanup.policy": "delete", "retention.ms": "60000"}
	}
	_, err := h.o.Door.EnsureTopics(ctx, client.TopicSpec{Name: h.stagingTopic(q.ID), Partitions: q.Plan.Sink.Partitions, Configs: configs})
	return err
}

// watch has a query take the place of the one that it is built beside when it has caught up.
func (h *Host) watch(id string) {
	if h.o.Background == nil {
		return
	}
	h.o.Background(func(ctx context.Context) {
		for {
			select {
			case <-h.o.Clock.After(lookEvery):
			case <-ctx.Done():
				return
			}
			over, err := h.look(ctx, id)
			if err != nil && ctx.Err() == nil {
				h.o.Failed(id, "rebuild", err)
			}
			if over {
				return
			}
		}
	})
}

// pairLocked are the query that is built and the one beside it; nil: there is nothing to do any more.
func (h *Host) pairLocked(id string) (old, next *session.Query) {
	if next = h.mu.session.Query(id); h.mu.producer == nil || next == nil || next.Beside == "" {
		return nil, nil
	}
	return h.mu.session.Query(next.Beside), next
}

// parties are the queries that meet: the one that is built, and the old one of a stream, whose rows must end where the new one's begin. The old
// one of a table only stands still.
func parties(old, next *session.Query) []*session.Query {
	if next.Plan.Sink.Table {
		return []*session.Query{next}
	}
	return []*session.Query{next, old}
}

// look switches to a query that is near enough. over tells that there is nothing left to do.
func (h *Host) look(ctx context.Context, id string) (over bool, err error) {
	h.mu.Lock()
	old, next := h.pairLocked(id)
	ready := next != nil
	if ready {
		for _, q := range parties(old, next) {
			state := h.Status(q).State
			ready = ready && (state == session.Running || state == session.Building)
		}
	}
	h.mu.Unlock()
	if next == nil || !ready {
		return next == nil, nil
	}
	for _, q := range parties(old, next) {
		n, err := h.unread(ctx, q, nil)
		if err != nil || n > nearRecords {
			return false, err
		}
	}
	return h.takeOver(ctx, id)
}

// unread is how many records a query has not read yet of its topics, internal ones too. Those of sources that are among ends count up to there.
func (h *Host) unread(ctx context.Context, q *session.Query, ends map[record.TopicPartition]record.Offset) (n int64, err error) {
	t, err := h.build(q, nil)
	if err != nil {
		return 0, err
	}
	tps, err := h.partitionsIn(ctx, append(t.SourceTopics(), t.Description().RepartitionTopics...))
	if err != nil {
		return 0, err
	}
	starts, err := h.o.Door.Starts(ctx, tps...)
	if err != nil {
		return 0, err
	}
	now, err := h.o.Door.Ends(ctx, tps...)
	if err != nil {
		return 0, err
	}
	at, err := h.o.Door.Committed(ctx, h.o.Service.App(q.ID))
	for _, tp := range tps {
		end, bounded := ends[tp]
		if !bounded {
			end = now[tp]
		}
		n += max(int64(end-max(at[tp], starts[tp])), 0)
	}
	return n, err
}

func (h *Host) partitionsIn(ctx context.Context, topics []string) ([]record.TopicPartition, error) {
	infos, err := h.o.Door.Topics(ctx, topics...)
	var tps []record.TopicPartition
	for name, info := range infos {
		for p := range info.Partitions {
			tps = append(tps, record.TopicPartition{Topic: name, Partition: p})
		}
	}
	return tps, err
}

// takeOver switches to a query that has nearly caught up. An error before the switch is durable leaves both queries as they were.
func (h *Host) takeOver(ctx context.Context, id string) (over bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, next := h.pairLocked(id)
	if next == nil {
		return true, nil
	}
	shown := h.handOver(next.Plan.Sink.Name)
	defer shown()
	if err := h.meetLocked(ctx, old, next); err != nil {
		if ctx.Err() == nil {
			h.mu.running[old.ID], h.mu.running[next.ID] = h.begin(old, nil), h.begin(next, nil)
		}
		return false, err
	}
	if err := h.recordLocked(ctx, logged{Rebuild: &loggedStep{id, stepSwitched}}); err != nil {
		return true, fmt.Errorf("query %s is in the place of %s or not, which the next start of the node tells: %w", id, old.ID, err)
	}
	if old, next, err = h.mu.session.Switch(id); err != nil {
		return true, err
	}
	h.mu.placed[id] = true
	h.snapshots.Store(h.mu.session.Snapshot())
	h.forgetLocked(ctx, []*session.Query{old})
	h.showLocked(next)
	shown()
	return true, h.finishLocked(ctx, next)
}

// meetLocked brings both queries to one place in their sources, where they stop.
func (h *Host) meetLocked(ctx context.Context, old, next *session.Query) error {
	ctx, cancel := context.WithTimeout(ctx, meetLimit)
	defer cancel()
	for _, q := range []*session.Query{next, old} {
		if err := h.Stop(ctx, q); err != nil {
			return err
		}
	}
	var sources []string
	for _, q := range parties(old, next) {
		t, err := h.build(q, nil)
		if err != nil {
			return err
		}
		sources = append(sources, t.SourceTopics()...)
	}
	tps, err := h.partitionsIn(ctx, sources)
	if err != nil {
		return err
	}
	ends, err := h.o.Door.Ends(ctx, tps...)
	if err != nil {
		return err
	}
	for _, q := range parties(old, next) {
		h.mu.running[q.ID] = h.beginWith(q, nil, RunOptions{Until: ends})
	}
	for _, q := range parties(old, next) {
		if err := h.awaitLocked(ctx, q, ends); err != nil {
			return errors.Join(err, h.Stop(ctx, old), h.Stop(ctx, next))
		}
	}
	return errors.Join(h.Stop(ctx, old), h.Stop(ctx, next))
}

// awaitLocked waits until a query has read all up to the ends.
func (h *Host) awaitLocked(ctx context.Context, q *session.Query, ends map[record.TopicPartition]record.Offset) error {
	for {
		if s := h.Status(q); s.State == session.Failed {
			return fmt.Errorf("query %s: %w", q.ID, s.Err)
		}
		n, err := h.unread(ctx, q, ends)
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-h.o.Clock.After(meetEvery):
		case <-ctx.Done():
			return errNotMet
		}
	}
}

// showLocked starts a query that is placed, so that its table can be looked up; it takes no records.
func (h *Host) showLocked(q *session.Query) {
	h.mu.running[q.ID] = h.beginWith(q, nil, RunOptions{Paused: true})
}

// finishLocked gives the topic of the sink of a query that is placed what it has not got, and has the query go on. After an error the query is
// in state ERROR; RESUME, or the next start, tries again.
func (h *Host) finishLocked(ctx context.Context, q *session.Query) error {
	r := h.mu.running[q.ID]
	if r == nil || r.running == nil {
		h.showLocked(q)
		r = h.mu.running[q.ID]
	}
	err := r.err
	if err == nil && q.Plan.Sink.Table {
		err = h.publishLocked(ctx, q)
	}
	if err == nil {
		err = h.recordLocked(ctx, logged{Rebuild: &loggedStep{q.ID, stepDone}})
	}
	if err != nil {
		err = fmt.Errorf("the topic of %s does not have all of it yet: %w", q.Plan.Sink.Name, errors.Join(err, h.Stop(ctx, q)))
		h.mu.running[q.ID] = &runningQuery{rows: newRowLog(q, h.log), err: err}
		return err
	}
	delete(h.mu.placed, q.ID)
	if !q.Paused {
		r.running.Resume()
	}
	if err := h.o.Door.DeleteTopics(ctx, h.stagingTopic(q.ID)); err != nil {
		h.o.Failed(q.ID, "rebuild", fmt.Errorf("its topic %s is left: %w", h.stagingTopic(q.ID), err))
	}
	return nil
}

// repeatLocked does again what a record of the catalog says of a query that was built beside another one.
func (h *Host) repeatLocked(ctx context.Context, at record.Offset, s loggedStep) error {
	if s.Step == stepDone {
		delete(h.mu.placed, s.Query)
		return h.o.Door.DeleteTopics(ctx, h.stagingTopic(s.Query)) // a crash may have left it
	}
	h.mu.placed[s.Query] = true
	if _, _, err := h.mu.session.Switch(s.Query); err != nil {
		return fmt.Errorf("record at offset %d of %s: %w", at, h.o.Service.CatalogTopic(), err)
	}
	return nil
}

// resumeQueryLocked has a query go on when the node starts.
func (h *Host) resumeQueryLocked(ctx context.Context, q *session.Query, misfit error) {
	if h.mu.placed[q.ID] && misfit == nil {
		if err := h.finishLocked(ctx, q); err != nil {
			h.o.Failed(q.ID, "rebuild", err)
		}
		return
	}
	h.mu.running[q.ID] = h.begin(q, misfit)
	if q.Beside != "" {
		h.watch(q.ID)
	}
}

// A handover tells pull queries that a table's rows cannot be looked up for a moment.
type handover struct {
	table string
	done  chan struct{}
}

// handOver begins one; over ends it, and may be called again.
func (h *Host) handOver(table string) (over func()) {
	now := &handover{table, make(chan struct{})}
	h.handover.Store(now)
	return func() {
		if h.handover.CompareAndSwap(now, nil) {
			close(now.done)
		}
	}
}

// handedOver waits until no handover of a table is under way; waited tells that there was one, so that what was planned is old.
func (h *Host) handedOver(ctx context.Context, table string) (waited bool, err error) {
	now := h.handover.Load()
	if now == nil || now.table != table {
		return false, nil
	}
	select {
	case <-now.done:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
