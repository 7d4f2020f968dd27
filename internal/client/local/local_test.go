package local_test

import (
	"context"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/clienttest"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
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
	b, err := broker.Open(broker.Options{FS: vfs.NewCrashable(), Dir: "broker", Clock: clock.System, JournalFileSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
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
