package store

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/record"
)

// marks are the numbers that a table keeps beside its rows. As bytes they are 8 bytes each, big-endian.
type marks struct {
	now       []int64 // of the running epoch
	sealed    []int64
	committed []int64
	dirty     bool // committed changed since take
}

func newMarks(n int) marks {
	m := marks{now: make([]int64, n)}
	for i := range m.now {
		m.now[i] = int64(record.NoTimestamp)
	}
	m.sealed, m.committed = slices.Clone(m.now), slices.Clone(m.now)
	return m
}

// holds tells whether a changelog or checkpoint key is that of the marks.
func (m *marks) holds(key []byte) bool { return len(m.now) > 0 && len(key) == 0 }

func (m *marks) bytes(of []int64) []byte {
	b := make([]byte, 0, 8*len(of))
	for _, n := range of {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// restore sets all generations. A newer version may keep more marks than the one that wrote them: those stay as they are.
func (m *marks) restore(b []byte) error {
	if len(b)%8 != 0 || len(b) > 8*len(m.now) {
		return fmt.Errorf("marks of %d bytes, %d are expected", len(b), 8*len(m.now))
	}
	for i := range len(b) / 8 {
		m.now[i] = int64(binary.BigEndian.Uint64(b[8*i:]))
	}
	copy(m.sealed, m.now)
	copy(m.committed, m.now)
	return nil
}

func (m *marks) commit() {
	if !slices.Equal(m.committed, m.sealed) {
		copy(m.committed, m.sealed)
		m.dirty = true
	}
}

// take returns the committed marks for a checkpoint, nil when they are as they were.
func (m *marks) take() []byte {
	if !m.dirty {
		return nil
	}
	m.dirty = false
	return m.bytes(m.committed)
}

// whole returns the committed marks, nil where there are none.
func (m *marks) whole() []byte {
	if len(m.committed) == 0 {
		return nil
	}
	return m.bytes(m.committed)
}

// Marks are the table's numbers in the running epoch, which the owner may change.
func (t *Table[K, V]) Marks() []int64 { return t.marks.now }

// restoreMarks sets them from their bytes; views read the committed ones.
func (t *Table[K, V]) restoreMarks(b []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.marks.restore(b)
}

// sealMarks hands on changed marks.
func (t *Table[K, V]) sealMarks(changelog func(key, value []byte, ts record.Timestamp) error) error {
	m := &t.marks
	if slices.Equal(m.now, m.sealed) {
		return nil
	}
	copy(m.sealed, m.now)
	return changelog([]byte{}, m.bytes(m.sealed), max(t.maxTS, 0))
}
