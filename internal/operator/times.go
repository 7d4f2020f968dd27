package operator

import (
	"errors"
	"math"

	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// An Incoming is a record as a time function sees it.
type Incoming[K, V any] struct {
	Key       K
	KeyNull   bool
	Value     V
	ValueNull bool
	Timestamp record.Timestamp // the record's own
	Headers   []record.Header
	// PartitionTime is the highest time taken from the partition so far, record.NoTimestamp before the first.
	PartitionTime record.Timestamp
}

// A TimeFunc returns the time of a record; a negative one is invalid. An error makes the record a bad one.
type TimeFunc[K, V any] func(Incoming[K, V]) (record.Timestamp, error)

// BadTime is the time of a record that the source has to look at again: it cannot be decoded, or its time function failed. Like
// every negative time it is lower than all others, so such a record is taken at once.
const BadTime = record.Timestamp(math.MinInt64)

// A Timer is a Feeder whose records get their times from it.
type Timer interface {
	Feeder
	// PartitionTime returns the highest time taken from a topic of the source, record.NoTimestamp before the first.
	PartitionTime(topic int32) record.Timestamp
	// Times fills times with the times of a run's records, negative ones where there is none, given the highest one before, and returns
	// the highest one after.
	Times(run *Run, times []record.Timestamp, highest record.Timestamp) record.Timestamp
}

// timedSource is a source whose records don't have the times they came with. The highest time of each of its topics is kept in a store,
// since records that come after a restart may depend on it.
type timedSource[K, V any] struct {
	source[K, V]
	ahead source[K, V]           // decodes records before it is their turn
	rows  *State[string, []byte] // has marks only
	batch Batch[K, V]
}

// Rest implements Rester.
func (t *timedSource[K, V]) Rest() {
	t.source.Rest()
	t.ahead.Rest()
	t.batch = Batch[K, V]{}
}

func newTimedSource[K, V any](s *Site, c source[K, V]) *timedSource[K, V] {
	t := &timedSource[K, V]{source: c, ahead: c}
	t.rows = NewState(s, store.Options[string, []byte]{
		Name: c.Store, Partition: s.Partition, Key: serde.String, Value: serde.Bytes, Marks: c.Topics,
	})
	return t
}

// PartitionTime implements Timer.
func (t *timedSource[K, V]) PartitionTime(topic int32) record.Timestamp {
	return record.Timestamp(t.rows.Table.Marks()[topic])
}

// Times implements Timer.
func (t *timedSource[K, V]) Times(run *Run, times []record.Timestamp, highest record.Timestamp) record.Timestamp {
	n := len(run.Offsets)
	t.batch = Batch[K, V]{Keys: Sized(t.batch.Keys, n), Values: Sized(t.batch.Values, n)}
	for i := range n {
		ts, err := t.time(run, i, highest)
		if err != nil {
			ts = BadTime
		}
		times[i], highest = ts, max(highest, ts)
	}
	return highest
}

// time returns the time of record i, record.NoTimestamp when it has none. The error is about a record that is bad.
func (t *timedSource[K, V]) time(run *Run, i int, highest record.Timestamp) (ts record.Timestamp, err error) {
	row := int32(i)
	t.batch.Origins = Sized(t.batch.Origins, len(run.Offsets))
	t.batch.Origins[i] = Origin{Input: run.Input, Offset: run.Offsets[i]}
	defer Catch(&err, &row, &t.batch.Rows, t.node)
	if e := t.ahead.decode(&t.batch, run, i); e != nil {
		return BadTime, e
	}
	ts = run.Timestamps[i]
	if t.Time != nil {
		r := Incoming[K, V]{
			Key: t.batch.Keys[i], KeyNull: IsSet(t.batch.KeyNulls, row), Value: t.batch.Values[i], ValueNull: IsSet(t.batch.ValueNulls, row),
			Timestamp: ts, PartitionTime: highest,
		}
		if run.Headers != nil {
			r.Headers = run.Headers[i]
		}
		if ts, err = t.Time(r); err != nil {
			return BadTime, Rejected(&t.batch.Rows, row, t.node, err)
		}
	}
	switch {
	case ts >= 0:
		return ts, nil
	case t.PartitionTimes && highest >= 0:
		return highest, nil
	case t.SkipBadTime:
		return record.NoTimestamp, nil
	}
	return BadTime, &RowError{Origin: t.batch.Origins[i], Node: t.node, Reason: ErrNegativeTime.Error(), Cause: ErrNegativeTime}
}

// Feed implements Feeder. run.Times are those that Times has given.
func (t *timedSource[K, V]) Feed(run *Run, bad Bad) error {
	mark := &t.rows.Table.Marks()[run.Topic]
	for _, ts := range run.Times {
		*mark = max(*mark, int64(ts))
	}
	return t.feed(run, run.Times, t.check, bad)
}

// check tells what is wrong with a record of BadTime.
func (t *timedSource[K, V]) check(run *Run, i int) *RowError {
	t.batch = Batch[K, V]{Keys: Sized(t.batch.Keys, len(run.Offsets)), Values: Sized(t.batch.Values, len(run.Offsets))}
	var e *RowError
	if _, err := t.time(run, i, record.NoTimestamp); errors.As(err, &e) {
		return e
	}
	return t.negative(run, i)
}
