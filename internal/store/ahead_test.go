package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
)

func numberedKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key %d", i)
	}
	return keys
}

// Keys of all kinds are touched: committed, new in the epoch, and nowhere.
func TestTouchSeesWhatIsThere(t *testing.T) {
	tb := newTable()
	touch := func(keys [][]byte) (seen uint32) {
		r := &tb.mu.rows
		for some := range slices.Chunk(keys, touched) {
			hashes := make([]uint64, len(some))
			for i, key := range some {
				hashes[i] = r.hash(key)
			}
			seen += r.touch(hashes)
		}
		return seen
	}
	keys := numberedKeys(30_000)
	for _, k := range keys[:10_000] {
		tb.Put(k, "v", 1)
	}
	if seen := touch(keys); seen != 0 {
		t.Errorf("rows without entries show %d", seen)
	}
	must(t, tb.Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }))
	tb.Commit()
	for _, k := range keys[10_000:20_000] {
		tb.Put(k, "v", 1)
	}
	if seen := touch(keys); seen == 0 {
		t.Error("nothing was touched")
	}
}

// An index that grows while it is touched holds what it should.
func TestTouchWhileTheIndexGrows(t *testing.T) {
	tb := newTable()
	keys := numberedKeys(40_000)
	for i, k := range keys {
		if i%1000 == 0 { // some are known, some end the block too early, some come too late
			tb.Touch(append(keys[i:i+900:i+900], nil))
		}
		must(t, tb.Restore(k, k, 1))
	}
	for _, k := range keys {
		if got := get(tb, string(k)); got != string(k)+" @1" {
			t.Fatalf("%s is %s", k, got)
		}
	}
}

// counting counts reads.
type counting struct {
	kv.Store
	gets, all int
}

func (c *counting) Get(key []byte) ([]byte, error) {
	c.gets++
	return c.Store.Get(key)
}

func (c *counting) GetAll(keys [][]byte, fn func(i int, value []byte) error) error {
	c.all++
	return c.Store.GetAll(keys, fn)
}

// What Ahead was told of, there or not, needs no reading one by one.
func TestAheadReadsOnce(t *testing.T) {
	tb, leave := spilling(t, kv.NewMemory())
	keys := numberedKeys(100)
	for _, k := range keys[:50] {
		tb.Put(k, string(k), 7)
	}
	leave()
	if n := tb.Len(); n != 0 {
		t.Fatalf("%d rows are in memory", n)
	}
	db := &counting{Store: tb.cold.db.db}
	tb.cold.db.db = db
	tb.Ahead(keys)
	for i, k := range keys {
		want := "none"
		if i < 50 {
			want = string(k) + " @7"
		}
		if got := get(tb, string(k)); got != want {
			t.Errorf("%s is %s", k, got)
		}
		tb.Put(k, "new", 8)
	}
	if db.all != 1 || db.gets != 0 {
		t.Errorf("%d reads of many, %d of one", db.all, db.gets)
	}
}

func TestAnEpochBehindAnAheadThatFailedIsRefused(t *testing.T) {
	tb, leave := spilling(t, kv.NewMemory())
	tb.Put([]byte("k"), "1", 1)
	leave()
	tb.cold.db.db = unreadable{tb.cold.db.db}
	tb.Ahead([][]byte{[]byte("k"), []byte("l")})
	if err := tb.Seal(nil); err == nil {
		t.Error("the epoch was sealed")
	}
}
