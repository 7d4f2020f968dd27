package remote_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	pvfs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/clienttest"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/internal/server/kafka"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// A node is an embedded broker that can lose its power.
type node struct {
	fs   *vfs.MemFS
	addr string
	stop func()
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{fs: vfs.NewCrashable()}
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	return n
}

// start serves on n.addr again, or on a new port at the first time.
func (n *node) start() error {
	b, err := broker.Open(broker.Options{FS: n.fs, Dir: "broker", Clock: clock.System, JournalFileSize: 1 << 20, Group: group.Options{MinSession: shortSession}})
	if err != nil {
		return err
	}
	ln, err := need.Listen(n.addr)
	if err != nil {
		return errors.Join(err, b.Close())
	}
	n.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() { _ = b.Run(ctx); ended <- struct{}{} }()
	go func() { _ = kafka.New(kafka.Options{Broker: b}).Serve(ctx, ln); ended <- struct{}{} }()
	n.stop = func() {
		cancel()
		<-ended
		<-ended
		_ = b.Close()
	}
	return nil
}

// crash keeps what was synced at this moment, ends the broker and starts it on that.
func (n *node) crash() error {
	clone := n.fs.CrashClone(pvfs.CrashCloneCfg{})
	n.stop()
	n.fs, n.stop = clone, func() {}
	return n.start()
}

func TestACrashOfTheBrokerLeavesEachEpochOnce(t *testing.T) {
	n := newNode(t)
	defer func() { n.stop() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	d := open(t, n.addr)
	tp := record.TopicPartition{Topic: "t"}
	if _, err := d.EnsureTopics(ctx, client.TopicSpec{Name: tp.Topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	const crashes, each = 8, 25
	due := make(chan struct{}, 1) // asks for a crash, while commits go on
	crashed := make(chan struct{})
	go func() {
		defer close(crashed)
		for range crashes {
			<-due
			if err := n.crash(); err != nil {
				t.Error(err)
				cancel() // the pipeline need not try
			}
		}
	}()
	ask := each
	failures := 0
	for next := 0; next < crashes*each; {
		next = count(ctx, d, tp, next, crashes*each, func(i int) {
			if i >= ask {
				ask += each
				due <- struct{}{}
			}
		})
		failures++
		if ctx.Err() != nil {
			t.Fatal("the pipeline does not come through")
		}
	}
	for range crashes - (ask/each - 1) {
		due <- struct{}{}
	}
	<-crashed
	var want []string
	for i := range crashes * each {
		want = append(want, strconv.Itoa(i))
	}
	if got := readAll(t, d, tp); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	t.Logf("%d attempts", failures)
}

// count commits numbers from the committed position on until an error, or all are there. It returns how many were seen durable.
func count(ctx context.Context, d client.Door, tp record.TopicPartition, seen, all int, committed func(int)) int {
	p, err := d.OpenProducer(ctx, "app")
	if err != nil {
		return seen
	}
	defer p.Close()
	from, err := d.Committed(ctx, "app")
	if err != nil {
		return seen
	}
	for i := int(from[tp]); i < all; i++ {
		e := p.NewEpoch()
		if err := e.Append(tp, 1, nil, []byte(strconv.Itoa(i)), nil); err != nil {
			return seen
		}
		if err := p.Commit(ctx, e, map[record.TopicPartition]record.Offset{tp: record.Offset(i + 1)}); err != nil {
			return seen
		}
		seen = i + 1
		committed(seen)
	}
	return seen
}

func TestMembersGoOnAfterACrashOfTheBroker(t *testing.T) {
	n := newNode(t)
	t.Cleanup(func() { n.stop() }) // after the doors are closed, which leave their groups
	h := harness(t, n.addr)
	h.Session = shortSession
	clienttest.ShareWork(t, h, func() {
		for range 3 {
			if err := n.crash(); err != nil {
				t.Error(err)
			}
		}
	}, open(t, n.addr), open(t, n.addr), open(t, n.addr))
}
