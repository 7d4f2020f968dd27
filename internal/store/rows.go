package store

import (
	"hash/maphash"
	"math"

	"github.com/mainstemio/mainstem/record"
)

// rows is the index of a table: which keys there are and where their entries stand. Nothing in it is a pointer but to large pieces, so
// that a table of millions of keys costs the garbage collector nothing.
//
// It is a hash table of chains with about one row in each. It grows by linear hashing (Litwin, 1980): a new row cuts one chain in two, so
// that there is never a moment at which everything moves, and no room for rows that may come. Only the first page moves while it is small,
// for the sake of small tables: a *row is valid until the next add.
type rows struct {
	heap    heap
	heads   [][]uint32 // first rows of the chains, by pages
	n       uint32     // chains in use
	mask    uint32     // mask+1 is the power of two at or above n
	pages   [][]row    // row 0 is none
	used    uint32     // rows handed out so far, row 0 included
	spare   uint32     // first of the rows that were given back
	count   int        // rows in the chains
	counted int        // count when touchCuts was called last
	coming  []uint64   // hashes of the keys that the owner looks for next, as Touch was told
	passed  int        // how many of them it has looked for
	seed    maphash.Seed
	hide    uint64              // of hashes: a test lets them collide
	fresh   func(p *row) []byte // the key of a row without an entry: it stands in the running epoch. Only the owner calls it
}

const (
	pageRows  = 1024 // rows, or heads, of a page
	firstRows = 16   // of the first page, which doubles until it is a whole one
)

// withRoom returns pages with room for element i, the one behind all that were used so far.
func withRoom[T any](pages [][]T, i uint32) [][]T {
	switch at := i / pageRows; {
	case len(pages) == 0:
		return append(pages, make([]T, firstRows))
	case int(at) == len(pages):
		return append(pages, make([]T, pageRows))
	case int(i%pageRows) == len(pages[at]):
		larger := make([]T, 2*len(pages[at]))
		copy(larger, pages[at])
		pages[at] = larger
	}
	return pages
}

// places is how many elements pages have room for.
func places[T any](pages [][]T) int64 {
	if len(pages) == 0 {
		return 0
	}
	return pageRows*int64(len(pages)-1) + int64(len(pages[0]))
}

// A row is one key. It stands in the index while it is live, has a newer generation, is dirty, or is on its way to the checkpoint.
type row struct {
	chunk uint32 // of the entry; 0: there is none yet
	bits  uint32 // the entry's position, what is committed, and the first bits of the hash
	next  uint32 // the next row of the chain, or the next spare one
	own   uint32 // what only the table's owner reads and writes, without a lock
}

// Bits of row.bits behind the position.
const (
	live    = 1 << chunkBits       // the key has a committed value
	away    = 1 << (chunkBits + 1) // the value stands in the checkpoint, the entry has none
	tagFrom = chunkBits + 2
)

// Bits of row.own.
const (
	change26 = 1<<26 - 1 // 1 + index in the changes of the newest epoch that has one; 0: none does
	inSealed = 1 << 26   // that epoch is the sealed one
	dirty    = 1 << 27   // the committed value changed since Table.Dirty
	saved    = 1 << 28   // the key may have a value in the checkpoint, as far as Dirty was called
	recent   = 1 << 29   // read or changed since the eviction came by last
	flight   = 3 << 30   // the number of the checkpoint that took the row last, see Table.inFlight
	flight1  = 1 << 30
)

func (p *row) place() place { return place{p.chunk, p.bits & (maxChunk - 1)} }

func (p *row) setPlace(at place) { p.chunk, p.bits = at.chunk, p.bits&^(maxChunk-1)|at.at }

func (p *row) live() bool { return p.bits&live != 0 }
func (p *row) away() bool { return p.bits&away != 0 }

func newRows(fresh func(p *row) []byte) rows {
	return rows{used: 1, seed: maphash.MakeSeed(), hide: math.MaxUint64, fresh: fresh}
}

func (r *rows) hash(key []byte) uint64 { return maphash.Bytes(r.seed, key) & r.hide }

func (r *rows) at(id uint32) *row { return &r.pages[id/pageRows][id%pageRows] }

// entryOf returns a row's entry. It must have one.
func (r *rows) entryOf(id uint32) entry { return parse(r.heap.at(r.at(id).place())) }

// key returns a row's key, whether or not it has an entry: the owner calls it.
func (r *rows) key(id uint32) []byte { return r.keyOf(r.at(id)) }

func (r *rows) keyOf(p *row) []byte {
	if p.chunk == 0 {
		return r.fresh(p)
	}
	key, _ := keyAt(r.heap.at(p.place()))
	return key
}

// chain returns the head of a hash's chain.
func (r *rows) chain(hash uint64) *uint32 {
	at := uint32(hash) & r.mask
	if at >= r.n {
		at &= r.mask >> 1
	}
	return &r.heads[at/pageRows][at%pageRows]
}

func tagOf(hash uint64) uint32 { return uint32(hash>>32) >> tagFrom }

// find returns the row of key, or 0. The owner calls it.
func (r *rows) find(key []byte) uint32 {
	if r.count == 0 {
		return 0
	}
	hash := r.hash(key)
	tag := tagOf(hash)
	for id := *r.chain(hash); id != 0; {
		p := r.at(id)
		if p.bits>>tagFrom == tag && string(r.keyOf(p)) == string(key) {
			return id
		}
		id = p.next
	}
	return 0
}

// findEntered is find for views: it passes over rows without an entry, which nothing committed is known of.
func (r *rows) findEntered(key []byte) uint32 {
	if r.count == 0 {
		return 0
	}
	hash := r.hash(key)
	tag := tagOf(hash)
	for id := *r.chain(hash); id != 0; {
		p := r.at(id)
		if p.chunk != 0 && p.bits>>tagFrom == tag && string(r.keyOf(p)) == string(key) {
			return id
		}
		id = p.next
	}
	return 0
}

// findAt returns the row whose entry stands at p, nil when it is dead.
func (r *rows) findAt(p place, key []byte) (uint32, *row) {
	for id := *r.chain(r.hash(key)); id != 0; {
		q := r.at(id)
		if q.chunk == p.chunk && q.bits&(maxChunk-1) == p.at {
			return id, q
		}
		id = q.next
	}
	return 0, nil
}

// add makes a row for key, which has none. It has no entry: where views or an order look for its key, enter it at once.
func (r *rows) add(key []byte) uint32 {
	r.grow()
	id := r.spare
	if id != 0 {
		r.spare = r.at(id).next
	} else {
		id = r.used
		r.used++
		r.pages = withRoom(r.pages, id)
	}
	hash := r.hash(key)
	head := r.chain(hash)
	*r.at(id) = row{next: *head, bits: tagOf(hash) << tagFrom}
	*head = id
	r.count++
	return id
}

// grow makes room for one more row: it cuts chains in two, most often one. Within the first page chains are short of rows: look-ups in small
// tables meet few other keys.
func (r *rows) grow() {
	if r.n == 0 {
		r.heads, r.n, r.mask = withRoom(r.heads, 0), firstRows, firstRows-1
	}
	const sparse = 4 // heads for each row
	for r.count >= int(r.n) || r.n < pageRows && sparse*r.count >= int(r.n) {
		r.cut()
	}
}

// cut cuts the next chain in two.
func (r *rows) cut() {
	if r.n == r.mask+1 {
		r.mask = r.mask<<1 | 1
	}
	r.heads = withRoom(r.heads, r.n)
	from := r.n & (r.mask >> 1)
	head := &r.heads[from/pageRows][from%pageRows]
	id := *head
	*head = 0
	r.n++
	for id != 0 {
		p := r.at(id)
		to := r.chain(r.hash(r.keyOf(p)))
		id, p.next, *to = p.next, *to, id
	}
}

// set gives a row a new entry. The key must be its own; it and the value are copied. over allows to write over the old one.
func (r *rows) set(id uint32, e entry, over bool) {
	p := r.at(id)
	if p.chunk == 0 {
		p.setPlace(r.heap.put(e))
		return
	}
	at := p.place()
	old := r.heap.at(at)
	had := roomOf(parse(old).size)
	if over && had == roomOf(e.length()) {
		e.append(old[:0])
		return
	}
	p.setPlace(r.heap.put(e))
	r.heap.free(at, had)
}

// remove gives a row back. The key must be its own.
func (r *rows) remove(id uint32, key []byte) {
	p := r.at(id)
	if head := r.chain(r.hash(key)); *head == id {
		*head = p.next
	} else {
		at := *head
		for r.at(at).next != id {
			at = r.at(at).next
		}
		r.at(at).next = p.next
	}
	if p.chunk != 0 {
		r.heap.free(p.place(), roomOf(parse(r.heap.at(p.place())).size))
	}
	*p = row{next: r.spare}
	r.spare = id
	r.count--
}

// tidy moves some of what stands in old chunks.
func (r *rows) tidy(chunks int) { r.heap.evacuate(chunks, r.keep) }

// keep moves an entry to the end if it is in use.
func (r *rows) keep(at place, e entry) {
	if _, p := r.findAt(at, e.key); p != nil {
		r.move(p, at, e)
	}
}

func (r *rows) move(p *row, at place, e entry) {
	room := roomOf(e.size)
	b, to := r.heap.room(room)
	copy(b[:e.size], r.heap.at(at))
	p.setPlace(to)
	r.heap.free(at, room)
}

// each calls fn with every row of the index.
func (r *rows) each(fn func(id uint32, p *row)) {
	for _, page := range r.heads {
		for _, id := range page {
			for id != 0 {
				p := r.at(id)
				fn(id, p)
				id = p.next
			}
		}
	}
}

// held is the memory of everything, in bytes.
func (r *rows) held() int64 {
	const rowBytes, headBytes = 16, 4
	return r.heap.size + rowBytes*places(r.pages) + headBytes*places(r.heads)
}

// never is what a row without a committed value has for its time.
const never = record.NoTimestamp
