package broker

import (
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// txnProduce writes one batch in id's transaction and waits.
func (n *node) txnProduce(id string, implicit bool, topic string, partition int32, b []byte) ProduceResult {
	n.t.Helper()
	return get(n.t, n.Produce(Produce{TransactionalID: id, Implicit: implicit, Items: []ProduceItem{item(topic, partition, b)}}))[0]
}

func (n *node) end(id string, p txn.Producer, commit, bump bool) txn.Producer {
	n.t.Helper()
	r := get(n.t, n.EndTxn(id, p, commit, bump))
	if r.Err != nil {
		n.t.Fatalf("end %s: %v", id, r.Err)
	}
	return r.Producer
}

func (n *node) stable(topic string, partition int32) record.Offset {
	n.t.Helper()
	r := n.ListOffset(TopicRef{Name: topic}, partition, atEnd, true)
	if r.Err != nil {
		n.t.Fatal(r.Err)
	}
	return r.Offset
}

func TestTransactionIsolation(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, nil)
	p := n.producer("tx")
	wantErr(t, get(t, n.AddPartitions("tx", p, []record.TopicPartition{tp("a", 0), tp("a", 1)}))[1], nil)
	n.mustProduce("a", 0, plain("before"))
	if r := n.txnProduce("tx", false, "a", 0, txnSent(p, 0, "aborted")); r.Err != nil {
		t.Fatal(r.Err)
	}
	n.mustProduce("a", 0, plain("between"))
	if got := n.stable("a", 0); got != 1 {
		t.Errorf("last stable offset %d, want 1", got)
	}
	if got := values(n.read("a", 0, true)); !slices.Equal(got, []string{"before"}) {
		t.Errorf("committed reader sees %v", got)
	}
	if got := values(n.read("a", 0, false)); !slices.Equal(got, []string{"before", "aborted", "between"}) {
		t.Errorf("uncommitted reader sees %v", got)
	}
	n.end("tx", p, false, false)
	wantErr(t, get(t, n.AddPartitions("tx", p, []record.TopicPartition{tp("a", 0)}))[0], nil)
	if r := n.txnProduce("tx", false, "a", 0, txnSent(p, 1, "committed")); r.Err != nil {
		t.Fatal(r.Err)
	}
	n.end("tx", p, true, false)
	for _, at := range n.everyWay() {
		if got := values(at.read("a", 0, true)); !slices.Equal(got, []string{"before", "between", "committed"}) {
			t.Errorf("committed reader sees %v", got)
		}
		if got := at.stable("a", 0); got != 6 {
			t.Errorf("last stable offset %d, want 6", got)
		}
		if got := at.stable("a", 1); got != 1 {
			t.Errorf("a partition that was added but not written ends at %d, want the marker's 1", got)
		}
	}
}

func TestOverlappingTransactionsHoldTheStableOffset(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	a, b := n.producer("ta"), n.producer("tb")
	write := func(id string, p txn.Producer, seq int32, v string) {
		t.Helper()
		if r := n.txnProduce(id, true, "a", 0, txnSent(p, seq, v)); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	write("ta", a, 0, "a0") // 0
	write("tb", b, 0, "b0") // 1
	write("ta", a, 1, "a1") // 2
	b = n.end("tb", b, false, true)
	if got := n.stable("a", 0); got != 0 {
		t.Errorf("stable %d while ta is open, want 0", got)
	}
	write("tb", b, 0, "b1") // 4
	n.end("ta", a, true, true)
	if got := n.stable("a", 0); got != 4 {
		t.Errorf("stable %d while tb is open, want 4", got)
	}
	n.end("tb", b, true, true)
	if got := values(n.read("a", 0, true)); !slices.Equal(got, []string{"a0", "a1", "b1"}) {
		t.Errorf("committed reader sees %v", got)
	}
}

func TestProduceNeedsItsTransaction(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, nil)
	p := n.producer("tx")
	other := n.producer("other")
	wantErr(t, n.txnProduce("tx", false, "a", 0, txnSent(p, 0, "x")).Err, kerr.InvalidTxnState)
	wantErr(t, n.txnProduce("", false, "a", 0, txnSent(p, 0, "x")).Err, kerr.InvalidTxnState)
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(other, 0, "x")).Err, kerr.InvalidProducerIDMapping)
	wantErr(t, get(t, n.AddPartitions("tx", p, []record.TopicPartition{tp("a", 0)}))[0], nil)
	wantErr(t, n.txnProduce("tx", false, "a", 1, txnSent(p, 0, "x")).Err, kerr.InvalidTxnState)
	wantErr(t, n.txnProduce("tx", false, "a", 0, txnSent(p, 0, "x")).Err, nil)
	wantErr(t, n.txnProduce("tx", false, "a", 0, sent(p, 1, "x")).Err, kerr.InvalidTxnState)
	wantErr(t, n.txnProduce("tx", true, "a", 1, txnSent(p, 0, "x")).Err, nil)
	if r := n.txnProduce("tx", false, "a", 0, txnSent(p, 0, "x")); r.Err != nil || r.BaseOffset != 0 {
		t.Errorf("a repetition answers %+v", r)
	}
	next := n.producer("tx") // fences p and aborts
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(p, 1, "x")).Err, kerr.InvalidProducerEpoch)
	wantErr(t, get(t, n.EndTxn("tx", p, true, false)).Err, kerr.ProducerFenced)
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(next, 0, "y")).Err, nil)
	n.end("tx", next, true, true)
	if got := values(n.read("a", 0, true)); !slices.Equal(got, []string{"y"}) {
		t.Errorf("committed reader sees %v", got)
	}
}

func TestAddPartitionsIsAllOrNothing(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	p := n.producer("tx")
	es := get(t, n.AddPartitions("tx", p, []record.TopicPartition{tp("a", 0), tp("none", 0)}))
	wantErr(t, es[0], kerr.OperationNotAttempted)
	wantErr(t, es[1], kerr.UnknownTopicOrPartition)
	wantErr(t, n.txnProduce("tx", false, "a", 0, txnSent(p, 0, "x")).Err, kerr.InvalidTxnState)
}

func TestTransactionTimesOut(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	p := n.producer("tx")
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(p, 0, "x")).Err, nil)
	n.eventually("it is aborted", func() bool { // the sequencer's timer alone must bring that; then time stands still, or the id is forgotten, too
		d, _ := n.DescribeTransaction("tx")
		if d.State == "Ongoing" {
			n.clock.Advance(30 * time.Second)
		}
		return d.State != "Ongoing"
	})
	n.eventually("the abort is shown", func() bool { return n.stable("a", 0) > 0 })
	if got := values(n.read("a", 0, true)); len(got) != 0 {
		t.Errorf("committed reader sees %v", got)
	}
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(p, 1, "x")).Err, kerr.InvalidProducerEpoch)
	wantErr(t, get(t, n.EndTxn("tx", p, true, true)).Err, kerr.ProducerFenced)
}

func TestTransactionOutlivesARestartAndADeletedTopic(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.topic("gone", 1, nil)
	p := n.producer("tx")
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(p, 0, "x")).Err, nil)
	wantErr(t, n.txnProduce("tx", true, "gone", 0, txnSent(p, 0, "x")).Err, nil)
	wantErr(t, get(t, n.DeleteTopics([]TopicRef{{Name: "gone"}}))[0].Err, nil)
	n = n.crash()
	n = n.restart()
	if got := n.stable("a", 0); got != 0 {
		t.Errorf("stable %d, want 0", got)
	}
	d, ok := n.DescribeTransaction("tx")
	if !ok || d.State != "Ongoing" || len(n.ListTransactions()) != 1 {
		t.Errorf("%+v %v", d, ok)
	}
	n.end("tx", p, true, true)
	if got := values(n.crash().read("a", 0, true)); !slices.Equal(got, []string{"x"}) {
		t.Errorf("committed reader sees %v", got)
	}
}

func TestEndTxnIsRepeatable(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	p := n.producer("tx")
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(p, 0, "x")).Err, nil)
	next := n.end("tx", p, true, true)
	end := n.stable("a", 0)
	if again := n.end("tx", p, true, true); again != next {
		t.Errorf("a repetition answers %v, the first %v", again, next)
	}
	if got := n.stable("a", 0); got != end {
		t.Errorf("a repetition moved the end from %d to %d", end, got)
	}
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(next, 0, "y")).Err, nil)
}

func TestOffsetsOfATransactionComeWithIt(t *testing.T) {
	n := newNode(t)
	n.topic("in", 1, nil)
	committed := func(n *node) group.Committed {
		t.Helper()
		return get(t, n.FetchOffsets("g", []record.TopicPartition{tp("in", 0)}))[tp("in", 0)]
	}
	commit := func(id string, p txn.Producer, at record.Offset, implicit bool) *kerr.Error {
		t.Helper()
		os := []group.OffsetCommit{{TopicPartition: tp("in", 0), Offset: at, LeaderEpoch: -1}}
		return get(t, n.CommitTxnOffsets(id, p, "g", group.Member{Generation: -1}, os, implicit))[0]
	}
	p := n.producer("tx")
	wantErr(t, commit("tx", p, 3, false), kerr.InvalidTxnState)
	wantErr(t, get(t, n.AddGroup("tx", p, "g")), nil)
	wantErr(t, commit("tx", p, 4, false), nil)
	if c := committed(n); c.Offset != -1 || !c.Pending {
		t.Errorf("%+v while the transaction is open", c)
	}
	if c := committed(n.crash()); c.Offset != -1 || !c.Pending {
		t.Errorf("%+v after a crash", c)
	}
	n.end("tx", p, false, false)
	if c := committed(n); c.Offset != -1 || c.Pending {
		t.Errorf("%+v after the abort", c)
	}
	wantErr(t, commit("tx", p, 5, true), nil)
	n.end("tx", p, true, false)
	for _, at := range n.everyWay() {
		if c := committed(at); c.Offset != 5 || c.Pending {
			t.Errorf("%+v after the commit", c)
		}
	}
}

func TestAnAdministratorAbortsWhatIsOpen(t *testing.T) {
	n := newNode(t)
	n.topic("t", 3, nil)
	p := n.producer("id")
	get(t, n.AddPartitions("id", p, []record.TopicPartition{tp("t", 0), tp("t", 1), tp("t", 2)}))
	for i := range int32(2) {
		r := get(t, n.Produce(Produce{TransactionalID: "id", Items: []ProduceItem{item("t", i, txnSent(p, 0, "x"))}}))[0]
		wantErr(t, r.Err, nil)
	}
	abort := func(partition int32, who txn.Producer) *kerr.Error {
		return get(t, n.AbortOpen(tp("t", partition), who))
	}
	wantErr(t, abort(9, p), kerr.UnknownTopicOrPartition)
	wantErr(t, abort(0, txn.Producer{ID: p.ID + 1}), nil) // never wrote here
	wantErr(t, abort(0, txn.Producer{ID: p.ID, Epoch: p.Epoch - 1}), kerr.InvalidProducerEpoch)
	if rows := n.read("t", 0, true); len(rows) != 0 {
		t.Fatalf("committed %v", values(rows))
	}
	wantErr(t, abort(0, p), nil)
	for at, n := range n.everyWay() {
		for i := range int32(2) { // the whole transaction, not only where it was asked for
			if a := n.ActiveProducers(tp("t", i)); len(a) != 1 || a[0].TxnStart != -1 || a[0].Producer.Epoch != p.Epoch+1 {
				t.Errorf("%s: partition %d: %+v", at, i, a)
			}
		}
		if got := get(t, n.EndTxn("id", p, true, false)); got.Err != kerr.ProducerFenced {
			t.Errorf("%s: the producer's commit: %v", at, got.Err)
		}
	}
}

// No request leads here; a transaction without an owner must be removable all the same.
func TestAnAdministratorEndsATransactionThatNobodyOwns(t *testing.T) {
	n := newNode(t)
	n.topic("t", 1, nil)
	p := n.producer("id")
	get(t, n.AddPartitions("id", p, []record.TopicPartition{tp("t", 0)}))
	wantErr(t, get(t, n.Produce(Produce{TransactionalID: "id", Items: []ProduceItem{item("t", 0, txnSent(p, 0, "x"))}}))[0].Err, nil)
	forget := submit(n.Broker, func(*stop) bool { return false }, func(s *sequencer) bool {
		s.st.txns = txn.New(txn.Options{})
		return true
	})
	get(t, forget)
	wantErr(t, get(t, n.AbortOpen(tp("t", 0), p)), nil)
	if a := n.ActiveProducers(tp("t", 0)); len(a) != 1 || a[0].TxnStart != -1 {
		t.Errorf("%+v", a)
	}
	if n.mustProduce("t", 0, plain("y")); len(n.read("t", 0, true)) != 1 {
		t.Errorf("committed %v", values(n.read("t", 0, true)))
	}
}
