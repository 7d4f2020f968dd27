package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// timedKey is a name and 8 bytes of time.
func timedKey(name string, ts int64) []byte {
	return binary.BigEndian.AppendUint64([]byte(name), uint64(ts))
}

func timeOf(key []byte) record.Timestamp {
	return record.Timestamp(binary.BigEndian.Uint64(key[len(key)-8:]))
}

func timedTable() *Table[[]byte, string] {
	return NewTable(Options[[]byte, string]{
		Name: "timed", Key: serde.Bytes, Value: serde.String, Ordered: true, Time: timeOf, Day: 10, Marks: 2,
	})
}

// An orderedModel is a sorted map that scans are compared with.
type orderedModel map[string]string

func (m orderedModel) between(from, to []byte) []string {
	var rows []string
	for k, v := range m {
		if k >= string(from) && (to == nil || k < string(to)) {
			rows = append(rows, k+"="+v)
		}
	}
	slices.Sort(rows)
	return rows
}

func scanned(t *Table[[]byte, string], scan func(from, to []byte, fn func([]byte, string, record.Timestamp) bool), from, to []byte) []string {
	var rows []string
	scan(from, to, func(key []byte, v string, _ record.Timestamp) bool {
		rows = append(rows, string(key)+"="+v)
		return true
	})
	return rows
}

func TestScansSeeTheNewestRowsInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table, model := timedTable(), orderedModel{}
	for step := range 5000 {
		key := timedKey(fmt.Sprint("k", r.IntN(20)), int64(r.IntN(100)))
		switch n := r.IntN(10); {
		case n < 6:
			v := fmt.Sprint(step)
			table.Put(key, v, timeOf(key))
			model[string(key)] = v
		case n < 8:
			table.Delete(key)
			delete(model, string(key))
		case n == 8:
			seal(t, table)
			table.Commit()
		default:
			from, to := timedKey(fmt.Sprint("k", r.IntN(20)), int64(r.IntN(100))), timedKey(fmt.Sprint("k", r.IntN(20)), int64(r.IntN(100)))
			if r.IntN(4) == 0 {
				to = nil
			}
			want := model.between(from, to)
			if got := scanned(table, table.Range, from, to); !slices.Equal(got, want) {
				t.Fatalf("step %d: range gives %q, want %q", step, got, want)
			}
			slices.Reverse(want)
			if got := scanned(table, table.RangeBack, from, to); !slices.Equal(got, want) {
				t.Fatalf("step %d: range back gives %q, want %q", step, got, want)
			}
		}
	}
}

func TestExpiredRowsGoWithoutAChangelogRecord(t *testing.T) {
	table := timedTable()
	for ts := range int64(100) {
		table.Put(timedKey("a", ts), "v", record.Timestamp(ts))
	}
	seal(t, table)
	table.Commit()
	before := table.Bytes()
	table.ExpireBefore(57)
	if got := table.Len(); got != 100 {
		t.Errorf("%d rows before the commit, want 100", got)
	}
	if changes := seal(t, table); len(changes) != 0 {
		t.Errorf("expiring made changelog records: %q", changes)
	}
	table.Commit()
	if table.Dirty() == nil {
		t.Error("a checkpoint would not hear of expired rows")
	}
	if got := table.Len(); got != 50 {
		t.Errorf("%d rows are left, want 50: whole days before 57", got)
	}
	if after := table.Bytes(); after > before*6/10 {
		t.Errorf("%d bytes are held after half of the rows expired, %d before", after, before)
	}
	var times []int
	table.Timed(40, 60, func(key []byte) bool {
		times = append(times, int(timeOf(key)))
		return true
	})
	slices.Sort(times)
	if len(times) != 11 || times[0] != 50 || times[10] != 60 {
		t.Errorf("rows found from 40 to 60: %v, want 50 to 60", times)
	}
}

func TestMarksLiveAsLongAsTheRows(t *testing.T) {
	db := kv.NewMemory()
	cp, err := OpenCheckpoints(db, "app")
	if err != nil {
		t.Fatal(err)
	}
	table := timedTable()
	table.Put(timedKey("a", 1), "v", 1)
	table.Marks()[0] = 42
	changes := seal(t, table)
	if len(changes) != 2 {
		t.Fatalf("changelog: %q, want the row and the marks", changes)
	}
	table.Commit()
	if err := cp.Write([]CheckpointPart{{Name: "timed", Next: 2, Rows: table.Dirty()}}); err != nil {
		t.Fatal(err)
	}
	table.Marks()[1] = 7
	var again [][]byte
	if err := table.Seal(func(_, value []byte, _ record.Timestamp) error {
		again = append(again, slices.Clone(value))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	restored := timedTable()
	if _, ok, err := cp.Load(restored); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got := restored.Marks(); got[0] != 42 || got[1] != int64(record.NoTimestamp) {
		t.Errorf("marks from the checkpoint: %v", got)
	}
	if err := restored.Restore([]byte{}, again[0], 1); err != nil {
		t.Fatal(err)
	}
	if got := restored.Marks(); got[0] != 42 || got[1] != 7 {
		t.Errorf("marks from the changelog: %v", got)
	}
	if restored.Len() != 1 {
		t.Errorf("%d rows, want 1", restored.Len())
	}
}
