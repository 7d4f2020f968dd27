package store

import (
	"encoding/binary"
	"math/bits"

	"github.com/mainstemio/mainstem/record"
)

// A heap keeps the entries of a table's rows in large pieces of memory without pointers. It is written like a log: a row's next entry
// is appended, and what is left of old chunks is moved to the end in the order of their age (evacuate), so that at most about a third of
// the memory is dead, beside some chunks. Chunks grow with what is in use. Only an entry that takes the same room may be written over the
// one before, by whoever knows that nobody holds a slice of it; its key stays as it is. Chunks are not used again, so other slices stay
// right for as long as somebody holds them.
type heap struct {
	chunks []chunk // the last one grows
	first  uint32  // number of chunks[0]
	size   int64   // bytes of memory held
	live   int64   // bytes of entries in use
}

type chunk struct {
	entries []byte
	live    int
}

// A place is where an entry stands: the chunk's number, from 1 on, and the position in it. Number 0 is none.
type place struct{ chunk, at uint32 }

const (
	minChunk = 512
	maxChunk = 1 << chunkBits
	// leastDead is half of how many dead bytes are worth looking for.
	leastDead = 4 << 10
	// chunkBits is how many bits a position has: a larger entry stands at the start of a chunk of its own.
	chunkBits = 18
)

// An entry is: length of the key (uvarint), key, length of the value (uvarint), timestamp (varint), value. What it takes in a chunk is its
// room.
type entry struct {
	ts    record.Timestamp
	key   []byte
	value []byte
	size  int // of all of it, where it was parsed
}

// roomOf is what an entry of n bytes takes: up to an eighth more, so that the next value of a row most often fits where the one before
// stands. The smallest take what they need.
func roomOf(n int) int {
	if n < 64 {
		return n
	}
	step := 1 << (bits.Len(uint(n)) - 4)
	return (n + step - 1) &^ (step - 1)
}

// parse reads the entry at the start of b.
func parse(b []byte) entry {
	key, at := keyAt(b)
	n, used := uint64(b[at]), 1
	if n >= 0x80 {
		n, used = binary.Uvarint(b[at:])
	}
	at += used
	ts, used := binary.Varint(b[at:])
	at += used
	end := at + int(n)
	return entry{ts: record.Timestamp(ts), key: key, value: b[at:end:end], size: end}
}

// keyAt reads the key of the entry at the start of b, and where it ends.
func keyAt(b []byte) (key []byte, end int) {
	n, at := int(b[0]), 1
	if n >= 0x80 {
		long, used := binary.Uvarint(b)
		n, at = int(long), used
	}
	return b[at : at+n : at+n], at + n
}

// length is how many bytes an entry has.
func (e *entry) length() int {
	return uvarintLen(uint64(len(e.key))) + len(e.key) + uvarintLen(uint64(len(e.value))) + uvarintLen(uint64(e.ts<<1^e.ts>>63)) + len(e.value)
}

func uvarintLen(n uint64) int { return (bits.Len64(n|1) + 6) / 7 }

// append writes an entry.
func (e *entry) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(e.key)))
	b = append(b, e.key...)
	b = binary.AppendUvarint(b, uint64(len(e.value)))
	b = binary.AppendVarint(b, int64(e.ts))
	return append(b, e.value...)
}

// put appends an entry and returns its place.
func (h *heap) put(e entry) place {
	b, p := h.room(roomOf(e.length()))
	e.append(b)
	return p
}

// room returns the next n bytes, which are the caller's to append to, and their place.
func (h *heap) room(n int) ([]byte, place) {
	last := len(h.chunks) - 1
	if last < 0 || cap(h.chunks[last].entries)-len(h.chunks[last].entries) < n {
		h.begin(n)
		last = len(h.chunks) - 1
	}
	c := &h.chunks[last]
	at := len(c.entries)
	c.entries = c.entries[:at+n]
	c.live += n
	h.live += int64(n)
	return c.entries[at : at : at+n], place{h.first + uint32(last), uint32(at)}
}

// chunkSize is how many bytes the next chunk has: as many as are in use, or up to twice as many.
func (h *heap) chunkSize() int {
	if h.live >= maxChunk {
		return maxChunk
	}
	return max(1<<bits.Len64(uint64(h.live)), minChunk)
}

// begin starts a chunk with room for n bytes.
func (h *heap) begin(n int) {
	if h.first == 0 {
		h.first = 1
	}
	last := len(h.chunks) - 1
	capacity := max(h.chunkSize(), n)
	if last >= 0 && h.chunks[last].live == 0 {
		h.drop(last)
	}
	h.chunks = append(h.chunks, chunk{entries: make([]byte, 0, capacity)})
	h.size += int64(capacity)
	h.skipEmpty()
}

// at returns the entry at p and all that follows in its chunk.
func (h *heap) at(p place) []byte { return h.chunks[p.chunk-h.first].entries[p.at:] }

// free gives up the entry at p, which takes n bytes.
func (h *heap) free(p place, n int) {
	i := int(p.chunk - h.first)
	c := &h.chunks[i]
	c.live -= n
	h.live -= int64(n)
	if c.live == 0 && i < len(h.chunks)-1 {
		h.drop(i)
	}
}

// drop lets go of a chunk that has nothing in use.
func (h *heap) drop(i int) {
	h.size -= int64(cap(h.chunks[i].entries))
	h.chunks[i] = chunk{}
	h.skipEmpty()
}

// skipEmpty makes the first chunk one that is there.
func (h *heap) skipEmpty() {
	for len(h.chunks) > 1 && h.chunks[0].entries == nil {
		h.chunks = h.chunks[1:]
		h.first++
	}
}

// evacuate moves the entries in use of the oldest chunks to the end while too much of the memory is dead, for at most limit chunks. keep
// takes an entry of which nothing else is known.
func (h *heap) evacuate(limit int, keep func(p place, e entry)) {
	for ; limit > 0 && len(h.chunks) > 1 && h.size > h.live+h.live/2+2*int64(max(h.chunkSize(), leastDead)); limit-- {
		h.sweep(keep)
	}
}

// sweep shows keep every entry of the oldest chunk, in use or not, and drops the chunk. Whatever was in use, keep has freed, and put
// elsewhere if it stays.
func (h *heap) sweep(keep func(p place, e entry)) {
	b, number := h.chunks[0].entries, h.first
	for at := 0; at < len(b) && h.first == number; {
		e := parse(b[at:])
		keep(place{number, uint32(at)}, e)
		at += roomOf(e.size)
	}
	if h.first == number {
		h.drop(0)
	}
}
