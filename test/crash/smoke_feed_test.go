package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The inputs of the smoke program: see its types.
const (
	smokeKeys   = 40
	smokeOwners = 8
	// smokeStep is how far records of one feeder lie apart, in ms.
	smokeStep = 100
	// feederIDs is how far the ids of different feeders lie apart.
	feederIDs = 1_000_000_000
)

// smokeTopics are the input topics with their partitions. Those that are joined by their keys need equal numbers.
var smokeTopics = map[string]int32{"numbers": 3, "clicks": 3, "accounts": 3, "limits": 3, "owners": 2}

// smokeStart is the time of the first records in ms: far enough back that none is in the future, and near enough that retention, which
// a broker judges by its own clock, leaves even what is kept of windows. Whole hours are the same to all windows.
func smokeStart() int64 { return time.Now().Add(-12 * time.Hour).Truncate(time.Hour).UnixMilli() }

// A feeder is an outside producer: idempotent, never giving up, with a book of what was acknowledged where. Its records are the same
// from the same seed; how many there are depends on the time that it has.
type feeder struct {
	cl     *kgo.Client
	rand   *rand.Rand
	clock  int64
	next   int64 // id
	cancel context.CancelFunc
	joined chan struct{}
	acks   atomic.Int64
	mu     struct {
		sync.Mutex
		acknowledged map[int64]*kgo.Record // by id
		failed       error
	}
}

// feed starts n feeders, which publish until they are stopped.
func (t *trial) feed(bootstrap string, n int) []*feeder {
	t.Helper()
	var out []*feeder
	for i := range n {
		cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(2000), kgo.UnknownTopicRetries(-1),
			kgo.MetadataMinAge(20*time.Millisecond), kgo.DialTimeout(2*time.Second), kgo.AlwaysRetryEOF(),
			kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.ctx)
		f := &feeder{
			cl: cl, rand: rand.New(rand.NewPCG(t.seed, uint64(1000+i))), clock: smokeStart(), next: int64(i+1) * feederIDs,
			cancel: cancel, joined: make(chan struct{}),
		}
		f.mu.acknowledged = map[int64]*kgo.Record{}
		go f.run(ctx, 80*time.Millisecond*t.patience())
		t.Cleanup(func() {
			cancel()
			<-f.joined
			cl.Close()
		})
		out = append(out, f)
	}
	return out
}

// run publishes a few records and pauses for a time up to longest, again and again.
func (f *feeder) run(ctx context.Context, longest time.Duration) {
	defer close(f.joined)
	for ctx.Err() == nil {
		for range 1 + f.rand.IntN(20) {
			// The record outlives ctx: a stopped feeder waits for what it has sent.
			id, r := f.record()
			f.cl.Produce(context.WithoutCancel(ctx), r, func(r *kgo.Record, err error) { f.done(id, r, err) })
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(f.rand.Int64N(int64(longest)))):
		}
	}
}

// record draws the next record. Some are late, and some of those too late for their window.
func (f *feeder) record() (id int64, r *kgo.Record) {
	id = f.next
	f.next++
	f.clock += smokeStep
	at := f.clock
	if f.rand.IntN(6) == 0 {
		at -= f.rand.Int64N(60_000)
	}
	r = &kgo.Record{Key: fmt.Appendf(nil, "key-%d", f.rand.IntN(smokeKeys)), Timestamp: time.UnixMilli(at)}
	switch draw := f.rand.IntN(100); {
	case draw < 50:
		r.Topic, r.Value = "numbers", fmt.Appendf(nil, `{"id":%d,"number":%d}`, id, f.rand.Int64N(1000)-500)
	case draw < 70:
		r.Topic, r.Value = "clicks", fmt.Appendf(nil, `{"id":%d}`, id)
	case draw < 82:
		r.Topic, r.Value = "accounts", fmt.Appendf(nil, `{"id":%d,"owner":"owner-%d"}`, id, f.rand.IntN(smokeOwners))
	case draw < 92:
		r.Topic, r.Value = "limits", fmt.Appendf(nil, `{"id":%d}`, id)
	default:
		r.Topic, r.Key, r.Value = "owners", fmt.Appendf(nil, "owner-%d", f.rand.IntN(smokeOwners)), fmt.Appendf(nil, `{"id":%d}`, id)
	}
	if (r.Topic == "accounts" || r.Topic == "limits" || r.Topic == "owners") && f.rand.IntN(8) == 0 {
		r.Value = nil
	}
	r.Headers = []kgo.RecordHeader{{Key: "id", Value: strconv.AppendInt(nil, id, 10)}} // that of a delete, too
	return id, r
}

func (f *feeder) done(id int64, r *kgo.Record, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.mu.failed = errors.Join(f.mu.failed, err)
		return
	}
	f.mu.acknowledged[id] = r
	f.acks.Add(1)
}

// stop ends publishing and waits for all acknowledgements, which takes a broker that answers.
func (f *feeder) stop(t *trial) {
	t.Helper()
	f.cancel()
	<-f.joined
	ctx, cancel := context.WithTimeout(t.ctx, 5*time.Minute*t.patience())
	defer cancel()
	if err := f.cl.Flush(ctx); err != nil {
		t.Fatalf("a feeder does not get its acknowledgements: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.failed != nil {
		t.Fatalf("a feeder could not publish: %v", f.mu.failed)
	}
}

// An input is a record of an input topic.
type input struct {
	id, number, at int64
	key, owner     string
	null           bool
}

// smokeInputs are the inputs in the order of the log, by topic and partition.
type smokeInputs map[string]map[int32][]input

// acknowledgedInputs reads the input topics and compares them with the feeders' books: each record must be where it was acknowledged,
// and nothing else be there.
func (t *trial) acknowledgedInputs(bootstrap string, feeders []*feeder) smokeInputs {
	t.Helper()
	missing := map[int64]*kgo.Record{}
	for _, f := range feeders {
		for id, r := range f.mu.acknowledged {
			missing[id] = r
		}
	}
	in := smokeInputs{}
	var wrong findings
	for topic := range smokeTopics {
		in[topic] = map[int32][]input{}
		t.readAll(bootstrap, topic, func(r *kgo.Record) error {
			i, err := parseInput(r)
			if err != nil {
				return err
			}
			sent := missing[i.id]
			delete(missing, i.id)
			switch {
			case sent == nil:
				wrong.add("record %d in %s/%d at %d is there twice, or was never sent", i.id, topic, r.Partition, r.Offset)
			// A broker that knows a batch only as a duplicate may not know its offset any more.
			case sent.Offset >= 0 && (sent.Partition != r.Partition || sent.Offset != r.Offset) || sent.Topic != topic || string(sent.Value) != string(r.Value):
				wrong.add("record %d was acknowledged as %s/%d at %d and is in %s/%d at %d", i.id, sent.Topic, sent.Partition, sent.Offset, topic, r.Partition, r.Offset)
			}
			in[topic][r.Partition] = append(in[topic][r.Partition], i)
			return nil
		})
	}
	for id, r := range missing {
		wrong.add("record %d was acknowledged in %s/%d at %d and is lost", id, r.Topic, r.Partition, r.Offset)
	}
	if err := wrong.err(); err != nil {
		t.Fatalf("input topics: %v", err)
	}
	return in
}

func parseInput(r *kgo.Record) (input, error) {
	i := input{at: r.Timestamp.UnixMilli(), key: string(r.Key), null: r.Value == nil}
	var v struct {
		ID, Number int64
		Owner      string
	}
	if len(r.Headers) != 1 {
		return i, errors.New("the record has not the header it was sent with")
	}
	var err error
	if i.id, err = strconv.ParseInt(string(r.Headers[0].Value), 10, 64); err != nil || i.null {
		return i, err
	}
	if err := decode(r.Value, &v); err != nil {
		return i, err
	}
	if v.ID != i.id {
		err = fmt.Errorf("the value is of record %d, the header of %d", v.ID, i.id)
	}
	i.number, i.owner = v.Number, v.Owner
	return i, err
}
