package broker

import (
	"fmt"
	"math"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A step of an idempotent producer and what the broker answers.
type step struct {
	about string
	epoch int16
	seq   int32
	n     int
	want  *kerr.Error
	at    record.Offset
}

func (s step) bytes(pid int64) []byte {
	return sent(txn.Producer{ID: pid, Epoch: s.epoch}, s.seq, make([]string, s.n)...)
}

func TestIdempotence(t *testing.T) {
	steps := []step{
		{"an unknown producer may begin anywhere", 3, 7, 2, nil, 0},
		{"next", 3, 9, 1, nil, 2},
		{"repetition of the first", 3, 7, 2, nil, 0},
		{"gap", 3, 12, 1, kerr.OutOfOrderSequenceNumber, -1},
		{"known begin, other end", 3, 7, 3, kerr.OutOfOrderSequenceNumber, -1},
		{"next", 3, 10, 1, nil, 3},
		{"next", 3, 11, 1, nil, 4},
		{"next", 3, 12, 1, nil, 5},
		{"the first is still among five", 3, 7, 2, nil, 0},
		{"sixth", 3, 13, 1, nil, 6},
		{"the first is forgotten", 3, 7, 2, kerr.OutOfOrderSequenceNumber, -1},
		{"the second is not", 3, 9, 1, nil, 2},
		{"an old epoch", 2, 14, 1, kerr.InvalidProducerEpoch, -1},
		{"a new epoch begins at 0", 4, 14, 1, kerr.OutOfOrderSequenceNumber, -1},
		{"new epoch", 4, 0, 1, nil, 7},
		{"the old epoch is fenced", 3, 14, 1, kerr.InvalidProducerEpoch, -1},
	}
	n := newNode(t)
	n.topic("a", 1, nil)
	const pid = 500
	for i, s := range steps {
		t.Run(fmt.Sprintf("%d %s", i, s.about), func(t *testing.T) {
			r := n.produce("a", 0, s.bytes(pid))
			wantErr(t, r.Err, s.want)
			if r.BaseOffset != s.at {
				t.Errorf("offset %d, want %d", r.BaseOffset, s.at)
			}
		})
	}
	for name, at := range map[string]*node{"after a crash": n.crash(), "after a restart": n.restart()} {
		t.Run(name, func(t *testing.T) {
			if r := at.produce("a", 0, step{epoch: 4, n: 1}.bytes(pid)); r.Err != nil || r.BaseOffset != 7 {
				t.Errorf("a repetition answers %+v", r)
			}
			wantErr(t, at.produce("a", 0, step{epoch: 4, seq: 2, n: 1}.bytes(pid)).Err, kerr.OutOfOrderSequenceNumber)
			if r := at.produce("a", 0, step{epoch: 4, seq: 1, n: 1}.bytes(pid)); r.Err != nil || r.BaseOffset != 8 {
				t.Errorf("the next answers %+v", r)
			}
		})
	}
}

func TestSequenceWrapsToZero(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	p := txn.Producer{ID: 8, Epoch: 0}
	n.mustProduce("a", 0, sent(p, math.MaxInt32-1, "x", "y", "z")) // MaxInt32-1, MaxInt32, 0
	wantErr(t, n.produce("a", 0, sent(p, 0, "w")).Err, kerr.OutOfOrderSequenceNumber)
	n.mustProduce("a", 0, sent(p, 1, "w"))
	q := txn.Producer{ID: 9, Epoch: 0}
	n.mustProduce("a", 0, sent(q, math.MaxInt32, "x"))
	n.mustProduce("a", 0, sent(q, 0, "y"))
}

func TestProducersAreSeparatePerPartition(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, nil)
	p := txn.Producer{ID: 8, Epoch: 0}
	n.mustProduce("a", 0, sent(p, 0, "x"))
	n.mustProduce("a", 1, sent(p, 0, "x"))
	n.mustProduce("a", 0, sent(p, 1, "x"))
	wantErr(t, n.produce("a", 1, sent(p, 2, "x")).Err, kerr.OutOfOrderSequenceNumber)
}

func TestIdleProducersAreForgottenUnlessTheirTransactionIsOpen(t *testing.T) {
	p := &partition{epochs: []epochStart{{}}}
	now := record.Timestamp(1000)
	idle, _, err := batch.Next(sent(txn.Producer{ID: 1}, 0, "x"))
	if err != nil {
		t.Fatal(err)
	}
	open, _, err := batch.Next(txnSent(txn.Producer{ID: 2}, 0, "x"))
	if err != nil {
		t.Fatal(err)
	}
	p.noteProducer(idle, now)
	p.noteProducer(open, now)
	p.expireProducers(now)
	if len(p.producers) != 2 {
		t.Fatalf("%d producers, want both", len(p.producers))
	}
	p.expireProducers(now + 1)
	if p.producers[1] != nil || p.producers[2] == nil {
		t.Errorf("producers left: %v", p.producers)
	}
}

func TestActiveProducers(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	p := n.producer("tx")
	wantErr(t, get(t, n.AddPartitions("tx", p, []record.TopicPartition{tp("a", 0)}))[0], nil)
	n.mustProduce("a", 0, sent(txn.Producer{ID: 900}, 0, "x", "y"))
	if r := get(t, n.Produce(Produce{TransactionalID: "tx", Items: []ProduceItem{item("a", 0, txnSent(p, 0, "z"))}}))[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	got := n.ActiveProducers(tp("a", 0))
	if len(got) != 2 || got[1].Producer.ID != 900 || got[1].LastSequence != 1 || got[1].TxnStart != -1 ||
		got[0].Producer != p || got[0].TxnStart != 2 {
		t.Errorf("%+v", got)
	}
	if n.ActiveProducers(tp("none", 0)) != nil {
		t.Error("an unknown partition has producers")
	}
}
