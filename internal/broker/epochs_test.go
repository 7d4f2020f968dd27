package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

func epoch(at record.Offset, batches ...EpochBatch) Epoch {
	return Epoch{Batches: batches, Offsets: []group.OffsetCommit{{TopicPartition: tp("in", 0), Offset: at, LeaderEpoch: -1}}}
}

func out(topic string, partition int32, values ...string) EpochBatch {
	return EpochBatch{TopicPartition: tp(topic, partition), Bytes: plain(values...)}
}

func (n *node) committed(g string) record.Offset {
	n.t.Helper()
	return get(n.t, n.FetchOffsets(g, []record.TopicPartition{tp("in", 0)}))[tp("in", 0)].Offset
}

func TestEpochIsOneStep(t *testing.T) {
	n := newNode(t)
	n.topic("in", 1, nil)
	n.topic("out", 2, nil)
	w := n.OpenEpochs("app")
	n.mustProduce("out", 1, plain("x"))
	r := get(t, w.Append(epoch(7, out("out", 0, "a", "b"), out("out", 1, "c"), out("out", 0, "d"))))
	if r.Err != nil || fmt.Sprint(r.Bases) != "[0 1 2]" {
		t.Fatalf("%+v", r)
	}
	if r := get(t, w.Append(Epoch{})); r.Err != nil || len(r.Bases) != 0 {
		t.Errorf("an empty epoch: %+v", r)
	}
	for _, at := range n.everyWay() {
		if got := fmt.Sprint(values(at.read("out", 0, true)), values(at.read("out", 1, true))); got != "[a b d] [x c]" {
			t.Errorf("partitions hold %s", got)
		}
		if got := at.committed("app"); got != 7 {
			t.Errorf("committed %d, want 7", got)
		}
	}
}

func TestEpochIsRefusedAsAWhole(t *testing.T) {
	n := newNode(t)
	n.topic("in", 1, nil)
	n.topic("out", 1, map[string]string{"max.message.bytes": "200"})
	w := n.OpenEpochs("app")
	broken := plain("x")
	broken[len(broken)-1] ^= 1
	tests := []struct {
		about string
		e     Epoch
		want  *kerr.Error
	}{
		{"unknown topic", epoch(1, out("out", 0, "x"), out("none", 0, "x")), kerr.UnknownTopicOrPartition},
		{"unknown partition", epoch(1, out("out", 0, "x"), out("out", 1, "x")), kerr.UnknownTopicOrPartition},
		{"too large", epoch(1, out("out", 0, "x"), out("out", 0, strings.Repeat("x", 200))), kerr.MessageTooLarge},
		{"damaged", epoch(1, out("out", 0, "x"), EpochBatch{TopicPartition: tp("out", 0), Bytes: broken}), kerr.CorruptMessage},
		{"with a producer", epoch(1, EpochBatch{TopicPartition: tp("out", 0), Bytes: sent(txn.Producer{ID: 3}, 0, "x")}), kerr.InvalidRecord},
		{"offset of an unknown topic", Epoch{
			Batches: []EpochBatch{out("out", 0, "x")},
			Offsets: []group.OffsetCommit{{TopicPartition: tp("in", 0), Offset: 1}, {TopicPartition: tp("none", 0), Offset: 1}},
		}, kerr.UnknownTopicOrPartition},
		{"offset with endless metadata", Epoch{
			Batches: []EpochBatch{out("out", 0, "x")},
			Offsets: []group.OffsetCommit{{TopicPartition: tp("in", 0), Offset: 1}, {TopicPartition: tp("in", 0), Offset: 1, Metadata: strings.Repeat("m", 5000)}},
		}, kerr.OffsetMetadataTooLarge},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			r := get(t, w.Append(test.e))
			wantErr(t, r.Err, test.want)
			if r.Detail == "" || r.Bases != nil {
				t.Errorf("%+v", r)
			}
			if rows := n.read("out", 0, false); len(rows) != 0 || n.committed("app") != -1 {
				t.Errorf("a refused epoch left %v and the offset %d", rows, n.committed("app"))
			}
		})
	}
	if d := get(t, w.Append(epoch(1, out("out", 0, strings.Repeat("x", 200))))).Detail; !strings.Contains(d, "out/0") {
		t.Errorf("the refusal does not name the partition: %s", d)
	}
}

func TestNewerEpochWriterFencesTheOlder(t *testing.T) {
	n := newNode(t)
	n.topic("in", 1, nil)
	n.topic("out", 1, nil)
	older, other := n.OpenEpochs("app"), n.OpenEpochs("other")
	wantErr(t, get(t, older.Append(epoch(1, out("out", 0, "x")))).Err, nil)
	newer := n.OpenEpochs("app")
	wantErr(t, get(t, older.Append(epoch(2, out("out", 0, "y")))).Err, kerr.ProducerFenced)
	wantErr(t, get(t, newer.Append(epoch(2, out("out", 0, "z")))).Err, nil)
	wantErr(t, get(t, other.Append(epoch(9))).Err, nil)
	if got := fmt.Sprint(values(n.read("out", 0, true)), n.committed("app"), n.committed("other")); got != "[x z] 2 9" {
		t.Errorf("got %s", got)
	}
}

func TestEpochLargerThanAJournalFile(t *testing.T) {
	n := newNode(t)
	n.topic("in", 1, nil)
	n.topic("out", 4, nil)
	w := n.OpenEpochs("app")
	e := epoch(5)
	for i := range 40 {
		e.Batches = append(e.Batches, out("out", int32(i%4), strings.Repeat("x", 20_000)))
	}
	wantErr(t, get(t, w.Append(e)).Err, nil)
	for _, at := range n.everyWay() {
		for p := range int32(4) {
			if got := len(at.read("out", p, true)); got != 10 {
				t.Errorf("partition %d holds %d records, want 10", p, got)
			}
		}
		if at.committed("app") != 5 {
			t.Errorf("committed %d", at.committed("app"))
		}
	}
}

func TestLargeBatchesComeBackFromTheJournal(t *testing.T) {
	o := options(vfs.NewCrashable())
	o.JournalFileSize = 1 << 20 // so that they need no fragments
	n := boot(t, o)
	n.topic("in", 1, nil)
	n.topic("out", 2, nil)
	large := func(s string) string { return strings.Repeat(s, 50_000) }
	n.mustProduce("out", 1, plain(large("a"), "small"))
	r := get(t, n.OpenEpochs("app").Append(epoch(5, out("out", 0, large("b")), out("out", 1, "little"), out("out", 1, large("c")), out("out", 0, "tiny"))))
	wantErr(t, r.Err, nil)
	want := []string{large("b"), "tiny", large("a"), "small", "little", large("c")}
	for way, at := range n.everyWay() {
		if got := append(values(at.read("out", 0, true)), values(at.read("out", 1, true))...); !slices.Equal(got, want) || at.committed("app") != 5 {
			t.Errorf("%s: %d records came back, or others, and the offset %d", way, len(got), at.committed("app"))
		}
	}
}
