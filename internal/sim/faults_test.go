package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// A fault fails one call of a kind. The call is carried out all the same when it is late: only its answer is lost.
type fault struct {
	kind string
	nth  int
	late bool

	mu    sync.Mutex
	calls int
	armed bool
	hit   bool
}

var errInjected = errors.New("injected")

// of carries a call out, or fails it.
func (f *fault) of(kind string, call func() error) error {
	f.mu.Lock()
	now := false
	if f.armed && kind == f.kind {
		f.calls++
		now = f.calls == f.nth
		f.hit = f.hit || now
	}
	f.mu.Unlock()
	if now && !f.late {
		return fmt.Errorf("%s %d: %w", kind, f.nth, errInjected)
	}
	err := call()
	if now && err == nil {
		err = fmt.Errorf("answer to %s %d: %w", kind, f.nth, errInjected)
	}
	return err
}

func (f *fault) arm(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = on
}

func (f *fault) wasHit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// The kinds of calls that fail. Those of the second group are not the broker's: such an error does not pass by itself.
var (
	doorCalls  = []string{"EnsureTopics", "Topics", "Starts", "Ends", "Committed", "OpenReader", "OpenProducer", "Poll", "Commit"}
	otherCalls = []string{"Append", "checkpoint", "load"}
)

// Whatever call fails at whatever time, before or after it took effect: the run ends with the error, and the next run leaves
// what a run without faults leaves.
func TestAfterAnyFailedCallTheNextRunGoesOnExactly(t *testing.T) {
	total := 0
	for _, kind := range append(append([]string(nil), doorCalls...), otherCalls...) {
		for _, late := range []bool{false, true} {
			name := kind
			if late {
				name += "Late"
			}
			t.Run(name, func(t *testing.T) {
				n := 0
				for nth := 1; ; nth++ {
					f := &fault{kind: kind, nth: nth, late: late}
					if err := runWithFault(f); err != nil {
						t.Fatalf("call %d: %v", nth, err)
					}
					if !f.wasHit() {
						break
					}
					n++
				}
				if n == 0 {
					t.Error("no call was failed")
				}
				total += n
			})
		}
	}
	t.Logf("%d faults", total)
}

// runWithFault runs the pipeline over some inputs until the fault, and again.
func runWithFault(f *fault) (err error) {
	n, err := open(vfs.NewCrashable(), func(d client.Door) client.Door { return &faultyDoor{d, f} })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	n.state = &faultyStore{n.state, f}
	n.tune = func(o *engine.Options) { o.PollBytes, o.EpochBytes, o.DeadLetter = 600, 900, true }
	facts, err := produceSome(n)
	if err != nil {
		return err
	}
	f.arm(true)
	err = n.run()
	if err == nil {
		err = n.settle()
	}
	err = errors.Join(err, n.halt())
	if f.wasHit() {
		if err := checkFailure(f, err); err != nil {
			return err
		}
		if err = n.run(); err == nil {
			err = n.settle()
		}
		err = errors.Join(err, n.halt())
	}
	if err != nil {
		return err
	}
	f.arm(false)
	c, err := read(n.door)
	if err != nil {
		return err
	}
	return errors.Join(judge(c, facts), checkState(n, c))
}

// checkFailure: the run tells the fault, and whether it may pass by itself. Reading that fails while the run is being ended is
// nobody's concern.
func checkFailure(f *fault, err error) error {
	if err == nil && f.kind == "Poll" {
		return nil
	}
	if !errors.Is(err, errInjected) {
		return fmt.Errorf("the run ended with %w", err)
	}
	retryable := false
	for _, kind := range doorCalls {
		retryable = retryable || kind == f.kind
	}
	if got := engine.Retryable(err); got != retryable {
		return fmt.Errorf("retryable is %t: %w", got, err)
	}
	return nil
}

// produceSome fills the inputs with a few dozen records in several batches.
func produceSome(n *node) ([]fact, error) {
	if err := createTopics(n.door); err != nil {
		return nil, err
	}
	var facts []fact
	w := &workload{rng: rand.New(rand.NewPCG(3, 3))}
	for _, tp := range partitionsOf(leftTopic, rightTopic) {
		for range 4 {
			f := fact{tp: tp, values: w.values(), who: txn.None, seq: -1, acked: true}
			if err := answered(send(n.broker, f)); err != nil {
				return nil, err
			}
			facts = append(facts, f)
		}
	}
	return facts, nil
}

// A faultyDoor has the fault in its calls and in those of all that it opens.
type faultyDoor struct {
	client.Door
	f *fault
}

func (d *faultyDoor) Topics(ctx context.Context, names ...string) (m map[string]client.TopicInfo, err error) {
	err = d.f.of("Topics", func() error { m, err = d.Door.Topics(ctx, names...); return err })
	return m, err
}

func (d *faultyDoor) EnsureTopics(ctx context.Context, specs ...client.TopicSpec) (m map[string]client.TopicInfo, err error) {
	err = d.f.of("EnsureTopics", func() error { m, err = d.Door.EnsureTopics(ctx, specs...); return err })
	return m, err
}

type offsets = map[record.TopicPartition]record.Offset

func (d *faultyDoor) Starts(ctx context.Context, tps ...record.TopicPartition) (m offsets, err error) {
	err = d.f.of("Starts", func() error { m, err = d.Door.Starts(ctx, tps...); return err })
	return m, err
}

// Ends of the test itself are left alone: only the pipeline asks for the changelog's.
func (d *faultyDoor) Ends(ctx context.Context, tps ...record.TopicPartition) (m offsets, err error) {
	if tps[0].Topic != changelogTopic {
		return d.Door.Ends(ctx, tps...)
	}
	err = d.f.of("Ends", func() error { m, err = d.Door.Ends(ctx, tps...); return err })
	return m, err
}

// Committed is asked for by the pipeline once, and then by the test.
func (d *faultyDoor) Committed(ctx context.Context, app string) (m offsets, err error) {
	if d.f.nth > 1 {
		return d.Door.Committed(ctx, app)
	}
	err = d.f.of("Committed", func() error { m, err = d.Door.Committed(ctx, app); return err })
	return m, err
}

func (d *faultyDoor) OpenReader(ctx context.Context, from offsets) (client.Reader, error) {
	var r client.Reader
	err := d.f.of("OpenReader", func() (err error) { r, err = d.Door.OpenReader(ctx, from); return err })
	if err != nil {
		if r != nil {
			r.Close()
		}
		return nil, err
	}
	return &faultyReader{r, d.f}, nil
}

type faultyReader struct {
	client.Reader
	f *fault
}

func (r *faultyReader) Poll(ctx context.Context, maxBytes int) (chunks []client.Chunk, err error) {
	err = r.f.of("Poll", func() error { chunks, err = r.Reader.Poll(ctx, maxBytes); return err })
	if err != nil {
		chunks = nil
	}
	return chunks, err
}

func (d *faultyDoor) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	var p client.Producer
	if err := d.f.of("OpenProducer", func() (err error) { p, err = d.Door.OpenProducer(ctx, app); return err }); err != nil {
		return nil, err
	}
	return &faultyProducer{p, d.f}, nil
}

type faultyProducer struct {
	client.Producer
	f *fault
}

func (p *faultyProducer) NewEpoch() client.Epoch { return &faultyEpoch{p.Producer.NewEpoch(), p.f} }

func (p *faultyProducer) Commit(ctx context.Context, e client.Epoch, positions offsets) error {
	return p.f.of("Commit", func() error { return p.Producer.Commit(ctx, e.(*faultyEpoch).Epoch, positions) })
}

type faultyEpoch struct {
	client.Epoch
	f *fault
}

func (e *faultyEpoch) Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, hs []record.Header) error {
	return e.f.of("Append", func() error { return e.Epoch.Append(tp, ts, key, value, hs) })
}

// A faultyStore has the fault in writing checkpoints and in loading them.
type faultyStore struct {
	kv.Store
	f *fault
}

func (s *faultyStore) NewBatch() kv.Batch { return &faultyBatch{s.Store.NewBatch(), s.f} }

func (s *faultyStore) Snapshot() (snap kv.Snapshot, err error) {
	err = s.f.of("load", func() error { snap, err = s.Store.Snapshot(); return err })
	if err != nil && snap != nil {
		err = errors.Join(err, snap.Close())
	}
	return snap, err
}

type faultyBatch struct {
	kv.Batch
	f *fault
}

func (b *faultyBatch) Commit(sync bool) error {
	return b.f.of("checkpoint", func() error { return b.Batch.Commit(sync) })
}
