package operator

import (
	"errors"
	"unsafe"

	"github.com/mainstemio/mainstem/record"
)

// Caches are the record caches of a Set: Kafka Streams' way to merge the updates of a key between two commits. Between a table that is
// kept and the steps behind it stands one for each task; the table itself is always up to date, only its updates are held back. When
// it is flushed, each key that changed gives one update: from what the table had at the last flush to what it has now, in the order of
// the keys' last changes. A key that had no row then and has none now gives none.
type Caches struct {
	Limit int64 // bytes of all held updates together; 0: there are no caches
	// Consistent has the caches hold whatever comes until the epoch ends: Limit does not count. See consistent.go.
	Consistent bool
	// Lost is told of a held update that is thrown away because its record was given up; see Forget.
	Lost func(o Origin, key []byte, ts record.Timestamp)

	all    []Holder
	bytes  int64
	lost   map[Origin]bool
	before bool // tables are read as they were when the epoch began: see Caches.Before
}

// A Holder holds rows back in one task: the updates of a table, or in consistent mode the rows of a stream in front of a step that reads
// tables.
type Holder interface {
	// Node is the number of the table's node in the topology, or of the step's.
	Node() int
	// Flush hands on all rows that are held now.
	Flush() error
	// Held is their number.
	Held() int
}

// All returns the holders of all tasks, in no particular order.
func (c *Caches) All() []Holder { return c.all }

// Bytes is an estimate of what is held back.
func (c *Caches) Bytes() int64 { return c.bytes }

// Forget has the updates thrown away whose last record is o: it made a step behind the cache fail.
func (c *Caches) Forget(o Origin) {
	if c.lost == nil {
		c.lost = map[Origin]bool{}
	}
	c.lost[o] = true
}

// Remember ends Forget for all records.
func (c *Caches) Remember() { clear(c.lost) }

// A Retention is how a store forgets rows by the times in their keys. An update does not say what the store had forgotten by the flush,
// though a cache may still find it.
type Retention struct {
	Time func(key []byte) record.Timestamp
	For  record.Timestamp // in ms
}

// errNoKeyBytes is a mistake in a step: every table that is kept knows the bytes of its keys.
var errNoKeyBytes = errors.New("a cached table hands on updates without the bytes of their keys")

// held is what is known of a key that changed.
type held[K, V any] struct {
	used      bool // it stands in the index; otherwise it is free
	key       K
	keyBytes  string
	next      V
	absent    bool
	old       V // before the first change that is held
	oldAbsent bool
	at        record.Timestamp
	headers   []record.Header
	origin    Origin
	size      int64
	turn      uint64 // number of the last change; 0: nothing is held of the key
}

// A heldRef is a place in the order of changes; it is stale when the entry has another turn.
type heldRef struct {
	entry uint32
	turn  uint64
}

// A heldUndo is what an entry was before a change.
type heldUndo[K, V any] struct {
	entry  uint32
	before held[K, V]
	fresh  bool // the entry was made for the key
}

// cache takes the place of a table's children.
type cache[K, V any] struct {
	caches *Caches
	id     int
	out    *GatheredChanges[K, V]
	final  func(ch *Change[K, V], r *Rows) error // nil: the last update says what the row is; see ChangesOut.Finally

	entries []held[K, V]
	free    []uint32
	index   map[string]uint32 // by the key's bytes
	order   []heldRef         // of changes, oldest first, from head on
	head    int
	turn    uint64
	held    int

	retention Retention
	highest   record.Timestamp // of all flushed keys: the store's time in Kafka Streams, which a restart forgets

	log       []heldUndo[K, V] // of the unit
	keptOrder int              // len(order) and head when the unit began
	keptHead  int
	keptTime  record.Timestamp
	shown     Rows // one row: where an update comes from
}

// newCache makes the cache in front of the site's children.
func newCache[K, V any](s *Site) (*cache[K, V], error) {
	behind := *s
	behind.Cached = false
	out, err := NewGatheredChanges[K, V](&behind, nil, nil, true)
	if err != nil {
		return nil, err
	}
	c := &cache[K, V]{
		caches: &s.Env.Caches, id: s.ID, out: out, index: map[string]uint32{}, retention: s.Retention,
		highest: record.NoTimestamp, keptTime: record.NoTimestamp,
		shown: Rows{Timestamps: make([]record.Timestamp, 1), Headers: make([][]record.Header, 1), Origins: make([]Origin, 1)},
	}
	s.Env.Caches.all = append(s.Env.Caches.all, c)
	s.Undoers = append(s.Undoers, c)
	if c.caches.Consistent {
		s.shown = c.shownThrough
	}
	return c, nil
}

func (c *cache[K, V]) Node() int { return c.id }
func (c *cache[K, V]) Held() int { return c.held }

// ReceiveChanges implements ChangeReceiver.
func (c *cache[K, V]) ReceiveChanges(b *Changes[K, V]) error {
	if b.KeyBytes.Bytes == nil {
		return errNoKeyBytes
	}
	c.out.keyBy, c.out.hasOld = b.KeyBytes.By, b.HasOld
	for _, i := range b.Sel {
		if c.caches.Consistent && IsSet(b.Superseded, i) {
			continue // the row of the key stays what it is
		}
		c.hold(b, i)
	}
	return c.shrink()
}

// hold takes row i.
func (c *cache[K, V]) hold(b *Changes[K, V], i int32) {
	id, known := c.index[string(b.KeyBytes.Bytes[i])]
	if !known {
		id = c.newEntry(string(b.KeyBytes.Bytes[i]))
	}
	e := &c.entries[id]
	c.log = append(c.log, heldUndo[K, V]{entry: id, before: *e, fresh: !known})
	if e.turn == 0 {
		e.key, e.oldAbsent = b.Keys[i], !b.HasOld || IsSet(b.OldAbsent, i)
		if !e.oldAbsent {
			e.old = b.Old[i]
		}
		c.held++
	}
	c.caches.bytes -= e.size
	e.next, e.absent, e.at, e.origin = b.New[i], IsSet(b.NewAbsent, i), b.Timestamps[i], b.Origins[i]
	e.headers = nil
	if b.Headers != nil {
		e.headers = b.Headers[i]
	}
	e.size = int64(unsafe.Sizeof(*e)) + int64(2*len(e.keyBytes))
	if b.NewBytes.Bytes != nil {
		e.size += int64(len(b.NewBytes.Bytes[i]))
	}
	c.caches.bytes += e.size
	c.turn++
	e.turn = c.turn
	c.order = append(c.order, heldRef{id, e.turn})
}

func (c *cache[K, V]) newEntry(key string) uint32 {
	var id uint32
	if n := len(c.free); n > 0 {
		id, c.free = c.free[n-1], c.free[:n-1]
	} else {
		id = uint32(len(c.entries))
		c.entries = append(c.entries, held[K, V]{})
	}
	c.entries[id] = held[K, V]{used: true, keyBytes: key}
	c.index[key] = id
	return id
}

// shrink hands on the updates of the keys that did not change for longest, as long as the caches hold too much.
func (c *cache[K, V]) shrink() error {
	if c.caches.Consistent || c.caches.bytes <= c.caches.Limit {
		return nil
	}
	for c.caches.bytes > c.caches.Limit && c.held > 0 {
		if err := c.next(); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// Flush implements HeldTable.
func (c *cache[K, V]) Flush() error {
	for c.held > 0 {
		if err := c.next(); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// next hands on the first held update.
func (c *cache[K, V]) next() error {
	ref := c.order[c.head]
	c.head++
	e := &c.entries[ref.entry]
	if e.turn != ref.turn {
		return nil // it changed again later
	}
	c.log = append(c.log, heldUndo[K, V]{entry: ref.entry, before: *e})
	ch := Change[K, V]{
		Key: e.key, KeyBytes: []byte(e.keyBytes), New: e.next, NewAbsent: e.absent, Old: e.old, OldAbsent: e.oldAbsent, Timestamp: e.at,
	}
	c.shown.Headers[0], c.shown.Origins[0] = e.headers, e.origin
	c.caches.bytes -= e.size
	c.held--
	*e = held[K, V]{used: true, keyBytes: e.keyBytes}
	if c.caches.Consistent {
		e.old, e.oldAbsent = ch.Old, ch.OldAbsent // Before asks for it until the unit ends
	}
	at := c.forgotten(&ch)
	if c.final != nil && !c.caches.lost[c.shown.Origins[0]] {
		if err := c.final(&ch, &c.shown); err != nil {
			return err
		}
	}
	switch {
	case c.caches.lost[c.shown.Origins[0]]:
		c.caches.Lost(c.shown.Origins[0], ch.KeyBytes, ch.Timestamp)
		return nil
	case ch.NewAbsent && ch.OldAbsent:
		return nil
	}
	c.highest = max(c.highest, at)
	return c.out.Add(ch, &c.shown, 0)
}

// forgotten takes the old value from an update whose row the store has forgotten, and returns the key's time.
func (c *cache[K, V]) forgotten(ch *Change[K, V]) record.Timestamp {
	if c.retention.Time == nil || c.caches.Consistent {
		return c.highest
	}
	at := c.retention.Time(ch.KeyBytes)
	if at <= c.highest-c.retention.For {
		var none V
		ch.Old, ch.OldAbsent = none, true
	}
	return at
}

// Keep implements Undoer. It gives back the entries of keys of which nothing is held any more.
func (c *cache[K, V]) Keep() {
	for i := range c.log {
		id := c.log[i].entry
		if e := &c.entries[id]; e.turn == 0 && e.used {
			c.drop(id)
		}
	}
	if c.held == 0 {
		c.order, c.head = c.order[:0], 0
	} else if c.head > len(c.order)/2 {
		c.order, c.head = c.order[:copy(c.order, c.order[c.head:])], 0
	}
	c.forget()
}

// Undo implements Undoer.
func (c *cache[K, V]) Undo() {
	for i := len(c.log) - 1; i >= 0; i-- {
		u := &c.log[i]
		e := &c.entries[u.entry]
		c.caches.bytes += u.before.size - e.size
		c.held += heldOne(u.before.turn) - heldOne(e.turn)
		*e = u.before
		if u.fresh {
			c.drop(u.entry)
		}
	}
	c.order, c.head, c.highest = c.order[:c.keptOrder], c.keptHead, c.keptTime
	c.forget()
}

// drop gives an entry back.
func (c *cache[K, V]) drop(id uint32) {
	delete(c.index, c.entries[id].keyBytes)
	c.entries[id] = held[K, V]{}
	c.free = append(c.free, id)
}

func heldOne(turn uint64) int {
	if turn == 0 {
		return 0
	}
	return 1
}

func (c *cache[K, V]) forget() {
	clear(c.log)
	c.log = c.log[:0]
	c.keptOrder, c.keptHead, c.keptTime = len(c.order), c.head, c.highest
}
