package operator

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/serde"
)

// A TopicExchange is a Repartition that runs over a topic, because tasks on its two sides may be in different processes: the sender
// stages encoded rows for the topic, as part of its task's epoch, and the receiving task reads the topic as a Source does. Null keys and
// values, headers and times travel along. The keys and values of streams are as their serdes write them, like those of Kafka Streams.
type TopicExchange interface {
	// Sender makes the receiver of a task in front.
	Sender(s *Site) (any, error)
	SourceSpec
}

// Over implements RepartitionSpec.
func (r Repartition[K, V]) Over(topic string, partitions int32) TopicExchange {
	return topicExchange[K, V]{Repartition: r, topic: topic, partitions: partitions}
}

type topicExchange[K, V any] struct {
	Repartition[K, V]
	topic      string
	partitions int32
}

// check is the error of a repartition that has no serdes.
func (x topicExchange[K, V]) check(node string) error {
	what := "values"
	switch {
	case x.Key == nil:
		what = "keys"
	case x.Value != nil:
		return nil
	}
	return fmt.Errorf("wire %s: it runs over topic %s where several workers share the application, but the serde of its %s is not known: give it with WithSerdes",
		node, x.topic, what)
}

// Feeder implements SourceSpec.
func (x topicExchange[K, V]) Feeder(s *Site) (Feeder, error) {
	if err := x.check(s.Node); err != nil {
		return nil, err
	}
	return Source[K, V]{Key: x.Key, Value: x.Value, Deletes: true}.Feeder(s)
}

// Sender implements TopicExchange.
func (x topicExchange[K, V]) Sender(s *Site) (any, error) {
	if err := x.check(s.Node); err != nil {
		return nil, err
	}
	if len(s.Children) != 0 {
		return nil, fmt.Errorf("wire %s: a sender has no children", s.Node)
	}
	limit, ok := s.RecordBytes[x.topic]
	if !ok {
		limit = s.MaxRecordBytes
	}
	return &topicSender[K, V]{
		topicExchange: x, node: s.Node, env: s.Env, maxBytes: limit, keyID: Identify(x.Key), valueID: Identify(x.Value),
		isNull: NullTest[K](), unkeyed: s.Unkeyed, partition: s.Partition, placedBy: windowed.PlacedBy(x.Key),
	}, nil
}

type topicSender[K, V any] struct {
	topicExchange[K, V]
	node     string
	env      *Env
	maxBytes int
	keyID    serde.Serde[K]
	valueID  serde.Serde[V]
	isNull   func(K) bool
	placedBy func(key []byte) []byte

	unkeyed   bool // as in sender
	partition int32
}

func (r *topicSender[K, V]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, r.node)
	keys, values := b.KeyBytes.From(r.keyID), b.ValueBytes.From(r.valueID)
	for _, i := range b.Sel {
		row = i
		var key []byte
		if !IsSet(b.KeyNulls, i) && (r.isNull == nil || !r.isNull(b.Keys[i])) {
			if key, err = encoded(&r.env.Arena, r.Key, keys, b.Keys[i], i); err != nil {
				return Uncodable(b.Origins[i], r.node, "the key cannot be encoded", err)
			}
		}
		to, moves, err := r.place(b, i, key)
		if err != nil {
			return refused(b.Origins[i], r.node, err)
		}
		if !moves {
			continue
		}
		out := Staged{Timestamp: b.Timestamps[i], Key: key}
		out.Topic, out.Partition = r.topic, to
		if !IsSet(b.ValueNulls, i) {
			if out.Value, err = encoded(&r.env.Arena, r.Value, values, b.Values[i], i); err != nil {
				return Uncodable(b.Origins[i], r.node, "the value cannot be encoded", err)
			}
		}
		row = NoRow
		if b.Headers != nil {
			out.Headers = b.Headers[i]
		}
		if size := out.size(); size > r.maxBytes {
			return TooLarge(b.Origins[i], r.node, size, r.maxBytes)
		}
		r.env.Stage.Add(out)
	}
	return nil
}

// place returns the partition of row i, as a sender in memory chooses it; moves is false for one that is dropped.
func (r *topicSender[K, V]) place(b *Batch[K, V], i int32, key []byte) (partition int32, moves bool, err error) {
	switch {
	case r.By != nil && key != nil:
		return r.By.placeRow(r.env, b, i, placed{key, r.partitions})
	case r.Place != nil:
		return r.Place(key, b.Values[i], r.partitions), true, nil
	case key != nil:
		return Partition(r.placedBy(key), r.partitions), true, nil
	case r.unkeyed:
		return r.partition % r.partitions, true, nil
	}
	r.env.Drops.Add(DropUnkeyed)
	return 0, false, nil
}

// encoded returns the bytes of v, which row i of a column has, if they are not known yet.
func encoded[T any](a *Arena, s serde.Serde[T], known [][]byte, v T, i int32) ([]byte, error) {
	if known != nil {
		return known[i], nil
	}
	return Encode(a, s, v)
}
