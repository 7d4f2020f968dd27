package store

import (
	"fmt"
	"maps"
	"math"
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
			most = max(most, r.heap.size-2*r.heap.live)
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
			t.Errorf("%d bytes more than twice those in use; at the end %d bytes, %d hashes, %d rows", most, r.heap.live, r.count, r.used)
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
