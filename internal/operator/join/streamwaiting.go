package join

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// waiting keeps the rows of a left or outer join that had no match, of both sides, until one comes or their window closes.
//
// A row's key in the table is its time, 8 bytes big-endian, its side, 1 byte, and its own key. Rows of the same time, side and key
// stand in one value: for each the length (uvarint) and the bytes.
type waiting struct {
	rows  *operator.State[[]byte, []byte]
	arena *operator.Arena
	open  [2]record.Timestamp // how long the window of a row of a side stays open behind the row's time
	low   record.Timestamp    // no row is before it: it only saves the way there, so 0 is right too
	probe []byte
	due   []dueRow // of the last call of take
}

// The sides, in their order among rows of one time.
const (
	rightSide = 0
	leftSide  = 1
)

// The marks: the highest time that came to the join, and the time that its windows are judged by before anything is looked for.
// That is the lowest time of a row that was added since the last look, and of the row where that look ended.
const (
	streamTime = iota
	leastTime
	waitingMarks
)

// A dueRow stands for the rows of one time, side and key whose window is closed.
type dueRow struct {
	at     []byte // in the table
	key    []byte
	values []byte
	time   record.Timestamp
	side   byte
}

func newWaiting(s *operator.Site, name string, leftOpen, rightOpen record.Timestamp) *waiting {
	w := &waiting{arena: &s.Arena}
	w.open[leftSide], w.open[rightSide] = leftOpen, rightOpen
	w.rows = operator.NewState(s, store.Options[[]byte, []byte]{
		Name: name, Partition: s.Partition, Key: serde.Bytes, Value: serde.Bytes, Ordered: true, Marks: waitingMarks,
	})
	s.Undoers = append(s.Undoers, w)
	return w
}

// Keep implements Undoer.
func (w *waiting) Keep() {}

// Undo implements Undoer.
func (w *waiting) Undo() { w.low = 0 }

// advance takes the time of a row that came to the join, and returns the highest of all.
func (w *waiting) advance(ts record.Timestamp) record.Timestamp {
	marks := w.rows.Table.Marks()
	marks[streamTime] = max(marks[streamTime], int64(ts))
	return record.Timestamp(marks[streamTime])
}

func (w *waiting) at(side byte, ts record.Timestamp, key []byte) []byte {
	w.probe = binary.BigEndian.AppendUint64(w.probe[:0], uint64(ts))
	w.probe = append(append(w.probe, side), key...)
	return w.probe
}

// add keeps a row with its encoded value on behalf of row i of r.
func (w *waiting) add(side byte, key, value []byte, r *operator.Rows, i int32) error {
	ts := r.Timestamps[i]
	at := w.arena.Copy(w.at(side, ts, key))
	old, oldTime, had := w.rows.Table.Get(at)
	next := append(binary.AppendUvarint(old[:len(old):len(old)], uint64(len(value))), value...)
	marks := w.rows.Table.Marks()
	if least := record.Timestamp(marks[leastTime]); least == record.NoTimestamp || ts < least {
		marks[leastTime] = int64(ts)
	}
	w.low = min(w.low, ts)
	_, err := w.rows.Replace(operator.PutRow[[]byte, []byte]{Key: at, Next: next, Old: old, OldTime: oldTime, Had: had}, ts, r, i)
	return err
}

// matched forgets the rows of a time, side and key.
func (w *waiting) matched(side byte, ts record.Timestamp, key []byte) {
	at := w.at(side, ts, key)
	if _, ok := w.rows.Table.Stamp(at); ok {
		w.rows.Remove(w.arena.Copy(at))
	}
}

// take removes the rows whose window is closed and returns them by time, those of the right side before those of the left. side is that
// of the row that moved the time. The result is valid until the next call.
//
// When rows come out is a matter of what Kafka Streams does: it looks only if the least time and the own side's window are over, and it
// ends at the row behind the first ones of both sides that must wait. So rows may wait for longer than they must.
func (w *waiting) take(side byte) []dueRow {
	clear(w.due)
	w.due = w.due[:0]
	marks := w.rows.Table.Marks()
	now, least := record.Timestamp(marks[streamTime]), record.Timestamp(marks[leastTime])
	if least == record.NoTimestamp || least+w.open[side] >= now {
		return nil
	}
	marks[leastTime] = int64(record.NoTimestamp)
	var stay [2]bool
	low := now
	w.rows.Table.Range(binary.BigEndian.AppendUint64(w.probe[:0], uint64(w.low)), nil, func(at, values []byte, ts record.Timestamp) bool {
		marks[leastTime] = int64(ts)
		if stay[leftSide] && stay[rightSide] {
			return false
		}
		side := at[8]
		if ts+w.open[side] >= now {
			stay[side] = true
			low = min(low, ts)
			return !(stay[leftSide] && stay[rightSide] && several(values)) // the second of them is the row behind
		}
		at = w.arena.Copy(at)
		w.due = append(w.due, dueRow{at: at, key: at[9:], values: values, time: ts, side: side})
		return true
	})
	w.low = low
	for i := range w.due {
		w.rows.Remove(w.due[i].at)
	}
	return w.due
}

// several tells whether a value of the table has more than one row.
func several(values []byte) bool {
	n, head := binary.Uvarint(values)
	return head+int(n) < len(values)
}

// each calls f with the values of a dueRow.
func (d *dueRow) each(f func(value []byte) error) error {
	for b := d.values; len(b) > 0; {
		n, head := binary.Uvarint(b)
		end := head + int(n)
		if err := f(b[head:end:end]); err != nil {
			return err
		}
		b = b[end:]
	}
	return nil
}
