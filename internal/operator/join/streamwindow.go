package join

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A window keeps the rows of one side of a stream-stream join, several with the same key and time among them.
//
// A row's key in the table is its own key, the number of the stretch of time it falls into, and its number among the rows of that key
// and stretch, in the order in which they came. So rows are found by hashing alone: the stretch is as long as the join's window, and
// what can match a row stands in two of them. The numbers of a stretch have no gaps, since its rows are expired together.
type window[K, V any] struct {
	rows      *operator.State[[]byte, V]
	env       *operator.Env
	node      string
	key       serde.Serde[K]
	keyID     serde.Serde[K]
	value     serde.Serde[V]
	stretch   record.Timestamp
	retention record.Timestamp
	probe     []byte     // a table key that is looked up
	found     []match[V] // of the last find
}

// A match is a row that was found.
type match[V any] struct {
	value V
	time  record.Timestamp
}

// highest is the mark of the highest time that came to a window, or to a buffer.
const highest = 0

// suffix is how many bytes stand behind a row's own key: the stretch, 8 bytes, and the number, 4 bytes, both big-endian.
const suffix = 12

// dayParts is into how many days, which are expired as a whole, the time that rows are kept is cut.
const dayParts = 30

// A windowSpec says what a window keeps.
type windowSpec[K, V any] struct {
	store     string
	key       serde.Serde[K]
	value     serde.Serde[V]
	size      record.Timestamp // before and after
	retention record.Timestamp
}

func newWindow[K, V any](s *operator.Site, o windowSpec[K, V]) *window[K, V] {
	w := &window[K, V]{
		env: s.Env, node: s.Node, key: o.key, keyID: operator.Identify(o.key), value: o.value,
		stretch: max(o.size, 1), retention: o.retention,
	}
	w.rows = operator.NewState(s, store.Options[[]byte, V]{
		Name: o.store, Partition: s.Partition, Key: serde.Bytes, Value: o.value, Marks: 1,
		Time: w.stretchEnd, Day: max(w.stretch, o.retention/dayParts),
	})
	s.Undoers = append(s.Undoers, w)
	return w
}

// stretchEnd is the last time of the stretch in a table key.
func (w *window[K, V]) stretchEnd(key []byte) record.Timestamp {
	n := record.Timestamp(binary.BigEndian.Uint64(key[len(key)-suffix:]))
	return (n+1)*w.stretch - 1
}

// expired is the highest time whose rows are gone.
func (w *window[K, V]) expired() record.Timestamp {
	return record.Timestamp(w.rows.Table.Marks()[highest]) - w.retention
}

// Keep implements Undoer: it frees the memory of what is gone.
func (w *window[K, V]) Keep() { w.rows.Table.ExpireBefore(w.expired() + 1) }

// Undo implements Undoer.
func (w *window[K, V]) Undo() {}

// keyBytes returns row i's key, nil for null.
func (w *window[K, V]) keyBytes(b *operator.Batch[K, V], known [][]byte, i int32) ([]byte, error) {
	if known != nil {
		return known[i], nil
	}
	w.rows.Row = i
	key, err := operator.Encode(&w.env.Arena, w.key, b.Keys[i])
	if err != nil {
		return nil, operator.Uncodable(b.Origins[i], w.node, "the key cannot be encoded", err)
	}
	w.rows.Row = operator.NoRow
	return key, nil
}

// at returns the table key of a row, valid until the next call.
func (w *window[K, V]) at(key []byte, stretch record.Timestamp, number uint32) []byte {
	w.probe = append(w.probe[:0], key...)
	w.probe = binary.BigEndian.AppendUint64(w.probe, uint64(stretch))
	w.probe = binary.BigEndian.AppendUint32(w.probe, number)
	return w.probe
}

// find returns the rows of key from from to to, both included, by time and those of one time in the order in which they came. They are
// valid until the next call.
func (w *window[K, V]) find(key []byte, from, to record.Timestamp) []match[V] {
	clear(w.found)
	w.found = w.found[:0]
	from = max(from, 0, w.expired()+1)
	for n := from / w.stretch; n <= to/w.stretch && from <= to; n++ {
		for number := uint32(0); ; number++ {
			at := w.at(key, n, number)
			ts, ok := w.rows.Table.Stamp(at)
			if !ok {
				break
			}
			if ts < from || ts > to {
				continue
			}
			v, _, _ := w.rows.Table.Get(at)
			w.found = append(w.found, match[V]{v, ts})
		}
	}
	byTime := func(a, b match[V]) int { return cmp.Compare(a.time, b.time) }
	if !slices.IsSortedFunc(w.found, byTime) {
		slices.SortStableFunc(w.found, byTime)
	}
	return w.found
}

// put keeps row i, whose value is not null, and returns the value's bytes: nil for one that encodes to null, and for a row that comes
// too late to be kept, which is counted.
func (w *window[K, V]) put(key []byte, b *operator.Batch[K, V], i int32) ([]byte, error) {
	ts := b.Timestamps[i]
	marks := w.rows.Table.Marks()
	marks[highest] = max(marks[highest], int64(ts))
	if ts <= w.expired() {
		w.env.Drops.Add(operator.DropExpired)
		return nil, nil
	}
	n := ts / w.stretch
	at := w.env.Arena.Copy(w.at(key, n, w.next(key, n)))
	return w.rows.Replace(operator.PutRow[[]byte, V]{Key: at, Next: b.Values[i]}, ts, &b.Rows, i)
}

// next returns the number of the next row of a key in a stretch: the first that is free. A key of many rows costs few looks.
func (w *window[K, V]) next(key []byte, stretch record.Timestamp) uint32 {
	taken := func(number uint32) bool {
		_, ok := w.rows.Table.Stamp(w.at(key, stretch, number))
		return ok
	}
	if !taken(0) {
		return 0
	}
	last, free := uint32(0), uint32(1)
	for taken(free) {
		last, free = free, 2*free
	}
	for free-last > 1 {
		if middle := last + (free-last)/2; taken(middle) {
			last = middle
		} else {
			free = middle
		}
	}
	return free
}
