package store

import (
	"fmt"
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
