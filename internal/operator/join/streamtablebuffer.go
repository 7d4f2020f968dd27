package join

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A heldJoin is a join of a stream with a versioned table whose rows wait.
//
// A row's key in the buffer is its time, 8 bytes big-endian, its own key, and a number that counts the rows, 4 bytes big-endian: rows of
// one time leave by their keys, and those of one key in the order in which they came. The value is the row's headers and value, see
// appendHeld.
type heldJoin[K, V, W, R any] struct {
	*streamTable[K, V, W, R]
	rows *operator.State[[]byte, []byte]
	out  *operator.Gathered[K, R]
	due  []heldRow
	one  operator.Rows // a row that is joined: Gathered takes headers and origin from it
}

// A heldRow is a row that leaves the buffer.
type heldRow struct{ at, value []byte }

// The marks behind highest: the number of the last row.
const (
	lastNumber = highest + 1 + iota
	bufferMarks
)

func newHeldJoin[K, V, W, R any](s *operator.Site, j *streamTable[K, V, W, R]) (*heldJoin[K, V, W, R], error) {
	out, err := operator.NewGathered[K, R](s)
	return &heldJoin[K, V, W, R]{
		streamTable: j, out: out,
		one: operator.Rows{Headers: make([][]record.Header, 1), Origins: make([]operator.Origin, 1), Timestamps: make([]record.Timestamp, 1)},
		rows: operator.NewState(s, store.Options[[]byte, []byte]{
			Name: j.Buffer.Store, Partition: s.Partition, Key: serde.Bytes, Value: serde.Bytes, Ordered: true, Marks: bufferMarks,
		}),
	}, err
}

func (j *heldJoin[K, V, W, R]) Receive(b *operator.Batch[K, V]) (err error) {
	j.row = operator.NoRow
	defer operator.Catch(&err, &j.row, &b.Rows, j.node)
	known := b.KeyBytes.From(j.keyID)
	for _, i := range b.Sel {
		key, ok, err := j.keyOf(b, known, i)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		j.one.Origins[0] = b.Origins[i]
		if err := j.receive(b, key, i); err != nil {
			return err
		}
	}
	return j.out.Flush()
}

// receive takes row i: into the buffer, unless it has a null key or is late, and rows that are due out of it.
func (j *heldJoin[K, V, W, R]) receive(b *operator.Batch[K, V], key []byte, i int32) error {
	ts := b.Timestamps[i]
	marks := j.rows.Table.Marks()
	before := record.Timestamp(marks[highest]) - j.Buffer.Grace
	if key == nil || ts < before {
		j.one.Headers[0] = nil
		if b.Headers != nil {
			j.one.Headers[0] = b.Headers[i]
		}
		return j.emit(row[K, V]{b.Keys[i], operator.IsSet(b.KeyNulls, i), key, b.Values[i], ts}, b, i)
	}
	if err := j.hold(b, key, i); err != nil {
		return err
	}
	marks[highest] = max(marks[highest], int64(ts))
	return j.release(before, record.Timestamp(marks[highest])-j.Buffer.Grace, b, i)
}

// A row is one that is joined.
type row[K, V any] struct {
	k       K
	keyNull bool
	key     []byte
	v       V
	time    record.Timestamp
}

// emit gives the result of a row, on behalf of row i of b, with the headers in one.
func (j *heldJoin[K, V, W, R]) emit(held row[K, V], b *operator.Batch[K, V], i int32) error {
	j.row = i
	r, ok, err := j.join(held.k, held.key, held.v, held.time)
	j.row = operator.NoRow
	switch {
	case err != nil:
		return operator.Rejected(&b.Rows, i, j.node, err)
	case !ok:
		return nil
	case held.keyNull:
		return j.out.AddUnkeyed(r, held.time, &j.one, 0)
	}
	return j.out.Add(held.k, r, held.time, &j.one, 0)
}

// hold puts row i into the buffer.
func (j *heldJoin[K, V, W, R]) hold(b *operator.Batch[K, V], key []byte, i int32) error {
	ts := b.Timestamps[i]
	marks := j.rows.Table.Marks()
	marks[lastNumber] = (marks[lastNumber] + 1) & math.MaxInt32
	at := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(key)+4), uint64(ts))
	at = binary.BigEndian.AppendUint32(append(at, key...), uint32(marks[lastNumber]))
	j.row = i
	value, err := operator.Encode(&j.env.Arena, j.Buffer.Value, b.Values[i])
	if err != nil {
		return operator.Uncodable(b.Origins[i], j.node, "the value cannot be encoded", err)
	}
	j.row = operator.NoRow
	if value == nil {
		return operator.NullValue(&b.Rows, i, j.node)
	}
	var headers []record.Header
	if b.Headers != nil {
		headers = b.Headers[i]
	}
	_, err = j.rows.Replace(operator.PutRow[[]byte, []byte]{Key: at, Next: appendHeld(nil, headers, value)}, ts, &b.Rows, i)
	return err
}

// release joins the rows up to a time. Those before from are gone already.
func (j *heldJoin[K, V, W, R]) release(from, to record.Timestamp, b *operator.Batch[K, V], i int32) error {
	if to < 0 {
		return nil
	}
	j.due = j.due[:0]
	first := binary.BigEndian.AppendUint64(nil, uint64(max(from, 0)))
	end := binary.BigEndian.AppendUint64(nil, uint64(to+1))
	j.rows.Table.Range(first, end, func(at, value []byte, _ record.Timestamp) bool {
		j.due = append(j.due, heldRow{j.env.Arena.Copy(at), value})
		return true
	})
	for n := range j.due {
		at := j.due[n].at
		j.rows.Remove(at)
		held := row[K, V]{key: at[8 : len(at)-4], time: record.Timestamp(binary.BigEndian.Uint64(at))}
		if err := j.read(&held, j.due[n].value); err != nil {
			return fmt.Errorf("join %s: a row of the buffer: %w", j.node, err)
		}
		if err := j.emit(held, b, i); err != nil {
			return err
		}
	}
	clear(j.due)
	return nil
}

// read decodes a row of the buffer, and sets the headers in one.
func (j *heldJoin[K, V, W, R]) read(held *row[K, V], b []byte) (err error) {
	headers, value, err := readHeld(b)
	if err != nil {
		return err
	}
	j.one.Headers[0] = headers
	if held.k, err = j.Key.Decode(held.key); err != nil {
		return err
	}
	held.v, err = j.Buffer.Value.Decode(value)
	return err
}

var errHeld = errors.New("it is cut off")

// appendHeld appends the number of headers, for each the length and bytes of its name and of its value (one more, 0 for null), and the
// row's value. Numbers are uvarints.
func appendHeld(dst []byte, headers []record.Header, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(headers)))
	for _, h := range headers {
		dst = append(binary.AppendUvarint(dst, uint64(len(h.Key))), h.Key...)
		if h.Value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(h.Value))+1), h.Value...)
	}
	return append(dst, value...)
}

// readHeld reads what appendHeld wrote.
func readHeld(b []byte) (headers []record.Header, value []byte, err error) {
	cut := func(n int) (part []byte) {
		if err != nil || n > len(b) {
			err = errHeld
			return nil
		}
		part, b = b[:n:n], b[n:]
		return part
	}
	number := func() int {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > math.MaxInt32 {
			err = errHeld
			return 0
		}
		cut(size)
		return int(n)
	}
	for n := number(); n > 0 && err == nil; n-- {
		h := record.Header{Key: string(cut(number()))}
		if size := number(); size > 0 {
			h.Value = cut(size - 1)
		}
		headers = append(headers, h)
	}
	return headers, b, err
}
