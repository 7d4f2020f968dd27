package operator

import (
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Source decodes records.
type Source[K, V any] struct {
	Key         serde.Serde[K]
	Value       serde.Serde[V]
	Deletes     bool // a null value is a delete: it passes although the type may not hold null
	SkipBadTime bool // records with a negative timestamp are dropped and counted; otherwise they are bad
}

// A Run is a run of consecutive records of one partition in columns, at most MaxRows. A source reads it during Feed.
type Run struct {
	Input      int32 // index in task.Set.Sources
	Offsets    []record.Offset
	Timestamps []record.Timestamp
	Keys       [][]byte
	Values     [][]byte
	Headers    [][]record.Header // may be nil
}

// A Bad is asked about a record that can't be decoded. It returns nil when the record is taken care of and the
// others go on.
type Bad func(run *Run, row int, e *RowError) error

// A Feeder is a source's instance.
type Feeder interface {
	// Feed passes a run through the operators.
	Feed(run *Run, bad Bad) error
}

// A SourceSpec makes the instances of a source.
type SourceSpec interface {
	Feeder(s *Site) (Feeder, error)
}

type source[K, V any] struct {
	Source[K, V]
	node string
	out  *out[K, V]
	drop *Drops

	keyHoldsNull, valueHoldsNull bool
	sel                          []int32
	origins                      []Origin
	keyNulls                     []bool
	valueNulls                   []bool
	view                         Batch[K, V]
}

// Feeder implements SourceSpec.
func (c Source[K, V]) Feeder(s *Site) (Feeder, error) {
	o, err := newOut[K, V](s)
	return &source[K, V]{
		Source: c, node: s.Node, out: o, drop: &s.Drops,
		keyHoldsNull: c.Key.HoldsNull(), valueHoldsNull: c.Value.HoldsNull(),
	}, err
}

func (c *source[K, V]) Feed(run *Run, bad Bad) error {
	n := len(run.Offsets)
	b := &c.view
	keys, values := sized(b.Keys, n), sized(b.Values, n)
	*b = Batch[K, V]{Keys: keys, Values: values}
	b.Timestamps, b.Headers = run.Timestamps, run.Headers
	c.origins, c.sel = sized(c.origins, n), c.sel[:0]
	b.Origins = c.origins
	for i := range n {
		c.origins[i] = Origin{Input: run.Input, Offset: run.Offsets[i]}
	}
	for from := 0; from < n; {
		at, e := c.decodeFrom(b, run, from)
		if e == nil {
			break
		}
		if err := bad(run, at, e); err != nil {
			return err
		}
		from = at + 1
	}
	b.Sel = c.sel
	return c.out.emit(b)
}

// decodeFrom decodes the rows behind from until one can't be, which it returns with the reason.
func (c *source[K, V]) decodeFrom(b *Batch[K, V], run *Run, from int) (at int, e *RowError) {
	row := int32(noRow)
	var panicked error
	defer func() {
		if panicked != nil {
			at, e = int(row), panicked.(*RowError)
		}
	}()
	defer catch(&panicked, &row, &b.Rows, c.node)
	for i := from; i < len(run.Offsets); i++ {
		if run.Timestamps[i] < 0 && c.SkipBadTime {
			c.drop.Add(DropInvalidTime)
			continue
		}
		row = int32(i)
		if e := c.decode(b, run, i); e != nil {
			return i, e
		}
		c.sel = append(c.sel, row)
	}
	row = noRow
	return 0, nil
}

// decode fills row i of b.
func (c *source[K, V]) decode(b *Batch[K, V], run *Run, i int) *RowError {
	if run.Timestamps[i] < 0 {
		return &RowError{Origin: c.origins[i], Node: c.node, Reason: ErrNegativeTime.Error(), Cause: ErrNegativeTime}
	}
	var err error
	if run.Keys[i] == nil && !c.keyHoldsNull {
		var zero K
		b.Keys[i] = zero
		b.KeyNulls = c.null(&c.keyNulls, b.KeyNulls, i, len(b.Keys))
	} else if b.Keys[i], err = c.Key.Decode(run.Keys[i]); err != nil {
		return c.uncodable(i, "the key cannot be decoded", err)
	}
	if run.Values[i] == nil && c.Deletes && !c.valueHoldsNull {
		var zero V
		b.Values[i] = zero
		b.ValueNulls = c.null(&c.valueNulls, b.ValueNulls, i, len(b.Values))
	} else if b.Values[i], err = c.Value.Decode(run.Values[i]); err != nil {
		return c.uncodable(i, "the value cannot be decoded", err)
	}
	return nil
}

func (c *source[K, V]) uncodable(i int, what string, err error) *RowError {
	return &RowError{Origin: c.origins[i], Node: c.node, Reason: what + ": " + err.Error(), Cause: err}
}

// null marks row i in the column, which is made from room when it is the batch's first.
func (c *source[K, V]) null(room *[]bool, column []bool, i, n int) []bool {
	if column == nil {
		*room = sized(*room, n)
		clear(*room)
		column = *room
	}
	column[i] = true
	return column
}
