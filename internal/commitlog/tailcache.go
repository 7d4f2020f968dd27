package commitlog

import (
	"bytes"
	"slices"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

// Sizes of a cache chunk in bytes: it starts small so that a quiet partition takes little, and grows with the traffic.
const (
	minChunk = 4 << 10
	maxChunk = 64 << 10
)

// A tailCache holds the newest batches, copied: a reader at the tail needs no file. The log's mu guards the struct. Bytes
// once written into a chunk never change, so a reader may keep slices of them without the lock.
type tailCache struct {
	limit  int // bytes
	size   int
	chunks []*chunk      // oldest first, without gaps between them
	rested record.Offset // the log's end at the last Rest
}

// Rest empties the tail cache if nothing was appended since the last call: a log that nobody writes has its readers at the end, and the
// others can do without. Call it now and then.
func (l *Log) Rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := &l.mu.cache; c.rested == l.mu.active.end {
		c.chunks, c.size = nil, 0
	}
	l.mu.cache.rested = l.mu.active.end
}

// A chunk is whole batches in one buffer that is filled up to its capacity and never moved.
type chunk struct {
	data []byte
	base record.Offset
	end  record.Offset
}

// add appends batches with the offsets base up to end.
func (c *tailCache) add(b []byte, base, end record.Offset) {
	if len(b) > c.limit {
		// What is cached must reach the end of the log.
		c.chunks, c.size = nil, 0
		return
	}
	n := len(c.chunks)
	if n == 0 || cap(c.chunks[n-1].data)-len(c.chunks[n-1].data) < len(b) {
		size := minChunk
		if n > 0 {
			size = min(2*cap(c.chunks[n-1].data), maxChunk)
		}
		c.chunks = append(c.chunks, &chunk{data: make([]byte, 0, max(min(size, c.limit), len(b))), base: base})
		c.size += cap(c.chunks[n].data)
		n++
	}
	last := c.chunks[n-1]
	last.data = append(last.data, b...)
	last.end = end
	for c.size > c.limit && len(c.chunks) > 1 {
		c.size -= cap(c.chunks[0].data)
		c.chunks = slices.Delete(c.chunks, 0, 1)
	}
}

// forget drops what begins below o.
func (c *tailCache) forget(o record.Offset) {
	n := 0
	for n < len(c.chunks) && c.chunks[n].base < o {
		c.size -= cap(c.chunks[n].data)
		n++
	}
	c.chunks = slices.Delete(c.chunks, 0, n)
}

// cachedBatches are pieces of chunks, in order.
type cachedBatches struct {
	first []byte
	more  [][]byte
}

// join returns one slice: the chunk's own bytes when one chunk has all, otherwise a copy.
func (c cachedBatches) join() []byte {
	if len(c.more) == 0 {
		return c.first
	}
	return bytes.Join(append([][]byte{c.first}, c.more...), nil)
}

// read answers as Log.Read does; not ok when the cache does not reach back to from.
func (c *tailCache) read(from, below record.Offset, maxBytes int) (out cachedBatches, ok bool) {
	if len(c.chunks) == 0 || from < c.chunks[0].base {
		return cachedBatches{}, false
	}
	i := 0
	for c.chunks[i].end <= from {
		i++
	}
	out.first = c.chunks[i].read(from, below, maxBytes)
	left := maxBytes - len(out.first)
	whole := out.reachesEnd(c.chunks[i])
	for i++; whole && i < len(c.chunks) && c.chunks[i].base < below; i++ {
		next := c.chunks[i].upTo(below, left)
		if len(next) == 0 {
			break
		}
		out.more = append(out.more, next)
		left -= len(next)
		whole = len(next) == len(c.chunks[i].data)
	}
	return out, true
}

// reachesEnd tells whether the first piece goes to its chunk's end.
func (c cachedBatches) reachesEnd(k *chunk) bool {
	return len(c.first) > 0 && &c.first[len(c.first)-1] == &k.data[len(k.data)-1]
}

// read returns batches from the one that holds from, at least that one.
func (k *chunk) read(from, below record.Offset, maxBytes int) []byte {
	b := k.data
	for {
		v, rest, err := batch.Next(b)
		if err != nil {
			panic("commitlog: cached bytes are no batches: " + err.Error())
		}
		if v.LastOffset() >= from {
			n := max(len(prefix(b, below, maxBytes)), len(v))
			return b[:n:n]
		}
		b = rest
	}
}

// upTo returns the batches of the chunk below `below` that fit in maxBytes.
func (k *chunk) upTo(below record.Offset, maxBytes int) []byte {
	if k.end <= below && len(k.data) <= maxBytes {
		return k.data[:len(k.data):len(k.data)]
	}
	return prefix(k.data, below, maxBytes)
}

// prefix returns the whole batches at the start of b with base offsets below `below` that fit in maxBytes.
func prefix(b []byte, below record.Offset, maxBytes int) []byte {
	n := 0
	for n < len(b) {
		v, _, err := batch.Next(b[n:])
		if err != nil {
			panic("commitlog: cached bytes are no batches: " + err.Error())
		}
		if v.BaseOffset() >= below || n+len(v) > maxBytes {
			break
		}
		n += len(v)
	}
	return b[:n:n]
}
