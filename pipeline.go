package mainstem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/connector"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/view"
)

var (
	// ErrClosed: the node was closed.
	ErrClosed = errors.New("node is closed")
	// ErrRunning: a pipeline or sink of that name runs in the node already.
	ErrRunning = errors.New("already running")
)

// A Pipeline is a topology that runs in a node.
type Pipeline struct {
	topology *topology.Topology
	app      string
	engine   *engine.Engine
	cancel   context.CancelFunc
	end
}

// Stop ends the pipeline when what it has processed is committed. Run may start it again: it goes on from there.
func (p *Pipeline) Stop() error {
	p.cancel()
	<-p.done
	return p.err
}

// An end tells that something running has stopped and why.
type end struct {
	done chan struct{}
	err  error // set before done is closed
}

func newEnd() end { return end{done: make(chan struct{})} }

func (e *end) set(err error) {
	e.err = err
	close(e.done)
}

// Done is closed when it has stopped, by Close or by an error.
func (e *end) Done() <-chan struct{} { return e.done }

// Err returns why it stopped; nil while it runs and after a clean stop.
func (e *end) Err() error {
	select {
	case <-e.done:
		return e.err
	default:
		return nil
	}
}

// stopped tells whether it has stopped, for whatever reason.
func (e *end) stopped() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// A PipelineOption changes how a pipeline runs.
type PipelineOption func(*engine.Options)

// DeadLetter sends records that can't be processed to <topic>.dead with the reason in headers and goes on. By default the pipeline
// stops at the first bad record and names it.
func DeadLetter() PipelineOption { return func(o *engine.Options) { o.DeadLetter = true } }

// EpochInterval is the least time between two commits; default 2 ms embedded, 50 ms on a cluster, where a commit costs a transaction.
func EpochInterval(d time.Duration) PipelineOption {
	return func(o *engine.Options) { o.EpochInterval = d }
}

// CacheBytes holds updates of kept tables back until the next commit, or until so many bytes of them are held, and merges those of a
// key, as Kafka Streams' record caches do; stream.Uncached leaves a table out. A longer EpochInterval merges more. Default 0: every
// update goes on.
func CacheBytes(n int64) PipelineOption { return func(o *engine.Options) { o.CacheBytes = n } }

// OnFailure has h decide about each record that can't be processed: see package failure. It takes the place of DeadLetter.
func OnFailure(h failure.Handler) PipelineOption {
	return func(o *engine.Options) { o.OnFailure = h }
}

// DeadLetterTopic takes the bad records of all topics, in place of <topic>.dead for each.
func DeadLetterTopic(topic string) PipelineOption {
	return func(o *engine.Options) { o.DeadLetterTopic = topic }
}

// MaxTaskIdle is how long a task that has records waits for those of its source partitions that have none, so that records of different
// partitions are taken in the order of their times; as Kafka Streams' max.task.idle.ms above 0. Default 0: it does not wait.
func MaxTaskIdle(d time.Duration) PipelineOption { return func(o *engine.Options) { o.MaxIdle = d } }

// Listen has f told what happens to the pipeline, from several goroutines: it must return at once. The events are those of package worker.
func Listen(f func(Event)) PipelineOption { return func(o *engine.Options) { o.Listen = f } }

// An Event is something that happened to a pipeline: a StateChange, RestoreBegin, RestoreEnd, Retry or BadRecord, as package worker names
// them.
type Event = engine.Notice

// A Status is what can be said of a pipeline: its state, counts, drops by reason, times of commits, and the figures of its tasks, steps and
// stores.
type Status = engine.Status

// Status returns the figures now.
func (p *Pipeline) Status() Status { return p.engine.Status() }

// Pause has the pipeline take no more records and make no scheduled calls until Resume; what was taken is committed. It lasts until the
// node closes.
func (p *Pipeline) Pause() { p.engine.Pause() }

// Resume ends Pause.
func (p *Pipeline) Resume() { p.engine.Resume() }

// Tables lets the pipeline's tables and stores be read: see package view.
func (p *Pipeline) Tables() view.Source { return view.Over(p.engine) }

// ErrNoPipeline: no pipeline of that name was started.
var ErrNoPipeline = errors.New("no such pipeline")

// Pipeline returns the pipeline that was started last under an application's name.
func (n *Node) Pipeline(app string) (*Pipeline, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.mu.pipelines {
		if p.app == app {
			return p, nil
		}
	}
	return nil, fmt.Errorf("pipeline %s: %w", app, ErrNoPipeline)
}

// pause pauses a pipeline, or resumes it.
func (n *Node) pause(app string, paused bool) error {
	p, err := n.Pipeline(app)
	switch {
	case err != nil:
		return err
	case paused:
		p.Pause()
	default:
		p.Resume()
	}
	n.o.log.Info("pipeline-turned", "pipeline", app, "paused", paused)
	return nil
}

// Run starts a pipeline; it goes on from where its application's last committed epoch ended. It stops with the node, or by itself
// at a record it can't process (see Pipeline.Err); the node and the other pipelines go on then, and Run may start it again.
func (n *Node) Run(t *topology.Topology, opts ...PipelineOption) (*Pipeline, error) {
	return n.run(t, false, opts)
}

// run is Run, paused from the start if asked for.
func (n *Node) run(t *topology.Topology, paused bool, opts []PipelineOption) (*Pipeline, error) {
	o := engine.Options{Topology: t, Door: n.door, Checkpoints: n.state, State: n.memory, Clock: n.o.clock, Events: func(e engine.Event) {
		n.o.log.Info(e.Kind, e.Fields...)
	}}
	if n.broker == nil {
		o.EpochInterval = 50 * time.Millisecond
	}
	for _, opt := range opts {
		opt(&o)
	}
	e, err := engine.New(o)
	if err != nil {
		return nil, err
	}
	if paused {
		e.Pause()
	}
	ctx, cancel := context.WithCancel(n.work.ctx)
	p := &Pipeline{topology: t, app: t.Name, engine: e, cancel: cancel, end: newEnd()}
	register := func() (err error) {
		n.mu.pipelines, err = join(n.mu.pipelines, p, "pipeline "+p.app, func(o *Pipeline) bool { return o.app == p.app })
		return err
	}
	err = n.start(register, func(context.Context) {
		defer cancel()
		err := e.Keep(ctx)
		if err != nil {
			n.o.log.Error("pipeline-failed", "pipeline", t.Name, "error", err)
		}
		p.set(err)
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return p, nil
}

// start registers and runs something in the work group.
func (n *Node) start(register func() error, run func(context.Context)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.closed {
		return ErrClosed
	}
	if err := register(); err != nil {
		return err
	}
	n.work.wg.Go(func() { run(n.work.ctx) })
	return nil
}

// join adds one to those that run, in the place of one of the same name that has stopped. Two of one name would fence each other
// and, in one process, share their checkpoints.
func join[T interface{ Done() <-chan struct{} }](all []T, one T, name string, same func(T) bool) ([]T, error) {
	out := make([]T, 0, len(all)+1)
	for _, o := range all {
		if !same(o) {
			out = append(out, o)
			continue
		}
		select {
		case <-o.Done():
		default:
			return all, fmt.Errorf("%s: %w", name, ErrRunning)
		}
	}
	return append(out, one), nil
}

// A Delivery is a sink that runs in a node.
type Delivery struct {
	name, target, link string
	topics             []string
	figures            *freshness
	cancel             context.CancelFunc
	end
}

// Stop ends the delivery when what it writes is durable. Deliver may start it again: it goes on from what its target holds.
func (d *Delivery) Stop() error {
	d.cancel()
	<-d.done
	return d.err
}

// A DeliverySpec says what to deliver.
type DeliverySpec struct {
	Sink   connect.Sink
	Topics []string
	Target string // what people know the target as, for the page
	Link   string // where people see the result, for the page; may be empty
	// Written is called after every batch that is durable in the target, from the delivery's goroutine; may be nil.
	Written func(batch connect.Batch, at time.Time)
}

// Deliver starts a sink; it goes on from the positions that its target holds.
func (n *Node) Deliver(s DeliverySpec) (*Delivery, error) {
	ctx, cancel := context.WithCancel(n.work.ctx)
	d := &Delivery{
		name: s.Sink.Name(), target: s.Target, link: s.Link, topics: s.Topics, figures: newFreshness(n.o.clock), cancel: cancel, end: newEnd(),
	}
	events := connector.Events{
		Started: d.figures.started,
		Written: func(w connector.Written) {
			d.figures.written(w)
			if s.Written != nil {
				s.Written(w.Batch, w.At)
			}
		},
		Retrying: func(err error, wait time.Duration) {
			n.o.log.Warn("sink-retrying", "sink", d.name, "error", err, "wait", wait)
		},
	}
	register := func() (err error) {
		n.mu.sinks, err = join(n.mu.sinks, d, "sink "+d.name, func(o *Delivery) bool { return o.name == d.name })
		return err
	}
	err := n.start(register, func(context.Context) {
		defer cancel()
		err := connector.Run(ctx, n.door, s.Sink, connector.Options{Topics: s.Topics, Clock: n.o.clock, Events: events})
		if err != nil {
			n.o.log.Error("sink-failed", "sink", d.name, "error", err)
		}
		d.set(err)
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return d, nil
}
