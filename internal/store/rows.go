package store

import (
	"hash/maphash"
	"math"

	"github.com/mainstemio/mainstem/record"
)

// rows is the index of a table: which keys there are and where their entries stand. Nothing in it is a pointer but to large
// pieces, so that a table of millions of keys costs the garbage collector nothing.
type rows struct {
	heap  heap
	index map[uint64]uint32 // hash of the key → first row of those with it
	pages []*[pageRows]row  // row 0 is none
	used  uint32            // rows handed out so far, row 0 included
	spare uint32            // first of the rows that were given back
	seed  maphash.Seed
	mask  uint64 // of hashes: a test lets them collide
}

const pageRows = 1024

// A row is one key. It stands in the index while it is live, has a newer generation, or is dirty.
type row struct {
	entry   ref
	size    uint32 // bytes of the entry
	next    uint32 // the next row with the same hash, or the next spare one
	overlay uint32 // 1 + index in the overlay's changes; 0: not changed in this epoch
	sealed  uint32 // the same for the sealed epoch
	live    bool   // the key has a committed value: the entry's
	dirty   bool   // the row stands in Table.dirty
	saved   bool   // the key has a value in the checkpoint, as far as Dirty was called
}

func newRows() rows {
	return rows{index: map[uint64]uint32{}, used: 1, seed: maphash.MakeSeed(), mask: math.MaxUint64}
}

func (r *rows) hash(key []byte) uint64 { return maphash.Bytes(r.seed, key) & r.mask }

func (r *rows) at(id uint32) *row { return &r.pages[id/pageRows][id%pageRows] }

func (r *rows) entry(id uint32) entry { return parse(r.heap.at(r.at(id).entry)) }

// find returns the row of key, or 0.
func (r *rows) find(key []byte) uint32 {
	id := r.index[r.hash(key)]
	for id != 0 && string(r.entry(id).key) != string(key) {
		id = r.at(id).next
	}
	return id
}

// add makes a row for key, which has none.
func (r *rows) add(key []byte) uint32 {
	id := r.spare
	if id != 0 {
		r.spare = r.at(id).next
	} else {
		id = r.used
		r.used++
		if int(id/pageRows) == len(r.pages) {
			r.pages = append(r.pages, new([pageRows]row))
		}
	}
	hash := r.hash(key)
	p := r.at(id)
	*p = row{next: r.index[hash]}
	p.entry, p.size = r.heap.put(entry{row: id, ts: record.NoTimestamp, key: key})
	r.index[hash] = id
	return id
}

// set gives a row a new entry. The key must be its own; it and the value are copied.
func (r *rows) set(id uint32, ts record.Timestamp, key, value []byte) {
	p := r.at(id)
	old, size := p.entry, p.size
	p.entry, p.size = r.heap.put(entry{row: id, ts: ts, key: key, value: value})
	r.heap.free(old, int(size))
}

// remove gives a row back.
func (r *rows) remove(id uint32) {
	p := r.at(id)
	e := parse(r.heap.at(p.entry))
	hash := r.hash(e.key)
	if at := r.index[hash]; at != id {
		for r.at(at).next != id {
			at = r.at(at).next
		}
		r.at(at).next = p.next
	} else if p.next != 0 {
		r.index[hash] = p.next
	} else {
		delete(r.index, hash)
	}
	r.heap.free(p.entry, int(p.size))
	*p = row{next: r.spare}
	r.spare = id
}

// tidy moves some of what stands in old chunks.
func (r *rows) tidy(chunks int) {
	r.heap.evacuate(chunks, func(id uint32) *ref { return &r.at(id).entry })
}

// each calls fn with every row of the index.
func (r *rows) each(fn func(id uint32, p *row)) {
	for _, id := range r.index {
		for id != 0 {
			p := r.at(id)
			fn(id, p)
			id = p.next
		}
	}
}
