package local_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/clienttest"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/client/local/localtest"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"
)

func TestDoorConforms(t *testing.T) {
	clienttest.Run(t, func(t *testing.T) clienttest.Harness {
		b := open(t)
		return clienttest.Harness{
			Door:          local.New(b, clock.System),
			Second:        func(*testing.T) client.Door { return local.New(b, clock.System) },
			DeleteTopic:   func(t *testing.T, topic string) { deleteTopic(t, b, topic) },
			DeleteRecords: func(t *testing.T, tp record.TopicPartition, o record.Offset) { deleteRecords(t, b, tp, o) },
			Foreign: func(t *testing.T, o clienttest.ForeignOptions) clienttest.Foreign {
				return newForeign(t, b, o)
			},
		}
	})
}

// open runs a broker in memory until the end of t.
func open(t *testing.T) *broker.Broker {
	t.Helper()
	return localtest.Broker(t)
}

func wait[T any](t *testing.T, f *broker.Future[T]) T {
	t.Helper()
	v, err := f.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ok(t *testing.T, err *kerr.Error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func deleteTopic(t *testing.T, b *broker.Broker, topic string) {
	t.Helper()
	ok(t, wait(t, b.DeleteTopics([]broker.TopicRef{{Name: topic}}))[0].Err)
}

func deleteRecords(t *testing.T, b *broker.Broker, tp record.TopicPartition, before record.Offset) {
	t.Helper()
	ok(t, wait(t, b.DeleteRecords(tp, before)).Err)
}

// A foreign is what the Kafka server would call for a client of the first transaction protocol.
type foreign struct {
	b        *broker.Broker
	o        clienttest.ForeignOptions
	producer txn.Producer
	sequence map[record.TopicPartition]int32
}

func newForeign(t *testing.T, b *broker.Broker, o clienttest.ForeignOptions) *foreign {
	t.Helper()
	f := &foreign{b: b, o: o, producer: txn.None, sequence: map[record.TopicPartition]int32{}}
	if o.ID != "" {
		r := wait(t, b.InitProducer(txn.Init{ID: o.ID, Timeout: time.Minute, Current: txn.None}))
		ok(t, r.Err)
		f.producer = r.Producer
	}
	return f
}

func (f *foreign) Produce(t *testing.T, tp record.TopicPartition, values ...string) {
	t.Helper()
	p := batch.Params{ProducerID: f.producer.ID, ProducerEpoch: f.producer.Epoch}
	if f.o.Compress {
		p.Codec = batch.Zstd
	}
	if f.o.ID != "" {
		ok(t, wait(t, f.b.AddPartitions(f.o.ID, f.producer, []record.TopicPartition{tp}))[0])
		p.Transactional, p.BaseSequence = true, f.sequence[tp]
		f.sequence[tp] += int32(len(values))
	}
	var b batch.Builder
	b.Reset(p)
	for _, v := range values {
		b.Append(7, nil, []byte(v), nil)
	}
	item := broker.ProduceItem{Ref: broker.TopicRef{Name: tp.Topic}, Partition: tp.Partition, Bytes: b.AppendTo(nil)}
	r := wait(t, f.b.Produce(broker.Produce{TransactionalID: f.o.ID, Items: []broker.ProduceItem{item}}))[0]
	ok(t, r.Err)
}

func (f *foreign) End(t *testing.T, commit bool) {
	t.Helper()
	ok(t, wait(t, f.b.EndTxn(f.o.ID, f.producer, commit, false)).Err)
}

func (f *foreign) Close() {}

// Workers that share an application reach each other through the group protocol only.
func TestWorkersAreSentToTheKafkaAddress(t *testing.T) {
	d := local.New(open(t), clock.System)
	if _, err := d.Join(t.Context(), client.Membership{App: "app", Worker: "w"}); !errors.Is(err, local.ErrOneEngine) {
		t.Errorf("joined with %v", err)
	}
	if names, err := d.Workers(t.Context(), "app"); err != nil || len(names) != 0 {
		t.Errorf("%v share the application: %v", names, err)
	}
}

// Records of one commit lie in several partitions, as those that a join reads: a reader must not see them in one and miss them in another.
func TestACommitIsSeenInAllPartitionsAtOnce(t *testing.T) {
	const commits, partitions = 300, 64
	b := open(t)
	d := local.New(b, clock.System)
	if _, err := d.EnsureTopics(t.Context(), client.TopicSpec{Name: "parts", Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	from := map[record.TopicPartition]record.Offset{}
	for p := range int32(partitions) {
		from[record.TopicPartition{Topic: "parts", Partition: p}] = 0
	}
	reader, err := d.OpenReader(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	producer, err := d.OpenProducer(t.Context(), "writer")
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	var writer errgroup.Group
	writer.Go(func() error {
		for range commits {
			e := producer.NewEpoch()
			for tp := range from {
				if err := e.Append(tp, 1, nil, []byte("v"), nil); err != nil {
					return err
				}
			}
			if err := producer.Commit(t.Context(), e, nil); err != nil {
				return err
			}
		}
		return nil
	})
	seen := map[int32]int{}
	for seen[0] < commits {
		chunks, err := reader.Poll(t.Context(), 16<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range chunks {
			seen[c.Partition] += len(c.Offsets)
		}
		for p, n := range seen {
			if n != seen[0] {
				t.Fatalf("%d commits are seen in partition 0, %d in partition %d", seen[0], n, p)
			}
		}
	}
	if err := writer.Wait(); err != nil {
		t.Fatal(err)
	}
}

// A reader of this door need not be waited for in Poll: it tells of what comes.
func TestAReaderTellsOfNews(t *testing.T) {
	b := open(t)
	d := local.New(b, clock.System)
	if _, err := d.EnsureTopics(t.Context(), client.TopicSpec{Name: "parts", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	tp := record.TopicPartition{Topic: "parts"}
	reader, err := d.OpenReader(t.Context(), map[record.TopicPartition]record.Offset{tp: 0})
	if err != nil {
		t.Fatal(err)
	}
	w := reader.(client.Watcher)
	if chunks, err := w.Look(1 << 20); len(chunks) > 0 || err != nil {
		t.Fatalf("an empty partition gives %d chunks, %v", len(chunks), err)
	}
	newForeign(t, b, clienttest.ForeignOptions{}).Produce(t, tp, "1")
	<-w.News()
	if chunks, err := w.Look(1 << 20); len(chunks) != 1 || err != nil {
		t.Fatalf("a record gives %d chunks, %v", len(chunks), err)
	}
	reader.Close()
	if _, err := w.Look(1 << 20); err == nil {
		t.Error("a closed reader gives chunks")
	}
}

// What did not fit into a Poll may have to be processed first: the reader says that it is there.
func TestPollTellsOfRecordsThatDidNotFit(t *testing.T) {
	b := open(t)
	d := local.New(b, clock.System)
	if _, err := d.EnsureTopics(t.Context(), client.TopicSpec{Name: "parts", Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	first, second := record.TopicPartition{Topic: "parts"}, record.TopicPartition{Topic: "parts", Partition: 1}
	f := newForeign(t, b, clienttest.ForeignOptions{})
	f.Produce(t, first, "1", "2")
	f.Produce(t, second, "3")
	reader, err := d.OpenReader(t.Context(), map[record.TopicPartition]record.Offset{first: 0, second: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	chunks, err := reader.Poll(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(chunks) != 2 || len(chunks[0].Offsets) != 2 || chunks[1].TopicPartition != second || chunks[1].Next != 0 || chunks[1].End != 1 {
		t.Fatalf("Poll gave %+v", chunks)
	}
}
