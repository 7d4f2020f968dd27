package broker

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/producer"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

func TestCheckpointRoundTrip(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, map[string]string{"segment.ms": "5"})
	n.topic("b", 1, nil)
	p := n.producer("tx")
	n.mustProduce("a", 0, sent(txn.Producer{ID: 77}, 0, "x"))
	wantErr(t, n.txnProduce("tx", true, "a", 0, txnSent(p, 0, "x")).Err, nil)
	p = n.end("tx", p, false, true)
	wantErr(t, n.txnProduce("tx", true, "a", 1, txnSent(p, 0, "x")).Err, nil)
	get(t, n.JoinGroup(join("g", "")))
	n.seq.mu.Lock()
	defer n.seq.mu.Unlock()
	body := n.seq.st.checkpoint(42, true).body
	st := newState(n.seq.st.home, n.Broker.o)
	lsn, clean, err := st.restore(body)
	if err != nil || lsn != 42 || !clean {
		t.Fatal(lsn, clean, err)
	}
	for number, want := range n.seq.st.parts {
		got := st.parts[number]
		if got == nil || got.TopicPartition != want.TopicPartition || got.next != want.next || got.start != want.start || got.topic != want.topic {
			t.Fatalf("partition %d: %+v, want %+v", number, got, want)
		}
		if len(got.producers) != len(want.producers) || len(got.open) != len(want.open) || len(got.aborted) != len(want.aborted) {
			t.Errorf("%v: producers %v, want %v", got.TopicPartition, got.producers, want.producers)
		}
	}
	if st.nextPart != n.seq.st.nextPart || st.clusterID != n.ClusterID() {
		t.Error("the header fields differ")
	}
	for i := range len(body) {
		if _, _, err := newState(n.seq.st.home, n.Broker.o).restore(body[:i]); err == nil {
			t.Errorf("a body cut at %d is taken", i)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	st := newState(logHome{}, Options{}.withDefaults())
	st.applyTopicCreated(frame.TopicCreated{Name: "a", ID: TopicID{1}, First: 1, Count: 2, Configs: map[string]string{}})
	p := st.parts[1]
	p.producers = map[int64]*producer.Past{3: {TxnFirst: -1, Batches: []producer.Sent{{First: 1, Last: 2, Base: 3, Appended: -1}}}}
	p.open = []openTxn{{3, 1}}
	p.aborted = []abortedTxn{{3, 1, 2, 3}}
	f.Add(st.checkpoint(5, true).body)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = newState(logHome{}, Options{}.withDefaults()).restore(b) // must return
	})
}

// FuzzFrame feeds bodies to a recovery with a topic of two partitions. Whatever they hold, it returns.
func FuzzFrame(f *testing.F) {
	f.Add(byte(frame.KindBatch), append(frame.AppendBatchHead(nil, 1, 0), plain("x")...))
	f.Add(byte(frame.KindTopicCreated), frame.TopicCreated{Name: "b", ID: TopicID{2}, First: 3, Count: 1, Configs: map[string]string{"a": "b"}}.Append(nil))
	f.Add(byte(frame.KindTxnEnded), frame.TxnEnded{Record: []byte("r"), Producer: 1, Markers: []frame.Marker{{Number: 1}}}.Append(nil))
	f.Add(byte(frame.KindEpoch), []byte{1, 1, 0, 0, 0})
	f.Add(byte(frame.KindFragment), []byte{1, byte(frame.KindUncleanStart)})
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		r := newRecovery(options(vfs.NewCrashable()).withDefaults())
		r.st.applyTopicCreated(frame.TopicCreated{Name: "a", ID: TopicID{1}, First: 1, Count: 2, Configs: map[string]string{}})
		switch frame.Kind(kind) {
		case frame.KindTopicCreated, frame.KindPartitionsAdded, frame.KindFragment: // the journal's CRC holds their counts: decoding is enough
			_, _ = frame.DecodeTopicCreated(body)
			_, _ = frame.DecodePartitionsAdded(body)
			return
		}
		_ = r.apply(frame.Kind(kind), body)
		for _, p := range r.st.parts {
			if p.next < record.Offset(len(p.pend)) {
				t.Errorf("%v ends at %d with %d batches", p.TopicPartition, p.next, len(p.pend))
			}
		}
	})
}
