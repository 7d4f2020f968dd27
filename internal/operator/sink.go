package operator

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/serde"
)

// Sink encodes rows and stages them for a topic. Rows with a key go where Kafka's default partitioner puts them; rows without
// one are spread by their origin's offset, so that the same input always goes the same way.
type Sink[K, V any] struct {
	Topic string
	Key   serde.Serde[K]
	Value serde.Serde[V]
	Keyed bool // a row without a key is a bad record
}

var errNoKey = errors.New("a compacted topic takes no record without a key")

type sink[K, V any] struct {
	Sink[K, V]
	node       string
	env        *Env
	partitions int32
	maxBytes   int
	keyID      serde.Serde[K]
	valueID    serde.Serde[V]
}

// Instance implements Spec.
func (k Sink[K, V]) Instance(s *Site) (any, error) {
	n := s.Partitions[k.Topic]
	if n < 1 {
		return nil, fmt.Errorf("sink %s: the number of partitions of topic %q is not known", s.Node, k.Topic)
	}
	limit, ok := s.RecordBytes[k.Topic]
	if !ok {
		limit = s.MaxRecordBytes
	}
	return &sink[K, V]{Sink: k, node: s.Node, env: s.Env, partitions: n, maxBytes: limit, keyID: Identify(k.Key), valueID: Identify(k.Value)}, nil
}

func (k *sink[K, V]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, k.node)
	keys, values := b.KeyBytes.From(k.keyID), b.ValueBytes.From(k.valueID)
	for _, i := range b.Sel {
		row = i
		key, err := k.bytes(b, keys, i)
		if err != nil {
			return Uncodable(b.Origins[i], k.node, "the key cannot be encoded", err)
		}
		if key == nil && k.Keyed {
			return &RowError{Origin: b.Origins[i], Node: k.node, Reason: errNoKey.Error(), Cause: errNoKey}
		}
		value, err := k.valueBytes(b, values, i)
		if err != nil {
			return Uncodable(b.Origins[i], k.node, "the value cannot be encoded", err)
		}
		row = NoRow
		out := Staged{Timestamp: b.Timestamps[i], Key: key, Value: value}
		out.Topic, out.Partition = k.Topic, k.partition(key, b.Origins[i])
		if b.Headers != nil {
			out.Headers = b.Headers[i]
		}
		if size := out.size(); size > k.maxBytes {
			return TooLarge(b.Origins[i], k.node, size, k.maxBytes)
		}
		k.env.Stage.Add(out)
	}
	return nil
}

func (k *sink[K, V]) bytes(b *Batch[K, V], known [][]byte, i int32) ([]byte, error) {
	if IsSet(b.KeyNulls, i) {
		return nil, nil
	}
	if known != nil {
		return known[i], nil
	}
	return Encode(&k.env.Arena, k.Key, b.Keys[i])
}

func (k *sink[K, V]) valueBytes(b *Batch[K, V], known [][]byte, i int32) ([]byte, error) {
	if IsSet(b.ValueNulls, i) {
		return nil, nil
	}
	if known != nil {
		return known[i], nil
	}
	return Encode(&k.env.Arena, k.Value, b.Values[i])
}

func (k *sink[K, V]) partition(key []byte, o Origin) int32 {
	if k.partitions == 1 {
		return 0
	}
	if key == nil {
		return int32((int64(o.Offset) + int64(o.Input)) % int64(k.partitions))
	}
	return Partition(key, k.partitions)
}
