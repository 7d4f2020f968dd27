package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

var simTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// patience ends a test that hangs, long before go test would. Much may come first: each operation of a workload waits until a crash state is
// judged.
const patience = 3 * time.Minute

// A node is what the root joins: broker, local door, engine and the checkpoints' database, all on one file system.
type node struct {
	fs     vfs.FS
	broker *broker.Broker
	door   client.Door
	state  kv.Store

	stopBroker  context.CancelFunc
	brokerEnded chan error

	tune        func(*engine.Options) // may be nil
	engine      *engine.Engine
	stopEngine  context.CancelFunc
	engineEnded chan error
	commits     chan struct{} // capacity 1: an epoch became durable since the last look
	running     atomic.Bool   // the pipeline has started
	replayed    atomic.Int64  // changelog records of the last restore
}

// open starts the node without its pipeline. wrap, if not nil, stands between the pipeline and the broker.
func open(fs vfs.FS, wrap func(client.Door) client.Door) (*node, error) {
	n := &node{fs: fs, brokerEnded: make(chan error, 1), commits: make(chan struct{}, 1)}
	b, err := broker.Open(broker.Options{
		FS: fs, Dir: "broker", Clock: clock.NewManual(simTime), JournalFileSize: 32 << 10, SegmentBytes: 4 << 10,
	})
	if err != nil {
		return nil, err
	}
	n.broker = b
	n.state, err = kv.OpenPebble("state", kv.PebbleOptions{FS: fs, MemTableBytes: 64 << 10, CacheBytes: 64 << 10})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	n.door = local.New(b, clock.NewManual(simTime))
	if wrap != nil {
		n.door = wrap(n.door)
	}
	n.door = &watchedDoor{n.door, n.commits}
	ctx, cancel := context.WithCancel(context.Background())
	n.stopBroker = cancel
	go func() { n.brokerEnded <- b.Run(ctx) }()
	return n, nil
}

// run starts the pipeline.
func (n *node) run() error {
	topology, err := pipeline()
	if err != nil {
		return err
	}
	n.replayed.Store(0)
	n.running.Store(false)
	o := engine.Options{
		Topology: topology, Door: n.door, Checkpoints: n.state, Clock: &leapingClock{},
		CheckpointInterval: epochInterval, EpochInterval: epochInterval, TopicsInterval: never,
		Events: func(e engine.Event) {
			switch e.Kind {
			case "state-restored":
				n.replayed.Store(e.Fields[3].(int64))
			case "engine-running":
				n.running.Store(true)
				signal(n.commits)
			}
		},
	}
	if n.tune != nil {
		n.tune(&o)
	}
	if n.engine, err = engine.New(o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stopEngine, n.engineEnded = cancel, make(chan error, 1)
	go func() { n.engineEnded <- n.engine.Run(ctx) }()
	return nil
}

// halt ends the pipeline in order.
func (n *node) halt() error {
	if n.stopEngine == nil {
		return nil
	}
	n.stopEngine()
	n.stopEngine = nil
	return <-n.engineEnded
}

// close ends everything in order, as the root does.
func (n *node) close() error {
	errs := []error{n.halt()}
	n.stopBroker()
	errs = append(errs, <-n.brokerEnded, n.state.Close(), n.broker.Close())
	return errors.Join(errs...)
}

// settle waits until the pipeline has committed everything that is committed in its sources.
func (n *node) settle() error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		done, err := n.settled()
		if done || err != nil {
			return err
		}
		select {
		case <-n.commits:
		case err := <-n.engineEnded:
			n.engineEnded <- err
			return fmt.Errorf("the pipeline ended: %w", err)
		case <-late.C:
			return fmt.Errorf("not settled after %s: %+v", patience, n.engine.Status())
		}
	}
}

func (n *node) settled() (bool, error) {
	if !n.running.Load() {
		return false, nil
	}
	ctx := context.Background()
	sources := partitionsOf(leftTopic, rightTopic, eventsTopic)
	ends, err := n.door.Ends(ctx, sources...)
	if err != nil {
		return false, err
	}
	committed, err := n.door.Committed(ctx, app)
	if err != nil {
		return false, err
	}
	for _, tp := range sources {
		if committed[tp] < ends[tp] {
			return false, nil
		}
	}
	after, err := n.door.Ends(ctx, sources...) // the pipeline writes one of its sources
	for _, tp := range sources {
		if after[tp] != ends[tp] {
			return false, err
		}
	}
	return err == nil, err
}

func partitionsOf(topics ...string) []record.TopicPartition {
	var tps []record.TopicPartition
	for _, topic := range topics {
		count := partitions[topic]
		if topic == changelogTopic {
			count = accountPartitions
		}
		for p := range count {
			tps = append(tps, record.TopicPartition{Topic: topic, Partition: p})
		}
	}
	return tps
}

// A watchedDoor tells when an epoch became durable.
type watchedDoor struct {
	client.Door
	commits chan struct{}
}

func (d *watchedDoor) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	p, err := d.Door.OpenProducer(ctx, app)
	if err != nil {
		return nil, err
	}
	return &watchedProducer{p, d.commits}, nil
}

type watchedProducer struct {
	client.Producer
	commits chan struct{}
}

func (p *watchedProducer) Commit(ctx context.Context, e client.Epoch, positions map[record.TopicPartition]record.Offset) error {
	err := p.Producer.Commit(ctx, e, positions)
	signal(p.commits)
	return err
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// epochInterval is in the pipeline's own time. never is a wait that does not end.
const (
	epochInterval = 2 * time.Millisecond
	never         = time.Hour
)

// A leapingClock jumps to the end of every wait: what the pipeline waits for takes no time, in any order.
type leapingClock struct {
	mu   sync.Mutex
	mono time.Duration
}

func (c *leapingClock) Now() time.Time { return simTime.Add(c.Mono()) }

func (c *leapingClock) Mono() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono
}

func (c *leapingClock) After(d time.Duration) <-chan time.Time {
	if d >= never {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mono += max(d, 0)
	woken := make(chan time.Time, 1)
	woken <- simTime.Add(c.mono)
	return woken
}
