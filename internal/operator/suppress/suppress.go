// Package suppress holds back the updates of a table: until a window closes, or for a limited time.
//
// The DSL makes its Spec, package task the instances. It calls packages operator and store.
//
// Ownership and order are as in package operator. All that is held back lies in one store, so that it survives a crash and is undone
// with its unit; only the lowest buffer time is kept beside it, and found again when it is not known.
//
// Format of the store: see entry.go. A row is held from the first update of its key on, at the place that this update's buffer time
// gives it; later updates of the key take its place. Rows leave in the order of buffer time, then of their keys' bytes, as in Kafka
// Streams' in-memory buffer.
//
// Not here: merging updates until a commit (the record cache), windows that emit only when they close.
package suppress

import (
	"errors"
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// ErrFull: a buffer that must not emit early would hold more than its bound.
var ErrFull = errors.New("the buffer of held-back updates is full")

// Spec is the step: at most one update for each key is held back, and goes on when the highest time of any update that came in is at
// least Wait above its buffer time.
type Spec[K, V any] struct {
	Store string
	Key   serde.Serde[K]
	Value serde.Serde[V]
	// End, when set, gives the end of a key's window: the buffer time. Deletes are then not handed on, since nothing of a window went
	// on before. Without it an update's own time is the buffer time.
	End  func(K) record.Timestamp
	Wait record.Timestamp
	// MaxRecords and MaxBytes bound the buffer; 0: no bound. The bytes are those of keys and values.
	MaxRecords int64
	MaxBytes   int64
	// Stop makes a full buffer an error; otherwise its first rows are handed on early.
	Stop bool
}

// The buffer's marks.
const (
	markTime  = iota // highest time of any update
	markCount        // held rows; NoTimestamp stands for none
	markBytes        // their bytes, likewise
	marks
)

// unknown says that the lowest buffer time must be looked up.
const unknown = record.Timestamp(math.MinInt64)

type suppress[K, V any] struct {
	Spec[K, V]
	env     *operator.Env
	node    string
	rowWise bool // what is handed on may be read here before the next row goes
	rows    *operator.State[[]byte, []byte]
	out     *operator.GatheredChanges[K, V]
	in      operator.Reader[K, V]

	keyID   serde.Serde[K]
	valueID serde.Serde[V]
	row     int32            // for Catch
	lowest  record.Timestamp // of the held rows' buffer times; unknown
	place   []byte           // where a place is put together
	shown   operator.Rows    // one row: where what is handed on comes from
}

// Instance implements operator.Spec.
func (p Spec[K, V]) Instance(s *operator.Site) (any, error) {
	out, err := operator.NewGatheredChanges[K, V](s, p.Key, nil, true)
	if err != nil {
		return nil, err
	}
	t := &suppress[K, V]{
		Spec: p, env: s.Env, node: s.Node, out: out, lowest: unknown, row: operator.NoRow,
		rowWise: s.RowWise && len(s.Children) > 1,
		keyID:   operator.Identify(p.Key), valueID: operator.Identify(p.Value),
		shown: operator.Rows{Timestamps: make([]record.Timestamp, 1), Headers: make([][]record.Header, 1), Origins: make([]operator.Origin, 1)},
	}
	t.rows = operator.NewState(s, store.Options[[]byte, []byte]{
		Name: p.Store, Partition: s.Partition, Key: serde.Bytes, Value: serde.Bytes, Ordered: true, Marks: marks,
	})
	s.Undoers = append(s.Undoers, t)
	operator.InFront(s, &t.in)
	s.Provide(t)
	return t, nil
}

// Keep implements operator.Undoer.
func (t *suppress[K, V]) Keep() {}

// Undo implements operator.Undoer.
func (t *suppress[K, V]) Undo() { t.lowest = unknown }

// ReceiveChanges implements operator.ChangeReceiver.
func (t *suppress[K, V]) ReceiveChanges(c *operator.Changes[K, V]) (err error) {
	t.row, t.rows.Row = operator.NoRow, operator.NoRow
	defer operator.Catch(&err, &t.row, &c.Rows, t.node)
	known := columns{keys: c.KeyBytes.From(t.keyID), values: c.NewBytes.From(t.valueID)}
	seen := t.rows.Table.Marks()
	for _, i := range c.Sel {
		seen[markTime] = max(seen[markTime], int64(c.Timestamps[i]))
		t.row = i
		if err := t.hold(c, known, i); err != nil {
			return err
		}
		if err := t.release(c, i); err != nil {
			return err
		}
		t.row = operator.NoRow
	}
	return t.out.Flush()
}

// release hands on what is due after row i, and what the bounds leave no room for.
func (t *suppress[K, V]) release(c *operator.Changes[K, V], i int32) error {
	due := record.Timestamp(t.rows.Table.Marks()[markTime]) - t.Wait
	for t.first() <= due {
		if err := t.evict(c, i); err != nil {
			return err
		}
	}
	for t.full() {
		if t.Stop {
			count, bytes := t.held()
			cause := fmt.Errorf("%w: %d updates, %d bytes", ErrFull, count, bytes)
			return &operator.RowError{Origin: c.Origins[i], Node: t.node, Reason: cause.Error(), Cause: cause}
		}
		if err := t.evict(c, i); err != nil {
			return err
		}
	}
	return nil
}

func (t *suppress[K, V]) full() bool {
	count, bytes := t.held()
	return t.MaxRecords > 0 && count > t.MaxRecords || t.MaxBytes > 0 && bytes > t.MaxBytes
}

// held returns the number of held rows and their bytes.
func (t *suppress[K, V]) held() (count, bytes int64) {
	m := t.rows.Table.Marks()
	return max(m[markCount], 0), max(m[markBytes], 0)
}

// add counts n rows and their bytes, which are negative for those that leave.
func (t *suppress[K, V]) add(n, bytes int) {
	m := t.rows.Table.Marks()
	m[markCount], m[markBytes] = max(m[markCount], 0)+int64(n), max(m[markBytes], 0)+int64(bytes)
}

// first returns the lowest buffer time, the end of time when nothing is held.
func (t *suppress[K, V]) first() record.Timestamp {
	if t.lowest == unknown {
		t.lowest = math.MaxInt64
		t.rows.Table.Range(heldKeys, heldEnd, func(place, _ []byte, _ record.Timestamp) bool {
			t.lowest = placeTime(place)
			return false
		})
	}
	return t.lowest
}

// evict hands on the first held row, on behalf of row i.
func (t *suppress[K, V]) evict(c *operator.Changes[K, V], i int32) error {
	var place, value []byte
	var at record.Timestamp
	t.rows.Table.Range(heldKeys, heldEnd, func(key, v []byte, ts record.Timestamp) bool {
		place, value, at = key, v, ts
		return false
	})
	if err := t.handOn(place, value, at, c.Origins[i]); err != nil {
		return err
	}
	t.rows.Remove(place)
	if t.End == nil {
		t.rows.Remove(t.indexKey(placeKey(place)))
	}
	t.add(-1, -len(placeKey(place))-len(value))
	t.lowest = unknown
	return nil
}

// handOn decodes a held row and gives it to the children, unless it is a delete of what never went on.
func (t *suppress[K, V]) handOn(place, value []byte, at record.Timestamp, origin operator.Origin) error {
	e, err := readEntry(value)
	if err != nil {
		return t.broken(origin, err)
	}
	if e.next == nil && t.End != nil {
		return nil
	}
	ch := operator.Change[K, V]{KeyBytes: placeKey(place), Timestamp: at}
	if ch.Key, err = t.Key.Decode(ch.KeyBytes); err != nil {
		return t.broken(origin, err)
	}
	if ch.New, ch.NewAbsent, err = t.decode(e.next); err != nil {
		return t.broken(origin, err)
	}
	old := e.old
	if t.env.Caches.Consistent {
		old = e.prior // what was handed on last
	}
	if ch.Old, ch.OldAbsent, err = t.decode(old); err != nil {
		return t.broken(origin, err)
	}
	t.shown.Headers[0], t.shown.Origins[0] = e.headers, origin
	if err := t.out.Add(ch, &t.shown, 0); err != nil || !t.rowWise {
		return err
	}
	return t.out.Flush()
}

// decode reads a value; nil is an absent one.
func (t *suppress[K, V]) decode(b []byte) (v V, absent bool, err error) {
	if b == nil {
		return v, true, nil
	}
	v, err = t.Value.Decode(b)
	return v, false, err
}

// broken is the error of a held row that cannot be read back: its serde does not understand what it wrote.
func (t *suppress[K, V]) broken(o operator.Origin, cause error) error {
	return operator.Uncodable(o, t.node, "a held-back update cannot be decoded", cause)
}

// Read implements operator.Reader: the table that what was handed on has made so far. Of a held key it is what the table in front had
// before the first held update; the time of that is not known.
func (t *suppress[K, V]) Read(key K, encoded []byte) (v V, ts record.Timestamp, ok bool, err error) {
	place, held := t.find(key, encoded)
	if !held {
		return t.in.Read(key, encoded)
	}
	value, _, _ := t.rows.Table.Get(place)
	e, err := readEntry(value)
	if err != nil {
		return v, ts, false, err
	}
	v, absent, err := t.decode(e.prior)
	return v, record.NoTimestamp, !absent, err
}
