package epoch

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"pgregory.net/rapid"
)

var tp = record.TopicPartition{Topic: "t", Partition: 3}

func pool(maxBytes int) *Pool {
	return NewPool(func(record.TopicPartition) (Rules, error) { return Rules{MaxBytes: maxBytes}, nil })
}

// values reads the batches back, and checks each.
func values(t interface{ Fatalf(string, ...any) }, bs []Batch) []string {
	var out []string
	for _, b := range bs {
		if err := b.Bytes.Validate(1 << 20); err != nil {
			t.Fatalf("%v", err)
		}
		var r batch.Reader
		if err := r.Reset(b.Bytes, 1<<20); err != nil {
			t.Fatalf("%v", err)
		}
		for r.Next() {
			out = append(out, fmt.Sprintf("%d %s=%s %v", r.Timestamp, r.Key, r.Value, headersOf(&r)))
		}
	}
	return out
}

func TestBatchesAreCutAtTheLimitAndKeepEveryRecord(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(200, 2000).Draw(rt, "limit")
		e := pool(limit).Get()
		var want []string
		for i := range rapid.IntRange(1, 60).Draw(rt, "records") {
			v := bytes.Repeat([]byte("x"), rapid.IntRange(0, 400).Draw(rt, "size"))
			err := e.Append(tp, record.Timestamp(i), []byte("k"), v, nil)
			if errors.Is(err, client.ErrTooLarge) {
				if len(v)+100 < limit {
					rt.Fatalf("%d bytes refused at a limit of %d", len(v), limit)
				}
				continue
			}
			if err != nil {
				rt.Fatalf("%v", err)
			}
			want = append(want, fmt.Sprintf("%d k=%s []", i, v))
		}
		if e.Count() != len(want) {
			rt.Fatalf("Count is %d, want %d", e.Count(), len(want))
		}
		bs := e.take()
		for _, b := range bs {
			if len(b.Bytes) > limit {
				rt.Fatalf("a batch of %d bytes at a limit of %d", len(b.Bytes), limit)
			}
		}
		if got := values(rt, bs); !slices.Equal(got, want) {
			rt.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestARefusedRecordLeavesTheEpochAsItWas(t *testing.T) {
	e := pool(500).Get()
	for _, v := range []int{100, 1000, 100} {
		err := e.Append(tp, 1, nil, make([]byte, v), nil)
		if (v > 500) != errors.Is(err, client.ErrTooLarge) {
			t.Errorf("%d bytes: %v", v, err)
		}
	}
	if got := len(values(t, e.take())); got != 2 {
		t.Errorf("%d records", got)
	}
}

func TestAnEpochIsUsedAgainWithoutWhatItHeld(t *testing.T) {
	asked := 0
	p := NewPool(func(record.TopicPartition) (Rules, error) { asked++; return Rules{}, nil })
	for i := range 3 {
		ce := client.Epoch(p.Get())
		if ce.Count() != 0 || ce.Size() != 0 {
			t.Errorf("round %d starts with %d records, %d bytes", i, ce.Count(), ce.Size())
		}
		if err := ce.Append(tp, 1, nil, []byte(fmt.Sprint(i)), nil); err != nil {
			t.Fatal(err)
		}
		e, bs, err := p.Take(ce)
		if err != nil || !slices.Equal(values(t, bs), []string{fmt.Sprintf("1 =%d []", i)}) {
			t.Errorf("round %d: %v, %v", i, values(t, bs), err)
		}
		if _, _, err := p.Take(ce); !errors.Is(err, ErrForeign) {
			t.Errorf("taken twice: %v", err)
		}
		if err := ce.Append(tp, 1, nil, nil, nil); !errors.Is(err, ErrForeign) {
			t.Errorf("filled after it was taken: %v", err)
		}
		if i == 1 {
			p.Forget()
		}
		p.Put(e)
	}
	if asked != 2 {
		t.Errorf("rules were asked for %d times, want once and once more after Forget", asked)
	}
}

func TestAStampIsReadBackAndKeepsTheBatchValid(t *testing.T) {
	e := pool(0).Get()
	for range 3 {
		_ = e.Append(tp, 5, []byte("k"), []byte("v"), nil)
	}
	b := e.take()[0]
	b.Stamp(1<<40, 7, 2147483646)
	b.Stamp(1<<41, 8, 2147483647)
	v := b.Bytes
	if err := v.Validate(1 << 20); err != nil {
		t.Error(err)
	}
	if v.ProducerID() != 1<<41 || v.ProducerEpoch() != 8 || v.BaseSequence() != 2147483647 || v.LastSequence() != 1 || !v.Transactional() || v.Control() {
		t.Errorf("producer %d, epoch %d, sequences %d to %d, transactional %v", v.ProducerID(), v.ProducerEpoch(), v.BaseSequence(), v.LastSequence(), v.Transactional())
	}
}

func TestHalvesHoldTheSameRecords(t *testing.T) {
	for n := 1; n < 8; n++ {
		e := pool(0).Get()
		for i := range n {
			_ = e.Append(tp, record.Timestamp(10+i), []byte("k"), []byte(fmt.Sprint(i)), []record.Header{{Key: "h", Value: []byte{byte('a' + i)}}})
		}
		b := e.take()[0]
		b.Stamp(1, 1, 1)
		halves, err := b.Halve()
		if err != nil || (n == 1) != (len(halves) == 1) {
			t.Fatalf("%d records: %d halves, %v", n, len(halves), err)
		}
		if got, want := values(t, halves), values(t, []Batch{b}); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}
