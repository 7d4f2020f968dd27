package table

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Versions is a store that keeps what its keys had for some time: every value with the time from which it was valid, up to that of the
// next one. Updates may come in any order; those that are older than the history, seen from the highest time so far, are refused.
//
// The newest value of a key stands under the key, so that reading it is one look-up; a deleted key has none. What it replaced stands
// behind it under the key and the time at which its validity ended, in that order:
//
//	newest   0x00 ‖ key                                     value, at the time from which it is valid
//	earlier  0x01 ‖ length of key ‖ key ‖ end of validity   value or a deletion, at the time from which it is valid
//
// The length is an unsigned varint, the end 8 bytes, big-endian, its sign bit inverted. A deletion needs no row where an earlier value
// ends at its time and nothing came before it later. Earlier rows go when their end leaves the history.
//
// As in Kafka Streams, a deletion at the very time of the newest value takes that value out as if it had never been.
type Versions[K, V any] struct {
	rows    *operator.State[VersionKey[K], Version[V]]
	arena   *operator.Arena
	history record.Timestamp
	trimmed record.Timestamp // earlier rows that ended up to then were removed in this life of the store

	buf   []byte // the key that is searched for
	found earlier[V]
	visit func(key []byte, v Version[V], ts record.Timestamp) bool
}

// VersionsOptions are those of NewVersions.
type VersionsOptions[K, V any] struct {
	Name    string
	Key     serde.Serde[K]
	Value   serde.Serde[V]
	History record.Timestamp // how long what was replaced can be read, in ms
}

// A VersionKey is the key of a row in a store of versions.
type VersionKey[K any] struct {
	Key   K
	Until record.Timestamp // store.Never: the newest
}

// A Version is a row's value.
type Version[V any] struct {
	Value   V
	Deleted bool
}

// An earlier is a row that is not the newest.
type earlier[V any] struct {
	Version[V]
	from, until record.Timestamp
	is          bool
}

// leastDay is the least time that earlier rows are kept together for their removal.
const leastDay = 1000

// NewVersions makes the store of an instance.
func NewVersions[K, V any](s *operator.Site, o VersionsOptions[K, V]) *Versions[K, V] {
	t := &Versions[K, V]{arena: &s.Arena, history: o.History}
	t.visit = func(key []byte, v Version[V], ts record.Timestamp) bool {
		t.found = earlier[V]{Version: v, from: ts, until: endOf(key), is: true}
		return false
	}
	s.Undoers = append(s.Undoers, t)
	t.rows = operator.NewState(s, store.Options[VersionKey[K], Version[V]]{
		Name: o.Name, Partition: s.Partition, Key: versionKeys[K]{o.Key, o.History}, Value: versionValues[V]{o.Value},
		Ordered: true, Time: endOf, Day: max(o.History/30, leastDay), Marks: 1,
	})
	return t
}

// endOf returns the time at which the row of a key ended, store.Never for the newest.
func endOf(key []byte) record.Timestamp {
	if key[0] == newestRow {
		return store.Never
	}
	return record.Timestamp(binary.BigEndian.Uint64(key[len(key)-8:]) ^ 1<<63)
}

// Kinds of rows: the first byte of their keys.
const (
	newestRow  = 0
	earlierRow = 1
)

func appendNewest(dst, key []byte) []byte { return append(append(dst, newestRow), key...) }

func appendEarlier(dst, key []byte, until record.Timestamp) []byte {
	dst = append(binary.AppendUvarint(append(dst, earlierRow), uint64(len(key))), key...)
	return binary.BigEndian.AppendUint64(dst, uint64(until)^1<<63)
}

// time is the highest time of any update so far.
func (t *Versions[K, V]) time() record.Timestamp { return record.Timestamp(t.rows.Table.Marks()[0]) }

// Newest returns the newest value of a key, from its bytes.
func (t *Versions[K, V]) Newest(key []byte) (v V, ts record.Timestamp, ok bool) {
	t.buf = appendNewest(t.buf[:0], key)
	row, ts, ok := t.rows.Table.Get(t.buf)
	return row.Value, ts, ok
}

// AsOf returns the value of a key that was valid at a time. Behind the history it finds the newest value only.
func (t *Versions[K, V]) AsOf(key []byte, asOf record.Timestamp) (v V, ts record.Timestamp, ok bool) {
	if v, ts, ok = t.Newest(key); ok && ts <= asOf {
		return v, ts, true
	}
	var none V
	if asOf < t.time()-t.history {
		return none, record.NoTimestamp, false
	}
	if e := t.after(key, asOf); e.is && e.from <= asOf && !e.Deleted {
		return e.Value, e.from, true
	}
	return none, record.NoTimestamp, false
}

// after returns the earliest of a key's earlier rows that ends after ts.
func (t *Versions[K, V]) after(key []byte, ts record.Timestamp) earlier[V] {
	t.found = earlier[V]{}
	if ts == math.MaxInt64 {
		return t.found
	}
	t.buf = appendEarlier(t.buf[:0], key, ts+1)
	from := len(t.buf)
	t.buf = append(appendEarlier(t.buf, key, math.MaxInt64), 0) // the first key behind all of this key's
	t.rows.Table.Range(t.buf[:from], t.buf[from:], t.visit)
	return t.found
}

// A Placed says where an update went.
type Placed uint8

// The places.
const (
	Refused    Placed = iota // it is older than the history
	Superseded               // the key has a newer version
	Latest                   // it is the newest
)

// A VersionPut is an update of one key.
type VersionPut[V any] struct {
	Key    []byte // must stay unchanged until the unit ends
	Value  V
	Delete bool
	Time   record.Timestamp // from which it is valid
}

// Put makes an update on behalf of row i of r.
func (t *Versions[K, V]) Put(p VersionPut[V], r *operator.Rows, i int32) (Placed, error) {
	if p.Time < t.time()-t.history {
		return Refused, nil
	}
	t.rows.Table.Marks()[0] = int64(max(t.time(), p.Time))
	newest, from, ok := t.Newest(p.Key)
	if ok && p.Time >= from {
		return Latest, t.replace(p, earlier[V]{Version: Version[V]{Value: newest}, from: from}, r, i)
	}
	if placed, err := t.putEarlier(p, r, i); placed {
		return Superseded, err
	}
	next := Version[V]{Value: p.Value, Deleted: p.Delete}
	switch {
	case ok:
		return Superseded, t.setEarlier(p.Key, earlier[V]{Version: next, from: p.Time, until: from}, r, i)
	case !p.Delete:
		return Latest, t.setNewest(p, r, i)
	}
	t.buf = appendEarlier(t.buf[:0], p.Key, p.Time)
	if _, _, ends := t.rows.Table.Get(t.buf); ends {
		return Latest, nil // it was deleted at this time already
	}
	return Latest, t.setEarlier(p.Key, earlier[V]{Version: next, from: p.Time, until: p.Time}, r, i)
}

// replace puts an update in the place of the newest value.
func (t *Versions[K, V]) replace(p VersionPut[V], was earlier[V], r *operator.Rows, i int32) error {
	if was.until = p.Time; was.from < p.Time {
		if err := t.setEarlier(p.Key, was, r, i); err != nil {
			return err
		}
	}
	if p.Delete {
		t.buf = appendNewest(t.buf[:0], p.Key)
		t.rows.Remove(t.arena.Copy(t.buf))
		return nil
	}
	return t.setNewest(p, r, i)
}

// putEarlier puts an update among the earlier rows, if one of them ends after it.
func (t *Versions[K, V]) putEarlier(p VersionPut[V], r *operator.Rows, i int32) (placed bool, err error) {
	e := t.after(p.Key, p.Time)
	if !e.is {
		return false, nil
	}
	next := earlier[V]{Version: Version[V]{Value: p.Value, Deleted: p.Delete}, from: p.Time, until: e.until}
	switch {
	case e.from > p.Time:
		next.until = e.from
	case e.from < p.Time:
		e.until = p.Time
		if err := t.setEarlier(p.Key, e, r, i); err != nil {
			return true, err
		}
	}
	return true, t.setEarlier(p.Key, next, r, i)
}

func (t *Versions[K, V]) setNewest(p VersionPut[V], r *operator.Rows, i int32) error {
	t.buf = appendNewest(t.buf[:0], p.Key)
	_, err := t.rows.Set(t.arena.Copy(t.buf), Version[V]{Value: p.Value}, p.Time, r, i)
	return err
}

func (t *Versions[K, V]) setEarlier(key []byte, e earlier[V], r *operator.Rows, i int32) error {
	t.buf = appendEarlier(t.buf[:0], key, e.until)
	_, err := t.rows.Set(t.arena.Copy(t.buf), e.Version, e.from, r, i)
	return err
}

// Keep implements operator.Undoer: rows that left the history are removed. That is durable, so that the changelog does not grow.
func (t *Versions[K, V]) Keep() {
	limit := t.time() - t.history
	if limit < t.trimmed+max(t.history/30, leastDay) {
		return
	}
	t.trimmed = limit
	t.rows.Table.Timed(0, limit, func(key []byte) bool {
		t.rows.Table.Delete(key)
		return true
	})
	t.rows.Table.ExpireBefore(limit)
}

// Undo implements operator.Undoer.
func (t *Versions[K, V]) Undo() {}

// Read implements operator.Reader.
func (t *Versions[K, V]) Read(_ K, encoded []byte) (v V, ts record.Timestamp, ok bool, err error) {
	v, ts, ok = t.Newest(encoded)
	return v, ts, ok, nil
}

// ReadAsOf implements operator.VersionedReader.
func (t *Versions[K, V]) ReadAsOf(_ K, encoded []byte, asOf record.Timestamp) (v V, ts record.Timestamp, ok bool, err error) {
	v, ts, ok = t.AsOf(encoded, asOf)
	return v, ts, ok, nil
}

// versionKeys is the serde of a store's keys.
type versionKeys[K any] struct {
	key     serde.Serde[K]
	history record.Timestamp // of the store, for views
}

func (s versionKeys[K]) HoldsNull() bool { return false }

func (s versionKeys[K]) Append(dst []byte, k VersionKey[K]) ([]byte, error) {
	key, err := s.key.Append([]byte{}, k.Key)
	if err != nil || key == nil {
		return nil, err
	}
	if k.Until == store.Never {
		return appendNewest(dst, key), nil
	}
	return appendEarlier(dst, key, k.Until), nil
}

func (s versionKeys[K]) Decode(b []byte) (k VersionKey[K], err error) {
	if len(b) > 0 && b[0] == newestRow {
		k.Until = store.Never
		k.Key, err = s.key.Decode(b[1:])
		return k, err
	}
	if len(b) > 0 && b[0] == earlierRow {
		if size, n := binary.Uvarint(b[1:]); n > 0 && uint64(len(b)) == 1+uint64(n)+size+8 {
			k.Until = endOf(b)
			k.Key, err = s.key.Decode(b[1+n : len(b)-8])
			return k, err
		}
	}
	return k, fmt.Errorf("key of a version: %d bytes of no known form", len(b))
}

// versionValues is the serde of a store's values: a byte that is 1 for a deletion, else 0 and the value.
type versionValues[V any] struct{ value serde.Serde[V] }

func (s versionValues[V]) HoldsNull() bool { return false }

func (s versionValues[V]) Append(dst []byte, v Version[V]) ([]byte, error) {
	if v.Deleted {
		return append(dst, 1), nil
	}
	return s.value.Append(append(dst, 0), v.Value)
}

func (s versionValues[V]) Decode(b []byte) (v Version[V], err error) {
	switch {
	case len(b) == 1 && b[0] == 1:
		return Version[V]{Deleted: true}, nil
	case len(b) > 0 && b[0] == 0:
		v.Value, err = s.value.Decode(b[1:])
		return v, err
	}
	return v, fmt.Errorf("value of a version: %d bytes of no known form", len(b))
}
