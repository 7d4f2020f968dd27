package process

import (
	"errors"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
)

// A Link connects a processor to something that is not a store of processors.
type Link interface {
	table(n *node) state.Bytes
}

// Reading connects a processor to the rows of a table.
type Reading[K, V any] struct {
	Node int // that gives the table
	Key  serde.Serde[K]
}

// A reader is what a processor gets for a Reading. As a state.Bytes it is empty: whoever connects it knows what it is.
type reader[K, V any] struct {
	state.Bytes // nil
	Reading[K, V]
	n    *node
	rows operator.Reader[K, V]
	room []byte
}

func (c Reading[K, V]) table(n *node) state.Bytes {
	r := &reader[K, V]{Reading: c, n: n, room: make([]byte, 0, 64)}
	operator.ReaderOf(n.site, c.Node, &r.rows)
	return r
}

var errNullKey = errors.New("the key is null")

// Row returns the row of k, and its time.
func (r *reader[K, V]) Row(k K) (v V, ts record.Timestamp, ok bool) {
	key, err := r.Key.Append(r.room[:0], k)
	if err == nil && key == nil {
		err = errNullKey
	}
	if err == nil {
		r.room = key[:0]
		v, ts, ok, err = r.rows.Read(k, key)
	}
	if err != nil {
		r.n.fail(err)
		return v, record.NoTimestamp, false
	}
	return v, ts, ok
}
