package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

func newTimed() *Table[int64, int64] {
	return NewTable(Options[int64, int64]{
		Name: "timed", Key: serde.Int64, Value: serde.Int64, Day: 10, Retention: 100,
		Time: func(key []byte) record.Timestamp { return record.Timestamp(binary.BigEndian.Uint64(key)) },
	})
}

func putTimed(t *testing.T, table *Table[int64, int64], times ...int64) {
	t.Helper()
	for _, at := range times {
		table.Put(binary.BigEndian.AppendUint64(nil, uint64(at)), at, record.Timestamp(at))
		table.Saw(record.Timestamp(at))
	}
	if err := table.Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }); err != nil {
		t.Fatal(err)
	}
	table.Commit()
}

func seen(t *testing.T, table *Table[int64, int64]) string {
	t.Helper()
	var keys []int64
	if err := NewView(table).Scan(func(k, _ int64) bool { keys = append(keys, k); return true }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return fmt.Sprint(keys)
}

func TestRowsAreGoneAfterTheRetention(t *testing.T) {
	table := newTimed()
	putTimed(t, table, 5, 50, 104)
	if got := seen(t, table); got != "[5 50 104]" {
		t.Errorf("views see %s", got)
	}
	putTimed(t, table, 105)
	if got := seen(t, table); got != "[50 104 105]" || table.Since() != 6 {
		t.Errorf("views see %s, rows are there since %d", got, table.Since())
	}
	if _, ok, err := NewView(table).Get(5); ok || err != nil {
		t.Errorf("a row that is gone is found: %v", err)
	}
	if table.ExpireGone(); table.Len() != 4 {
		t.Errorf("%d rows: those of one day go together", table.Len())
	}
	putTimed(t, table, 112)
	table.ExpireGone()
	if putTimed(t, table); table.Len() != 4 {
		t.Errorf("%d rows after expiry", table.Len())
	}
}

func TestRowsThatWereGoneStayGoneAfterACheckpoint(t *testing.T) {
	table, db := newTimed(), kv.NewMemory()
	putTimed(t, table, 5, 50, 105)
	b := db.NewBatch()
	if err := table.Dirty()(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(false); err != nil {
		t.Fatal(err)
	}
	loaded := newTimed()
	if err := loaded.Load(db); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, loaded); got != "[50 105]" || loaded.Since() != 6 {
		t.Errorf("views see %s, rows are there since %d", got, loaded.Since())
	}
}
