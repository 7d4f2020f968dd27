package epoch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

var (
	own   = record.TopicPartition{Topic: "app-store-changelog"}
	users = record.TopicPartition{Topic: "out"}
)

// compressing is a pool that compresses what goes to own.
func compressing() *Pool {
	return NewPool(func(tp record.TopicPartition) (Rules, error) {
		if tp == own {
			return Rules{Codec: batch.Snappy, Times: 2}, nil
		}
		return Rules{}, nil
	})
}

var text = strings.Repeat(`{"customerId":17,"payments":[]}`, 100)

func noise() string {
	b := make([]byte, len(text))
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

// one makes an epoch of a record and returns its batch.
func one(t *testing.T, p *Pool, tp record.TopicPartition, value string) Batch {
	t.Helper()
	ce := p.Get()
	if err := ce.Append(tp, 5, []byte("k"), []byte(value), nil); err != nil {
		t.Fatal(err)
	}
	e, bs, err := p.Take(ce)
	if err != nil || len(bs) != 1 || !bs[0].Keyed || !slices.Equal(values(t, bs), []string{fmt.Sprintf("5 k=%s []", value)}) {
		t.Fatalf("%d batches, %v", len(bs), err)
	}
	p.Put(e)
	return bs[0]
}

func TestOnlyBatchesThatSayAndAreWorthItAreCompressed(t *testing.T) {
	p := compressing()
	for _, c := range []struct {
		tp    record.TopicPartition
		value string
		want  batch.Codec
	}{{own, text, batch.Snappy}, {users, text, batch.None}, {own, text[:500], batch.None}, {own, text, batch.Snappy}, {own, noise(), batch.None}} {
		if got := one(t, p, c.tp, c.value).Bytes.Codec(); got != c.want {
			t.Errorf("%d bytes to %s are written with codec %d, want %d", len(c.value), c.tp, got, c.want)
		}
	}
	for i := range plainRun { // nobody tries again at once
		if got := one(t, p, own, text).Bytes.Codec(); got != batch.None {
			t.Errorf("batch %d behind noise is written with codec %d", i, got)
		}
	}
	if got := one(t, p, own, text).Bytes.Codec(); got != batch.Snappy {
		t.Errorf("codec %d after a run of plain batches", got)
	}
}

func TestFullBatchesAreCompressedInTheirOrderAndMemoryIsUsedAgain(t *testing.T) {
	p := compressing()
	for round := range 3 {
		ce := p.Get()
		var want []string
		for i := range 600 {
			v := fmt.Sprint(round, " ", i, " ", text)
			if err := ce.Append(own, record.Timestamp(i), nil, []byte(v), nil); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("%d =%s []", i, v))
		}
		e, bs, err := p.Take(ce)
		if err != nil || len(bs) != 4 || !slices.Equal(values(t, bs), want) {
			t.Fatalf("round %d: %d batches, %v", round, len(bs), err)
		}
		for _, b := range bs {
			if b.Bytes.Codec() != batch.Snappy || b.Keyed {
				t.Errorf("round %d: a batch with codec %d, keyed %v", round, b.Bytes.Codec(), b.Keyed)
			}
		}
		p.Recycle(e, bs)
	}
}

func TestHalvesOfACompressedBatchAreCompressed(t *testing.T) {
	e := compressing().Get()
	for i := range 4 {
		_ = e.Append(own, record.Timestamp(i), []byte("k"), []byte(fmt.Sprint(i, text)), nil)
	}
	b := e.take()[0]
	halves, err := b.Halve()
	if err != nil || len(halves) != 2 || !slices.Equal(values(t, halves), values(t, []Batch{b})) {
		t.Fatalf("%d halves, %v", len(halves), err)
	}
	for _, h := range halves {
		if h.Bytes.Codec() != batch.Snappy || !h.Keyed {
			t.Errorf("codec %d, keyed %v", h.Bytes.Codec(), h.Keyed)
		}
	}
}
