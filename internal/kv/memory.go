package kv

import (
	"bytes"
	"errors"
	"slices"
	"sync"
)

var (
	errClosed    = errors.New("database is closed")
	errCommitted = errors.New("batch is committed already")
)

// NewMemory returns a Store that lives in memory, for tests: a commit costs time in proportion to all keys.
func NewMemory() Store { return &memory{} }

// memory keeps its rows as an immutable sorted slice that each commit replaces: a snapshot is the slice.
type memory struct {
	mu struct {
		sync.Mutex
		rows   rows
		closed bool
	}
}

type row struct {
	key, value []byte
	deleted    bool // only in batches
}

// rows are sorted by key, each key once.
type rows []row

func compareRows(a, b row) int { return bytes.Compare(a.key, b.key) }

func (r rows) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(r, key, func(e row, k []byte) int { return bytes.Compare(e.key, k) })
}

// Get implements Reader.
func (r rows) Get(key []byte) ([]byte, error) {
	i, ok := r.find(key)
	if !ok {
		return nil, ErrNotFound
	}
	return append([]byte{}, r[i].value...), nil
}

// Scan implements Reader.
func (r rows) Scan(from, to []byte, fn func(key, value []byte) error) error {
	i, _ := r.find(from)
	for ; i < len(r) && (to == nil || bytes.Compare(r[i].key, to) < 0); i++ {
		if err := fn(r[i].key, r[i].value); err != nil {
			return err
		}
	}
	return nil
}

// Close implements Snapshot.
func (r rows) Close() error { return nil }

// apply returns r with changes (in order of time) made.
func (r rows) apply(changes []row) rows {
	changes = slices.Clone(changes)
	slices.SortStableFunc(changes, compareRows)
	out := make(rows, 0, len(r)+len(changes))
	i := 0
	for j, c := range changes {
		if j+1 < len(changes) && bytes.Equal(c.key, changes[j+1].key) {
			continue // a later change of the same key follows
		}
		for i < len(r) && bytes.Compare(r[i].key, c.key) < 0 {
			out, i = append(out, r[i]), i+1
		}
		if i < len(r) && bytes.Equal(r[i].key, c.key) {
			i++
		}
		if !c.deleted {
			out = append(out, c)
		}
	}
	return append(out, r[i:]...)
}

func (m *memory) current() (rows, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.closed {
		return nil, errClosed
	}
	return m.mu.rows, nil
}

func (m *memory) Get(key []byte) ([]byte, error) {
	r, err := m.current()
	if err != nil {
		return nil, err
	}
	return r.Get(key)
}

func (m *memory) Scan(from, to []byte, fn func(key, value []byte) error) error {
	r, err := m.current()
	if err != nil {
		return err
	}
	return r.Scan(from, to, fn)
}

func (m *memory) GetAll(keys [][]byte, fn func(i int, value []byte) error) error {
	r, err := m.current()
	if err != nil {
		return err
	}
	for i, key := range keys {
		var value []byte
		if at, ok := r.find(key); ok {
			value = r[at].value
		}
		if err := fn(i, value); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Snapshot() (Snapshot, error) {
	r, err := m.current()
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (m *memory) Room() error { return nil }

func (m *memory) NewBatch() Batch { return &memoryBatch{m: m} }

func (m *memory) NewRun() Run { return memoryRun{&memoryBatch{m: m}} }

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.closed {
		return errClosed
	}
	m.mu.closed = true
	return nil
}

type memoryBatch struct {
	m       *memory
	changes []row
	done    bool
}

func (b *memoryBatch) Put(key, value []byte) error {
	b.changes = append(b.changes, row{key: bytes.Clone(key), value: append([]byte{}, value...)})
	return nil
}

func (b *memoryBatch) Delete(key []byte) error {
	b.changes = append(b.changes, row{key: bytes.Clone(key), deleted: true})
	return nil
}

func (b *memoryBatch) Len() int { return len(b.changes) }

func (b *memoryBatch) Commit(bool) error {
	if b.done {
		return errCommitted
	}
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if b.m.mu.closed {
		return errClosed
	}
	b.done = true
	b.m.mu.rows = b.m.mu.rows.apply(b.changes)
	return nil
}

func (b *memoryBatch) Close() error { return nil }

type memoryRun struct{ *memoryBatch }

func (r memoryRun) Commit() error { return r.memoryBatch.Commit(true) }

func (r memoryRun) Replace(from, to []byte) error {
	all, err := r.m.current()
	if err != nil {
		return err
	}
	put := r.changes
	r.changes = nil
	err = all.Scan(from, to, func(key, _ []byte) error { return r.Delete(key) })
	r.changes = append(r.changes, put...) // of two changes of a key the later counts
	return errors.Join(err, r.Commit())
}
