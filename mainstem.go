// Package mainstem opens a node: the embedded broker or a cluster, the pipelines that run on it, the sinks that deliver from
// it, and the page that shows them.
//
// A program that only wants its topology run against a Kafka cluster uses package worker; topologies are built with package stream.
//
// This package is the only place where the parts are joined. A Node owns every goroutine it starts; Close ends and joins them,
// sinks and pipelines first, the broker last, so that what was processed is committed. A storage error ends the node: Done is
// closed, Err tells why, and nothing was acknowledged after it.
//
// Data directory: broker/ (journal and segments), state/ (checkpoints of the pipelines' tables). One process at a time.
package mainstem

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/broker/properties"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/client/remote"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/meter"
	"github.com/mainstemio/mainstem/internal/server/httpapi"
	"github.com/mainstemio/mainstem/internal/server/kafka"
	"github.com/mainstemio/mainstem/internal/server/ksql"
	"github.com/mainstemio/mainstem/internal/sql/host"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// A Node is one running Mainstem. Its methods are safe for concurrent use.
type Node struct {
	o       options
	dir     string
	started time.Duration  // on the monotonic clock
	broker  *broker.Broker // nil on a cluster
	door    client.Door
	state   kv.Store
	memory  *store.Budget // of the pipelines' tables
	flow    *flow

	clients  *kafka.Server // nil without a Kafka listener
	requests meter.Requests

	work, base group // pipelines, sinks and pages; then the broker
	done       chan struct{}
	own        ownRegistry
	sql        struct {
		sync.Mutex
		host *host.Host // nil: no statement was given yet
	}
	mu struct {
		sync.Mutex
		err       error
		closed    bool
		pipelines []*Pipeline
		sinks     []*Delivery
	}
}

// A group is a set of goroutines with a common end.
type group struct {
	ctx    context.Context //nolint:containedctx // the life of the goroutines, ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newGroup(parent context.Context) group {
	ctx, cancel := context.WithCancel(parent)
	return group{ctx: ctx, cancel: cancel}
}

func (g *group) stop() {
	g.cancel()
	g.wg.Wait()
}

// Open starts a node with its data in dir, which is made if missing. The node lives until Close or a storage error, also when ctx
// ends: ctx bounds the opening only. Listeners given to it are closed when Open fails.
func Open(ctx context.Context, dir string, opts ...Option) (*Node, error) {
	n := &Node{dir: dir, done: make(chan struct{})}
	if err := errors.Join(n.o.apply(opts), n.o.protected(), n.o.openTLS()); err != nil {
		return nil, errors.Join(err, n.release())
	}
	n.started = n.o.clock.Mono()
	life := context.WithoutCancel(ctx)
	n.base, n.work = newGroup(life), newGroup(life)
	if err := n.open(ctx); err != nil {
		n.base.stop()
		return nil, errors.Join(err, n.release())
	}
	if err := n.resumeSQL(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.flow = newFlow(n)
	n.work.wg.Go(func() { n.flow.run(n.work.ctx) })
	n.serve()
	return n, nil
}

func (n *Node) open(ctx context.Context) error {
	if len(n.o.cluster) == 0 {
		if err := n.openBroker(); err != nil {
			return err
		}
		if err := n.secure(ctx); err != nil {
			return err
		}
	} else {
		door, err := remote.Open(ctx, remote.Options{Brokers: n.o.cluster, Connection: n.o.security.connection})
		if err != nil {
			return err
		}
		n.door = door
	}
	n.memory = store.NewBudget(n.o.stateBytes)
	var err error
	if n.state, err = kv.OpenPebble(filepath.Join(n.dir, "state"), kv.PebbleOptions{CacheBytes: n.memory.CacheBytes()}); err != nil {
		return fmt.Errorf("open %s: %w", filepath.Join(n.dir, "state"), err)
	}
	return nil
}

func (n *Node) openBroker() error {
	o := broker.Options{FS: vfs.Default, Dir: filepath.Join(n.dir, "broker"), Clock: n.o.clock, MinFree: n.o.minFree, Access: n.o.access(), Events: func(e broker.Event) {
		if e.Serious() {
			n.o.log.Warn(e.Kind, e.Fields...)
			return
		}
		n.o.log.Info(e.Kind, e.Fields...)
	}}
	if err := properties.Apply(&o, n.o.settings); err != nil {
		return fmt.Errorf("%w: %w", ErrSetting, err)
	}
	b, err := broker.Open(o)
	if err != nil {
		return err
	}
	n.broker, n.door = b, local.New(b, n.o.clock)
	n.base.wg.Go(func() {
		if err := b.Run(n.base.ctx); err != nil {
			n.fail(fmt.Errorf("broker: %w", err))
		}
	})
	return nil
}

// serve starts the listeners.
func (n *Node) serve() {
	if n.o.kafka != nil && n.broker != nil {
		n.clients = kafka.New(n.kafkaOptions())
		n.work.wg.Go(func() { n.listenErr("kafka", n.clients.Serve(n.work.ctx, n.o.kafka)) })
	}
	if n.o.http != nil {
		h := httpapi.New(httpapi.Options{Also: n.withRegistry(ksql.Paths(sqlServer{n}, n.o.clock)), Flow: n.flow.now, Status: n.flow.status, Ready: n.Err, Pause: n.pause, Metrics: n.flow.metrics(), Clock: n.o.clock})
		n.work.wg.Go(func() { n.listenErr("http", httpapi.Serve(n.work.ctx, n.o.http, h)) })
	}
}

func (n *Node) listenErr(what string, err error) {
	if err != nil {
		n.fail(fmt.Errorf("serve %s: %w", what, err))
	}
}

// fail records the first fatal error and ends Done.
func (n *Node) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.err == nil {
		n.mu.err = err
		n.o.log.Error("node-failed", "error", err)
		close(n.done)
	}
}

// Done is closed when the node has failed: Err tells why. Close it then.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err returns why the node failed, nil while it works.
func (n *Node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.err
}

// Kafka is the address for Kafka clients: the listener's, the cluster's, or empty.
func (n *Node) Kafka() string {
	switch {
	case len(n.o.cluster) > 0:
		return strings.Join(n.o.cluster, ",")
	case n.o.kafka != nil:
		return n.o.kafka.Addr().String()
	}
	return ""
}

// Close commits what was processed, writes checkpoints and releases the directory. It returns the first error of the node's life.
func (n *Node) Close() error {
	n.mu.Lock()
	closed := n.mu.closed
	n.mu.closed = true
	n.mu.Unlock()
	if closed {
		return nil
	}
	n.closeSQL()
	n.work.stop()
	n.base.stop()
	return errors.Join(n.Err(), n.release())
}

// release closes what is open; goroutines have ended.
func (n *Node) release() error {
	var errs []error
	n.closeRegistry()
	if n.state != nil {
		errs = append(errs, n.state.Close())
	}
	if n.door != nil {
		errs = append(errs, n.door.Close())
	}
	if n.broker != nil {
		errs = append(errs, n.broker.Close())
	}
	for _, l := range n.o.listeners() {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) { // its server has closed it, if there was one
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ErrSetting: WithSettings names a setting that a node does not have, or a value that it cannot have. The error says which.
var ErrSetting = errors.New("node setting")

// Reasons why a data directory can't be opened; in each case nothing in it was changed.
var (
	ErrLocked      = broker.ErrLocked
	ErrNewerFormat = broker.ErrNewerFormat
	ErrUnreadable  = broker.ErrUnreadable
	ErrDiskFull    = broker.ErrDiskFull
)
