package store

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/mainstemio/mainstem/internal/flat"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// errNullValue: a changelog cannot tell a null value from a deleted key.
var errNullValue = errors.New("value encodes to null; delete the key instead")

// Options of a Table. Name is the store's name, Partition the task's.
type Options[K, V any] struct {
	Name      string
	Partition int32
	Key       serde.Serde[K]
	Value     serde.Serde[V]
	// Ordered: rows can be read in the order of their keys' bytes (Range, RangeBack).
	Ordered bool
	// Time, when set, is the time that a key says: rows can be found and dropped by it (Timed, ExpireBefore). Day is how many ms are
	// kept together, at least 1: about a thirtieth of how long rows are kept.
	Time func(key []byte) record.Timestamp
	Day  record.Timestamp
	// Retention, if above 0, is for how many ms rows are kept, by the time that Time says: see Saw. The first of the Marks belongs to it.
	Retention record.Timestamp
	// KeepBytes, if above 0, lets rows whose Retention is over stay until the table takes more bytes.
	KeepBytes int64
	// Published: whoever changes a row writes the change to the topic that the table is restored from. Seal tells of none.
	Published bool
	// Marks is how many numbers are kept beside the rows, such as the stream time of the operator. They are durable as the rows are, under
	// the empty key, which no row of such a table may have. They begin as record.NoTimestamp.
	Marks int
}

// A Table is the state of one store in one task. The task's goroutine reads and writes it; views read its committed part from
// anywhere. Values are immutable by contract: whoever changes one puts a new one.
//
// There is one index for all generations of a row: a row says where its newest value stands in the overlay or the sealed epoch. Committed
// values are kept flat (package flat); those of types without a flat form as they are, by row. Rows that a checkpoint has may be there
// only: see cold.
type Table[K, V any] struct {
	o    Options[K, V]
	flat *flat.Codec[V] // nil: no flat form

	// Owned by the task's goroutine.
	overlay  epoch[V]
	sealed   epoch[V]
	inSeal   bool             // a sealed epoch waits for Commit
	last     uint32           // the row found last: a Get followed by a Put of the same key looks it up once
	dirty    dirtyRows        // rows whose committed value changed since Dirty
	scratch  []byte           // for encoding in Seal and Commit
	got      V                // zero but while Get reads: a local variable would be allocated
	maxTS    record.Timestamp // highest timestamp of any row so far: what a deletion's changelog record carries
	count    int              // live rows
	order    *order           // nil: not Ordered. Changed under mu, as rows
	calendar *calendar        // nil: without Time
	marks    marks
	cold     cold
	tail     int // see Tail

	mu struct {
		sync.RWMutex // guards rows but for row.own, objects and some, against views; the owner reads without it
		rows         rows
		objects      []V  // committed values by row, when they have no flat form
		some         bool // there may be rows that are in the checkpoint only and not in the index
	}
}

var _ Store = (*Table[string, string])(nil)

// An epoch holds the changed keys' last values in order of first change, and the bytes of keys and values: rows are spread over
// the whole heap, so what sealing and committing need of them stands together here.
type epoch[V any] struct {
	changes []change[V]
	encoded []byte
}

type change[V any] struct {
	row     uint32
	under   uint32 // of the overlay: 1 + index of the row's change in the sealed epoch; 0: none
	key     uint32 // where the key stands in epoch.encoded
	keyLen  uint32
	v       V
	ts      record.Timestamp
	at, n   uint32 // the value's bytes in epoch.encoded
	encoded bool   // at and n are set
	deleted bool
	silent  bool // deleted without a changelog record
}

// NewTable returns an empty table.
func NewTable[K, V any](o Options[K, V]) *Table[K, V] {
	t := &Table[K, V]{o: o, maxTS: record.NoTimestamp}
	if c, ok := flat.Of[V](); ok {
		t.flat = c
	}
	t.cold.portions = usualPortions
	t.overlay.encoded, t.sealed.encoded = []byte{}, []byte{} // never nil: an empty value cut from them must not look like null
	t.scratch = []byte{}                                     // for the same reason
	t.mu.rows = newRows(t.freshKey)
	if o.Ordered {
		t.order = newOrder(&t.mu.rows)
	}
	if o.Time != nil {
		t.calendar = &calendar{timeOf: o.Time, day: max(o.Day, 1)}
	}
	if o.Retention > 0 {
		o.Marks = max(o.Marks, 1)
	}
	t.marks = newMarks(o.Marks)
	return t
}

// Name and Partition are those of the Options.
func (t *Table[K, V]) Name() string     { return t.o.Name }
func (t *Table[K, V]) Partition() int32 { return t.o.Partition }

// Key is the serde of the keys.
func (t *Table[K, V]) Key() serde.Serde[K] { return t.o.Key }

// Len is the number of committed rows that are in memory, with or without their values, Bytes about what they take: entries in use, rows,
// places in the index. Values without a flat form count with the size of their type. The owner calls them.
func (t *Table[K, V]) Len() int { return t.count }

// Tail implements Store.
func (t *Table[K, V]) Tail() int { return t.tail }

func (t *Table[K, V]) Bytes() int64 {
	const rowAndHead = 20
	return t.mu.rows.heap.live + (rowAndHead+t.objectBytes())*int64(t.mu.rows.count)
}

// held is the memory that the rows take, in use or not.
func (t *Table[K, V]) held() int64 {
	const treeEntry = 8
	n := t.mu.rows.held() + t.objectBytes()*int64(cap(t.mu.objects))
	if t.keysStay() {
		n += treeEntry * int64(t.mu.rows.count)
	}
	return n
}

func (t *Table[K, V]) objectBytes() int64 {
	if t.flat != nil {
		return 0
	}
	return int64(reflect.TypeFor[V]().Size())
}

// Get returns the newest value of key (its encoded form): overlay, then sealed, then committed.
func (t *Table[K, V]) Get(key []byte) (v V, ts record.Timestamp, ok bool) {
	id := t.find(key)
	if id == 0 {
		return v, never, false
	}
	return t.newest(id)
}

// Stamp is Get without the value: it costs no decoding.
func (t *Table[K, V]) Stamp(key []byte) (ts record.Timestamp, ok bool) {
	id := t.find(key)
	if id == 0 {
		return never, false
	}
	p := t.mu.rows.at(id)
	if c := t.changed(p); c != nil {
		return c.ts, !c.deleted
	}
	return t.mu.rows.entryOf(id).ts, p.live()
}

// changed returns the newest change of a row that is not committed, nil when there is none.
func (t *Table[K, V]) changed(p *row) *change[V] {
	switch n := p.own & change26; {
	case n == 0:
		return nil
	case p.own&inSealed != 0:
		return &t.sealed.changes[n-1]
	default:
		return &t.overlay.changes[n-1]
	}
}

// newest returns the newest value of a row.
func (t *Table[K, V]) newest(id uint32) (v V, ts record.Timestamp, ok bool) {
	p := t.mu.rows.at(id)
	if c := t.changed(p); c != nil {
		return c.v, c.ts, !c.deleted
	}
	switch {
	case !p.live():
		return v, never, false
	case p.away():
		return t.load(id)
	}
	if p.own&recent == 0 {
		p.own |= recent
	}
	e := parse(t.mu.rows.heap.at(p.place()))
	if t.flat == nil {
		return t.mu.objects[id], e.ts, true
	}
	t.read(e.value, &t.got)
	v, t.got = t.got, v
	return v, e.ts, true
}

// read sets v from its flat form. The value gets bytes of its own: strings that somebody keeps would hold a whole chunk.
func (t *Table[K, V]) read(b []byte, v *V) {
	if !t.flat.Copied() {
		b = append([]byte(nil), b...)
	}
	t.flat.Read(b, v)
}

// Put changes the overlay. key is copied when it is new.
func (t *Table[K, V]) Put(key []byte, v V, ts record.Timestamp) {
	c := t.change(t.findOrAdd(key), key)
	c.v, c.ts, c.deleted, c.silent, c.encoded = v, ts, false, false, false
	t.maxTS = max(t.maxTS, ts)
}

// PutEncoded is Put for a caller that has v's encoded bytes already: the changelog record reuses them (copied). encoded must
// not be nil.
func (t *Table[K, V]) PutEncoded(key []byte, v V, ts record.Timestamp, encoded []byte) {
	if t.o.Published {
		t.Put(key, v, ts)
		return
	}
	c := t.change(t.findOrAdd(key), key)
	reuse := c.encoded && int(c.n) >= len(encoded)
	c.v, c.ts, c.deleted, c.silent, c.encoded = v, ts, false, false, true
	if reuse { // a key that changes again and again in one epoch takes room once
		copy(t.overlay.encoded[c.at:], encoded)
	} else {
		c.at = uint32(len(t.overlay.encoded))
		t.overlay.encoded = append(t.overlay.encoded, encoded...)
	}
	c.n = uint32(len(encoded))
	t.maxTS = max(t.maxTS, ts)
}

// Delete removes key in the overlay. Deleting a key that is not there changes nothing.
func (t *Table[K, V]) Delete(key []byte) { t.remove(key, false) }

// Expire is Delete without a changelog record: for rows whose time is over, which the changelog's retention removes, or which whoever
// restores the table expires again.
func (t *Table[K, V]) Expire(key []byte) { t.remove(key, true) }

func (t *Table[K, V]) remove(key []byte, silent bool) {
	id := t.find(key)
	if id == 0 {
		return
	}
	p := t.mu.rows.at(id)
	if c := t.changed(p); c != nil {
		if c.deleted {
			return
		}
	} else if !p.live() {
		return
	}
	c := t.change(id, key)
	var zero V
	c.v, c.ts, c.deleted, c.silent, c.encoded = zero, t.maxTS, true, silent, false
}

// find returns key's row, or 0: it is brought back if it must be. The owner is the only writer: it needs no lock to read.
func (t *Table[K, V]) find(key []byte) uint32 {
	t.mu.rows.pass()
	if id := t.resident(key); id != 0 || !t.mu.some {
		return id
	}
	return t.fetch(key)
}

// resident returns the row of a key that is in the index, or 0.
func (t *Table[K, V]) resident(key []byte) uint32 {
	if t.last != 0 && string(t.mu.rows.key(t.last)) == string(key) {
		return t.last
	}
	id := t.mu.rows.find(key)
	if id != 0 {
		t.last = id
	}
	return id
}

// findOrAdd returns key's row without asking the checkpoint, which may have it: who changes a row need not know what it was.
func (t *Table[K, V]) findOrAdd(key []byte) uint32 {
	if id := t.resident(key); id != 0 {
		return id
	}
	return t.addUnasked(key)
}

// addUnasked is findOrAdd for a key that is not in the index.
func (t *Table[K, V]) addUnasked(key []byte) uint32 {
	id := t.add(key)
	if t.mu.some && !t.cold.isMissed(key) {
		t.mu.rows.at(id).own |= saved
	}
	return id
}

// add makes a row for a key that is not in the index. Views of ordered tables and calendars look at the keys of all rows, so those have an
// entry at once; other rows get theirs with the first committed value.
func (t *Table[K, V]) add(key []byte) uint32 {
	t.mu.Lock()
	id := t.mu.rows.add(key)
	if t.keysStay() {
		t.mu.rows.set(id, entry{ts: never, key: key}, false)
	}
	if t.order != nil {
		t.order.tree.Set(id)
	}
	t.mu.Unlock()
	if t.calendar != nil {
		t.enter(id, key)
	}
	t.last = id
	return id
}

// keyOf returns the key of a change.
func (e *epoch[V]) keyOf(c *change[V]) []byte {
	return e.encoded[c.key : c.key+c.keyLen : c.key+c.keyLen]
}

// freshKey returns the key of a row without an entry: it has a change.
func (t *Table[K, V]) freshKey(p *row) []byte {
	e := &t.overlay
	if p.own&inSealed != 0 {
		e = &t.sealed
	}
	return e.keyOf(&e.changes[p.own&change26-1])
}

// change returns the row's place in the overlay. It is valid until the next call.
func (t *Table[K, V]) change(id uint32, key []byte) *change[V] {
	p := t.mu.rows.at(id)
	n := p.own & change26
	if n == 0 || p.own&inSealed != 0 {
		t.overlay.changes = append(t.overlay.changes, change[V]{row: id, under: n, key: uint32(len(t.overlay.encoded)), keyLen: uint32(len(key))})
		t.overlay.encoded = append(t.overlay.encoded, key...)
		n = uint32(len(t.overlay.changes))
		p.own = p.own&^(change26|inSealed) | recent | n
	}
	return &t.overlay.changes[n-1]
}

// wrap adds the table's nouns to an error.
func (t *Table[K, V]) wrap(op string, err error) error {
	return fmt.Errorf("%s store %s/%d: %w", op, t.o.Name, t.o.Partition, err)
}
