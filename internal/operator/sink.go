package operator

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Sink encodes rows and stages them for a topic. Rows with a key go where Kafka's default partitioner puts them; rows without
// one are spread by their origin's offset, so that the same input always goes the same way.
type Sink[K, V any] struct {
	Topic string
	Key   serde.Serde[K]
	Value serde.Serde[V]
	Keyed bool // a row without a key is a bad record
	// Publishes: the topic is the changelog of the table in front. Each row goes to the task's own partition, and none is left out.
	Publishes bool

	// Choose, when set, gives the topic of each row instead of Topic. Topics that the Env does not know are looked up.
	Choose func(Outgoing[K, V]) string
	// Place, when set, gives the partitions of each row.
	Place PlaceFunc[K, V]
}

// An Outgoing is a row as functions see it that choose its topic or its partitions.
type Outgoing[K, V any] struct {
	Key       K
	KeyNull   bool
	Value     V
	ValueNull bool
	Timestamp record.Timestamp
	Headers   []record.Header
	// From and Offset are the input record that the row follows from; From has no topic where it follows from a scheduled call.
	From   record.TopicPartition
	Offset record.Offset
}

// A PlaceFunc says into which of n partitions a row goes.
type PlaceFunc[K, V any] func(r Outgoing[K, V], n int32) Placement

// A Placement is the partitions of a row. The zero Placement is the one that Kafka's default partitioner gives.
type Placement struct {
	kind    placing
	one     int32
	several []int32
}

type placing uint8

const (
	placeByKey placing = iota
	placeOne
	placeSeveral
	placeAll
	placeNowhere
)

// InPartition puts a row into one partition, InPartitions into each of several, InAllPartitions into all, and InNone into none: the row is
// dropped and counted.
func InPartition(p int32) Placement     { return Placement{kind: placeOne, one: p} }
func InPartitions(p ...int32) Placement { return Placement{kind: placeSeveral, several: p} }
func InAllPartitions() Placement        { return Placement{kind: placeAll} }
func InNone() Placement                 { return Placement{kind: placeNowhere} }

// outgoing shows row i.
func outgoing[K, V any](env *Env, b *Batch[K, V], i int32) Outgoing[K, V] {
	r := Outgoing[K, V]{
		Key: b.Keys[i], KeyNull: IsSet(b.KeyNulls, i), Value: b.Values[i], ValueNull: IsSet(b.ValueNulls, i), Timestamp: b.Timestamps[i],
	}
	if b.Headers != nil {
		r.Headers = b.Headers[i]
	}
	if o := b.Origins[i]; o.Input >= 0 && int(o.Input) < len(env.SourcePartitions) {
		r.From, r.Offset = env.SourcePartitions[o.Input], o.Offset
	}
	return r
}

// A Room is what is known of a topic that rows leave for.
type Room struct {
	Partitions int32 // 0: it does not exist
	MaxBytes   int   // of key, value and headers of one record; 0: the Env's
}

// room returns that of a sink topic.
func (e *Env) room(topic string) (Room, error) {
	r := Room{Partitions: e.Partitions[topic], MaxBytes: e.RecordBytes[topic]}
	if r.Partitions < 1 {
		r = e.found[topic]
	}
	if r.Partitions < 1 && e.LookUp != nil && topic != "" {
		var err error
		if r, err = e.LookUp(topic); err != nil {
			return r, fmt.Errorf("look up topic %s: %w", topic, err)
		}
		if r.Partitions > 0 {
			if e.found == nil {
				e.found = map[string]Room{}
			}
			e.found[topic] = r
		}
	}
	if r.MaxBytes == 0 {
		r.MaxBytes = e.MaxRecordBytes
	}
	return r, nil
}

var (
	errNoKey       = errors.New("a compacted topic takes no record without a key")
	errNoTopic     = errors.New("the topic that was chosen for the record does not exist: create it, or declare it at the step")
	errNoPartition = errors.New("the partition that was chosen for the record does not exist")
	errOnePlace    = errors.New("a repartition moves a record to one partition, but several were chosen")
)

type sink[K, V any] struct {
	Sink[K, V]
	node    string
	env     *Env
	fixed   Room  // of Topic
	own     int32 // the task's partition
	keyID   serde.Serde[K]
	valueID serde.Serde[V]
	keyIn   RecordSerde[K] // nil: it sees the value only
	valueIn RecordSerde[V]
	at      Surroundings // of the record that is encoded
	to      []int32      // room for the partitions of a row

	placedBy func(key []byte) []byte // the part of a key that says its partition
}

// Instance implements Spec.
func (k Sink[K, V]) Instance(s *Site) (any, error) {
	c := &sink[K, V]{
		Sink: k, node: s.Node, env: s.Env, own: s.Partition, keyID: Identify(k.Key), valueID: Identify(k.Value), placedBy: windowed.PlacedBy(k.Key),
	}
	if c.keyIn, _ = k.Key.(RecordSerde[K]); c.keyIn != nil {
		c.keyID = nil // what another record's headers say is not known here
	}
	if c.valueIn, _ = k.Value.(RecordSerde[V]); c.valueIn != nil {
		c.valueID = nil
	}
	switch {
	case k.Choose != nil:
		return c, nil
	case k.Publishes: // it may not exist yet, and has a partition for each task then
		c.fixed = Room{MaxBytes: cmp.Or(s.RecordBytes[k.Topic], s.MaxRecordBytes)}
		return c, nil
	}
	var err error
	if c.fixed, err = s.room(k.Topic); err == nil && c.fixed.Partitions < 1 {
		err = fmt.Errorf("sink %s: the number of partitions of topic %q is not known", s.Node, k.Topic)
	}
	return c, err
}

// Receive implements Receiver. A row that cannot be written is left out alone where the Env says so.
func (k *sink[K, V]) Receive(b *Batch[K, V]) error {
	for from := 0; from < len(b.Sel); {
		at, err := k.write(b, from)
		if err == nil {
			return nil
		}
		if k.Publishes || !k.env.leavesOut(err) {
			return err
		}
		from = at + 1
	}
	return nil
}

// write stages the rows behind from until one cannot be, whose place among them it returns with the error.
func (k *sink[K, V]) write(b *Batch[K, V], from int) (at int, err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, k.node)
	known := knownBytes{b.KeyBytes.From(k.keyID), b.ValueBytes.From(k.valueID)}
	for at = from; at < len(b.Sel); at++ {
		i := b.Sel[at]
		row = i
		out, room, err := k.addressed(b, i)
		if err == nil {
			err = k.encode(b, i, &out, known)
		}
		if err == nil {
			err = k.stage(b, i, out, room)
		}
		if err != nil {
			return at, err
		}
		row = NoRow
	}
	return at, nil
}

// addressed begins a record: its topic, time and headers.
func (k *sink[K, V]) addressed(b *Batch[K, V], i int32) (out Staged, room Room, err error) {
	out, room = Staged{Timestamp: b.Timestamps[i]}, k.fixed
	if b.Headers != nil {
		out.Headers = b.Headers[i]
	}
	if out.Topic = k.Topic; k.Choose == nil {
		return out, room, nil
	}
	out.Topic = k.Choose(outgoing(k.env, b, i))
	if room, err = k.env.room(out.Topic); err == nil && room.Partitions < 1 {
		err = refused(b.Origins[i], k.node, errNoTopic)
	}
	return out, room, err
}

// knownBytes are the encoded columns of a batch, as far as the sink's serdes made them.
type knownBytes struct{ keys, values [][]byte }

// encode gives a record its key and value.
func (k *sink[K, V]) encode(b *Batch[K, V], i int32, out *Staged, known knownBytes) (err error) {
	k.at = Surroundings{Topic: out.Topic, Headers: out.Headers, Key: true}
	if !IsSet(b.KeyNulls, i) {
		out.Key, err = encoded(&k.env.Arena, sighted(k.Key, k.keyIn, &k.at), known.keys, b.Keys[i], i)
		if err != nil {
			return Uncodable(b.Origins[i], k.node, "the key cannot be encoded", err)
		}
	}
	if out.Key == nil && k.Keyed {
		return refused(b.Origins[i], k.node, errNoKey)
	}
	k.at.Key = false
	if !IsSet(b.ValueNulls, i) {
		out.Value, err = encoded(&k.env.Arena, sighted(k.Value, k.valueIn, &k.at), known.values, b.Values[i], i)
		if err != nil {
			return Uncodable(b.Origins[i], k.node, "the value cannot be encoded", err)
		}
	}
	out.Headers = k.at.Headers
	return nil
}

// sighted returns in, which is s if it wants to see the record, as a serde of the record at; s if it is nil.
func sighted[T any](s serde.Serde[T], in RecordSerde[T], at *Surroundings) serde.Serde[T] {
	if in == nil {
		return s
	}
	return placedSerde[T]{in, at}
}

// stage adds a row to the partitions that it goes to.
func (k *sink[K, V]) stage(b *Batch[K, V], i int32, out Staged, room Room) error {
	if size := out.size(); size > room.MaxBytes {
		return TooLarge(b.Origins[i], k.node, size, room.MaxBytes)
	}
	if k.Place == nil {
		if out.Partition = k.own; !k.Publishes {
			out.Partition = partitionOf(k.placing(out.Key), b.Origins[i], room.Partitions)
		}
		k.env.Stage.Add(out)
		return nil
	}
	place := k.Place(outgoing(k.env, b, i), room.Partitions)
	if k.to = place.partitions(k.to[:0], k.placing(out.Key), b.Origins[i], room.Partitions); len(k.to) == 0 {
		k.env.Drops.Add(DropNowhere)
	}
	for _, p := range k.to {
		if p < 0 || p >= room.Partitions {
			return refused(b.Origins[i], k.node, errNoPartition)
		}
	}
	for _, p := range k.to {
		out.Partition = p
		k.env.Stage.Add(out)
	}
	return nil
}

// placing is the part of a key that says its partition; nil stays nil.
func (k *sink[K, V]) placing(key []byte) []byte {
	if key == nil {
		return nil
	}
	return k.placedBy(key)
}

// refused is the error of a row whose cause says nothing from the row.
func refused(o Origin, node string, cause error) error {
	return &RowError{Origin: o, Node: node, Reason: cause.Error(), Cause: cause}
}

// partitions appends the partitions, of n, of a row with this key and origin.
func (p Placement) partitions(dst []int32, key []byte, o Origin, n int32) []int32 {
	switch p.kind {
	case placeOne:
		return append(dst, p.one)
	case placeSeveral:
		return append(dst, p.several...)
	case placeAll:
		for i := range n {
			dst = append(dst, i)
		}
		return dst
	case placeNowhere:
		return dst
	}
	return append(dst, partitionOf(key, o, n))
}

// partitionOf returns the partition, of n, that a row has by default.
func partitionOf(key []byte, o Origin, n int32) int32 {
	switch {
	case n == 1:
		return 0
	case key == nil:
		return int32((int64(o.Offset) + int64(o.Input)) % int64(n))
	}
	return Partition(key, n)
}

// leavesOut asks whether a row is to be left out that cannot be written, and marks the error of one that is not.
func (e *Env) leavesOut(err error) bool {
	var failed *RowError
	if !errors.As(err, &failed) {
		return false
	}
	failed.Unwritable = true
	if e.LeaveOut == nil || failed.Origin == NoOrigin || !e.LeaveOut(failed) {
		return false
	}
	e.Drops.Add(DropUnwritten)
	return true
}
