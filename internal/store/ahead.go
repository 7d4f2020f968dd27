package store

import (
	"bytes"
	"slices"
)

// Ahead says which keys will be read or changed next; nil ones count for nothing. It changes nothing that anybody sees: what has to come from
// the checkpoint is read in the order of the keys.
func (t *Table[K, V]) Ahead(keys [][]byte) {
	t.Touch(keys)
	if t.Cold() {
		t.fetchAll(keys)
	}
}

// Cold tells whether there may be rows that have to be read from the checkpoint.
func (t *Table[K, V]) Cold() bool { return t.mu.some || t.cold.away > 0 }

// Touch implements Store. Whoever looks for one key after the other waits for the memory several times for each; here it has many of them to
// bring at once.
func (t *Table[K, V]) Touch(keys [][]byte) { t.mu.rows.foresee(keys) }

const (
	touched     = 64      // keys that are on their way through the caches at a time
	touchedFrom = 1 << 13 // rows: fewer stand in the caches all the time
	// lead is how many keys are touched before they are looked for. What more of them have does not stay in the caches nearest to the processor
	// until then, nor do the addresses of its pages.
	lead = 2 * touched
)

// foresee notes the keys that are looked for next, and touches the first of them.
func (r *rows) foresee(keys [][]byte) {
	r.coming, r.passed = r.coming[:0], 0
	if r.count < touchedFrom {
		return
	}
	for _, key := range keys {
		if key != nil {
			r.coming = append(r.coming, r.hash(key))
		}
	}
	for at := range lead / touched {
		r.touchNext(at * touched)
	}
}

// pass says that the owner looks for the next key.
func (r *rows) pass() {
	if r.passed++; r.passed%touched == 0 {
		r.touchNext(r.passed - touched + lead)
	}
}

// touchNext touches the keys that come from at on, as many as are on their way at a time.
func (r *rows) touchNext(at int) {
	if at < len(r.coming) {
		next := r.coming[at:min(at+touched, len(r.coming))]
		r.touch(next)
		r.touchCuts(len(next))
	}
}

// touchCuts reads the rows of the chains that are cut next if half as many more rows are added as since the last call, and at most n. Chains that
// wait to be cut have one to two rows, few have more than four.
func (r *rows) touchCuts(n int) (seen uint32) {
	added := r.count - r.counted
	n, r.counted = min(n, added+added/2), r.count
	if r.count+n <= int(r.n) {
		return 0
	}
	var ids [touched]uint32
	for i := range ids[:max(n, 0)] {
		next, mask := r.n+uint32(i), r.mask
		if next > mask {
			mask = mask<<1 | 1
		}
		from := next & (mask >> 1)
		ids[i] = r.heads[from/pageRows][from%pageRows]
	}
	for range 4 { // rows of the chain
		for i, id := range ids[:max(n, 0)] {
			if id == 0 {
				continue
			}
			p := r.at(id)
			ids[i] = p.next
			if p.chunk != 0 {
				seen += uint32(r.heap.at(p.place())[0])
			}
		}
	}
	return seen
}

// touch reads the chain, the row and the entry of some keys by their hashes. It returns something of all it has read, or else none of it would
// be.
func (r *rows) touch(hashes []uint64) (seen uint32) {
	var ids [touched]uint32
	for i, hash := range hashes {
		ids[i] = *r.chain(hash)
	}
	for i, id := range ids[:len(hashes)] {
		if id == 0 {
			continue
		}
		if p := r.at(id); p.bits>>tagFrom != tagOf(hashes[i]) && p.next != 0 {
			ids[i] = p.next
		}
	}
	for _, id := range ids[:len(hashes)] {
		if id == 0 {
			continue
		}
		if p := r.at(id); p.chunk != 0 {
			seen += uint32(r.heap.at(p.place())[0])
		}
	}
	return seen
}

// touchChanged reads the rows and entries of changes.
func (t *Table[K, V]) touchChanged(changes []change[V]) (seen uint32) {
	r := &t.mu.rows
	if r.count < touchedFrom {
		return 0
	}
	for i := range changes {
		if p := r.at(changes[i].row); p.chunk != 0 {
			seen += uint32(r.heap.at(p.place())[0])
		}
	}
	return seen
}

// fetchAll brings back what is not in memory of the rows of keys.
func (t *Table[K, V]) fetchAll(keys [][]byte) {
	c := &t.cold
	c.forgetMissed()
	for _, key := range keys {
		if key != nil && t.elsewhere(key) {
			c.wanted = append(c.wanted, key)
		}
	}
	slices.SortFunc(c.wanted, bytes.Compare)
	wanted := slices.CompactFunc(c.wanted, bytes.Equal)
	if len(wanted) > 1 {
		err := c.db.getAll(wanted, func(i int, value []byte) error {
			if value == nil {
				c.miss(wanted[i])
				return nil
			}
			return t.warmRow(wanted[i], value)
		})
		if err != nil {
			t.fail(err)
		}
	}
	clear(c.wanted)
	c.wanted = c.wanted[:0]
}

// elsewhere tells whether a key's value has to be read from the checkpoint.
func (t *Table[K, V]) elsewhere(key []byte) bool {
	id := t.mu.rows.find(key)
	if id == 0 {
		return t.mu.some
	}
	p := t.mu.rows.at(id)
	return p.away() && t.changed(p) == nil
}
