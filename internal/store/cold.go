package store

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
)

// The checkpointed copy of a row is also its spilled copy: a row that is as the checkpoint has it may leave memory at no cost, and comes
// back when it is read. Nothing else is written for it. How a row leaves depends on how the table is read:
//
//	by key only          it leaves the index. A key that is not there is looked for in the checkpoint (Table.some)
//	in order, by time    its key and time stay, its value leaves: scans, calendars and look-ups of missing keys ask nobody else
//
// A row is on its way to the checkpoint (inFlight) from Dirty until the checkpoint is written. Until then it does not leave, and a
// deleted one stays in the index: the checkpoint still has what it had.

// A cold is a table's checkpoint as it is now, for its owner and for views.
type cold struct {
	db      *spilled // set before the table is used; nil: everything is resident
	account *account
	err     atomic.Pointer[error] // the first that a read gave, also a view's: the epoch must not be sealed
	missed  map[string]struct{}   // keys that were found nowhere, lately. Put follows Get
	wanted  [][]byte              // empty but while Ahead reads

	active  uint32        // the number of the checkpoint under way, as row.own has it; 0: none
	number  uint32        // the last one's
	written atomic.Uint32 // set by Done: the checkpoint of this number is in the database
	taken   int           // rows of the checkpoint under way
	buried  []uint32      // rows deleted by it
	away    int           // rows whose value is not resident

	portions portions
	next     []byte // the first key that warm has not looked at; nil: there is nothing for it to do
	evicted  bool   // rows left memory since the table was loaded
}

// portions are how many rows of the checkpoint are read at once: before the table is used, so that a start does not take as long as the
// table is large, and by each Commit after it, in some ms. A table of more than whole bytes may be written as a whole.
type portions struct {
	load, warm int
	whole      int64
}

var usualPortions = portions{load: 1 << 16, warm: 1 << 13, whole: 1 << 20}

// keptMissed is how many keys found nowhere are remembered at most.
const keptMissed = 1 << 11

// isMissed tells whether the key was looked for lately, and is nowhere.
func (c *cold) isMissed(key []byte) bool {
	_, missed := c.missed[string(key)]
	return missed
}

func (c *cold) miss(key []byte) {
	if c.missed == nil {
		c.missed = map[string]struct{}{}
	}
	if len(c.missed) >= keptMissed {
		clear(c.missed)
	}
	c.missed[string(key)] = struct{}{}
}

func (c *cold) forgetMissed() { clear(c.missed) }

// spill implements Store.
func (t *Table[K, V]) spill(to *spilled, share *Share) {
	t.cold.db, t.cold.account = to, share.open(string(to.prefix))
}

// A spilled reads a table's rows in the checkpoints.
type spilled struct {
	db     kv.Store
	prefix []byte
}

func (s *spilled) get(key []byte) ([]byte, error) { return prefixReader{s.db, s.prefix}.Get(key) }

// getAll is get for many keys, see kv.Store.
func (s *spilled) getAll(keys [][]byte, fn func(i int, value []byte) error) error {
	size := 0
	for _, key := range keys {
		size += len(s.prefix) + len(key)
	}
	full, b := make([][]byte, len(keys)), make([]byte, 0, size)
	for i, key := range keys {
		at := len(b)
		b = append(append(b, s.prefix...), key...)
		full[i] = b[at:len(b):len(b)]
	}
	return s.db.GetAll(full, fn)
}

// inFlight tells whether the checkpoint under way took the row. It may say so of others that an earlier one took.
func (t *Table[K, V]) inFlight(p *row) bool {
	return t.cold.active != 0 && p.own&flight == t.cold.active
}

// depart begins a checkpoint: the one before is written.
func (t *Table[K, V]) depart() {
	t.settle(true)
	c := &t.cold
	if c.number += flight1; c.number == 0 {
		c.number = flight1
	}
	c.active = c.number
	c.written.Store(0)
}

// settle forgets what waited for the checkpoint under way, if it is written.
func (t *Table[K, V]) settle(written bool) {
	c := &t.cold
	if c.active == 0 || !written && c.written.Load() != c.active {
		return
	}
	c.active, c.taken = 0, 0
	if len(c.buried) == 0 {
		return
	}
	t.mu.Lock()
	for _, id := range c.buried {
		if p := t.mu.rows.at(id); p.chunk != 0 { // not given back meanwhile
			t.forgetLocked(id, t.mu.rows.key(id))
		}
	}
	t.mu.Unlock()
	c.buried = c.buried[:0]
}

// Done implements Store.
func (t *Table[K, V]) Done() func() {
	number := t.cold.active
	return func() { t.cold.written.Store(number) }
}

// fetch brings back a row that is not in the index, and returns 0 if the checkpoint does not have it either.
func (t *Table[K, V]) fetch(key []byte) uint32 {
	if t.cold.isMissed(key) {
		return 0
	}
	v, ts, ok := t.fromCheckpoint(key)
	if !ok {
		t.cold.miss(key)
		return 0
	}
	id := t.add(key)
	t.mu.Lock()
	t.setLocked(id, key, &v, ts)
	t.mu.Unlock()
	t.mu.rows.at(id).own |= saved
	return id
}

// load brings back the value of a row.
func (t *Table[K, V]) load(id uint32) (v V, ts record.Timestamp, ok bool) {
	key := t.mu.rows.key(id)
	if v, ts, ok = t.fromCheckpoint(key); !ok {
		t.fail(errLostRow)
		return v, ts, false
	}
	t.mu.Lock()
	t.setLocked(id, key, &v, ts)
	t.mu.Unlock()
	return v, ts, true
}

var errLostRow = errors.New("a row is missing in the checkpoint")

func (t *Table[K, V]) fromCheckpoint(key []byte) (v V, ts record.Timestamp, ok bool) {
	v, ts, ok, err := t.readCheckpoint(key)
	if err != nil {
		t.fail(err)
	}
	return v, ts, ok
}

// readCheckpoint may be called from any goroutine.
func (t *Table[K, V]) readCheckpoint(key []byte) (v V, ts record.Timestamp, ok bool, err error) {
	b, err := t.cold.db.get(key)
	if errors.Is(err, kv.ErrNotFound) {
		return v, never, false, nil
	}
	if err == nil {
		v, ts, err = t.decodeRow(b)
	}
	return v, ts, err == nil, err
}

// decodeRow reads a row's value as it stands in the checkpoint.
func (t *Table[K, V]) decodeRow(b []byte) (v V, ts record.Timestamp, err error) {
	at, n := binary.Varint(b)
	if n <= 0 {
		return v, never, errShortRow
	}
	v, err = t.o.Value.Decode(b[n:])
	return v, record.Timestamp(at), err
}

// fail notes the first error of a read that has no way to return it: readers go on as if there were no row, and Seal refuses the epoch.
func (t *Table[K, V]) fail(err error) {
	t.cold.err.CompareAndSwap(nil, &err)
}

// warm brings in the next rows of a table that was not loaded whole, while there is room: so that the database need not be asked for each of
// them, and in the end not for new keys either. What the index has of a key is newer than the checkpoint, or the same.
func (t *Table[K, V]) warm() {
	c := &t.cold
	if c.next == nil {
		return
	}
	n := 0
	err := errFull
	if c.account.room() {
		err = prefixReader{c.db.db, c.db.prefix}.Scan(c.next, nil, func(key, value []byte) error {
			if n++; n > c.portions.warm {
				c.next = append(c.next[:0], key...)
				return errFull
			}
			return t.warmRow(key, value)
		})
		t.report()
	}
	switch {
	case errors.Is(err, errFull) && n > c.portions.warm:
		return
	case err == nil && !c.evicted:
		t.mu.Lock()
		t.mu.some = false
		t.mu.Unlock()
	case err != nil && !errors.Is(err, errFull):
		t.fail(t.wrap("warm", err))
	}
	c.next = nil
}

// warmRow enters a row of the checkpoint unless the index knows what is committed.
func (t *Table[K, V]) warmRow(key, value []byte) error {
	id := t.mu.rows.find(key)
	if id != 0 && t.mu.rows.at(id).chunk != 0 && !t.mu.rows.at(id).away() {
		return nil
	}
	v, ts, err := t.decodeRow(value)
	if err != nil {
		return err
	}
	if id == 0 {
		id = t.add(key)
	}
	t.mu.Lock()
	t.enterLocked(id, key, &v, ts)
	t.mu.Unlock()
	t.mu.rows.at(id).own |= saved
	t.maxTS = max(t.maxTS, ts)
	return nil
}

// evict takes rows out of memory that the checkpoint has, the oldest first, while the budget is exceeded. A row that was read or changed
// since it was passed by last stays for another round. It looks at a few times as much as was written, so that no Commit pays for all.
func (t *Table[K, V]) evict(written int64) {
	c := &t.cold
	if c.db == nil {
		return
	}
	t.report()
	excess := c.account.excess()
	if excess == 0 || !t.worthEvicting() {
		return
	}
	c.forgetMissed() // what was found nowhere may be in the checkpoint only, from now on
	t.mu.Lock()
	h := &t.mu.rows.heap
	if len(h.chunks) == 1 {
		h.begin(minChunk)
	}
	begun, least := h.first+uint32(len(h.chunks))-1, h.size-excess
	for limit := 2 + 4*int(written/maxChunk); limit > 0 && h.first < begun && h.size > least; limit-- {
		h.sweep(t.pass)
	}
	t.mu.Unlock()
	t.report()
}

// report tells the budget what the table holds.
func (t *Table[K, V]) report() {
	held, rows := t.held(), max(int64(t.mu.rows.count), 1)
	t.cold.account.set(held, held*min(int64(t.dirty.count+t.cold.taken), rows)/rows)
}

// worthEvicting tells whether an eighth of the rows could leave.
func (t *Table[K, V]) worthEvicting() bool {
	rows := t.mu.rows.count
	return rows > 0 && len(t.mu.rows.heap.chunks) > 0 && 8*(rows-t.cold.away-t.dirty.count-t.cold.taken) >= rows
}

// pass has the entry at a place leave, if it is one that may, or moves it.
func (t *Table[K, V]) pass(at place, e entry) {
	r := &t.mu.rows
	id, p := r.findAt(at, e.key)
	if p == nil {
		return
	}
	// A live row that is not dirty is in the checkpoint, or on its way there.
	stays := p.own&(change26|dirty|recent) != 0 || !p.live() || p.away() || t.inFlight(p) || id == t.last
	p.own &^= recent
	switch {
	case stays:
		r.move(p, at, e)
		return
	case t.keysStay():
		t.emptyLocked(id, e)
	default:
		t.mu.some, t.cold.evicted = true, true
		t.count--
		r.remove(id, e.key)
		t.dropObject(id)
	}
}

// emptyLocked has a row's value leave.
func (t *Table[K, V]) emptyLocked(id uint32, e entry) {
	t.mu.rows.at(id).bits |= away
	t.cold.away++
	t.mu.rows.set(id, entry{ts: e.ts, key: e.key}, false)
	t.dropObject(id)
}

func (t *Table[K, V]) dropObject(id uint32) {
	if int(id) < len(t.mu.objects) {
		var zero V
		t.mu.objects[id] = zero
	}
}

// keysStay tells whether only values leave.
func (t *Table[K, V]) keysStay() bool { return t.order != nil || t.calendar != nil }
