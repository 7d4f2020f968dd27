package store

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"

	"github.com/mainstemio/mainstem/record"
)

// ErrMoved: rows moved out of memory for the first time while they were read. Reading again finds them.
var ErrMoved = errors.New("rows moved to the disk while they were read: repeat the query")

// A Found is a committed row.
type Found[K, V any] struct {
	Bytes []byte // of the key
	Key   K
	Value V
	Time  record.Timestamp
}

// batchRows is about how many rows Rows copies at once.
const batchRows = 1024

// Len returns how many rows are in memory; those that have changed and are not committed may count.
func (v *View[K, V]) Len() (n int) {
	for _, t := range v.tables {
		t.mu.RLock()
		n += t.mu.rows.count
		t.mu.RUnlock()
	}
	return n
}

// Find is Get with the row's bytes and time.
func (v *View[K, V]) Find(key K) (f Found[K, V], ok bool, err error) {
	for _, t := range v.tables {
		f.Bytes, err = t.o.Key.Append(f.Bytes[:0], key)
		if err != nil {
			return f, false, fmt.Errorf("key of store %s: %w", t.o.Name, err)
		}
		if f.Value, f.Time, ok, err = t.committed(f.Bytes); ok || err != nil {
			f.Key = key
			return f, ok, err
		}
	}
	return f, false, nil
}

// Marks returns the lowest and the highest first mark of the partitions that have one, record.NoTimestamp if none has: in the stores of
// windows the highest start of a window, or end of a session.
func (v *View[K, V]) Marks() (lowest, highest record.Timestamp) {
	lowest, highest = record.NoTimestamp, record.NoTimestamp
	for _, t := range v.tables {
		t.mu.RLock()
		if len(t.marks.committed) > 0 && record.Timestamp(t.marks.committed[0]) != record.NoTimestamp {
			mark := record.Timestamp(t.marks.committed[0])
			if highest == record.NoTimestamp {
				lowest = mark
			}
			lowest, highest = min(lowest, mark), max(highest, mark)
		}
		t.mu.RUnlock()
	}
	return lowest, highest
}

// Ordered tells whether Range works.
func (v *View[K, V]) Ordered() bool { return len(v.tables) > 0 && v.tables[0].order != nil }

// Range goes over the rows whose keys' bytes are at or behind from and before to, in their order, of a table that is Ordered. Each row is read
// by itself: those that change meanwhile are seen before or after.
func (v *View[K, V]) Range(from, to []byte) iter.Seq2[Found[K, V], error] {
	return func(yield func(Found[K, V], error) bool) {
		for _, t := range v.tables {
			for at := from; ; {
				value, ts, key, ok := t.First(at, to)
				if !ok {
					break
				}
				k, err := t.o.Key.Decode(append([]byte{}, key...))
				if err != nil {
					err = t.wrap("read a key of", err)
				}
				if !yield(Found[K, V]{key, k, value, ts}, err) || err != nil {
					return
				}
				at = append(append([]byte{}, key...), 0)
			}
		}
	}
}

// Rows goes over all committed rows, in no order that means anything. It copies a batch of rows at a time, each as it is at one moment: a row
// that is there all the time is seen once, whatever happens to others. Of a table that has rows on the disk only it takes a copy of the
// resident ones first.
func (v *View[K, V]) Rows() iter.Seq2[Found[K, V], error] {
	return func(yield func(Found[K, V], error) bool) {
		for _, t := range v.tables {
			if !t.eachRow(yield) {
				return
			}
		}
	}
}

// eachRow yields every row, and tells whether to go on behind them.
func (t *Table[K, V]) eachRow(yield func(Found[K, V], error) bool) bool {
	if t.hasUnknown() {
		more, err := t.scanBytes(func(f Found[K, V]) bool { return yield(f, nil) })
		if err != nil {
			yield(Found[K, V]{}, err)
		}
		return more && err == nil
	}
	for at := uint64(0); at < everyHash; {
		var batch []Found[K, V]
		var err error
		if batch, at, err = t.batch(at); err != nil {
			yield(Found[K, V]{}, err)
			return false
		}
		for i := range batch {
			f := &batch[i]
			if f.Key, err = t.o.Key.Decode(append([]byte{}, f.Bytes...)); err != nil {
				err = t.wrap("read a key of", err)
			}
			if !yield(*f, err) || err != nil {
				return false
			}
		}
	}
	return true
}

func (t *Table[K, V]) hasUnknown() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.mu.some
}

// batch copies the rows of some chains, beginning with the one at a position, and returns the position behind them.
func (t *Table[K, V]) batch(at uint64) (batch []Found[K, V], next uint64, err error) {
	var below [][]byte // keys whose values are on the disk
	t.mu.RLock()
	for len(batch)+len(below) < batchRows && at < everyHash && err == nil {
		at = t.mu.rows.walk(at, func(id uint32, p *row) {
			if p.chunk == 0 || !p.live() {
				return
			}
			e := parse(t.mu.rows.heap.at(p.place()))
			switch {
			case t.goneLocked(e.key):
			case p.away():
				below = append(below, append([]byte{}, e.key...))
			default:
				f := Found[K, V]{Bytes: append([]byte{}, e.key...), Time: e.ts}
				if t.flat == nil {
					f.Value = t.mu.objects[id]
				} else {
					t.read(e.value, &f.Value)
				}
				batch = append(batch, f)
			}
		})
		if t.mu.some {
			err = fmt.Errorf("read store %s: %w", t.o.Name, ErrMoved)
		}
	}
	t.mu.RUnlock()
	for _, key := range below {
		v, ts, ok, failed := t.committed(key)
		if failed != nil {
			return nil, at, failed
		}
		if ok {
			batch = append(batch, Found[K, V]{Bytes: key, Value: v, Time: ts})
		}
	}
	return batch, at, err
}

// everyHash is how many positions walk has: one for each value of the bits of a hash that choose a chain.
const everyHash = 1 << 32

// walk visits the chain at a position and returns the position behind it. Positions are the bits of hashes that choose chains, the lowest
// first: in this order a chain holds a range, which a chain that is cut in two parts into two. So who walks from 0 to everyHash meets each row
// once, however the index grows meanwhile.
func (r *rows) walk(at uint64, visit func(id uint32, p *row)) (next uint64) {
	if r.n == 0 {
		return everyHash
	}
	hash := bits.Reverse32(uint32(at))
	for id := *r.chain(uint64(hash)); id != 0; {
		p := r.at(id)
		visit(id, p)
		id = p.next
	}
	depth := bits.Len32(r.mask) // how many bits choose the chain
	if low := hash & (r.mask >> 1); low|(r.mask>>1+1) >= r.n {
		depth-- // it is not cut in two yet
	}
	return at&^(1<<(32-depth)-1) + 1<<(32-depth)
}
