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

// A RecordSerde is a serde that also sees the record that its bytes stand in. Sources and sinks call these methods; stores and repartitions,
// which keep no record, call those of Serde.
type RecordSerde[T any] interface {
	serde.Serde[T]
	// DecodeIn is Decode for the key or value of a record that is read.
	DecodeIn(at Surroundings, b []byte) (T, error)
	// AppendIn is Append for a record that is written. It may add headers, to a copy of those that are there.
	AppendIn(at *Surroundings, dst []byte, v T) ([]byte, error)
}

// Surroundings are where the bytes of a key or value stand.
type Surroundings struct {
	Topic   string
	Key     bool // the bytes are the key's
	Headers []record.Header
}

// A placedSerde writes into one record.
type placedSerde[T any] struct {
	RecordSerde[T]
	at *Surroundings
}

// Append implements serde.Serde.
func (s placedSerde[T]) Append(dst []byte, v T) ([]byte, error) { return s.AppendIn(s.at, dst, v) }

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
	env  *Env

	keyIn                        RecordSerde[K] // nil: it sees the bytes only
	valueIn                      RecordSerde[V]
	keyHoldsNull, valueHoldsNull bool
	sel                          []int32
	origins                      []Origin
	keyNulls                     []bool
	valueNulls                   []bool
	view                         Scratch[Batch[K, V]]
}

// Rest implements Rester.
func (c *source[K, V]) Rest() {
	c.sel, c.origins, c.keyNulls, c.valueNulls = nil, nil, nil, nil
	c.view.Rest()
}

// Feeder implements SourceSpec.
func (c Source[K, V]) Feeder(s *Site) (Feeder, error) {
	o, err := NewOut[K, V](s)
	made := source[K, V]{
		Source: c, node: s.Node, out: o, drop: &s.Drops, env: s.Env,
		keyHoldsNull: c.Key.HoldsNull(), valueHoldsNull: c.Value.HoldsNull(),
	}
	made.keyIn, _ = c.Key.(RecordSerde[K])
	made.valueIn, _ = c.Value.(RecordSerde[V])
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
	b := c.view.Get()
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
	} else if b.Keys[i], err = decodeIn(c.Key, c.keyIn, c.at(run, i, true), run.Keys[i]); err != nil {
		return c.uncodable(run, i, "the key cannot be decoded", err)
	}
	if run.Values[i] == nil && c.Deletes && !c.valueHoldsNull {
		var zero V
		b.Values[i] = zero
		b.ValueNulls = c.null(&c.valueNulls, b.ValueNulls, i, len(b.Values))
	} else if b.Values[i], err = decodeIn(c.Value, c.valueIn, c.at(run, i, false), run.Values[i]); err != nil {
		return c.uncodable(run, i, "the value cannot be decoded", err)
	}
	return nil
}

// at are the surroundings of record i, as far as somebody asks for them.
func (c *source[K, V]) at(run *Run, i int, key bool) (s Surroundings) {
	if key && c.keyIn == nil || !key && c.valueIn == nil {
		return s
	}
	s = Surroundings{Topic: c.env.SourcePartitions[run.Input].Topic, Key: key}
	if run.Headers != nil {
		s.Headers = run.Headers[i]
	}
	return s
}

// decodeIn decodes with in, which is s if it wants to see the record, else nil.
func decodeIn[T any](s serde.Serde[T], in RecordSerde[T], at Surroundings, b []byte) (T, error) {
	if in != nil {
		return in.DecodeIn(at, b)
	}
	return s.Decode(b)
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
