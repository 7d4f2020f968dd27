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

// ReadingGlobal connects a processor to the rows of a global table.
type ReadingGlobal[K, V any] struct{ Reading[K, V] }

// ReadingVersions connects a processor to the rows of a table that keeps their history.
type ReadingVersions[K, V any] struct{ Reading[K, V] }

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

func (c ReadingGlobal[K, V]) table(n *node) state.Bytes {
	r := &reader[K, V]{Reading: c.Reading, n: n, room: make([]byte, 0, 64)}
	n.site.AfterWiring(func() (err error) {
		r.rows, err = operator.GlobalReaderOf[K, V](n.site, c.Node)
		return err
	})
	return r
}

func (c ReadingVersions[K, V]) table(n *node) state.Bytes {
	r := &versionsReader[K, V]{reader: reader[K, V]{Reading: c.Reading, n: n, room: make([]byte, 0, 64)}}
	operator.ReaderOf(n.site, c.Node, &r.rows)
	operator.VersionedReaderOf(n.site, c.Node, &r.versions)
	return r
}

// A versionsReader is what a processor gets for ReadingVersions.
type versionsReader[K, V any] struct {
	reader[K, V]
	versions operator.VersionedReader[K, V]
}

var errNullKey = errors.New("the key is null")

// Row returns the row of k, and its time.
func (r *reader[K, V]) Row(k K) (v V, ts record.Timestamp, ok bool) {
	key, ok := r.keyBytes(k)
	if !ok {
		return v, record.NoTimestamp, false
	}
	v, ts, ok, err := r.rows.Read(k, key)
	return v, ts, ok && r.well(err)
}

// RowAsOf returns the row that k had at a time, and the time from which it had it.
func (r *versionsReader[K, V]) RowAsOf(k K, asOf record.Timestamp) (v V, ts record.Timestamp, ok bool) {
	key, ok := r.keyBytes(k)
	if !ok {
		return v, record.NoTimestamp, false
	}
	v, ts, ok, err := r.versions.ReadAsOf(k, key, asOf)
	return v, ts, ok && r.well(err)
}

// keyBytes returns k's bytes, valid until the next call.
func (r *reader[K, V]) keyBytes(k K) ([]byte, bool) {
	key, err := r.Key.Append(r.room[:0], k)
	if err == nil && key == nil {
		err = errNullKey
	}
	if !r.well(err) {
		return nil, false
	}
	r.room = key[:0]
	return key, true
}

// well makes an error that of the record.
func (r *reader[K, V]) well(err error) bool {
	if err != nil {
		r.n.fail(err)
	}
	return err == nil
}
