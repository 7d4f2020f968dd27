package local

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// decode turns fetched batches into columns, from offset next on. Uncompressed records alias the fetched bytes, which the
// broker never changes; each compressed batch is inflated into its own memory, for a chunk may be kept. bytes are what the records take then.
func decode(tp record.TopicPartition, next record.Offset, f broker.FetchResult) (c client.Chunk, bytes int, err error) {
	c = client.Chunk{TopicPartition: tp, Next: next, End: f.LastStable}
	n, err := countRecords(f.Batches)
	if err != nil {
		return c, 0, err
	}
	d := decoder{chunk: &c, from: next, aborted: slices.Clone(f.Aborted)}
	slices.SortFunc(d.aborted, func(a, b broker.Aborted) int { return cmp.Compare(a.First, b.First) })
	c.Offsets = make([]record.Offset, 0, n)
	c.Timestamps = make([]record.Timestamp, 0, n)
	columns := make([][]byte, 2*n)
	c.Keys, c.Values = columns[:0:n], columns[n:n:2*n]
	for rest := f.Batches; len(rest) > 0; {
		var v batch.View
		if v, rest, err = batch.Next(rest); err != nil {
			return c, 0, err
		}
		if err := v.CheckCRC(); err != nil {
			return c, 0, err
		}
		if err := d.add(v); err != nil {
			return c, 0, err
		}
		c.Next = max(c.Next, v.LastOffset()+1)
	}
	if c.Next <= next {
		return c, 0, fmt.Errorf("batches at and behind offset %d end before it: %w", next, batch.ErrCorrupt)
	}
	return c, d.bytes, nil
}

// countRecords is the capacity of the columns: all records, also those to be skipped.
func countRecords(b []byte) (int, error) {
	n := 0
	for len(b) > 0 {
		v, rest, err := batch.Next(b)
		if err != nil {
			return 0, err
		}
		if !v.Control() {
			n += plausible(v)
		}
		b = rest
	}
	return n, nil
}

// plausible is v's record count, unless v is too short for it: memory is not given away on the word of damaged bytes.
func plausible(v batch.View) int {
	const minRecord, maxRatio = 7, 64
	most := len(v) / minRecord
	if v.Codec() != batch.None {
		most *= maxRatio
	}
	return max(0, min(int(v.Count()), most))
}

// A decoder walks the batches of one fetch.
type decoder struct {
	chunk   *client.Chunk
	from    record.Offset
	aborted []broker.Aborted   // by first offset, those not yet reached
	open    map[int64]struct{} // producers whose transaction, to be aborted, goes on here
	plain   batch.Reader       // for uncompressed batches: it holds no memory of its own
	bytes   int                // of the batches' records, inflated
}

func (d *decoder) add(v batch.View) error {
	for len(d.aborted) > 0 && d.aborted[0].First <= v.LastOffset() {
		if d.open == nil {
			d.open = make(map[int64]struct{})
		}
		d.open[d.aborted[0].ProducerID] = struct{}{}
		d.aborted = d.aborted[1:]
	}
	if v.Control() {
		if commit, ok := batch.ParseEndMarker(v); ok && !commit {
			delete(d.open, v.ProducerID())
		}
		return nil
	}
	if v.Transactional() {
		if _, skip := d.open[v.ProducerID()]; skip {
			return nil
		}
	}
	if v.LastOffset() < d.from {
		return nil
	}
	if v.Codec() == batch.None {
		return d.records(&d.plain, v)
	}
	return d.records(&batch.Reader{}, v)
}

func (d *decoder) records(r *batch.Reader, v batch.View) error {
	if err := r.Reset(v, broker.MaxInflatedBytes); err != nil {
		return err
	}
	c := d.chunk
	d.bytes += r.Inflated()
	for r.Next() {
		if r.Offset < d.from {
			continue
		}
		c.Offsets = append(c.Offsets, r.Offset)
		c.Timestamps = append(c.Timestamps, r.Timestamp)
		c.Keys = append(c.Keys, r.Key)
		c.Values = append(c.Values, r.Value)
		switch {
		case r.HeaderCount() > 0:
			if c.Headers == nil { // the records before had none
				c.Headers = make([][]record.Header, len(c.Offsets)-1, cap(c.Offsets))
			}
			c.Headers = append(c.Headers, r.Headers())
		case c.Headers != nil:
			c.Headers = append(c.Headers, nil)
		}
	}
	return r.Err()
}
