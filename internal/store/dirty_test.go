package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
)

// So many rows change that there is no list of them; some are deleted again, of which the checkpoint has a few. Then a few change.
func TestACheckpointHasAllOfManyChanges(t *testing.T) {
	c, err := OpenCheckpoints(kv.NewMemory(), "app")
	must(t, err)
	tb, want := newTable(), map[string]string{}
	put := func(i int, v string) {
		tb.Put(fmt.Append(nil, "key ", i), v, 1)
		want[fmt.Sprint("key ", i)] = v + " @1"
	}
	remove := func(i int) {
		tb.Delete(fmt.Append(nil, "key ", i))
		delete(want, fmt.Sprint("key ", i))
	}
	checkpoint := func(listed bool) {
		t.Helper()
		seal(t, tb)
		tb.Commit()
		if tb.dirty.all == listed {
			t.Errorf("%d changes are listed: %v", tb.dirty.count, !listed)
		}
		must(t, c.Write([]CheckpointPart{{Name: "last", Partition: 2, Next: 1, Rows: tb.Dirty(), Done: tb.Done()}}))
		if tb.dirty.count != 0 || tb.Dirty() != nil {
			t.Errorf("%d rows are still dirty", tb.dirty.count)
		}
		again := newTable()
		_, _, err := c.Load(again)
		must(t, err)
		if again.Len() != len(want) {
			t.Errorf("the checkpoint has %d rows, want %d", again.Len(), len(want))
		}
		for k, v := range want {
			if got := get(again, k); got != v {
				t.Fatalf("%s is %s in the checkpoint, want %s", k, got, v)
			}
		}
	}
	for i := range 100 {
		put(i, "old")
	}
	checkpoint(true)
	for i := range keptDirty + 1000 {
		put(i, "new")
	}
	seal(t, tb)
	tb.Commit()
	for i := range 50 { // the checkpoint has them
		remove(i)
	}
	for i := keptDirty; i < keptDirty+1000; i++ { // it has never seen them
		remove(i)
	}
	put(keptDirty, "back")
	checkpoint(false)
	put(7, "newest")
	remove(60)
	checkpoint(true)
}

// orderedWriter sees that keys come in their order.
type orderedWriter struct {
	t    *testing.T
	last []byte
	rows map[string]string
}

func (w *orderedWriter) Put(key, value []byte) error {
	if w.last != nil && bytes.Compare(w.last, key) >= 0 {
		w.t.Fatalf("%q comes after %q", key, w.last)
	}
	w.last = bytes.Clone(key)
	w.rows[string(key)] = string(value[1:]) // behind the time
	return nil
}

func (w *orderedWriter) Delete([]byte) error { return nil }

// A checkpoint's rows come in the order of their keys, with their own values: whatever the keys begin with, and where they differ.
func TestACheckpointIsInTheOrderOfTheKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(most, letters int) string {
		b := make([]byte, r.IntN(most+1))
		for i := range b {
			b[i] = byte(r.IntN(letters)) * 0x7f
		}
		return string(b)
	}
	for _, shared := range []string{"", "c", "eight by", "customers of one shop "} {
		for _, most := range []int{2, 8, 20} {
			tb, want := newTable(), map[string]string{}
			for i := range 3000 {
				key := shared + text(most, 3)
				if r.IntN(100) == 0 {
					key = shared[:r.IntN(len(shared)+1)]
				}
				want[key] = fmt.Sprint("value ", i, strings.Repeat(".", r.IntN(30)))
				tb.Put([]byte(key), want[key], 1)
			}
			seal(t, tb)
			tb.Commit()
			w := &orderedWriter{t: t, rows: map[string]string{}}
			must(t, tb.Dirty()(w))
			if len(w.rows) != len(want) {
				t.Errorf("%d rows come, want %d", len(w.rows), len(want))
			}
			for key, value := range want {
				if w.rows[key] != value {
					t.Fatalf("%q has %q, want %q", key, w.rows[key], value)
				}
			}
		}
	}
}
