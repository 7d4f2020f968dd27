package cleanup

import (
	"hash/maphash"
	"math"
	"runtime"
	"slices"

	"github.com/mainstemio/mainstem/record"
)

const (
	slotBytes = 16
	minSlots  = 1 << 10
	maxFill   = 0.85
	// maxSpan is how many offsets a map tells apart at most.
	maxSpan = math.MaxUint32 - 1
)

// A hashed is a key as the map knows it: 96 bits of hash, since a key taken for another one would lose a record.
type hashed struct {
	hash uint64
	more uint32
}

// A slot is one key and its last offset. 0 in at is empty.
type slot struct {
	hash uint64
	more uint32
	at   uint32 // offset - base + 1
}

// A looked is what is to be known of a record.
type looked struct {
	key             hashed
	offset          record.Offset
	null, tombstone bool // without a key, a value
}

// offsets maps keys to the last offset seen, in 16 bytes a key. It grows up to its limit. The seeds are secrets of the process:
// nobody can choose keys that collide.
type offsets struct {
	base     record.Offset
	slots    []slot
	used     int
	limit    int // slots
	replaced offsetSet
	first    maphash.Seed
	second   maphash.Seed
}

func newOffsets(base record.Offset, maxBytes int64) *offsets {
	limit := minSlots
	for int64(limit)*2*slotBytes <= maxBytes {
		limit *= 2
	}
	return &offsets{
		base: base, slots: make([]slot, minSlots), limit: limit, replaced: offsetSet{base: base},
		first: maphash.MakeSeed(), second: maphash.MakeSeed(),
	}
}

// reaches tells whether o is near enough to the base. There are as many offsets as the map may have bytes, so that a set of them takes an eighth
// of that.
func (m *offsets) reaches(o record.Offset) bool {
	return o-m.base < min(record.Offset(m.limit)*slotBytes, maxSpan)
}

func (m *offsets) hash(key []byte) hashed {
	return hashed{maphash.Bytes(m.first, key), uint32(maphash.Bytes(m.second, key))}
}

// find returns the key's slot, or the empty one where it belongs.
func (m *offsets) find(key hashed) *slot {
	mask := len(m.slots) - 1
	for i := int(key.hash) & mask; ; i = (i + 1) & mask {
		s := &m.slots[i]
		if s.at == 0 || s.hash == key.hash && s.more == key.more {
			return s
		}
	}
}

// touch reads the first slot of each key, all at once. It is no part of its caller, or the reading would be left out.
//
//go:noinline
func (m *offsets) touch(keys []looked) (seen uint32) {
	mask := len(m.slots) - 1
	for i := range keys {
		seen += m.slots[int(keys[i].key.hash)&mask].at
	}
	return seen
}

// put notes that key stands at o, within reach and behind where it stood before; false when there is no room for another key.
func (m *offsets) put(key hashed, o record.Offset) bool {
	s := m.find(key)
	if s.at == 0 {
		if float64(m.used+1) > maxFill*float64(len(m.slots)) {
			if len(m.slots) == m.limit {
				return false
			}
			m.grow()
			s = m.find(key)
		}
		m.used++
	} else {
		m.replaced.add(m.base + record.Offset(s.at) - 1)
	}
	*s = slot{key.hash, key.more, uint32(o-m.base) + 1}
	return true
}

func (m *offsets) grow() {
	old := m.slots
	m.slots = make([]slot, min(4*len(old), m.limit)) // few growths: each moves all keys
	for some := range slices.Chunk(old, minSlots) {
		runtime.Gosched() // as look does
		for _, s := range some {
			if s.at != 0 {
				*m.find(hashed{s.hash, s.more}) = s
			}
		}
	}
}

// get returns the last offset of key.
func (m *offsets) get(key hashed) (o record.Offset, ok bool) {
	s := m.find(key)
	return m.base + record.Offset(s.at) - 1, s.at != 0
}

// An offsetSet is offsets from base on, a bit each, in pages that are there where one was added.
type offsetSet struct {
	base  record.Offset
	pages []*[setPage / 64]uint64
}

// setPage is how many offsets a page tells.
const setPage = 1 << 15

func (s *offsetSet) add(o record.Offset) {
	at := int(o - s.base)
	for at/setPage >= len(s.pages) {
		s.pages = append(s.pages, nil)
	}
	page := &s.pages[at/setPage]
	if *page == nil {
		*page = new([setPage / 64]uint64)
	}
	(*page)[at%setPage/64] |= 1 << (at % 64)
}

func (s *offsetSet) has(o record.Offset) bool {
	at := int(o - s.base)
	return at/setPage < len(s.pages) && s.pages[at/setPage] != nil && s.pages[at/setPage][at%setPage/64]>>(at%64)&1 != 0
}
