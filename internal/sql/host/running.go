package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/sql/lower"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
)

// A Running is a topology that runs.
type Running interface {
	Stop() error
	Pause()
	Resume()
	// Err returns why it ended by itself, nil while it runs.
	Err() error
	Status() engine.Status
}

// RunOptions say how a topology runs.
type RunOptions struct {
	OnFailure  failure.Handler
	Paused     bool          // it takes no records until Resume
	CacheBytes int64         // 0: every update goes on
	Interval   time.Duration // least time between commits; 0: the node's
	// Until are offsets at which partitions end for it; those not among them do not end.
	Until map[record.TopicPartition]record.Offset
}

// A query that runs, or could not be started.
type runningQuery struct {
	running Running // nil: it could not be started
	err     error   // why
	rows    *rowLog
}

// begin starts a query; one that cannot is in state ERROR. misfit says beforehand why it cannot.
func (h *Host) begin(q *session.Query, misfit error) *runningQuery {
	return h.beginWith(q, misfit, RunOptions{Paused: q.Paused})
}

// beginWith is begin with some of the options.
func (h *Host) beginWith(q *session.Query, misfit error, o RunOptions) *runningQuery {
	r := &runningQuery{rows: newRowLog(q, h.log), err: misfit}
	h.rows.Store(q.ID, r.rows)
	if misfit != nil {
		return r
	}
	t, err := h.build(q, r.rows)
	if err == nil {
		o.OnFailure, o.CacheBytes = r.rows.decide, number(q.Settings, session.SettingCacheBytes, 0)
		if ms := q.Settings[session.SettingCommit]; ms != "" {
			n, _ := strconv.ParseInt(ms, 10, 64) // checked when it was set
			o.Interval = time.Duration(n) * time.Millisecond
		}
		r.running, err = h.o.Run(t, o)
	}
	r.err = err
	return r
}

// Start implements session.Host. Exec holds the lock.
func (h *Host) Start(ctx context.Context, q *session.Query) error {
	if q.Beside != "" {
		if err := h.stage(ctx, q); err != nil {
			return err
		}
	}
	r := h.begin(q, nil)
	if r.err != nil {
		return r.err
	}
	h.mu.running[q.ID] = r
	if q.Beside != "" {
		h.watch(q.ID)
	}
	return nil
}

// build is the topology of a query; what goes wrong with rows is told to rows, which may be nil.
func (h *Host) build(q *session.Query, rows *rowLog) (*stream.Topology, error) {
	return lower.Build(q.Plan, lower.Env{
		Name: h.o.Service.App(q.ID), Schemas: h.o.Schemas, StrictTimes: isTrue(q.Settings[session.SettingStrictTimes]),
		FromEnd: strings.EqualFold(q.Settings[session.SettingOffsetReset], "latest"), Output: h.staging(q),
		Failed: func(step string, err error) {
			if rows != nil {
				rows.expression(step, err)
			}
		},
	})
}

func isTrue(v string) bool {
	b, _ := strconv.ParseBool(strings.ToLower(v))
	return b
}

// Topology implements session.Host.
func (h *Host) Topology(q *session.Query) (*topology.Topology, error) { return h.build(q, nil) }

// Stop implements session.Host. The query's stores and internal topics go when the statement that ends it is durable.
func (h *Host) Stop(_ context.Context, q *session.Query) error {
	r := h.mu.running[q.ID]
	if r == nil {
		return nil
	}
	if r.running != nil {
		// A query that failed tells so once more here; it has ended all the same.
		if err := r.running.Stop(); err != nil && r.running.Err() == nil {
			return err
		}
	}
	delete(h.mu.running, q.ID)
	h.rows.Delete(q.ID)
	return nil
}

// Pause implements session.Host. To go on, a query that failed is started again: it goes on where it was.
func (h *Host) Pause(ctx context.Context, q *session.Query, paused bool) error {
	r := h.mu.running[q.ID]
	switch {
	case h.mu.placed[q.ID] && !paused:
		return h.finishLocked(ctx, q)
	case r == nil || r.running == nil || r.running.Err() != nil:
		if paused {
			return nil
		}
		again := h.begin(q, nil)
		if again.err != nil {
			return again.err
		}
		h.mu.running[q.ID] = again
	case paused:
		r.running.Pause()
	default:
		r.running.Resume()
	}
	return nil
}

// Status implements session.Host.
func (h *Host) Status(q *session.Query) session.Status {
	r := h.mu.running[q.ID]
	if r == nil {
		return session.Status{State: session.Failed, Err: errors.New("it does not run")}
	}
	s := session.Status{State: session.Running, Err: r.err}
	s.RowErrors, s.LastError = r.rows.count()
	switch {
	case q.Paused:
		s.State = session.Paused
	case q.Beside != "":
		s.State = session.Building
	}
	if r.running != nil {
		now := r.running.Status()
		s.Processed, s.Emitted = now.Processed, now.Emitted
		if s.Err = r.running.Err(); s.Err == nil {
			s.Err = now.Err // it is being started again
		}
		if r.running.Err() == nil {
			return s
		}
	}
	if s.Err != nil {
		s.State = session.Failed
	}
	return s
}

// forgetLocked deletes the internal topics of queries that were terminated. Their statement is durable: what is left behind by a crash here is
// in nobody's way, for ids are not used twice.
func (h *Host) forgetLocked(ctx context.Context, ended []*session.Query) {
	for _, q := range ended {
		t, err := h.build(q, nil)
		if err != nil {
			continue
		}
		d := t.Description()
		topics := d.RepartitionTopics
		if q.Beside != "" {
			topics = append(topics, h.stagingTopic(q.ID))
		}
		for _, s := range d.Stores {
			if strings.HasPrefix(s.Changelog, t.Name+"-") {
				topics = append(topics, s.Changelog)
			}
		}
		if len(topics) == 0 {
			continue
		}
		if err := h.o.Door.DeleteTopics(ctx, topics...); err != nil {
			h.o.Failed(q.ID, "terminate", fmt.Errorf("its internal topics are left: %w", err))
		}
	}
}
