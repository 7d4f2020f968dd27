package store

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

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
}

// A Table is the state of one store in one task. The task's goroutine reads and writes it; views read its committed part from
// anywhere. Values are immutable by contract: whoever changes one puts a new one.
//
// There is one hash index for all generations of a row. A row's slot holds the committed value and says where in the overlay
// and in the sealed epoch its newer values stand.
type Table[K, V any] struct {
	o Options[K, V]

	// Owned by the task's goroutine.
	overlay epoch[K, V]
	sealed  epoch[K, V]
	inSeal  bool             // a sealed epoch waits for Commit
	last    *slot[K, V]      // the slot found last: a Get followed by a Put of the same key looks it up once
	dirty   []*slot[K, V]    // slots whose committed row changed since Dirty, in order of change
	scratch []byte           // for encoding in Seal
	keyBuf  []byte           // for handing out keys in Seal
	maxTS   record.Timestamp // highest timestamp of any row so far: what a deletion's changelog record carries
	count   int              // live rows
	bytes   int64            // estimate for the live rows

	mu struct {
		sync.RWMutex // guards index, and slot.{v,ts,live} against views; the owner reads them without it
		index        map[string]*slot[K, V]
	}
}

var _ Store = (*Table[string, string])(nil)

// A slot is one key. It stands in the index while it is live or has a newer generation.
type slot[K, V any] struct {
	key     string
	k       K
	v       V                // the committed value, if live
	ts      record.Timestamp // the committed value's timestamp
	size    uint32           // the committed value's encoded bytes: an estimate
	overlay int32            // 1 + index in the overlay's changes; 0: not changed in this epoch
	sealed  int32            // the same for the sealed epoch
	live    bool             // the key has a committed value
	dirty   bool             // the slot stands in Table.dirty
}

// An epoch holds the changed keys' last values in order of first change, and the encoded bytes that came with them.
type epoch[K, V any] struct {
	changes []change[K, V]
	encoded []byte
}

type change[K, V any] struct {
	slot    *slot[K, V]
	v       V
	ts      record.Timestamp
	at, n   uint32 // the value's bytes in epoch.encoded; n is known after Seal in any case
	encoded bool   // at and n are set
	deleted bool
}

// NewTable returns an empty table.
func NewTable[K, V any](o Options[K, V]) *Table[K, V] {
	t := &Table[K, V]{o: o, maxTS: record.NoTimestamp}
	t.overlay.encoded, t.sealed.encoded = []byte{}, []byte{} // never nil: an empty value cut from them must not look like null
	t.mu.index = make(map[string]*slot[K, V])
	return t
}

// Name and Partition are those of the Options.
func (t *Table[K, V]) Name() string     { return t.o.Name }
func (t *Table[K, V]) Partition() int32 { return t.o.Partition }

// Len is the number of committed rows, Bytes an estimate of their memory. The owner calls them.
func (t *Table[K, V]) Len() int     { return t.count }
func (t *Table[K, V]) Bytes() int64 { return t.bytes }

// Get returns the newest value of key (its encoded form): overlay, then sealed, then resident.
func (t *Table[K, V]) Get(key []byte) (V, record.Timestamp, bool) {
	s := t.find(key)
	if s == nil {
		var zero V
		return zero, record.NoTimestamp, false
	}
	switch {
	case s.overlay != 0:
		c := &t.overlay.changes[s.overlay-1]
		return c.v, c.ts, !c.deleted
	case s.sealed != 0:
		c := &t.sealed.changes[s.sealed-1]
		return c.v, c.ts, !c.deleted
	}
	return s.v, s.ts, s.live
}

// Put changes the overlay. key is copied when it is new. k is kept for scans and views.
func (t *Table[K, V]) Put(key []byte, k K, v V, ts record.Timestamp) {
	c := t.change(t.findOrAdd(key, k))
	c.v, c.ts, c.deleted, c.encoded = v, ts, false, false
	t.maxTS = max(t.maxTS, ts)
}

// PutEncoded is Put for a caller that has v's encoded bytes already: the changelog record reuses them (copied). encoded must
// not be nil.
func (t *Table[K, V]) PutEncoded(key []byte, k K, v V, ts record.Timestamp, encoded []byte) {
	c := t.change(t.findOrAdd(key, k))
	reuse := c.encoded && int(c.n) >= len(encoded)
	c.v, c.ts, c.deleted, c.encoded = v, ts, false, true
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
func (t *Table[K, V]) Delete(key []byte) {
	s := t.find(key)
	if s == nil {
		return
	}
	if _, _, ok := t.Get(key); !ok {
		return
	}
	c := t.change(s)
	var zero V
	c.v, c.ts, c.deleted, c.encoded = zero, t.maxTS, true, false
}

// find returns key's slot or nil.
func (t *Table[K, V]) find(key []byte) *slot[K, V] {
	if t.last != nil && t.last.key == string(key) {
		return t.last
	}
	s := t.mu.index[string(key)] // the owner is the only writer: it needs no lock to read
	if s != nil {
		t.last = s
	}
	return s
}

func (t *Table[K, V]) findOrAdd(key []byte, k K) *slot[K, V] {
	if s := t.find(key); s != nil {
		return s
	}
	s := &slot[K, V]{key: string(key), k: k, ts: record.NoTimestamp}
	t.mu.Lock()
	t.mu.index[s.key] = s
	t.mu.Unlock()
	t.last = s
	return s
}

// change returns s's place in the overlay. It is valid until the next call.
func (t *Table[K, V]) change(s *slot[K, V]) *change[K, V] {
	if s.overlay == 0 {
		t.overlay.changes = append(t.overlay.changes, change[K, V]{slot: s})
		s.overlay = int32(len(t.overlay.changes))
	}
	return &t.overlay.changes[s.overlay-1]
}

// rowBytes estimates what a live row takes besides the values behind pointers, whose encoded size stands for them.
func (s *slot[K, V]) rowBytes() int64 {
	const indexEntry = 32 // string header, pointer and control bytes at the map's usual load
	return int64(unsafe.Sizeof(*s)) + int64(len(s.key)) + int64(s.size) + indexEntry
}

// wrap adds the table's nouns to an error.
func (t *Table[K, V]) wrap(op string, err error) error {
	return fmt.Errorf("%s store %s/%d: %w", op, t.o.Name, t.o.Partition, err)
}
