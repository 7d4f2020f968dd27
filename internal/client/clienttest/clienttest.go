// Package clienttest is the conformance kit of the client's doors: what every pipeline relies on, as tests.
//
// The tests of packages local and remote call Run with a Harness that opens their door on a broker; the kit calls the door
// and nothing else, so that it runs on the embedded broker, on a test double and on Apache Kafka alike.
//
// Tests run one after another on one broker, each with topics and applications of its own name.
//
// Not here: throughput, crashes of the broker, anything that only one door can do.
package clienttest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// patience bounds what the kit waits for: a working door needs milliseconds, a busy machine with a real Kafka seconds.
const patience = 3 * time.Minute

// A Harness is a broker seen through the door under test and, for what the door cannot do, by other means.
type Harness struct {
	Door client.Door
	// Second opens another door on the same broker, as another process would.
	Second func(t *testing.T) client.Door
	// DeleteTopic and DeleteRecords (all before an offset) are done by somebody else.
	DeleteTopic   func(t *testing.T, topic string)
	DeleteRecords func(t *testing.T, tp record.TopicPartition, before record.Offset)
	// Settle waits until what was committed to the topics shows in their committed ends; nil where that is so at once. Kafka
	// writes the markers of a transaction after it has acknowledged its commit.
	Settle func(t *testing.T, topics ...string)
	// NoTopicIDs: the broker is older than Kafka 2.8, which cannot tell a topic from another one of the same name.
	NoTopicIDs bool
	// Process makes a process of its own with a door; for RunMembers.
	Process func(t *testing.T) Process
	// Session is the shortest session of a group's member that the broker allows.
	Session time.Duration
	// Foreign opens a producer as any service has one; with a transactional id it is transactional.
	Foreign func(t *testing.T, o ForeignOptions) Foreign
}

// ForeignOptions of a producer. Without an ID it is not transactional. Compress asks for any codec.
type ForeignOptions struct {
	ID       string
	Compress bool
}

// A Foreign is somebody else's producer.
type Foreign interface {
	// Produce writes the records as one batch and waits for the acknowledgement. It opens a transaction when none is open.
	Produce(t *testing.T, tp record.TopicPartition, values ...string)
	// End ends the transaction.
	End(t *testing.T, commit bool)
	// Close leaves the transaction as it is.
	Close()
}

// Skip skips t with a reason, or fails it where skipping is not allowed (MAINSTEM_TEST_REQUIRE=all).
func Skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("MAINSTEM_TEST_REQUIRE") == "all" {
		t.Fatal("required by MAINSTEM_TEST_REQUIRE=all: " + reason)
	}
	t.Skip(reason)
}

// Run runs the kit. open makes a new broker or connects to a shared one; it is called once.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	run(t, open(t), topicTests, epochTests, producerTests, readerTests, foreignTests, lossTests, settleTests)
}

// RunMembers runs the part of the kit that is about sharing an application, on a door that can.
func RunMembers(t *testing.T, open func(t *testing.T) Harness) { run(t, open(t), memberTests) }

func run(t *testing.T, h Harness, groups ...map[string]func(*testing.T, *world)) {
	for _, group := range groups {
		names := make([]string, 0, len(group))
		for name := range group {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			t.Run(name, func(t *testing.T) { group[name](t, newWorld(t, h)) })
		}
	}
}

// A world is one test's share of the broker.
type world struct {
	Harness
	ctx context.Context
	app string
}

func newWorld(t *testing.T, h Harness) *world {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &world{Harness: h, ctx: ctx, app: "app-" + uuid.NewString()[:8]}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// name makes a topic name of this test's own.
func (w *world) name(base string) string { return w.app + "-" + base }

// topic makes a topic and returns its partitions.
func (w *world) topic(t *testing.T, base string, partitions int32) []record.TopicPartition {
	t.Helper()
	spec := client.TopicSpec{Name: w.name(base), Partitions: partitions, Configs: map[string]string{"retention.ms": "-1"}} // the kit's records are of 1970
	_, err := w.Door.EnsureTopics(w.ctx, spec)
	must(t, err)
	tps := make([]record.TopicPartition, partitions)
	for i := range tps {
		tps[i] = record.TopicPartition{Topic: spec.Name, Partition: int32(i)}
	}
	return tps
}

func (w *world) producer(t *testing.T, d client.Door, app string) client.Producer {
	t.Helper()
	p, err := d.OpenProducer(w.ctx, app)
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

type positions = map[record.TopicPartition]record.Offset

func (w *world) reader(t *testing.T, from positions) client.Reader {
	t.Helper()
	r, err := w.Door.OpenReader(w.ctx, from)
	must(t, err)
	t.Cleanup(r.Close)
	return r
}

// at reads all of tps from offset o.
func at(o record.Offset, tps ...record.TopicPartition) positions {
	m := positions{}
	for _, tp := range tps {
		m[tp] = o
	}
	return m
}

// fill appends values to tp, with their number as timestamp.
func fill(t *testing.T, e client.Epoch, tp record.TopicPartition, values ...string) {
	t.Helper()
	for i, v := range values {
		must(t, e.Append(tp, record.Timestamp(1000+i), []byte("k"), []byte(v), nil))
	}
}

// commit makes an epoch of values in tp durable.
func (w *world) commit(t *testing.T, p client.Producer, tp record.TopicPartition, values ...string) {
	t.Helper()
	e := p.NewEpoch()
	fill(t, e, tp, values...)
	must(t, p.Commit(w.ctx, e, nil))
}

// numbered returns n values.
func numbered(n int) []string {
	vs := make([]string, n)
	for i := range vs {
		vs[i] = fmt.Sprintf("v%06d", i)
	}
	return vs
}

// A log is what was read, by partition.
type log map[record.TopicPartition][]string

// readUntil polls until done says so, checks every chunk's form and returns the values in order.
func (w *world) readUntil(t *testing.T, r client.Reader, maxBytes int, done func(log, positions) bool) log {
	t.Helper()
	got, next := log{}, positions{}
	for !done(got, next) {
		chunks, err := r.Poll(w.ctx, maxBytes)
		if err != nil {
			t.Fatalf("Poll: %v; read so far: %s", err, got.counts())
		}
		if len(chunks) == 0 {
			t.Fatal("Poll returned nothing")
		}
		for i := range chunks {
			c := &chunks[i]
			checkForm(t, c, next)
			next[c.TopicPartition] = c.Next
			for _, v := range c.Values {
				got[c.TopicPartition] = append(got[c.TopicPartition], string(v))
			}
		}
	}
	return got
}

func (l log) counts() string {
	var b strings.Builder
	for tp, vs := range l {
		fmt.Fprintf(&b, "%s: %d ", tp, len(vs))
	}
	return b.String()
}

// read reads n records.
func (w *world) read(t *testing.T, r client.Reader, n int) log {
	t.Helper()
	return w.readUntil(t, r, 1<<20, func(l log, _ positions) bool {
		total := 0
		for _, vs := range l {
			total += len(vs)
		}
		return total >= n
	})
}

// ends returns the committed ends behind all that was committed.
func (w *world) ends(t *testing.T, tps ...record.TopicPartition) positions {
	t.Helper()
	if w.Settle != nil {
		for _, tp := range tps {
			w.Settle(t, tp.Topic)
		}
	}
	ends, err := w.Door.Ends(w.ctx, tps...)
	must(t, err)
	return ends
}

// readToEnd reads until each of tps is read up to its committed end.
func (w *world) readToEnd(t *testing.T, r client.Reader, tps ...record.TopicPartition) log {
	t.Helper()
	ends := w.ends(t, tps...)
	return w.readUntil(t, r, 1<<20, func(_ log, next positions) bool {
		for tp, end := range ends {
			if next[tp] < end && end > 0 {
				return false
			}
		}
		return true
	})
}

// checkForm checks what holds for every chunk: columns of one length, ascending offsets that follow the last chunk, Next
// behind them and End not before Next.
func checkForm(t *testing.T, c *client.Chunk, next positions) {
	t.Helper()
	n := len(c.Offsets)
	if len(c.Timestamps) != n || len(c.Keys) != n || len(c.Values) != n || c.Headers != nil && len(c.Headers) != n {
		t.Fatalf("%s: columns of %d, %d, %d, %d and %d rows", c.TopicPartition, n, len(c.Timestamps), len(c.Keys), len(c.Values), len(c.Headers))
	}
	from := next[c.TopicPartition]
	for _, o := range c.Offsets {
		if o < from || o >= c.Next {
			t.Fatalf("%s: offset %d outside [%d, %d)", c.TopicPartition, o, from, c.Next)
		}
		from = o + 1
	}
	if c.Next <= next[c.TopicPartition] && c.End <= c.Next && n == 0 {
		t.Fatalf("%s: an empty chunk that tells nothing", c.TopicPartition)
	}
	if c.End < c.Next {
		t.Fatalf("%s: End %d before Next %d", c.TopicPartition, c.End, c.Next)
	}
}

// expectNothing checks that no record of r is to be had for a while.
func (w *world) expectNothing(t *testing.T, r client.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 300*time.Millisecond)
	defer cancel()
	for {
		chunks, err := r.Poll(ctx, 1<<20)
		if err != nil {
			if ctx.Err() == nil {
				t.Fatalf("Poll: %v", err)
			}
			return
		}
		for _, c := range chunks {
			if len(c.Values) > 0 {
				t.Fatalf("%s has %q at %d", c.TopicPartition, c.Values[0], c.Offsets[0])
			}
		}
	}
}
