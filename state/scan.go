package state

import (
	"slices"

	"github.com/mainstemio/mainstem/record"
)

// A row is a copy of one that was scanned.
type row struct {
	key, value []byte
	ts         record.Timestamp
}

// scanChunk is how many rows are read at once: the loops of users may change the store.
const scanChunk = 64

// scan yields the rows from up to to, whatever yield does to the table: changes made meanwhile are seen where the scan has not passed.
func scan(t Bytes, from, to []byte, o Order, yield func(row) bool) {
	from, to = slices.Clone(from), slices.Clone(to) // they are rooms that the next call reuses
	rows := make([]row, 0, 8)
	for {
		rows = rows[:0]
		t.Scan(from, to, o, func(key, value []byte, ts record.Timestamp) bool {
			rows = append(rows, row{slices.Clone(key), slices.Clone(value), ts})
			return len(rows) < scanChunk
		})
		for _, r := range rows {
			if !yield(r) {
				return
			}
		}
		if len(rows) < scanChunk {
			return
		}
		if last := rows[len(rows)-1].key; o == Descending {
			to = last
		} else {
			from = append(last, 0)
		}
	}
}

// after returns the first key behind all that begin with prefix, nil when there is none.
func after(prefix []byte) []byte {
	b := slices.Clone(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 255 {
			b[i]++
			return b[:i+1]
		}
	}
	return nil
}
