package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

var topic = [16]byte([]byte("changelog's id.."))

func contents(t *testing.T, db kv.Store) map[string]string {
	t.Helper()
	m := map[string]string{}
	must(t, db.Scan(nil, nil, func(k, v []byte) error { m[string(k)] = string(v); return nil }))
	return m
}

func TestUnknownFormatIsAnErrorAndNothingIsChanged(t *testing.T) {
	for name, pair := range map[string][2]string{
		"newer version":   {string(formatKey), "\x02"},
		"broken version":  {string(formatKey), ""},
		"foreign content": {"something", "else"},
	} {
		db := kv.NewMemory()
		b := db.NewBatch()
		must(t, b.Put([]byte(pair[0]), []byte(pair[1])))
		must(t, b.Commit(true))
		if _, err := OpenCheckpoints(db, "app"); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(map[string]string{pair[0]: pair[1]}, contents(t, db)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// sharedDB lets somebody else have the database at a moment of a Scan.
type sharedDB struct {
	kv.Store
	before, behind func()
}

func (db sharedDB) Scan(from, to []byte, fn func(key, value []byte) error) error {
	db.before()
	defer db.behind()
	return db.Store.Scan(from, to, fn)
}

func TestApplicationsOpenAnEmptyDatabaseAtOnce(t *testing.T) {
	for _, first := range []bool{true, false} {
		db := kv.NewMemory()
		another := func() {
			c, err := OpenCheckpoints(db, "another")
			must(t, err)
			_, err = c.Worker("worker of another")
			must(t, err)
		}
		nobody := func() {}
		shared := sharedDB{db, another, nobody}
		if !first {
			shared = sharedDB{db, nobody, another}
		}
		_, err := OpenCheckpoints(shared, "app")
		must(t, err)
		_, err = OpenCheckpoints(db, "app")
		must(t, err)
	}
}

func TestCheckpointBytesAreAsDocumented(t *testing.T) {
	db := kv.NewMemory()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	tb := newTable()
	tb.puts("k", "k", "value", 150)
	tb.puts("gone", "gone", "x", 1)
	seal(t, tb)
	tb.Commit()
	must(t, c.Write([]CheckpointPart{{"last", 2, 258, tb.Dirty(), topic, 0, nil}}))
	tb.Delete([]byte("gone"))
	seal(t, tb)
	tb.Commit()
	must(t, c.Write([]CheckpointPart{{"last", 2, 259, tb.Dirty(), topic, 0, nil}}))
	want := map[string]string{
		"\x00mainstem-checkpoints":             "\x01",
		"\x01\x03app\x04last\x00\x00\x00\x02":  "\x00\x00\x00\x00\x00\x00\x01\x03changelog's id..",
		"\x02\x03app\x04last\x00\x00\x00\x02k": "\xac\x02value",
	}
	if diff := cmp.Diff(want, contents(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestACheckpointThatFailsChangesNothing(t *testing.T) {
	db := kv.NewMemory()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	before := contents(t, db)
	failing := errors.New("cannot encode")
	parts := []CheckpointPart{
		{"a", 0, 5, func(w kv.Writer) error { return w.Put([]byte("k"), []byte("\x02v")) }, topic, 0, nil},
		{"b", 0, 5, func(kv.Writer) error { return failing }, topic, 0, nil},
	}
	if err := c.Write(parts); !errors.Is(err, failing) {
		t.Errorf("Write: %v", err)
	}
	if diff := cmp.Diff(before, contents(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestAForgottenCheckpointIsNoneAndItsRowsGo(t *testing.T) {
	db := kv.NewMemory()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	rows := func(w kv.Writer) error { return w.Put([]byte("k"), []byte("\x02v")) }
	must(t, c.Write([]CheckpointPart{{"last", 2, 5, rows, topic, 77, nil}, {"last", 3, 6, rows, topic, 0, nil}}))
	for partition, want := range map[int32]record.Timestamp{2: 77, 3: 0, 4: 0} {
		if at, err := c.Written("last", partition); err != nil || at != want {
			t.Errorf("partition %d was written at %d, not %d: %v", partition, at, want, err)
		}
	}
	must(t, c.Forget("last", 2))
	tb := newTable()
	if next, ok, err := c.Load(tb); ok || err != nil || tb.Len() != 0 {
		t.Errorf("next %d, %t, %d rows: %v", next, ok, tb.Len(), err)
	}
	if n := len(contents(t, db)); n != 3 { // the version, the other partition's row and position
		t.Errorf("%d keys are left", n)
	}
}

func TestAPositionOfTheWrongLengthIsAnError(t *testing.T) {
	db := kv.NewMemory()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	b := db.NewBatch()
	must(t, b.Put(tableKey(spacePosition, "app", "last", 2), []byte("123")))
	must(t, b.Commit(true))
	if _, _, err := c.Load(newTable()); !errors.Is(err, ErrFormat) {
		t.Errorf("Load: %v", err)
	}
}

func TestViewsReadWhileTheTaskWrites(t *testing.T) {
	tb := newTable()
	view := NewView(tb)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			k := string(rune('a' + i%26))
			tb.puts(k, k, "v", 1)
			if i%7 == 0 {
				tb.Delete([]byte(k))
			}
			if i%10 == 9 {
				seal(t, tb)
				tb.Commit()
			}
		}
	}()
	for {
		n := 0
		must(t, view.Scan(func(k, v string) bool { n++; return v == "v" }))
		if _, _, err := view.Get("c"); err != nil || n > 26 {
			t.Fatalf("%d rows, %v", n, err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// failingDB fails every commit behind the first n.
type failingDB struct {
	kv.Store
	n *int
}

func (d failingDB) NewBatch() kv.Batch { return failingBatch{d.Store.NewBatch(), d.n} }

type failingBatch struct {
	kv.Batch
	n *int
}

func (b failingBatch) Commit(sync bool) error {
	if *b.n--; *b.n < 0 {
		return errors.New("crash")
	}
	return b.Batch.Commit(sync)
}

// The first checkpoint of a large table is cut short, then one of its rows is deleted: it must not come back.
func TestRowsOfAnUnfinishedFirstCheckpointDoNotComeBack(t *testing.T) {
	db := kv.NewMemory()
	whole, err := OpenCheckpoints(db, "app")
	must(t, err)
	none := 0
	crashing, err := OpenCheckpoints(failingDB{db, &none}, "app")
	must(t, err)
	big := newTable()
	for _, k := range []string{"deleted", "b", "c", "d", "e", "f"} {
		big.puts(k, k, strings.Repeat(k, 1<<20)[:1<<20], 1)
	}
	seal(t, big)
	big.Commit()
	if err := crashing.Write([]CheckpointPart{{"last", 2, 6, big.Dirty(), topic, 0, nil}}); err == nil {
		t.Fatal("the checkpoint was finished")
	}
	if n := len(contents(t, db)); n < 3 {
		t.Fatalf("%d keys: nothing was left behind", n)
	}

	next := newTable()
	if _, ok, err := whole.Load(next); ok || err != nil {
		t.Fatal(ok, err)
	}
	must(t, next.Restore([]byte("deleted"), nil, 2)) // the changelog's last word about it
	must(t, next.Restore([]byte("b"), []byte("kept"), 2))
	must(t, whole.Write([]CheckpointPart{{"last", 2, 8, next.Dirty(), topic, 0, nil}}))
	again := newTable()
	if at, ok, err := whole.Load(again); at != 8 || !ok || err != nil {
		t.Fatal(at, ok, err)
	}
	if get(again, "deleted") != "none" || get(again, "b") != "kept @2" || again.Len() != 1 {
		t.Errorf("the table holds %.20s, %.20s and %d rows", get(again, "deleted"), get(again, "b"), again.Len())
	}
}

func TestACheckpointKnowsItsChangelog(t *testing.T) {
	db := kv.NewMemory()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	known := func() (id [16]byte) {
		id, err := c.Changelog("last", 2)
		must(t, err)
		return id
	}
	if known() != [16]byte{} {
		t.Error("without a checkpoint")
	}
	must(t, c.Write([]CheckpointPart{{"last", 2, 7, nil, topic, 0, nil}}))
	if known() != topic {
		t.Errorf("got %q", known())
	}
	b := db.NewBatch()
	must(t, b.Put(tableKey(spacePosition, "app", "last", 2), []byte("\x00\x00\x00\x00\x00\x00\x00\x09"))) // of an older program
	must(t, b.Commit(true))
	if next, ok, err := c.Load(newTable()); next != 9 || !ok || err != nil || known() != [16]byte{} {
		t.Error(next, ok, err, known())
	}
}

func TestTheNameOfTheWorkerStays(t *testing.T) {
	db := kv.NewMemory()
	c, err := OpenCheckpoints(db, "app")
	if err != nil {
		t.Fatal(err)
	}
	for _, fresh := range []string{"one", "another"} {
		if got, err := c.Worker(fresh); got != "one" || err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
	if tables, err := Inspect(db); len(tables) != 0 || err != nil {
		t.Errorf("%v: %v", tables, err)
	}
}

// A table half of which has changed is written anew: nothing stays of what it does not have, and nothing of others is touched.
func TestACheckpointOfAWholeTableTakesThePlaceOfTheOneBefore(t *testing.T) {
	db, err := kv.OpenPebble("db", kv.PebbleOptions{FS: vfs.NewCrashable()})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	tb, small := newTable(), NewTable(Options[string, string]{Name: "last", Partition: 3, Key: text{}, Value: text{}})
	small.puts("k", "k", "small", 1)
	value := strings.Repeat("v", 1000)
	put := func(from, to int, value string) {
		for i := from; i < to; i++ {
			k := fmt.Sprint("key ", i)
			tb.puts(k, k, value, 1)
		}
	}
	write := func(at record.Offset) {
		for _, s := range []Store{tb, small} {
			seal(t, s)
			s.Commit()
		}
		must(t, c.Write([]CheckpointPart{
			{"last", 2, at, tb.Dirty(), topic, 0, tb.Done()}, {"last", 3, at, small.Dirty(), topic, 0, small.Done()},
		}))
	}
	put(0, 3000, value)
	write(1)
	b := db.NewBatch() // a row that nobody knows tells whether the table was written anew
	must(t, b.Put(append(tableKey(spaceRow, "app", "last", 2), "unknown"...), []byte("\x02x")))
	must(t, b.Commit(true))
	must(t, b.Close())

	put(0, 1000, "little")
	tb.Delete([]byte("key 2999"))
	write(2)
	if _, there := contents(t, db)["\x02\x03app\x04last\x00\x00\x00\x02unknown"]; !there {
		t.Error("a table of which a third has changed was written anew")
	}
	put(0, 1600, "changed")
	tb.Delete([]byte("key 0"))
	write(3)
	got := contents(t, db)
	rows := 0
	for k := range got {
		if strings.HasPrefix(k, "\x02\x03app\x04last\x00\x00\x00\x02") {
			rows++
		}
	}
	if rows != 2998 || got["\x02\x03app\x04last\x00\x00\x00\x02key 1"] != "\x02changed" || got["\x02\x03app\x04last\x00\x00\x00\x02key 2998"] != "\x02"+value {
		t.Errorf("%d rows, want 2998", rows)
	}
	if got["\x02\x03app\x04last\x00\x00\x00\x03k"] != "\x02small" {
		t.Error("another table has lost its row")
	}
	again := newTable()
	if at, ok, err := c.Load(again); at != 3 || !ok || err != nil || again.Len() != 2998 {
		t.Error(at, ok, err, again.Len())
	}
}

// Rows that are on the disk only are seen though a checkpoint writes the table anew before the scan comes to them.
func TestAScanSeesTheTableThatItBeganWith(t *testing.T) {
	db, err := kv.OpenPebble("db", kv.PebbleOptions{FS: vfs.NewCrashable()})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	c = c.Within(NewBudget(1 << 30).Share())
	const rows = 100
	write := func(tb *Table[string, string], value string) {
		for i := range rows {
			k := fmt.Sprint("key ", i)
			tb.puts(k, k, value, 1)
		}
		seal(t, tb)
		tb.Commit()
		must(t, c.Write([]CheckpointPart{{"last", 2, 1, tb.Dirty(), topic, 0, tb.Done()}}))
	}
	load := func() *Table[string, string] {
		tb := newTable()
		tb.cold.portions = portions{load: 10, warm: rows, whole: 0}
		_, _, err := c.Load(tb)
		must(t, err)
		return tb
	}
	write(load(), "before")
	tb := load()
	if tb.Len() != 10 {
		t.Fatalf("%d rows are loaded at once", tb.Len())
	}
	seen := map[string]string{}
	must(t, NewView(tb).Scan(func(k, v string) bool {
		if len(seen) == 0 {
			if write(tb, "anew"); tb.Cold() {
				t.Error("the table was not written as a whole")
			}
		}
		seen[k] = v
		return true
	}))
	for i := range rows {
		if k := fmt.Sprint("key ", i); seen[k] != "before" {
			t.Errorf("%s is %q", k, seen[k])
		}
	}
}

// A checkpoint of a whole table is cut short before its position is written: the one before it, with what is newer, and the changelog from its
// position on are the table.
func TestAWholeTableCutShortBeforeItsPosition(t *testing.T) {
	db := kv.NewMemory()
	c, err := OpenCheckpoints(db, "app")
	must(t, err)
	none := 0
	crashing, err := OpenCheckpoints(failingDB{db, &none}, "app")
	must(t, err)
	tb := newTable()
	tb.cold.portions.whole = 0
	for _, k := range []string{"changed", "deleted", "kept"} {
		tb.puts(k, k, "old", 1)
	}
	seal(t, tb)
	tb.Commit()
	must(t, c.Write([]CheckpointPart{{"last", 2, 3, tb.Dirty(), topic, 0, tb.Done()}}))
	tb.puts("changed", "changed", "new", 2)
	tb.Delete([]byte("deleted"))
	seal(t, tb)
	tb.Commit()
	if err := crashing.Write([]CheckpointPart{{"last", 2, 5, tb.Dirty(), topic, 0, tb.Done()}}); err == nil {
		t.Fatal("the checkpoint was finished")
	}
	again := newTable()
	if at, ok, err := c.Load(again); at != 3 || !ok || err != nil {
		t.Fatal(at, ok, err)
	}
	must(t, again.Restore([]byte("changed"), []byte("new"), 2))
	must(t, again.Restore([]byte("deleted"), nil, 2))
	if get(again, "changed") != "new @2" || get(again, "deleted") != "none" || get(again, "kept") != "old @1" || again.Len() != 2 {
		t.Errorf("the table holds %s, %s, %s", get(again, "changed"), get(again, "deleted"), get(again, "kept"))
	}
}
