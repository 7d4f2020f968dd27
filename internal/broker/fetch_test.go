package broker

import (
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestFetchBounds(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.topic("empty", 1, nil)
	n.mustProduce("a", 0, plain("0", "1", "2"))
	n.mustProduce("a", 0, plain("3", "4"))
	fetch := func(topic string, at record.Offset, maxBytes int) FetchResult {
		return n.Fetch(Fetch{Ref: TopicRef{Name: topic}, Offset: at, MaxBytes: maxBytes, LeaderEpoch: -1})
	}
	whole := len(fetch("a", 0, 1<<20).Batches)
	first := len(fetch("a", 1, 1).Batches)
	if first == 0 || first >= whole {
		t.Errorf("an offset inside a batch and one byte give %d of %d bytes, want the whole first batch", first, whole)
	}
	if got := len(fetch("a", 3, 1<<20).Batches); got != whole-first {
		t.Errorf("the second batch has %d bytes, want %d", got, whole-first)
	}
	tests := []struct {
		topic string
		at    record.Offset
		want  *kerr.Error
	}{
		{"a", 5, nil},
		{"a", 6, kerr.OffsetOutOfRange},
		{"a", -1, kerr.OffsetOutOfRange},
		{"empty", 0, nil},
		{"empty", 1, kerr.OffsetOutOfRange},
		{"none", 0, kerr.UnknownTopicOrPartition},
	}
	for _, test := range tests {
		r := fetch(test.topic, test.at, 100)
		wantErr(t, r.Err, test.want)
		if len(r.Batches) > 0 {
			t.Errorf("%s at %d gives bytes", test.topic, test.at)
		}
		if test.topic == "a" && (r.HighWatermark != 5 || r.LastStable != 5 || r.LogStart != 0) {
			t.Errorf("%s at %d: %+v", test.topic, test.at, r)
		}
	}
	wantErr(t, n.Fetch(Fetch{Ref: TopicRef{Name: "a"}, Partition: 1}).Err, kerr.UnknownTopicOrPartition)
}

func TestDeleteRecords(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.topic("kept", 1, map[string]string{"cleanup.policy": "compact"})
	for range 10 {
		n.mustProduce("a", 0, plain("x", "y"))
	}
	wantErr(t, get(t, n.DeleteRecords(tp("none", 0), 1)).Err, kerr.UnknownTopicOrPartition)
	wantErr(t, get(t, n.DeleteRecords(tp("kept", 0), 0)).Err, kerr.PolicyViolation)
	wantErr(t, get(t, n.DeleteRecords(tp("a", 0), 21)).Err, kerr.OffsetOutOfRange)
	wantErr(t, get(t, n.DeleteRecords(tp("a", 0), -2)).Err, kerr.OffsetOutOfRange)
	if r := get(t, n.DeleteRecords(tp("a", 0), 5)); r.Err != nil || r.Offset != 5 {
		t.Errorf("%+v", r)
	}
	for _, at := range n.everyWay() {
		wantErr(t, at.Fetch(Fetch{Ref: TopicRef{Name: "a"}, Offset: 4, LeaderEpoch: -1}).Err, kerr.OffsetOutOfRange)
		r := at.Fetch(Fetch{Ref: TopicRef{Name: "a"}, Offset: 5, LeaderEpoch: -1})
		if r.Err != nil || r.LogStart != 5 || len(r.Batches) == 0 {
			t.Errorf("fetch at the start: %+v", r)
		}
		if got := at.ListOffset(TopicRef{Name: "a"}, 0, atStart, false).Offset; got != 5 {
			t.Errorf("start %d", got)
		}
		if got := len(at.read("a", 0, false)); got != 15 {
			t.Errorf("%d records, want 15", got)
		}
	}
	n = n.crash()
	if r := get(t, n.DeleteRecords(tp("a", 0), -1)); r.Err != nil || r.Offset != 20 {
		t.Errorf("%+v", r)
	}
	n = n.restart()
	n.mustProduce("a", 0, plain("z"))
	if got := n.read("a", 0, false); len(got) != 1 || got[0].offset != 20 {
		t.Errorf("%v", got)
	}
}

func TestWatch(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, nil)
	w := n.Watch([]record.TopicPartition{tp("a", 0), tp("none", 0)})
	n.mustProduce("a", 1, plain("x"))
	select {
	case <-w.C:
		t.Error("woken by another partition")
	default:
	}
	n.mustProduce("a", 0, plain("x"))
	n.mustProduce("a", 0, plain("x"))
	select {
	case <-w.C:
	default:
		t.Error("not woken")
	}
	n.Unwatch(w)
	n.mustProduce("a", 0, plain("x"))
	select {
	case <-w.C:
		t.Error("woken after Unwatch")
	default:
	}
}

func TestLeaderEpochs(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.mustProduce("a", 0, plain("0", "1"))
	n = n.restart()
	if got := n.LeaderEpoch(tp("a", 0)); got != 0 {
		t.Errorf("epoch %d after a clean restart, want 0", got)
	}
	n.mustProduce("a", 0, plain("2"))
	n = n.crash().crash()
	if got := n.LeaderEpoch(tp("a", 0)); got != 2 {
		t.Errorf("epoch %d after two crashes, want 2", got)
	}
	n.mustProduce("a", 0, plain("3"))
	n = n.crash().restart()
	if got := n.LeaderEpoch(tp("none", 0)); got != -1 {
		t.Errorf("epoch %d of an unknown partition", got)
	}
	fetch := func(epoch int32) *kerr.Error {
		return n.Fetch(Fetch{Ref: TopicRef{Name: "a"}, LeaderEpoch: epoch}).Err
	}
	wantErr(t, fetch(-1), nil)
	wantErr(t, fetch(3), nil)
	wantErr(t, fetch(2), kerr.FencedLeaderEpoch)
	wantErr(t, fetch(4), kerr.UnknownLeaderEpoch)
	for _, want := range []struct {
		ask, epoch int32
		end        record.Offset
	}{{0, 0, 3}, {1, 0, 3}, {2, 2, 4}, {3, 3, 4}, {4, -1, -1}, {-1, -1, -1}} {
		if got := n.EndOfEpoch(tp("a", 0), want.ask); got.Err != nil || got.Offset != want.end || got.LeaderEpoch != want.epoch {
			t.Errorf("epoch %d: %+v, want epoch %d to %d", want.ask, got, want.epoch, want.end)
		}
	}
	if got := n.ListOffset(TopicRef{Name: "a"}, 0, testTime.UnixMilli(), false); got.Offset != 0 || got.LeaderEpoch != 0 {
		t.Errorf("%+v", got)
	}
}

func TestListOffset(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.topic("empty", 1, nil)
	n.mustProduce("a", 0, plain("0", "1", "2"))
	at := testTime.UnixMilli()
	tests := []struct {
		topic string
		ts    int64
		want  OffsetResult
	}{
		{"a", atEnd, OffsetResult{3, -1, 0, nil}},
		{"a", atStart, OffsetResult{0, -1, 0, nil}},
		{"a", atMaxTimestamp, OffsetResult{2, record.Timestamp(at + 2), 0, nil}},
		{"a", atLocalStart, OffsetResult{0, -1, 0, nil}},
		{"a", atLastTiered, OffsetResult{-1, -1, -1, nil}},
		{"a", at + 1, OffsetResult{1, record.Timestamp(at + 1), 0, nil}},
		{"a", 0, OffsetResult{0, record.Timestamp(at), 0, nil}},
		{"a", at + 3, OffsetResult{-1, -1, -1, nil}},
		{"a", -77, OffsetResult{-1, -1, -1, nil}},
		{"empty", atEnd, OffsetResult{0, -1, 0, nil}},
		{"empty", atMaxTimestamp, OffsetResult{-1, -1, -1, nil}},
		{"empty", 0, OffsetResult{-1, -1, -1, nil}},
		{"none", 0, OffsetResult{-1, -1, -1, kerr.UnknownTopicOrPartition}},
	}
	for _, test := range tests {
		if got := n.ListOffset(TopicRef{Name: test.topic}, 0, test.ts, true); got != test.want {
			t.Errorf("%s at %d: %+v, want %+v", test.topic, test.ts, got, test.want)
		}
	}
	if n.LogSize(tp("a", 0)) <= 0 || n.LogSize(tp("empty", 0)) != 0 || n.LogSize(tp("none", 0)) != -1 {
		t.Error("log sizes are wrong")
	}
}
