package store

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/record"
)

// A heap keeps the entries of a table's rows in large pieces of memory without pointers. It is written like a log: an entry never
// changes, its row's next one is appended, and what is left of old chunks is moved to the end in the order of their age
// (evacuate), so that at most about half of the memory is dead. A chunk is never written again, so a slice of one stays right for
// as long as somebody holds it.
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

// A ref is an entry's place: the chunk's number, from 1 on, and the position in it. 0 is none.
type ref uint64

func (r ref) split() (number, at uint32) { return uint32(r >> 32), uint32(r) }

const (
	minChunk = 4 << 10
	maxChunk = 256 << 10
)

// An entry is: row, length of the key, length of the value (4 bytes each), timestamp (8 bytes), key, value.
type entry struct {
	row   uint32
	ts    record.Timestamp
	key   []byte
	value []byte
	size  int
}

// parse reads the entry at the start of b.
func parse(b []byte) entry {
	head := b[:entryHead]
	value := entryHead + int(binary.LittleEndian.Uint32(head[4:]))
	end := value + int(binary.LittleEndian.Uint32(head[8:]))
	return entry{
		row: binary.LittleEndian.Uint32(head), ts: record.Timestamp(binary.LittleEndian.Uint64(head[12:])),
		key: b[entryHead:value:value], value: b[value:end:end], size: end,
	}
}

const entryHead = 20

// put appends an entry and returns its place and size.
func (h *heap) put(e entry) (ref, uint32) {
	var head [entryHead]byte
	binary.LittleEndian.PutUint32(head[:], e.row)
	binary.LittleEndian.PutUint32(head[4:], uint32(len(e.key)))
	binary.LittleEndian.PutUint32(head[8:], uint32(len(e.value)))
	binary.LittleEndian.PutUint64(head[12:], uint64(e.ts))
	n := len(head) + len(e.key) + len(e.value)
	c, r := h.room(n)
	c.entries = append(append(append(c.entries, head[:]...), e.key...), e.value...)
	return r, uint32(n)
}

// room returns the chunk whose next n bytes are the caller's, and their place.
func (h *heap) room(n int) (*chunk, ref) {
	if h.first == 0 {
		h.first = 1
	}
	last := len(h.chunks) - 1
	if last < 0 || cap(h.chunks[last].entries)-len(h.chunks[last].entries) < n {
		capacity := minChunk
		if last >= 0 {
			capacity = min(2*cap(h.chunks[last].entries), maxChunk)
		}
		capacity = max(capacity, n)
		if last >= 0 && h.chunks[last].live == 0 {
			h.drop(last)
		}
		h.chunks = append(h.chunks, chunk{entries: make([]byte, 0, capacity)})
		h.size += int64(capacity)
		h.skipEmpty()
		last = len(h.chunks) - 1
	}
	c := &h.chunks[last]
	c.live += n
	h.live += int64(n)
	return c, ref(uint64(h.first+uint32(last))<<32 | uint64(len(c.entries)))
}

// at returns the entry at r and all that follows in its chunk.
func (h *heap) at(r ref) []byte {
	number, at := r.split()
	return h.chunks[number-h.first].entries[at:]
}

// free gives up the entry of n bytes at r.
func (h *heap) free(r ref, n int) {
	number, _ := r.split()
	i := int(number - h.first)
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

// evacuate moves the entries in use of the oldest chunks to the end while too much of the memory is dead, for at most limit
// chunks. place is where the entry of a row is noted.
func (h *heap) evacuate(limit int, place func(row uint32) *ref) {
	for ; limit > 0 && len(h.chunks) > 1 && h.size > 2*h.live+2*maxChunk; limit-- {
		h.evacuateFirst(place)
	}
}

func (h *heap) evacuateFirst(place func(row uint32) *ref) {
	b := h.chunks[0].entries
	for at := 0; at < len(b) && h.chunks[0].live > 0; {
		e := parse(b[at:])
		if p := place(e.row); *p == ref(uint64(h.first)<<32|uint64(at)) {
			c, to := h.room(e.size)
			c.entries = append(c.entries, b[at:at+e.size]...)
			*p = to
			h.chunks[0].live -= e.size
			h.live -= int64(e.size)
		}
		at += e.size
	}
	h.drop(0)
}
