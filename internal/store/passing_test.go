package store

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
)

// epochOf seals and commits what change does.
func epochOf(t *testing.T, table *Table[[]byte, string], change func()) {
	t.Helper()
	change()
	if err := table.Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }); err != nil {
		t.Fatal(err)
	}
	table.Commit()
}

// A session that grows leaves its old key behind with every record: the key must cost nothing once it is gone.
func TestKeysThatPassBetweenCheckpointsLeaveNothing(t *testing.T) {
	table := timedTable()
	epochOf(t, table, func() { table.Put(timedKey("saved", 1), "v", 1) })
	w := &countingWriter{}
	if err := table.Dirty()(w); err != nil {
		t.Fatal(err)
	}
	for i := range int64(1000) {
		epochOf(t, table, func() {
			table.Delete(timedKey("k", i))
			table.Put(timedKey("k", i+1), "v", record.Timestamp(i))
		})
	}
	if n := table.mu.rows.count; n != 2 {
		t.Errorf("%d keys in the index, want the two that are there", n)
	}
	epochOf(t, table, func() { table.Delete(timedKey("saved", 1)) })
	w = &countingWriter{}
	if err := table.Dirty()(w); err != nil {
		t.Fatal(err)
	}
	if w.puts != 1 || w.deletes != 1 {
		t.Errorf("the checkpoint writes %d rows and deletes %d, want the one that is new and the one that it had", w.puts, w.deletes)
	}
	if n := table.mu.rows.used; n > 10 {
		t.Errorf("%d rows were taken, want them used again", n)
	}
}

func TestCalendarForgetsKeysThatAreGone(t *testing.T) {
	table := timedTable()
	epochOf(t, table, func() { table.Put(timedKey("stays", 5), "v", 5) })
	for i := range 10_000 {
		key := timedKey("k", int64(i%10))
		epochOf(t, table, func() { table.Put(key, "v", 1) })
		epochOf(t, table, func() { table.Delete(key) })
	}
	ids, _ := table.calendar.days.Get(0)
	if cap(ids) > 4*leastTidied {
		t.Errorf("the day has room for %d rows after all but one are gone", cap(ids))
	}
	var seen []string
	table.Timed(0, 9, func(key []byte) bool {
		seen = append(seen, string(key))
		return true
	})
	if len(seen) != 1 || seen[0] != string(timedKey("stays", 5)) {
		t.Errorf("the day has %q", seen)
	}
}

type countingWriter struct{ puts, deletes int }

var _ kv.Writer = (*countingWriter)(nil)

func (w *countingWriter) Put(_, _ []byte) error { w.puts++; return nil }
func (w *countingWriter) Delete(_ []byte) error { w.deletes++; return nil }
