package store

import (
	"fmt"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// numbered is a table with keys k<from> to k<to-1> that are committed.
func numbered(t *testing.T, table *Table[string, int64], from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		table.Put(fmt.Appendf(nil, "k%05d", i), int64(i), record.Timestamp(i))
	}
	if err := table.Seal(func([]byte, []byte, record.Timestamp) error { return nil }); err != nil {
		t.Fatal(err)
	}
	table.Commit()
}

func TestRowsAreSeenOnceWhileTheIndexGrows(t *testing.T) {
	table := NewTable(Options[string, int64]{Name: "s", Key: serde.String, Value: serde.Int64})
	const first, last = 3000, 20000
	numbered(t, table, 0, first)
	view := NewView(table)
	seen := map[string]int{}
	added := first
	for f, err := range view.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		if f.Key != string(f.Bytes) || f.Key != fmt.Sprintf("k%05d", f.Value) || f.Time != record.Timestamp(f.Value) {
			t.Fatalf("row %+v", f)
		}
		seen[f.Key]++
		if added < last {
			numbered(t, table, added, added+40)
			added += 40
		}
	}
	for key, n := range seen {
		if n != 1 {
			t.Errorf("%s was seen %d times", key, n)
		}
	}
	for i := range first {
		if key := fmt.Sprintf("k%05d", i); seen[key] == 0 {
			t.Errorf("%s was not seen", key)
		}
	}
	if added < 2*first || view.Len() != added {
		t.Errorf("%d rows were added, %d are there", added, view.Len())
	}
}

func TestRowsOfAnEmptyTable(t *testing.T) {
	for f, err := range NewView(NewTable(Options[string, int64]{Name: "s", Key: serde.String, Value: serde.Int64})).Rows() {
		t.Errorf("row %v, error %v", f, err)
	}
}

func TestFindAndRange(t *testing.T) {
	table := NewTable(Options[string, int64]{Name: "s", Key: serde.String, Value: serde.Int64, Ordered: true})
	numbered(t, table, 0, 10)
	view := NewView(table)
	if f, ok, err := view.Find("k00007"); err != nil || !ok || f.Value != 7 || f.Time != 7 || string(f.Bytes) != "k00007" {
		t.Errorf("found %+v %v %v", f, ok, err)
	}
	if _, ok, err := view.Find("k00010"); ok || err != nil {
		t.Errorf("found what is not there: %v", err)
	}
	var got []int64
	for f, err := range view.Range([]byte("k00003"), []byte("k00006")) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Value)
	}
	if fmt.Sprint(got) != "[3 4 5]" {
		t.Errorf("range %v", got)
	}
}
