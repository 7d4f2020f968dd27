package streamtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/state"
)

// Store returns a store of processors for reading, over all partitions, as it is after everything that was piped. Changing it fails the
// test.
func Store[S any](d *Driver, b *state.Builder[S]) S {
	d.flush()
	tables, err := d.tables(b.Name())
	d.fail(err)
	return b.Over(&readOnly{d: d, spec: b.Spec(), tables: tables})
}

// tables returns those of a store of processors, by partition.
func (d *Driver) tables(name string) ([]*store.Table[[]byte, []byte], error) {
	var tables []*store.Table[[]byte, []byte]
	for _, st := range d.stores() {
		if st.Name() != name {
			continue
		}
		t, ok := st.(*store.Table[[]byte, []byte])
		if !ok {
			return nil, fmt.Errorf("store %s is not a store of processors", name)
		}
		tables = append(tables, t)
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("there is no store %s", name)
	}
	return tables, nil
}

// readOnly is a state.Bytes over the tables of all partitions.
type readOnly struct {
	d      *Driver
	spec   *state.Spec
	tables []*store.Table[[]byte, []byte]
}

var errReadOnly = errors.New("a store can be changed by its processors only")

// gone tells whether a row's time is over in its partition.
func (r *readOnly) gone(t *store.Table[[]byte, []byte], key []byte) bool {
	return r.spec.Retention > 0 && r.spec.TimeOf(key) < t.Since()
}

// Get implements state.Bytes.
func (r *readOnly) Get(key []byte) (value []byte, ts record.Timestamp, ok bool) {
	for _, t := range r.tables {
		if value, ts, ok = t.Get(key); ok && !r.gone(t, key) {
			return value, ts, true
		}
	}
	return nil, record.NoTimestamp, false
}

// Scan implements state.Bytes.
func (r *readOnly) Scan(from, to []byte, o state.Order, fn func(key, value []byte, ts record.Timestamp) bool) {
	type row struct {
		key, value []byte
		ts         record.Timestamp
	}
	var rows []row
	for _, t := range r.tables {
		t.Range(from, to, func(key, value []byte, ts record.Timestamp) bool {
			if !r.gone(t, key) {
				rows = append(rows, row{slices.Clone(key), value, ts})
			}
			return true
		})
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		if o == state.Descending {
			a, b = b, a
		}
		return bytes.Compare(a.key, b.key)
	})
	for _, row := range rows {
		if !fn(row.key, row.value, row.ts) {
			return
		}
	}
}

// Len implements state.Bytes.
func (r *readOnly) Len() int {
	n := 0
	for _, t := range r.tables {
		n += t.Len()
	}
	return n
}

// Mark implements state.Bytes: partitions with a retention are judged one by one already.
func (r *readOnly) Mark(i int) record.Timestamp {
	highest := record.NoTimestamp
	for _, t := range r.tables {
		if r.spec.Retention == 0 {
			highest = max(highest, record.Timestamp(t.Marks()[i]))
		}
	}
	return highest
}

// Now implements state.Bytes.
func (r *readOnly) Now() record.Timestamp { return record.NoTimestamp }

// Put implements state.Bytes.
func (r *readOnly) Put([]byte, []byte, record.Timestamp) { r.Fail(errReadOnly) }

// Delete implements state.Bytes.
func (r *readOnly) Delete([]byte) { r.Fail(errReadOnly) }

// SetMark implements state.Bytes.
func (r *readOnly) SetMark(int, record.Timestamp) { r.Fail(errReadOnly) }

// Drop implements state.Bytes.
func (r *readOnly) Drop() { r.Fail(errReadOnly) }

// Fail implements state.Bytes.
func (r *readOnly) Fail(err error) { r.d.fail(fmt.Errorf("store %s: %w", r.spec.Name, err)) }
