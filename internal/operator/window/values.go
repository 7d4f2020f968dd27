package window

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// An Input says how the values of a stream are added to an Aggregation: it is a Values.
type Input[K, A any] interface {
	receiver(s *operator.Site, a *aggregation[K, A], to taker[K, A], n int) any
}

// A taker adds rows to windows.
type taker[K, A any] interface {
	// take adds a row to the windows that it falls into, and hands on what follows.
	take(r *row[K, A]) error
}

// A foreteller is a taker that knows from a row's time alone which windows it will look up.
type foreteller interface {
	// windows appends their keys, in the unit's memory, if there are few.
	windows(dst [][]byte, inner []byte, ts record.Timestamp) [][]byte
}

// A row is one that is taken.
type row[K, A any] struct {
	rows  *operator.Rows
	i     int32
	key   K
	inner []byte // the key's bytes
	ts    record.Timestamp
	now   record.Timestamp // the input's stream time, this row included
	adder adder[A]
}

// An adder adds the value of the row at hand.
type adder[A any] interface {
	// add returns the new aggregate. Without had the old one is the initial one, if there is such a thing.
	add(old A, had bool) (A, error)
}

// Values adds the values of a stream. Null values are added like others, except to sliding windows; where V cannot hold null they
// are bad records, except with AnyValue. Null keys are dropped and counted.
type Values[K, V, A any] struct {
	// Add returns the new aggregate; a null one deletes the window.
	Add func(K, A, V) (A, error)
	// First makes a value an aggregate: needed with Aggregation.NoInitial only.
	First func(V) A
	// AnyValue says that the functions do not look at the value.
	AnyValue bool
}

type valueReceiver[K, V, A any] struct {
	Values[K, V, A]
	*aggregation[K, A]
	to        taker[K, A]
	number    int // of the input
	keyID     serde.Serde[K]
	keyNull   func(K) bool
	valueNull func(V) bool

	batch *operator.Batch[K, V]
	row   row[K, A]
	ahead [][]byte // empty but while foresee runs
}

// Rest implements operator.Rester.
func (t *valueReceiver[K, V, A]) Rest() { t.batch, t.row.rows, t.ahead = nil, nil, nil }

func (c Values[K, V, A]) receiver(s *operator.Site, a *aggregation[K, A], to taker[K, A], n int) any {
	t := &valueReceiver[K, V, A]{
		Values: c, aggregation: a, to: to, number: n,
		keyID: operator.Identify(a.Key), keyNull: operator.NullTest[K](), valueNull: operator.NullTest[V](),
	}
	t.row.adder = adding[K, V, A]{t}
	return operator.RowByRow(s, t)
}

// Receive implements operator.Receiver.
func (t *valueReceiver[K, V, A]) Receive(b *operator.Batch[K, V]) (err error) {
	t.rows.Row = operator.NoRow
	defer operator.Catch(&err, &t.rows.Row, &b.Rows, t.node)
	t.batch, t.row.rows = b, &b.Rows
	known := b.KeyBytes.From(t.keyID)
	if t.rows.Table.Cold() {
		t.foresee(known)
	}
	for _, i := range b.Sel {
		ok, err := t.set(known, i)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		now := &t.rows.Table.Marks()[markStreamTimes+t.number]
		*now = max(*now, int64(t.row.ts))
		t.row.now = record.Timestamp(*now)
		if err := t.to.take(&t.row); err != nil {
			return err
		}
	}
	return t.out.Flush()
}

// foresee has the windows of the batch's rows read that are not in memory. Keys that cannot be encoded are told of when their rows are taken.
func (t *valueReceiver[K, V, A]) foresee(known [][]byte) {
	to, ok := t.to.(foreteller)
	if !ok {
		return
	}
	for _, i := range t.batch.Sel {
		if operator.IsSet(t.batch.KeyNulls, i) {
			continue
		}
		var inner []byte
		if known != nil {
			inner = known[i]
		} else {
			t.rows.Row = i
			inner, _ = operator.Encode(&t.env.Arena, t.Key, t.batch.Keys[i])
			t.rows.Row = operator.NoRow
		}
		if inner != nil {
			t.ahead = to.windows(t.ahead, inner, t.batch.Timestamps[i])
		}
	}
	t.rows.Table.Ahead(t.ahead)
	clear(t.ahead)
	t.ahead = t.ahead[:0]
}

// set makes row i the one at hand, unless it is dropped.
func (t *valueReceiver[K, V, A]) set(known [][]byte, i int32) (ok bool, err error) {
	b, r := t.batch, &t.row
	if operator.IsSet(b.KeyNulls, i) || t.keyNull != nil && t.keyNull(b.Keys[i]) {
		t.env.Drops.Add(operator.DropNullKey)
		return false, nil
	}
	if null := operator.IsSet(b.ValueNulls, i); t.sliding && (null || t.valueNull != nil && t.valueNull(b.Values[i])) {
		t.env.Drops.Add(operator.DropNullValue)
		return false, nil
	} else if null && t.valueNull == nil && !t.AnyValue {
		return false, operator.NullValue(&b.Rows, i, t.node)
	}
	r.i, r.key, r.ts = i, b.Keys[i], b.Timestamps[i]
	if known != nil {
		r.inner = known[i]
	} else {
		t.rows.Row = i
		r.inner, err = operator.Encode(&t.env.Arena, t.Key, r.key)
		t.rows.Row = operator.NoRow
		if err != nil {
			return false, operator.Uncodable(b.Origins[i], t.node, "the key cannot be encoded", err)
		}
	}
	if r.inner == nil {
		t.env.Drops.Add(operator.DropNullKey)
	}
	return r.inner != nil, nil
}

// adding is the receiver as an adder.
type adding[K, V, A any] struct{ *valueReceiver[K, V, A] }

func (t adding[K, V, A]) add(old A, had bool) (A, error) {
	v := t.batch.Values[t.row.i]
	if !had && t.NoInitial {
		return t.First(v), nil
	}
	return t.Add(t.row.key, old, v)
}
