package batch

import (
	"fmt"

	"github.com/mainstemio/mainstem/record"
)

// A Reader walks the records of one batch without allocating per record. Slices it yields alias the batch, or the Reader's
// own buffer when the batch is compressed: they are valid until the next Reset.
//
// It checks framing and counts, not the CRC and not that offset deltas are dense (compaction leaves holes).
type Reader struct {
	Offset    record.Offset
	Timestamp record.Timestamp
	Key       []byte // nil is null
	Value     []byte // nil is null

	view   View
	all    []byte // records
	rest   []byte // records not yet read
	read   int32  // records read
	frame  frame
	buffer []byte // inflated records, kept between batches
	err    error
}

// Reset starts on v; at most maxInflated bytes are inflated (ErrTooLarge beyond).
func (r *Reader) Reset(v View, maxInflated int) error {
	r.Offset, r.Timestamp, r.Key, r.Value = 0, 0, nil, nil
	r.view, r.all, r.rest, r.read, r.frame, r.err = v, nil, nil, 0, frame{}, nil
	rest, err := inflateInto(&r.buffer, v, maxInflated)
	if err != nil {
		r.err = err
		return err
	}
	r.all, r.rest = rest, rest
	return nil
}

// Rewind goes back to before the first record, without inflating again.
func (r *Reader) Rewind() {
	r.rest, r.read, r.frame, r.err = r.all, 0, frame{}, nil
}

// Next moves to the next record; false at the end or on error.
func (r *Reader) Next() bool {
	if r.err != nil {
		return false
	}
	if r.read >= r.view.Count() {
		if len(r.rest) > 0 {
			r.err = fmt.Errorf("batch at offset %d: %d bytes behind its %d records: %w", r.view.BaseOffset(), len(r.rest), r.read, ErrCorrupt)
		}
		r.frame = frame{}
		return false
	}
	rest, ok := r.frame.parse(r.rest)
	if !ok {
		r.err = fmt.Errorf("batch at offset %d: record %d is malformed: %w", r.view.BaseOffset(), r.read, ErrCorrupt)
		r.frame = frame{}
		return false
	}
	r.rest = rest
	r.read++
	r.Offset = r.view.BaseOffset() + record.Offset(r.frame.offsetDelta)
	r.Key, r.Value = r.frame.key, r.frame.value
	if r.view.LogAppendTime() {
		r.Timestamp = r.view.MaxTimestamp()
	} else {
		r.Timestamp = r.view.BaseTimestamp() + record.Timestamp(r.frame.timestampDelta)
	}
	return true
}

// Inflated is the bytes of all records of the batch as they are read, not compressed.
func (r *Reader) Inflated() int { return len(r.all) }

// Headers decodes the current record's headers; nil when it has none. Values alias the same bytes as Value.
func (r *Reader) Headers() []record.Header { return r.frame.decodeHeaders() }

// HeaderCount is the number of headers of the current record, without decoding them.
func (r *Reader) HeaderCount() int { return r.frame.headerCount }

// Err is the reason why Next returned false, nil at the end.
func (r *Reader) Err() error { return r.err }
