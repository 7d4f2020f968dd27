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

	// Time, when set, gives the records their times. With PartitionTimes a record whose time is negative gets the highest time taken
	// from its partition so far, if there is one. Both need a store, which has a mark for each of the topics.
	Time           TimeFunc[K, V]
	PartitionTimes bool
	Store          string
	Topics         int
}

// A Run is a run of consecutive records of one partition in columns, at most MaxRows. A source reads it during Feed.
type Run struct {
	Input      int32 // index in task.Set.Sources
	Offsets    []record.Offset
	Timestamps []record.Timestamp
	Keys       [][]byte
	Values     [][]byte
	Headers    [][]record.Header  // may be nil
	Topic      int32              // index in the source's topics
	Times      []record.Timestamp // of a Timer's records: those that count
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
	out  *Out[K, V]
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
	o, err := NewOut[K, V](s)
	made := source[K, V]{
		Source: c, node: s.Node, out: o, drop: &s.Drops,
		keyHoldsNull: c.Key.HoldsNull(), valueHoldsNull: c.Value.HoldsNull(),
	}
	if c.Time != nil || c.PartitionTimes {
		return newTimedSource(s, made), err
	}
	return &made, err
}

// Feed implements Feeder.
func (c *source[K, V]) Feed(run *Run, bad Bad) error {
	return c.feed(run, run.Timestamps, c.negative, bad)
}

// negative is what is wrong with a record of a negative time.
func (c *source[K, V]) negative(_ *Run, i int) *RowError {
	return &RowError{Origin: c.origins[i], Node: c.node, Reason: ErrNegativeTime.Error(), Cause: ErrNegativeTime}
}

// feed passes a run on whose records have the given times. invalid tells what is wrong with a record whose time is negative, if it may
// not be skipped.
func (c *source[K, V]) feed(run *Run, times []record.Timestamp, invalid func(run *Run, i int) *RowError, bad Bad) error {
	n := len(run.Offsets)
	b := &c.view
	keys, values := Sized(b.Keys, n), Sized(b.Values, n)
	*b = Batch[K, V]{Keys: keys, Values: values}
	b.Timestamps, b.Headers = times, run.Headers
	c.origins, c.sel = Sized(c.origins, n), c.sel[:0]
	b.Origins = c.origins
	for i := range n {
		c.origins[i] = Origin{Input: run.Input, Offset: run.Offsets[i]}
	}
	for from := 0; from < n; {
		at, e := c.decodeFrom(b, run, from, invalid)
		if e == nil {
			break
		}
		if err := bad(run, at, e); err != nil {
			return err
		}
		from = at + 1
	}
	b.Sel = c.sel
	return c.out.Emit(b)
}

// decodeFrom decodes the rows behind from until one can't be, which it returns with the reason.
func (c *source[K, V]) decodeFrom(b *Batch[K, V], run *Run, from int, invalid func(*Run, int) *RowError) (at int, e *RowError) {
	row := int32(NoRow)
	var panicked error
	defer func() {
		if panicked != nil {
			at, e = int(row), panicked.(*RowError)
		}
	}()
	defer Catch(&panicked, &row, &b.Rows, c.node)
	for i := from; i < len(run.Offsets); i++ {
		row = int32(i)
		if ts := b.Timestamps[i]; ts < 0 {
			if c.SkipBadTime && ts != BadTime {
				c.drop.Add(DropInvalidTime)
				continue
			}
			if e := invalid(run, i); e != nil {
				return i, e
			}
		}
		if e := c.decode(b, run, i); e != nil {
			return i, e
		}
		c.sel = append(c.sel, row)
	}
	row = NoRow
	return 0, nil
}

// decode fills row i of b.
func (c *source[K, V]) decode(b *Batch[K, V], run *Run, i int) *RowError {
	var err error
	if run.Keys[i] == nil && !c.keyHoldsNull {
		var zero K
		b.Keys[i] = zero
		b.KeyNulls = c.null(&c.keyNulls, b.KeyNulls, i, len(b.Keys))
	} else if b.Keys[i], err = c.Key.Decode(run.Keys[i]); err != nil {
		return c.uncodable(run, i, "the key cannot be decoded", err)
	}
	if run.Values[i] == nil && c.Deletes && !c.valueHoldsNull {
		var zero V
		b.Values[i] = zero
		b.ValueNulls = c.null(&c.valueNulls, b.ValueNulls, i, len(b.Values))
	} else if b.Values[i], err = c.Value.Decode(run.Values[i]); err != nil {
		return c.uncodable(run, i, "the value cannot be decoded", err)
	}
	return nil
}

func (c *source[K, V]) uncodable(run *Run, i int, what string, err error) *RowError {
	return &RowError{
		Origin: Origin{Input: run.Input, Offset: run.Offsets[i]}, Node: c.node, Reason: what + ": " + err.Error(), Cause: err, Undecodable: true,
	}
}

// null marks row i in the column, which is made from room when it is the batch's first.
func (c *source[K, V]) null(room *[]bool, column []bool, i, n int) []bool {
	if column == nil {
		*room = Sized(*room, n)
		clear(*room)
		column = *room
	}
	column[i] = true
	return column
}
