package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is an embedded broker in memory inside a synctest bubble, where time passes only when everybody waits, and a door to
// it that tests can hold and fail.
type world struct {
	t      *testing.T
	broker *broker.Broker
	door   *gatedDoor
	state  kv.Store

	mu     sync.Mutex
	events []Event
}

// inWorld runs test in a world with topics "in" and "out" of two partitions each.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, err := broker.Open(broker.Options{
			FS: vfs.NewCrashable(), Dir: "broker", Clock: clock.System, JournalFileSize: 1 << 20,
			TopicDefaults: map[string]string{"retention.ms": "-1"}, // records of the tests are from 1970
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		w := &world{t: t, broker: b, state: kv.NewMemory()}
		w.door = &gatedDoor{Door: local.New(b, clock.System)}
		w.topic("in", 2, nil)
		w.topic("out", 2, nil)
		test(w)
		cancel()
		if err := errors.Join(<-ended, b.Close()); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) topic(name string, partitions int32, configs map[string]string) {
	w.t.Helper()
	_, err := w.door.EnsureTopics(context.Background(), client.TopicSpec{Name: name, Partitions: partitions, Configs: configs})
	if err != nil {
		w.t.Fatal(err)
	}
}

// A life is a running engine.
type life struct {
	*Engine
	w      *world
	cancel context.CancelFunc
	ended  chan error
}

// engine makes an engine of t; change may be nil.
func (w *world) engine(t *topology.Topology, change func(*Options)) *Engine {
	w.t.Helper()
	o := Options{Topology: t, Door: w.door, Checkpoints: w.state, Clock: clock.System, Events: func(e Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}}
	if change != nil {
		change(&o)
	}
	e, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) start(e *Engine) *life { return w.life(e, e.Run) }
func (w *world) keep(e *Engine) *life  { return w.life(e, e.Keep) }

func (w *world) life(e *Engine, run func(context.Context) error) *life {
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{Engine: e, w: w, cancel: cancel, ended: make(chan error, 1)}
	go func() { l.ended <- run(ctx) }()
	synctest.Wait()
	return l
}

// stop ends the engine in order.
func (l *life) stop() {
	l.w.t.Helper()
	l.cancel()
	if err := <-l.ended; err != nil {
		l.w.t.Errorf("stopped with %v", err)
	}
}

// failed waits for the engine to end by itself.
func (l *life) failed() error {
	l.w.t.Helper()
	defer l.cancel()
	err := <-l.ended
	if err == nil {
		l.w.t.Fatal("ended without an error")
	}
	return err
}

// event returns the fields of the last event of a kind, and how many there were.
func (w *world) event(kind string) (fields map[string]any, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind != kind {
			continue
		}
		n++
		fields = map[string]any{}
		for i := 0; i < len(e.Fields); i += 2 {
			fields[e.Fields[i].(string)] = e.Fields[i+1]
		}
	}
	return fields, n
}

// publish writes values as one batch, with "key=value" or a value alone, whose key is null.
func (w *world) publish(topic string, partition int32, values ...string) {
	w.t.Helper()
	var b batch.Builder
	for i, v := range values {
		var key []byte
		if k, rest, ok := strings.Cut(v, "="); ok {
			key, v = []byte(k), rest
		}
		b.Append(record.Timestamp(1000+i), key, []byte(v), nil)
	}
	w.publishBatch(topic, partition, b.AppendTo(nil))
}

func (w *world) publishBatch(topic string, partition int32, b []byte) {
	w.t.Helper()
	r, err := w.broker.Produce(broker.Produce{Items: []broker.ProduceItem{{Ref: broker.TopicRef{Name: topic}, Partition: partition, Bytes: b}}}).Wait(context.Background())
	if err != nil || r[0].Err != nil {
		w.t.Fatalf("publish to %s: %v %+v", topic, err, r)
	}
}

// read returns what is committed in a topic, partition by partition, as "key=value".
func (w *world) read(topic string) []string {
	w.t.Helper()
	out := []string{}
	for _, c := range w.chunks(topic) {
		for i := range c.Offsets {
			out = append(out, string(c.Keys[i])+"="+string(c.Values[i]))
		}
	}
	return out
}

func (w *world) chunks(topic string) []client.Chunk {
	w.t.Helper()
	ctx := context.Background()
	infos, err := w.door.Topics(ctx, topic)
	if err != nil {
		w.t.Fatal(err)
	}
	var chunks []client.Chunk
	for p := range infos[topic].Partitions {
		tp := record.TopicPartition{Topic: topic, Partition: p}
		ends, err := w.door.Ends(ctx, tp)
		if err != nil {
			w.t.Fatal(err)
		}
		r, err := w.door.Door.OpenReader(ctx, map[record.TopicPartition]record.Offset{tp: 0})
		if err != nil {
			w.t.Fatal(err)
		}
		for next := record.Offset(0); next < ends[tp]; {
			cs, err := r.Poll(ctx, 1<<20)
			if err != nil {
				w.t.Fatal(err)
			}
			chunks, next = append(chunks, cs...), cs[len(cs)-1].Next
		}
		r.Close()
	}
	return chunks
}

// committed returns the positions in topic "in", as offsets of its partitions.
func (w *world) committed(app string) [2]record.Offset {
	w.t.Helper()
	m, err := w.door.Committed(context.Background(), app)
	if err != nil {
		w.t.Fatal(err)
	}
	return [2]record.Offset{m[record.TopicPartition{Topic: "in"}], m[record.TopicPartition{Topic: "in", Partition: 1}]}
}

// A gatedDoor is a door whose commits can be held, watched and failed.
type gatedDoor struct {
	client.Door
	mu   sync.Mutex
	hold chan error // a held commit goes on with what comes from it, nil: carried out
	log  []sealedEpoch
	fail func(call string) error // may be nil
	busy int                     // commits under way
	most int                     // commits that were ever under way at once
	held int                     // the largest epoch filled while another was committing, in bytes
	size int                     // the largest epoch

	rests int // of producers

	group *group // nil: there is none
}

// A sealedEpoch is what a Commit was called with.
type sealedEpoch struct {
	records   []string // "topic/partition key=value"
	positions map[record.TopicPartition]record.Offset
}

func (g *gatedDoor) called(call string) error {
	g.mu.Lock()
	f := g.fail
	g.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(call)
}

// failing makes calls fail from now on; nil: none.
func (g *gatedDoor) failing(f func(call string) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = f
}

// holding makes commits wait until something is sent on the result.
func (g *gatedDoor) holding() chan<- error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = make(chan error)
	return g.hold
}

func (g *gatedDoor) released() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = nil
}

func (g *gatedDoor) epochs() []sealedEpoch {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]sealedEpoch(nil), g.log...)
}

func (g *gatedDoor) OpenReader(ctx context.Context, from map[record.TopicPartition]record.Offset) (client.Reader, error) {
	r, err := g.Door.OpenReader(ctx, from)
	if err != nil {
		return nil, err
	}
	return &gatedReader{r, g}, nil
}

// Ends calls "Ends" first.
func (g *gatedDoor) Ends(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	if err := g.called("Ends"); err != nil {
		return nil, err
	}
	return g.Door.Ends(ctx, tps...)
}

type gatedReader struct {
	client.Reader
	g *gatedDoor
}

func (r *gatedReader) Poll(ctx context.Context, maxBytes int) ([]client.Chunk, error) {
	if err := r.g.called("Poll"); err != nil {
		return nil, err
	}
	return r.Reader.Poll(ctx, maxBytes)
}

// Look is Poll of a client.Watcher.
func (r *gatedReader) Look(maxBytes int) ([]client.Chunk, error) {
	if err := r.g.called("Poll"); err != nil {
		return nil, err
	}
	return r.Reader.(client.Watcher).Look(maxBytes)
}

func (r *gatedReader) News() <-chan struct{} { return r.Reader.(client.Watcher).News() }

func (g *gatedDoor) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	if err := g.called("OpenProducer"); err != nil {
		return nil, err
	}
	p, err := g.Door.OpenProducer(ctx, app)
	if err != nil {
		return nil, err
	}
	return &gatedProducer{p, g}, nil
}

type gatedProducer struct {
	client.Producer
	g *gatedDoor
}

func (p *gatedProducer) NewEpoch() client.Epoch {
	return &gatedEpoch{Epoch: p.Producer.NewEpoch(), g: p.g}
}

// Rest is counted.
func (p *gatedProducer) Rest() {
	p.g.mu.Lock()
	p.g.rests++
	p.g.mu.Unlock()
	p.Producer.Rest()
}

func (g *gatedDoor) rested() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rests
}

type gatedEpoch struct {
	client.Epoch
	g       *gatedDoor
	records []string
}

func (e *gatedEpoch) Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, hs []record.Header) error {
	if err := e.Epoch.Append(tp, ts, key, value, hs); err != nil {
		return err
	}
	e.records = append(e.records, fmt.Sprintf("%s %s=%s", tp, key, value))
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	e.g.size = max(e.g.size, e.Size())
	if e.g.busy > 0 {
		e.g.held = max(e.g.held, e.Size())
	}
	return nil
}

func (p *gatedProducer) Commit(ctx context.Context, e client.Epoch, positions map[record.TopicPartition]record.Offset) error {
	if err := p.g.called("Commit"); err != nil {
		return err
	}
	ge := e.(*gatedEpoch)
	p.g.mu.Lock()
	p.g.log = append(p.g.log, sealedEpoch{ge.records, positions})
	p.g.busy++
	p.g.most = max(p.g.most, p.g.busy)
	hold := p.g.hold
	p.g.mu.Unlock()
	var err error
	if hold != nil {
		select {
		case err = <-hold:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil {
		err = p.Producer.Commit(ctx, ge.Epoch, positions)
	}
	p.g.mu.Lock()
	p.g.busy--
	p.g.mu.Unlock()
	return err
}

// Topologies of the tests, all of application "app" from topic "in".

func build(t *testing.T, steps func(in stream.Stream[string, string])) *topology.Topology {
	t.Helper()
	b := stream.New("app")
	steps(stream.From(b, "in", serde.String, serde.String))
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// copying copies "in" to "out"; values that begin with "drop" are left out, those with "bad" can't be processed.
func copying(t *testing.T) *topology.Topology {
	return build(t, func(in stream.Stream[string, string]) {
		checked := stream.MapValues(in, func(v string) string {
			if strings.HasPrefix(v, "bad") {
				panic("secret " + v)
			}
			return v
		})
		checked.Filter(func(v string) bool { return !strings.HasPrefix(v, "drop") }).To("out", serde.String, serde.String)
	})
}

// counting counts the records of each key into "out".
func counting(t *testing.T) *topology.Topology {
	return build(t, func(in stream.Stream[string, string]) {
		counts := stream.Count(stream.GroupByKey(in), stream.Named("counts"))
		stream.MapTable(counts, func(n int64) string { return fmt.Sprint(n) }).Updates().To("out", serde.String, serde.String)
	})
}
