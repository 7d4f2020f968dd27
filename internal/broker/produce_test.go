package broker

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestProduceAndFetch(t *testing.T) {
	n := newNode(t)
	topic := n.topic("a", 2, nil)
	if at := n.mustProduce("a", 0, plain("x", "y")); at != 0 {
		t.Errorf("first batch at %d", at)
	}
	if at := n.mustProduce("a", 0, plain("z")); at != 2 {
		t.Errorf("second batch at %d", at)
	}
	byID := get(t, n.Produce(Produce{Items: []ProduceItem{
		{Ref: TopicRef{ID: topic.ID}, Partition: 1, Bytes: plain("w")},
		{Ref: TopicRef{ID: TopicID{9}}, Partition: 1, Bytes: plain("w")},
		item("a", 2, plain("w")), item("a", -1, plain("w")), item("b", 0, plain("w")),
	}}))
	wantErr(t, byID[0].Err, nil)
	wantErr(t, byID[1].Err, kerr.UnknownTopicID)
	for _, r := range byID[2:] {
		wantErr(t, r.Err, kerr.UnknownTopicOrPartition)
		if r.BaseOffset != -1 {
			t.Errorf("a refused batch has offset %d", r.BaseOffset)
		}
	}
	for _, at := range n.everyWay() {
		if got := values(at.read("a", 0, false)); !slices.Equal(got, []string{"x", "y", "z"}) {
			t.Errorf("partition 0 holds %v", got)
		}
		if got := values(at.read("a", 1, true)); !slices.Equal(got, []string{"w"}) {
			t.Errorf("partition 1 holds %v", got)
		}
	}
	if got := get(t, n.crash().Produce(Produce{})); len(got) != 0 {
		t.Errorf("an empty request has %d results", len(got))
	}
}

func TestProduceRefusesBadBatches(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, map[string]string{"max.message.bytes": "500"})
	n.topic("keyed", 1, map[string]string{"cleanup.policy": "compact"})
	n.topic("fresh", 1, map[string]string{"message.timestamp.before.max.ms": "1000"})
	flipped := plain("x")
	flipped[len(flipped)-1] ^= 1
	old := plain("x")
	old[16] = 1
	var keyless batch.Builder
	keyless.Reset(batch.Params{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
	keyless.Append(record.Timestamp(testTime.UnixMilli()), []byte("k"), nil, nil)
	keyless.Append(record.Timestamp(testTime.UnixMilli()), nil, []byte("v"), nil)
	stamped := func(ms ...int64) []byte {
		var b batch.Builder
		b.Reset(batch.Params{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
		for _, m := range ms {
			b.Append(record.Timestamp(testTime.UnixMilli()+m), []byte("k"), nil, nil)
		}
		return b.AppendTo(nil)
	}
	tests := []struct {
		about, topic string
		bytes        []byte
		want         *kerr.Error
	}{
		{"empty", "a", nil, kerr.InvalidRecord},
		{"short", "a", plain("x")[:40], kerr.CorruptMessage},
		{"flipped bit", "a", flipped, kerr.CorruptMessage},
		{"magic 1", "a", old, kerr.InvalidRecord},
		{"two batches", "a", append(plain("x"), plain("y")...), kerr.InvalidRecord},
		{"too large", "a", plain(strings.Repeat("x", 500)), kerr.MessageTooLarge},
		{"control", "a", batch.EndMarker(1, 1, true, 0, 0), kerr.InvalidRecord},
		{"producer without sequence", "a", build(batch.Params{ProducerID: 4, ProducerEpoch: 0, BaseSequence: -1}, "x"), kerr.InvalidRecord},
		{"transactional without producer", "a", build(batch.Params{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Transactional: true}, "x"), kerr.InvalidRecord},
		{"no records", "a", build(batch.Params{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}), kerr.InvalidRecord},
		{"keyless in a compacted topic", "keyed", keyless.AppendTo(nil), kerr.InvalidRecord},
		{"far ahead", "a", stamped(3600_001), kerr.InvalidTimestamp},
		{"a little ahead", "a", stamped(3599_000), nil},
		{"long ago", "a", stamped(-1 << 40), nil},
		{"too long ago", "fresh", stamped(0, -1001, 0), kerr.InvalidTimestamp},
		{"young enough", "fresh", stamped(0, -1000, 0), nil},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			before := n.ListOffset(TopicRef{Name: test.topic}, 0, atEnd, false).Offset
			r := n.produce(test.topic, 0, test.bytes)
			wantErr(t, r.Err, test.want)
			after := n.ListOffset(TopicRef{Name: test.topic}, 0, atEnd, false).Offset
			if (r.Err != nil) != (before == after) {
				t.Errorf("error %v (%s), the end moved from %d to %d", r.Err, r.Detail, before, after)
			}
		})
	}
}

func TestLogAppendTime(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	n.clock.Advance(5000e6)
	p := n.producer("")
	first := n.produce("a", 0, sent(p, 0, "x"))
	want := record.Timestamp(testTime.UnixMilli() + 5000)
	if first.AppendTime != want {
		t.Errorf("append time %d, want %d", first.AppendTime, want)
	}
	n.clock.Advance(5000e6)
	if again := n.produce("a", 0, sent(p, 0, "x")); again.Err != nil || again.AppendTime != want || again.BaseOffset != first.BaseOffset {
		t.Errorf("a repetition answers %+v, the first was %+v", again, first)
	}
	v, _, err := batch.Next(n.Fetch(Fetch{Ref: TopicRef{Name: "a"}, LeaderEpoch: -1}).Batches)
	if err != nil || v.CheckCRC() != nil || !v.LogAppendTime() || v.MaxTimestamp() != want {
		t.Errorf("the stored batch is not stamped: %v", err)
	}
}

func TestRequestsOfOneCallerKeepTheirOrder(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	p := n.producer("")
	var fs []*Future[[]ProduceResult]
	for i := range int32(200) {
		fs = append(fs, n.Produce(Produce{Items: []ProduceItem{item("a", 0, sent(p, i, "x"))}}))
	}
	for i, f := range fs {
		if r := get(t, f)[0]; r.Err != nil || r.BaseOffset != record.Offset(i) {
			t.Fatalf("batch %d: %+v", i, r)
		}
	}
}

func TestManyCallersWithASmallBudget(t *testing.T) {
	o := options(newNode(t).o.FS)
	o.Dir, o.MaxInFlight = "other", 600
	n := boot(t, o)
	n.topic("a", 1, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				n.Produce(Produce{Items: []ProduceItem{item("a", 0, plain("x"))}})
			}
			get(t, n.Produce(Produce{Items: []ProduceItem{item("a", 0, plain(strings.Repeat("y", 2000)))}}))
		})
	}
	wg.Wait()
	if got := n.ListOffset(TopicRef{Name: "a"}, 0, atEnd, false).Offset; got < 8 {
		t.Errorf("end %d", got)
	}
	n = n.restart()
	if got := n.ListOffset(TopicRef{Name: "a"}, 0, atEnd, false).Offset; got != 8*51 {
		t.Errorf("end %d, want %d", got, 8*51)
	}
}
