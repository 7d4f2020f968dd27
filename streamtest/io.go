package streamtest

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// An Input writes typed records to a topic, as a producer would.
type Input[K, V any] struct {
	d     *Driver
	topic string
	key   serde.Serde[K]
	value serde.Serde[V]
}

// NewInput returns an input for a topic.
func NewInput[K, V any](d *Driver, topic string, key serde.Serde[K], value serde.Serde[V]) Input[K, V] {
	d.named(topic)
	return Input[K, V]{d: d, topic: topic, key: key, value: value}
}

// Pipe writes one record with time at, in milliseconds.
func (in Input[K, V]) Pipe(key K, value V, at record.Timestamp, headers ...record.Header) {
	in.d.fail(in.TryPipe(key, value, at, headers...))
}

// TryPipe is Pipe with the error returned: that of the record, if it is a bad one.
func (in Input[K, V]) TryPipe(key K, value V, at record.Timestamp, headers ...record.Header) error {
	k, err := in.key.Append([]byte{}, key)
	if err != nil {
		return fmt.Errorf("pipe to %s: key: %w", in.topic, err)
	}
	v, err := in.value.Append([]byte{}, value)
	if err != nil {
		return fmt.Errorf("pipe to %s: value: %w", in.topic, err)
	}
	return in.d.TryPipe(in.record(k, v, at, headers))
}

func (in Input[K, V]) record(key, value []byte, at record.Timestamp, headers []record.Header) record.Record {
	r := record.Record{Timestamp: at, Key: key, Value: value, Headers: headers}
	r.Topic = in.topic
	return r
}

// Delete writes a null value for key.
func (in Input[K, V]) Delete(key K, at record.Timestamp) {
	k, err := in.key.Append([]byte{}, key)
	in.d.fail(err)
	in.d.Pipe(in.record(k, nil, at, nil))
}

// PipeNullKey writes a record without a key.
func (in Input[K, V]) PipeNullKey(value V, at record.Timestamp) {
	v, err := in.value.Append([]byte{}, value)
	in.d.fail(err)
	in.d.Pipe(in.record(nil, v, at, nil))
}

// Pipe writes one record as bytes to r.Topic; nil is null. Its partition is the one of its key, and its offset the next one.
func (d *Driver) Pipe(r record.Record) { d.fail(d.TryPipe(r)) }

// TryPipe is Pipe with the error returned: that of the record, if it is a bad one.
func (d *Driver) TryPipe(r record.Record) error {
	if d.err != nil {
		return d.err
	}
	d.named(r.Topic)
	d.write(r)
	d.pending++
	if d.pending < d.o.batch {
		return nil
	}
	return d.tryFlush()
}

// write appends a record to its topic, which somebody has named.
func (d *Driver) write(r record.Record) {
	t, n := d.topic(r.Topic), d.partitions(r.Topic)
	r.Partition = int32(len(t.records)) % n
	if r.Key != nil {
		r.Partition = operator.Partition(r.Key, n)
	}
	t.append(r)
}

// A Record is one that was read.
type Record[K, V any] struct {
	Key       K
	Value     V
	KeyNull   bool
	ValueNull bool
	Partition int32
	Offset    record.Offset
	Timestamp record.Timestamp
	Headers   []record.Header
}

// An Output reads typed records from a topic, each once, in the order in which they were written.
type Output[K, V any] struct {
	d     *Driver
	topic string
	key   serde.Serde[K]
	value serde.Serde[V]
	next  int
}

// NewOutput returns an output for a topic, which it reads from the start.
func NewOutput[K, V any](d *Driver, topic string, key serde.Serde[K], value serde.Serde[V]) *Output[K, V] {
	d.topic(topic)
	return &Output[K, V]{d: d, topic: topic, key: key, value: value}
}

// Read returns the next record; ok is false when there is none.
func (out *Output[K, V]) Read() (r Record[K, V], ok bool) {
	if out.d.err == nil {
		out.d.flush()
	}
	records := out.d.topic(out.topic).records
	if out.next == len(records) {
		return r, false
	}
	raw := &records[out.next]
	out.next++
	r = Record[K, V]{Partition: raw.Partition, Offset: raw.Offset, Timestamp: raw.Timestamp, Headers: raw.Headers}
	var err error
	if r.KeyNull = raw.Key == nil; !r.KeyNull || out.key.HoldsNull() {
		r.Key, err = out.key.Decode(raw.Key)
		out.d.fail(err)
	}
	if r.ValueNull = raw.Value == nil; !r.ValueNull || out.value.HoldsNull() {
		r.Value, err = out.value.Decode(raw.Value)
		out.d.fail(err)
	}
	return r, true
}

// ReadAll returns all records that are left.
func (out *Output[K, V]) ReadAll() []Record[K, V] {
	var all []Record[K, V]
	for {
		r, ok := out.Read()
		if !ok {
			return all
		}
		all = append(all, r)
	}
}
