package broker

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A node is a broker under test with its world.
type node struct {
	*Broker
	t      testing.TB
	o      Options
	clock  *clock.Manual
	cancel context.CancelFunc
	ended  chan error
	events *eventLog
}

type eventLog struct {
	mu    sync.Mutex
	seen  []Event
	added chan struct{} // closed by the next event; nil while nobody waits
}

func (l *eventLog) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, e)
	if l.added != nil {
		close(l.added)
		l.added = nil
	}
}

// patience is for how long something is waited for that must come, however busy the machine is: a hang must not wait for go test's own timeout.
const patience = 3 * time.Minute

// await returns once an event of that kind has come.
func (l *eventLog) await(t testing.TB, kind string) {
	t.Helper()
	for late := time.After(patience); ; {
		l.mu.Lock()
		if slices.ContainsFunc(l.seen, func(e Event) bool { return e.Kind == kind }) {
			l.mu.Unlock()
			return
		}
		if l.added == nil {
			l.added = make(chan struct{})
		}
		added := l.added
		l.mu.Unlock()
		select {
		case <-added:
		case <-late:
			t.Fatalf("no event %s after %s", kind, patience)
		}
	}
}

func (l *eventLog) count(kind string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.seen {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// options of a small broker on fs.
func options(fs vfs.FS) Options {
	return Options{
		FS: fs, Dir: "data", Clock: clock.NewManual(testTime),
		JournalFileSize: 256 << 10, SegmentBytes: 16 << 10,
	}
}

// boot opens and runs a broker; the test's end stops it.
func boot(t testing.TB, o Options) *node {
	t.Helper()
	n := &node{t: t, o: o, clock: o.Clock.(*clock.Manual), events: &eventLog{}}
	n.o.Events = n.events.add
	b, err := Open(n.o)
	if err != nil {
		t.Fatal(err)
	}
	n.Broker = b
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.ended = cancel, make(chan error, 1)
	go func() { n.ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		if n.cancel != nil {
			_ = n.halt() // the test has judged what matters
		}
	})
	return n
}

// halt ends Run and closes; the first error counts.
func (n *node) halt() error {
	n.cancel()
	n.cancel = nil
	err := <-n.ended
	if closing := n.Close(); err == nil {
		err = closing
	}
	return err
}

// restart stops the node in order and opens it again.
func (n *node) restart() *node {
	n.t.Helper()
	if err := n.halt(); err != nil {
		n.t.Fatal(err)
	}
	return boot(n.t, n.o)
}

// crash opens what a power failure at this moment leaves: everything unsynced is lost.
func (n *node) crash() *node {
	n.t.Helper()
	o := n.o
	o.FS = n.o.FS.(*vfs.MemFS).CrashClone(crashConfig{})
	return boot(n.t, o)
}

// everyWay yields the node itself, then what a crash leaves of it, then the node after a clean restart.
func (n *node) everyWay() iter.Seq2[string, *node] {
	return func(yield func(string, *node) bool) {
		if yield("running", n) && yield("after a crash", n.crash()) {
			yield("after a restart", n.restart())
		}
	}
}

func newNode(t testing.TB) *node { return boot(t, options(vfs.NewCrashable())) }

// get waits for a future.
func get[T any](t testing.TB, f *Future[T]) T {
	t.Helper()
	select {
	case <-f.Done():
	case <-time.After(patience):
		t.Fatalf("no result after %s", patience)
	}
	return f.Value()
}

func (n *node) topic(name string, partitions int32, configs map[string]string) *Topic {
	n.t.Helper()
	r := get(n.t, n.CreateTopics([]TopicSpec{{Name: name, Partitions: partitions, Replication: 1, Configs: configs}}, false))[0]
	if r.Err != nil {
		n.t.Fatalf("create %s: %v %s", name, r.Err, r.Detail)
	}
	return r.Topic
}

// plain builds a batch of values without a producer.
func plain(values ...string) []byte {
	return build(batch.Params{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}, values...)
}

func build(p batch.Params, values ...string) []byte {
	var b batch.Builder
	b.Reset(p)
	for i, v := range values {
		b.Append(record.Timestamp(testTime.UnixMilli()+int64(i)), []byte("k"), []byte(v), nil)
	}
	return b.AppendTo(nil)
}

// sent is an idempotent batch of n records from sequence seq on.
func sent(p txn.Producer, seq int32, values ...string) []byte {
	return build(batch.Params{ProducerID: p.ID, ProducerEpoch: p.Epoch, BaseSequence: seq}, values...)
}

func txnSent(p txn.Producer, seq int32, values ...string) []byte {
	return build(batch.Params{ProducerID: p.ID, ProducerEpoch: p.Epoch, BaseSequence: seq, Transactional: true}, values...)
}

func item(topic string, partition int32, b []byte) ProduceItem {
	return ProduceItem{Ref: TopicRef{Name: topic}, Partition: partition, Bytes: b}
}

// produce writes one batch and waits.
func (n *node) produce(topic string, partition int32, b []byte) ProduceResult {
	n.t.Helper()
	return get(n.t, n.Produce(Produce{Items: []ProduceItem{item(topic, partition, b)}}))[0]
}

func (n *node) mustProduce(topic string, partition int32, b []byte) record.Offset {
	n.t.Helper()
	r := n.produce(topic, partition, b)
	if r.Err != nil {
		n.t.Fatalf("produce to %s/%d: %v %s", topic, partition, r.Err, r.Detail)
	}
	return r.BaseOffset
}

// A row is what a reader sees of a record.
type row struct {
	offset record.Offset
	value  string
}

// read returns all values from offset 0 as a consumer gets them: control batches and, when committed, aborted records are skipped.
func (n *node) read(topic string, partition int32, committed bool) []row {
	n.t.Helper()
	rows, err := n.readAll(record.TopicPartition{Topic: topic, Partition: partition}, committed)
	if err != nil {
		n.t.Fatal(err)
	}
	return rows
}

func (n *node) readAll(tp record.TopicPartition, committed bool) ([]row, error) {
	var rows []row
	start := n.ListOffset(TopicRef{Name: tp.Topic}, tp.Partition, atStart, false)
	if start.Err != nil {
		return nil, start.Err
	}
	at := start.Offset
	for {
		f := n.Fetch(Fetch{Ref: TopicRef{Name: tp.Topic}, Partition: tp.Partition, Offset: at, MaxBytes: 300, Committed: committed, LeaderEpoch: -1})
		if f.Err != nil {
			return rows, f.Err
		}
		if len(f.Batches) == 0 {
			return rows, nil
		}
		var err error
		if rows, at, err = appendRows(rows, at, f); err != nil {
			return rows, fmt.Errorf("%v: %w", tp, err)
		}
	}
}

// appendRows decodes one fetch as consumers do. Nothing is remembered between fetches: each must list all the aborted transactions
// that it needs.
func appendRows(rows []row, at record.Offset, f FetchResult) ([]row, record.Offset, error) {
	pending := slices.SortedFunc(slices.Values(f.Aborted), func(a, b Aborted) int { return int(a.First - b.First) })
	active := map[int64]bool{}
	for rest := f.Batches; len(rest) > 0; {
		v, next, err := batch.Next(rest)
		if err != nil {
			return rows, at, err
		}
		rest = next
		if err := v.CheckCRC(); err != nil {
			return rows, at, err
		}
		if v.LastOffset() < at && at != 0 {
			return rows, at, fmt.Errorf("batch ends at %d, asked for %d", v.LastOffset(), at)
		}
		for len(pending) > 0 && pending[0].First <= v.LastOffset() {
			active[pending[0].ProducerID] = true
			pending = pending[1:]
		}
		if v.Control() {
			if commit, ok := batch.ParseEndMarker(v); ok && !commit {
				delete(active, v.ProducerID())
			}
		} else if !(v.Transactional() && active[v.ProducerID()]) {
			var rd batch.Reader
			if err := rd.Reset(v, math.MaxInt32); err != nil {
				return rows, at, err
			}
			for rd.Next() {
				if rd.Offset >= at {
					rows = append(rows, row{rd.Offset, string(rd.Value)})
				}
			}
			if err := rd.Err(); err != nil {
				return rows, at, err
			}
		}
		at = v.LastOffset() + 1
	}
	return rows, at, nil
}

func values(rows []row) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, r.value)
	}
	return out
}

// wantErr compares by code: kerr's values are shared pointers.
func wantErr(t testing.TB, got, want *kerr.Error) {
	t.Helper()
	if got != want {
		t.Errorf("error %v, want %v", got, want)
	}
}

func (n *node) producer(id string) txn.Producer {
	n.t.Helper()
	r := get(n.t, n.InitProducer(txn.Init{ID: id, Timeout: time.Minute, Current: txn.None}))
	if r.Err != nil {
		n.t.Fatalf("init producer %q: %v", id, r.Err)
	}
	return r.Producer
}

func tp(topic string, partition int32) record.TopicPartition {
	return record.TopicPartition{Topic: topic, Partition: partition}
}

// crashConfig says how much unsynced data a crash clone keeps.
type crashConfig = pebblevfs.CrashCloneCfg
