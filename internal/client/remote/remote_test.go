package remote_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/clienttest"
	"github.com/mainstemio/mainstem/internal/client/remote"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

func TestDoorConformsOnMainstem(t *testing.T) {
	clienttest.Run(t, func(t *testing.T) clienttest.Harness { return harness(t, serveMainstem(t)) })
}

func TestDoorConformsOnATestDouble(t *testing.T) {
	clienttest.Run(t, func(t *testing.T) clienttest.Harness { return harness(t, serveDouble(t, 3, nil)...) })
}

func TestDoorConformsOnATestDoubleOfKafka25(t *testing.T) {
	clienttest.Run(t, func(t *testing.T) clienttest.Harness {
		h := harness(t, serveDouble(t, 1, kversion.V2_5_0())...)
		h.NoTopicIDs = true
		return h
	})
}

// The real one: MAINSTEM_KAFKA is the address of an Apache Kafka; topics and groups of random names are left behind.
func TestDoorConformsOnKafka(t *testing.T) {
	addr := os.Getenv("MAINSTEM_KAFKA")
	if addr == "" {
		clienttest.Skip(t, "MAINSTEM_KAFKA=host:port is not set: no Kafka to test with")
	}
	clienttest.Run(t, func(t *testing.T) clienttest.Harness { return harness(t, addr) })
}

func open(t *testing.T, brokers ...string) *remote.Door {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	d, err := remote.Open(ctx, remote.Options{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// harness uses plain kgo and kadm for what others do.
func harness(t *testing.T, brokers ...string) clienttest.Harness {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	adm := kadm.NewClient(cl)
	return clienttest.Harness{
		Door:    open(t, brokers...),
		Second:  func(t *testing.T) client.Door { return open(t, brokers...) },
		Process: func(t *testing.T) clienttest.Process { return newProcess(t, nil, brokers...) },
		Session: kafkaSession,
		DeleteTopic: func(t *testing.T, topic string) {
			if _, err := adm.DeleteTopic(t.Context(), topic); err != nil {
				t.Fatal(err)
			}
			for { // a deletion is complete when the name is free again
				ts, err := adm.ListTopics(t.Context(), topic)
				if err != nil {
					t.Fatal(err)
				}
				if !ts.Has(topic) {
					return
				}
			}
		},
		DeleteRecords: func(t *testing.T, tp record.TopicPartition, before record.Offset) {
			o := kadm.Offsets{}
			o.AddOffset(tp.Topic, tp.Partition, int64(before), -1)
			r, err := adm.DeleteRecords(t.Context(), o)
			if err == nil {
				err = r.Error()
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		Settle: func(t *testing.T, topics ...string) {
			for _, topic := range topics {
				settle(t, adm, topic)
			}
		},
		Foreign: func(t *testing.T, o clienttest.ForeignOptions) clienttest.Foreign {
			return newForeign(t, o, brokers...)
		},
	}
}

// A foreign is a franz-go producer.
type foreign struct {
	cl   *kgo.Client
	adm  *kadm.Client
	open map[string]bool // topics written in the open transaction
}

func newForeign(t *testing.T, o clienttest.ForeignOptions, brokers ...string) *foreign {
	t.Helper()
	codec := kgo.NoCompression()
	if o.Compress {
		codec = kgo.SnappyCompression()
	}
	opts := []kgo.Opt{kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec)}
	if o.ID != "" {
		opts = append(opts, kgo.TransactionalID(o.ID))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	f := &foreign{cl: cl, adm: kadm.NewClient(cl)}
	if o.ID != "" {
		f.begin(t)
	}
	return f
}

func (f *foreign) begin(t *testing.T) {
	t.Helper()
	f.open = map[string]bool{}
	if err := f.cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
}

func (f *foreign) Produce(t *testing.T, tp record.TopicPartition, values ...string) {
	t.Helper()
	rs := make([]*kgo.Record, len(values))
	for i, v := range values {
		rs[i] = &kgo.Record{Topic: tp.Topic, Partition: tp.Partition, Value: []byte(v)}
	}
	if err := f.cl.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if f.open != nil {
		f.open[tp.Topic] = true
	}
}

// End waits until the markers are written: until then the transaction counts as open.
func (f *foreign) End(t *testing.T, commit bool) {
	t.Helper()
	if err := f.cl.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		t.Fatal(err)
	}
	for topic := range f.open {
		settle(t, f.adm, topic)
	}
	f.begin(t)
}

// settle waits until no transaction is open in topic; brokers abort one that is forgotten after a minute.
func settle(t *testing.T, adm *kadm.Client, topic string) {
	t.Helper()
	const patience = 2 * time.Minute
	for began := clock.System.Mono(); !settled(t, adm, topic); {
		if clock.System.Mono()-began > patience {
			t.Fatalf("a transaction in %s is open after %s", topic, patience)
		}
	}
}

// settled tells whether no transaction is open in topic.
func settled(t *testing.T, adm *kadm.Client, topic string) bool {
	t.Helper()
	stable, err := adm.ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := adm.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	same := true
	ends.Each(func(e kadm.ListedOffset) {
		s, _ := stable.Lookup(e.Topic, e.Partition)
		same = same && s.Offset == e.Offset
	})
	return same
}

func (f *foreign) Close() { f.cl.Close() }
