package view

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/state"
)

// Read calls fn with a store of processors, to be read. The store is over all partitions that this process has, and only until fn returns.
// It returns the error of fn, or else the first of the store: of a serde, or that of changing it, which only its processors can.
func Read[S any](s Source, b *state.Builder[S], fn func(S) error) error {
	stores, err := s.stores()
	if err != nil {
		return err
	}
	c := &committed{spec: b.Spec()}
	for _, st := range stores {
		if st.Name() != b.Name() {
			continue
		}
		t, ok := st.(*store.Table[[]byte, []byte])
		if !ok {
			return fmt.Errorf("view of store %s: it is not a store of processors", b.Name())
		}
		c.tables = append(c.tables, t)
	}
	if len(c.tables) == 0 {
		return fmt.Errorf("view of store %s: there is no such store", b.Name())
	}
	if err := fn(b.Over(c)); err != nil {
		return err
	}
	return c.failed
}

// committed is a state.Bytes over what the tables of all partitions have committed.
type committed struct {
	spec   *state.Spec
	tables []*store.Table[[]byte, []byte]
	failed error
}

var errReadOnly = errors.New("a store can be changed by its processors only")

// Get implements state.Bytes.
func (c *committed) Get(key []byte) (value []byte, ts record.Timestamp, ok bool) {
	for _, t := range c.tables {
		if value, ts, ok = t.Committed(key); ok {
			return value, ts, true
		}
	}
	return nil, record.NoTimestamp, false
}

// A head is the next row of one table.
type head struct {
	table      *store.Table[[]byte, []byte]
	key, value []byte
	ts         record.Timestamp
	ok         bool
}

// Scan implements state.Bytes. Rows that change meanwhile are seen before or after.
func (c *committed) Scan(from, to []byte, o state.Order, fn func(key, value []byte, ts record.Timestamp) bool) {
	heads := make([]head, len(c.tables))
	for i, t := range c.tables {
		heads[i].table = t
		heads[i].move(from, to, o)
	}
	for {
		var next *head
		for i := range heads {
			if h := &heads[i]; h.ok && (next == nil || before(h.key, next.key, o)) {
				next = h
			}
		}
		if next == nil || !fn(next.key, next.value, next.ts) {
			return
		}
		if o == state.Descending {
			next.move(from, next.key, o)
		} else {
			next.move(append(bytes.Clone(next.key), 0), to, o)
		}
	}
}

func before(a, b []byte, o state.Order) bool {
	if o == state.Descending {
		a, b = b, a
	}
	return bytes.Compare(a, b) < 0
}

// move goes to the first or last row from from and before to.
func (h *head) move(from, to []byte, o state.Order) {
	if o == state.Descending {
		h.value, h.ts, h.key, h.ok = h.table.Last(from, to)
		return
	}
	h.value, h.ts, h.key, h.ok = h.table.First(from, to)
}

// Len implements state.Bytes.
func (c *committed) Len() int {
	n := 0
	c.Scan(nil, nil, state.Ascending, func([]byte, []byte, record.Timestamp) bool { n++; return true })
	return n
}

// Mark implements state.Bytes. What a retention is over for is hidden in each partition by its own mark already.
func (c *committed) Mark(i int) record.Timestamp {
	highest := record.NoTimestamp
	for _, t := range c.tables {
		if c.spec.Retention == 0 {
			highest = max(highest, record.Timestamp(t.CommittedMark(i)))
		}
	}
	return highest
}

// Now implements state.Bytes.
func (c *committed) Now() record.Timestamp { return record.NoTimestamp }

// Put implements state.Bytes.
func (c *committed) Put([]byte, []byte, record.Timestamp) { c.Fail(errReadOnly) }

// Delete implements state.Bytes.
func (c *committed) Delete([]byte) { c.Fail(errReadOnly) }

// SetMark implements state.Bytes.
func (c *committed) SetMark(int, record.Timestamp) { c.Fail(errReadOnly) }

// Drop implements state.Bytes.
func (c *committed) Drop() { c.Fail(errReadOnly) }

// Fail implements state.Bytes.
func (c *committed) Fail(err error) {
	if c.failed == nil {
		c.failed = fmt.Errorf("store %s: %w", c.spec.Name, err)
	}
}
