package store

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
)

func TestABudgetIsSharedByTables(t *testing.T) {
	b := NewBudget(1000)
	one, other := b.Share(), b.Share()
	small, large, idle := one.open("small"), other.open("large"), other.open("idle")
	small.set(100, 0)
	large.set(900, 100)
	if small.excess() != 0 || large.excess() != 0 || other.Crowded() {
		t.Error("a budget that is not exceeded presses")
	}
	large.set(1900, 510)
	if small.excess() != 0 || large.excess() < 900 || large.excess() > 1000 {
		t.Errorf("excess is %d and %d", small.excess(), large.excess())
	}
	if !other.Crowded() || !other.Over() || one.Crowded() {
		t.Error("only the share with rows that no checkpoint has needs one")
	}
	idle.set(5000, 0)
	if n := large.excess(); n > 1900-1000/3 {
		t.Errorf("a table at rest takes %d of the working one's equal share", n)
	}
	other.Release()
	if one.close("small"); b.Used() != 0 || b.tables.Load() != 0 {
		t.Errorf("%d bytes of %d tables are left", b.Used(), b.tables.Load())
	}
}

// The checkpoint is of the moment at which it was collected, though rows of the same size could be written in their places.
func TestACheckpointKeepsWhatItTookWhileRowsChange(t *testing.T) {
	db := kv.NewMemory()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	tb := newTable()
	put := func(v string) {
		tb.Put([]byte("k"), v, 1)
		seal(t, tb)
		tb.Commit()
	}
	put("old")
	part := CheckpointPart{Name: "last", Partition: 2, Next: 1, Rows: tb.Dirty()}
	put("new")
	must(t, c.Write([]CheckpointPart{part}))
	again := newTable()
	if _, _, err := c.Load(again); err != nil || get(again, "k") != "old @1" || get(tb, "k") != "new @1" {
		t.Errorf("%v: the checkpoint has %s, the table %s", err, get(again, "k"), get(tb, "k"))
	}
}

// A table that keeps to a budget of nothing, and a function that makes everything leave that may.
func spilling(t *testing.T, db kv.Store) (*Table[string, string], func()) {
	t.Helper()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	c = c.Within(NewBudget(1).Share())
	tb := newTable()
	_, _, err = c.Load(tb)
	must(t, err)
	return tb, func() {
		seal(t, tb)
		tb.Commit()
		must(t, c.Write([]CheckpointPart{{Name: "last", Partition: 2, Next: 1, Rows: tb.Dirty(), Done: tb.Done()}}))
		for range 3 {
			tb.last = 0
			tb.Commit()
		}
	}
}

func TestAKeyThatWasNowhereIsFoundWhenItHasLeft(t *testing.T) {
	tb, leave := spilling(t, kv.NewMemory())
	tb.Put([]byte("first"), "1", 1)
	leave()
	if got := get(tb, "k"); got != "none" {
		t.Fatal(got)
	}
	tb.Put([]byte("k"), "2", 2)
	leave()
	if n := tb.Len(); n != 0 {
		t.Fatalf("%d rows are in memory", n)
	}
	if got := get(tb, "k"); got != "2 @2" {
		t.Error(got)
	}
}

// unreadable fails all reads.
type unreadable struct{ kv.Store }

func (unreadable) Get([]byte) ([]byte, error) { return nil, errBad }

func (unreadable) GetAll([][]byte, func(int, []byte) error) error { return errBad }

func TestAnEpochBehindAReadThatFailedIsRefused(t *testing.T) {
	tb, leave := spilling(t, kv.NewMemory())
	tb.Put([]byte("k"), "1", 1)
	leave()
	tb.cold.db.db = unreadable{tb.cold.db.db}
	if _, _, err := NewView(tb).Get("k"); err == nil {
		t.Error("a view does not tell")
	}
	if got := get(tb, "k"); got != "none" {
		t.Error(got)
	}
	if err := tb.Seal(nil); err == nil {
		t.Error("the epoch was sealed")
	}
}

func TestViewsReadWhileRowsLeaveAndComeBack(t *testing.T) {
	tb, leave := spilling(t, kv.NewMemory())
	view := NewView(tb)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 300 {
			for _, k := range []string{"a", "b", "c", "d"} {
				get(tb, k)
				tb.Put([]byte(k), "v", 1)
			}
			if i%7 == 0 {
				tb.Delete([]byte("c"))
			}
			leave()
		}
	}()
	for {
		n := 0
		must(t, view.Scan(func(_, v string) bool { n++; return v == "v" }))
		if v, ok, err := view.Get("a"); err != nil || ok && v != "v" || n > 4 {
			t.Fatalf("%d rows, %q, %v", n, v, err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
