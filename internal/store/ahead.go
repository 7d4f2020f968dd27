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
func (t *Table[K, V]) Touch(keys [][]byte) {
	t.mu.rows.touch(keys)
	t.mu.rows.touchCuts(len(keys))
}

const (
	touched     = 64      // keys that are on their way through the caches at a time
	touchedFrom = 1 << 13 // rows: fewer stand in the caches all the time
)

// touchCuts reads the rows of the chains that are cut next if as many rows are added as since the last call, and at most n.
func (r *rows) touchCuts(n int) (seen uint32) {
	n, r.counted = min(n, r.count-r.counted), r.count
	if r.count < touchedFrom || r.count+n <= int(r.n) {
		return 0
	}
	for next := r.n; n > 0; {
		var ids [touched]uint32
		some := min(n, touched)
		for i := range ids[:some] {
			mask := r.mask
			if next > mask {
				mask = mask<<1 | 1
			}
			from := next & (mask >> 1)
			ids[i] = r.heads[from/pageRows][from%pageRows]
			next++
		}
		for range 2 { // rows of the chain
			for i, id := range ids[:some] {
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
		n -= some
	}
	return seen
}

// touch reads the chain, the row and the entry of each key. It returns something of all it has read, or else none of it would be.
func (r *rows) touch(keys [][]byte) (seen uint32) {
	if r.count < touchedFrom {
		return 0
	}
	var ids, tags [touched]uint32
	for len(keys) > 0 {
		n := min(len(keys), touched)
		for i, key := range keys[:n] {
			hash := r.hash(key)
			ids[i], tags[i] = *r.chain(hash), tagOf(hash)
		}
		for i, id := range ids[:n] {
			if id == 0 {
				continue
			}
			if p := r.at(id); p.bits>>tagFrom != tags[i] && p.next != 0 {
				ids[i] = p.next
			}
		}
		for _, id := range ids[:n] {
			if id == 0 {
				continue
			}
			if p := r.at(id); p.chunk != 0 {
				seen += uint32(r.heap.at(p.place())[0])
			}
		}
		keys = keys[n:]
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
