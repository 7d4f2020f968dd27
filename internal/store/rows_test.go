package store

import (
	"fmt"
	"maps"
	"math"
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mainstemio/mainstem/record"
)

// Keys come and go under values of all sizes, with hashes that collide: every row says what it was told last, and the memory held
// stays near what is in use.
func TestRowsAgainstAMap(t *testing.T) {
	for _, mask := range []uint64{0, 7, math.MaxUint64} {
		rng := rand.New(rand.NewSource(int64(mask)))
		r := newRows(nil)
		r.hide = mask
		model := map[string]string{}
		var most int64
		for step := range 60000 {
			key := fmt.Sprint("key ", rng.Intn(60))
			id := r.find([]byte(key))
			if _, ok := model[key]; ok != (id != 0) {
				t.Fatalf("step %d: %s is there: %v", step, key, id != 0)
			}
			if id != 0 && string(r.entryOf(id).value) != model[key] {
				t.Fatalf("step %d: %s is wrong", step, key)
			}
			switch {
			case id != 0 && rng.Intn(10) == 0:
				r.remove(id, []byte(key))
				delete(model, key)
			default:
				if id == 0 {
					id = r.add([]byte(key))
				}
				model[key] = strings.Repeat(key, rng.Intn(1000))
				r.set(id, entry{ts: 5, key: []byte(key), value: []byte(model[key])}, rng.Intn(2) == 0)
			}
			r.tidy(1)
			most = max(most, r.heap.size-r.heap.live*3/2)
		}
		got := map[string]string{}
		r.each(func(id uint32, _ *row) { got[string(r.entryOf(id).key)] = string(r.entryOf(id).value) })
		if diff := cmp.Diff(model, got); diff != "" {
			t.Error(diff)
		}
		for key := range maps.Clone(model) {
			r.remove(r.find([]byte(key)), []byte(key))
		}
		if most > 4*maxChunk || r.heap.live != 0 || r.count != 0 || r.used > 62 {
			t.Errorf("%d bytes more than half as much again as those in use; at the end %d bytes, %d hashes, %d rows", most, r.heap.live, r.count, r.used)
		}
	}
}

// Old rows stay while new ones are written over and over: they must be moved, not kept in chunks of their own.
func TestRowsThatDoNotChangeAreMoved(t *testing.T) {
	r := newRows(nil)
	for i := range 10000 {
		key := []byte(fmt.Sprint("still ", i))
		r.set(r.add(key), entry{ts: 1, key: key, value: []byte("the same for ever")}, false)
		r.set(r.find([]byte("still 0")), entry{ts: 1, key: []byte("still 0"), value: []byte(strings.Repeat("changing", 100))}, false)
		r.tidy(1)
	}
	for i := range 10000 {
		r.set(r.find([]byte("still 0")), entry{ts: 1, key: []byte("still 0"), value: []byte(strings.Repeat("changing", 100))}, false)
		if id := r.find([]byte(fmt.Sprint("still ", i))); i > 0 && string(r.entryOf(id).value) != "the same for ever" {
			t.Fatalf("row %d is wrong", i)
		}
		r.tidy(2)
	}
	if r.heap.size > 2*r.heap.live+3*maxChunk {
		t.Errorf("%d bytes are held for %d", r.heap.size, r.heap.live)
	}
}

func TestAnEntryLargerThanAChunk(t *testing.T) {
	r := newRows(nil)
	big := strings.Repeat("x", 3*maxChunk)
	id := r.add([]byte("k"))
	for range 5 {
		r.set(id, entry{ts: 1, key: []byte("k"), value: []byte(big)}, false)
		r.tidy(1)
	}
	if got := r.entryOf(id); string(got.value) != big || string(got.key) != "k" || len(r.heap.chunks) > 3 {
		t.Errorf("%d bytes of %q in %d chunks", len(got.value), got.key, len(r.heap.chunks))
	}
}

// A value that is a little longer or shorter than the one before stands in its place.
func TestRowsOfLittleChangingSizeStayWhereTheyAre(t *testing.T) {
	r := newRows(nil)
	ids := map[int]uint32{}
	moved := 0
	for i := range 20000 {
		key := []byte(fmt.Sprint("key ", i%100))
		if ids[i%100] == 0 {
			ids[i%100] = r.add(key)
		}
		id := ids[i%100]
		before, value := r.at(id).place(), strings.Repeat("v", 520+i%7)
		r.set(id, entry{ts: record.Timestamp(i), key: key, value: []byte(value)}, true)
		if e := r.entryOf(id); string(e.value) != value || string(e.key) != string(key) || e.ts != record.Timestamp(i) {
			t.Fatalf("row %s is wrong", key)
		}
		if r.at(id).place() != before {
			moved++
		}
	}
	if moved != 100 {
		t.Errorf("%d times a row got another place", moved)
	}
}

func TestAnEntryIsAsLongAsItSays(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 16383, 16384} {
		for _, ts := range []record.Timestamp{never, 0, 63, 64, -64, -65, 1_790_000_000_000, math.MaxInt64, math.MinInt64} {
			e := entry{ts: ts, key: make([]byte, n), value: make([]byte, n)}
			if b := e.append(nil); len(b) != e.length() || roomOf(len(b)) < len(b) {
				t.Errorf("%d bytes at %d: %d, said %d, room %d", n, ts, len(b), e.length(), roomOf(len(b)))
			}
		}
	}
}

// Rows that change all over the memory leave no more dead than half of what is in use.
func TestAboutAThirdOfTheMemoryIsDeadAtMost(t *testing.T) {
	r := newRows(nil)
	rng := rand.New(rand.NewSource(1))
	const rows = 8000
	value := []byte(strings.Repeat("v", 2000))
	for i := range 5 * rows {
		n := i
		if i >= rows {
			n = rng.Intn(rows)
		}
		key := []byte(fmt.Sprint("key ", n))
		id := r.find(key)
		if id == 0 {
			id = r.add(key)
		}
		r.set(id, entry{ts: 1, key: key, value: value}, false)
		r.tidy(1)
	}
	if most := r.heap.live*3/2 + 4*maxChunk; r.heap.size > most {
		t.Errorf("%d bytes are held for %d, want %d at most", r.heap.size, r.heap.live, most)
	}
}
