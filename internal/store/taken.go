package store

import (
	"bytes"
	"encoding/binary"
	"iter"
	"runtime"
	"slices"
)

// taken are the rows of a checkpoint on their way.
type taken[V any] struct {
	whole   bool
	marks   []byte // nil: there are none, or they are as they were
	rows    []takenRow
	objects []V      // values without a flat form
	first   uint32   // number of chunks[0]
	chunks  [][]byte // those of the heap in which the rows stand; nil: none does
}

// A takenRow is a committed row as it stood when Dirty was called. There may be millions: they have no pointers.
type takenRow struct {
	key    uint64 // bytes of its key, in their order
	place  place  // of its entry: nothing is written over those in flight
	object uint32 // of a live one: where its value stands among those without a flat form
	live   bool
}

func newTaken[V any](h *heap) *taken[V] {
	return &taken[V]{first: h.first, chunks: make([][]byte, len(h.chunks))}
}

// add takes a row. Its value follows in objects, if it is live and has no flat form.
func (c *taken[V]) add(h *heap, p *row) {
	r := takenRow{place: p.place(), live: p.live(), object: uint32(len(c.objects))}
	if chunk := &c.chunks[r.place.chunk-c.first]; *chunk == nil {
		*chunk = h.chunks[r.place.chunk-h.first].entries
	}
	c.rows = append(c.rows, r)
}

// at returns the entry at p and all that follows in its chunk.
func (c *taken[V]) at(p place) []byte { return c.chunks[p.chunk-c.first][p.at:] }

func (c *taken[V]) keyOf(r *takenRow) []byte {
	key, _ := keyAt(c.at(r.place))
	return key
}

// touch reads the entries of rows, as rows.touch does.
//
//go:noinline
func (c *taken[V]) touch(rows []takenRow) (seen uint32) {
	for i := range rows {
		seen += uint32(c.at(rows[i].place)[0])
	}
	return seen
}

// inTurns gives rows, n at a time, and before each time the processor to whoever waits for it: a checkpoint goes on for long and nobody
// waits for it, but what its table gets meanwhile is waited for.
func inTurns(rows []takenRow, n int) iter.Seq[[]takenRow] {
	return func(yield func([]takenRow) bool) {
		for some := range slices.Chunk(rows, n) {
			if runtime.Gosched(); !yield(some) {
				return
			}
		}
	}
}

// sortedRows is how many rows are sorted in a turn.
const sortedRows = 1 << 10

// sort puts the rows in the order of their keys: the database's files then cover narrow ranges, and are merged with few others. It sorts by
// eight bytes of the keys that stand in the rows, those behind what all keys begin with; only keys that are the same in them are looked at
// again, for they stand all over the memory.
func (c *taken[V]) sort() {
	shared := c.shared()
	for some := range inTurns(c.rows, sortedRows) {
		for i := range some {
			var b [8]byte
			copy(b[:], c.keyOf(&some[i])[shared:])
			some[i].key = binary.BigEndian.Uint64(b[:])
		}
	}
	c.rows = sorted(c.rows)
	for rest := c.rows; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].key == rest[0].key {
			n++
		}
		if n > 1 {
			slices.SortFunc(rest[:n], func(a, b takenRow) int { return bytes.Compare(c.keyOf(&a), c.keyOf(&b)) })
		}
		rest = rest[n:]
	}
}

// shared is how many bytes all keys begin with.
func (c *taken[V]) shared() int {
	if len(c.rows) == 0 {
		return 0
	}
	all := c.keyOf(&c.rows[0])
	for some := range inTurns(c.rows, sortedRows) {
		for i := range some {
			key := c.keyOf(&some[i])
			n := 0
			for n < min(len(all), len(key)) && all[n] == key[n] {
				n++
			}
			if all = all[:n]; n == 0 {
				return 0
			}
		}
	}
	return len(all)
}

// sorted returns the rows in the order of takenRow.key, in their own memory or in other: a radix sort, from the last byte to the first. Bytes that
// are the same in all rows cost nothing.
func sorted(rows []takenRow) []takenRow {
	var counts [8][256]uint32
	for some := range inTurns(rows, sortedRows) {
		for i := range some {
			for digit, key := 0, some[i].key; digit < 8; digit, key = digit+1, key>>8 {
				counts[digit][byte(key)]++
			}
		}
	}
	var other []takenRow
	for digit := range counts {
		next := &counts[digit]
		if len(rows) == 0 || int(next[byte(rows[0].key>>(8*digit))]) == len(rows) {
			continue
		}
		if other == nil {
			other = make([]takenRow, len(rows))
		}
		at := uint32(0)
		for i, n := range next {
			next[i], at = at, at+n
		}
		for some := range inTurns(rows, sortedRows) {
			for i := range some {
				b := byte(some[i].key >> (8 * digit))
				other[next[b]] = some[i]
				next[b]++
			}
		}
		rows, other = other, rows
	}
	return rows
}
