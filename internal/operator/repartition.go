package operator

import (
	"encoding/binary"
	"fmt"

	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Repartition moves rows to the task that owns their key. Rows without a key stay behind, unless something behind it has results for
// them (Site.Unkeyed); Kafka Streams doesn't count them as dropped, here they have a counter of their own.
//
// Where one process has all tasks it is an exchange in memory, and Value is not needed; else a topic: see TopicExchange.
type Repartition[K, V any] struct {
	Key   serde.Serde[K]
	Value serde.Serde[V]
	// Place, when set, chooses the partition instead of the key, below n. Then rows without a key move too; for them key is nil.
	Place func(key []byte, v V, n int32) int32
	// By, when set, chooses the partition of a row that has a key: one, or none.
	By PlaceFunc[K, V]
}

// A RepartitionSpec makes the exchange of a Repartition: one for a Set, in memory or over a topic.
type RepartitionSpec interface {
	Exchange(partitions int32) Exchange
	Over(topic string, partitions int32) TopicExchange
}

// An Exchange connects the tasks in front of a Repartition with those behind it.
type Exchange interface {
	// Sender makes the receiver of a task in front.
	Sender(s *Site) (any, error)
	// Inbox makes the input of the task that has the site's partition.
	Inbox(s *Site) (Inbox, error)
}

// An Inbox holds rows that wait for their task, in order of arrival. Whoever fills the Set registers it as an Undoer: undoing a
// unit empties it, since a unit ends with all inboxes empty.
type Inbox interface {
	Undoer
	// Timestamps returns those of the waiting rows.
	Timestamps() []record.Timestamp
	// Feed passes the first n rows, at most MaxRows, through the operators.
	Feed(n int) error
}

// Exchange implements RepartitionSpec.
func (r Repartition[K, V]) Exchange(partitions int32) Exchange {
	return &exchange[K, V]{Repartition: r, inboxes: make([]*inbox[K, V], partitions)}
}

type exchange[K, V any] struct {
	Repartition[K, V]
	inboxes []*inbox[K, V] // by partition; made before the senders run
}

func (x *exchange[K, V]) Sender(s *Site) (any, error) {
	if len(s.Children) != 0 {
		return nil, fmt.Errorf("wire %s: a sender has no children", s.Node)
	}
	return &sender[K, V]{
		exchange: x, node: s.Node, env: s.Env, keyID: Identify(x.Key), isNull: NullTest[K](), unkeyed: s.Unkeyed, partition: s.Partition,
		placedBy: windowed.PlacedBy(x.Key),
	}, nil
}

func (x *exchange[K, V]) Inbox(s *Site) (Inbox, error) {
	o, err := NewOut[K, V](s)
	if err != nil {
		return nil, err
	}
	in := &inbox[K, V]{out: o, keyID: Identify(x.Key)}
	x.inboxes[s.Partition] = in
	s.Undoers = append(s.Undoers, in)
	return in, nil
}

type sender[K, V any] struct {
	exchange *exchange[K, V]
	node     string
	env      *Env
	keyID    serde.Serde[K]
	isNull   func(K) bool
	placedBy func(key []byte) []byte

	unkeyed   bool // rows with a null key move too: to the partition with the number of this one, as far as there is one
	partition int32
}

func (r *sender[K, V]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, r.node)
	known := b.KeyBytes.From(r.keyID)
	n := int32(len(r.exchange.inboxes))
	for _, i := range b.Sel {
		row = i
		key, err := r.keyBytes(b, known, i)
		if err != nil {
			return Uncodable(b.Origins[i], r.node, "the key cannot be encoded", err)
		}
		if r.exchange.By != nil && (key != nil || r.unkeyed) {
			to, moves, err := r.exchange.By.placeRow(r.env, b, i, placed{key, n})
			if err != nil {
				return refused(b.Origins[i], r.node, err)
			}
			row = NoRow
			if moves {
				r.exchange.inboxes[to].add(b, i, key)
			}
			continue
		}
		row = NoRow
		switch {
		case r.exchange.Place != nil:
			r.exchange.inboxes[r.exchange.Place(key, b.Values[i], n)].add(b, i, key)
		case key == nil && r.unkeyed:
			r.exchange.inboxes[r.partition%n].add(b, i, nil)
		case key == nil:
			r.env.Drops.Add(DropUnkeyed)
		default:
			r.exchange.inboxes[Partition(r.placedBy(key), n)].add(b, i, key)
		}
	}
	return nil
}

// placed is what a row has that is to be placed: the bytes of its key, and how many partitions there are.
type placed struct {
	key []byte
	n   int32
}

// placeRow asks for the partition of row i; moves is false for a row that is dropped.
func (by PlaceFunc[K, V]) placeRow(env *Env, b *Batch[K, V], i int32, at placed) (to int32, moves bool, err error) {
	var room [1]int32
	switch p := by(outgoing(env, b, i), at.n); {
	case p.kind == placeNowhere || p.kind == placeSeveral && len(p.several) == 0:
		env.Drops.Add(DropNowhere)
		return 0, false, nil
	case p.kind == placeAll || p.kind == placeSeveral && len(p.several) > 1:
		return 0, false, errOnePlace
	default:
		to = p.partitions(room[:0], at.key, b.Origins[i], at.n)[0]
	}
	if to < 0 || to >= at.n {
		return 0, false, errNoPartition
	}
	return to, true, nil
}

// keyBytes returns the encoded key of row i, nil for null.
func (r *sender[K, V]) keyBytes(b *Batch[K, V], known [][]byte, i int32) ([]byte, error) {
	if IsSet(b.KeyNulls, i) || r.isNull != nil && r.isNull(b.Keys[i]) {
		return nil, nil
	}
	if known != nil {
		return known[i], nil
	}
	return Encode(&r.env.Arena, r.exchange.Key, b.Keys[i])
}

// An inbox is a queue of rows in columns. Columns that may be missing in batches are padded when their first row comes.
type inbox[K, V any] struct {
	out   *Out[K, V]
	keyID serde.Serde[K]
	head  int // rows before it are consumed

	keys       []K
	keyNulls   []bool
	keyBytes   [][]byte
	values     []V
	valueNulls []bool
	timestamps []record.Timestamp
	headers    [][]record.Header
	origins    []Origin
	view       Scratch[Batch[K, V]]
}

// Rest implements Rester.
func (in *inbox[K, V]) Rest() { *in = inbox[K, V]{out: in.out, keyID: in.keyID} }

func (in *inbox[K, V]) add(b *Batch[K, V], i int32, key []byte) {
	if IsSet(b.KeyNulls, i) {
		in.keyNulls = append(padded(in.keyNulls, len(in.keys)), true)
	} else if len(in.keyNulls) > 0 {
		in.keyNulls = append(in.keyNulls, false)
	}
	if IsSet(b.ValueNulls, i) {
		in.valueNulls = append(padded(in.valueNulls, len(in.keys)), true)
	} else if len(in.valueNulls) > 0 {
		in.valueNulls = append(in.valueNulls, false)
	}
	if b.Headers != nil && b.Headers[i] != nil {
		in.headers = append(padded(in.headers, len(in.keys)), b.Headers[i])
	} else if len(in.headers) > 0 {
		in.headers = append(in.headers, nil)
	}
	in.keys, in.keyBytes = append(in.keys, b.Keys[i]), append(in.keyBytes, key)
	in.values = append(in.values, b.Values[i])
	in.timestamps = append(in.timestamps, b.Timestamps[i])
	in.origins = append(in.origins, b.Origins[i])
}

// padded returns column with length n, filled with zeros.
func padded[T any](column []T, n int) []T {
	for len(column) < n {
		var zero T
		column = append(column, zero)
	}
	return column
}

func (in *inbox[K, V]) Timestamps() []record.Timestamp { return in.timestamps[in.head:] }

func (in *inbox[K, V]) Feed(n int) error {
	from, to := in.head, in.head+n
	in.head = to
	b := in.view.Get()
	*b = Batch[K, V]{Keys: in.keys[from:to], Values: in.values[from:to]}
	b.Rows = Rows{Sel: FirstRows(n), Timestamps: in.timestamps[from:to], Origins: in.origins[from:to]}
	b.KeyBytes = Encoded[K]{Bytes: in.keyBytes[from:to], By: in.keyID}
	if len(in.keyNulls) > 0 {
		b.KeyNulls = in.keyNulls[from:to]
	}
	if len(in.valueNulls) > 0 {
		b.ValueNulls = in.valueNulls[from:to]
	}
	if len(in.headers) > 0 {
		b.Headers = in.headers[from:to]
	}
	return in.out.Emit(b)
}

// Keep drops what was consumed; Undo drops everything.
func (in *inbox[K, V]) Keep() { in.Undo() }

// Undo empties the inbox.
func (in *inbox[K, V]) Undo() {
	clear(in.keys)
	clear(in.keyBytes)
	clear(in.values)
	clear(in.headers)
	in.head = 0
	in.keys, in.keyBytes, in.values = in.keys[:0], in.keyBytes[:0], in.values[:0]
	in.keyNulls, in.valueNulls, in.headers = in.keyNulls[:0], in.valueNulls[:0], in.headers[:0]
	in.timestamps, in.origins = in.timestamps[:0], in.origins[:0]
}

// Partition returns the partition in which Kafka's default partitioner puts a key: the positive part of its murmur2 hash, modulo
// the number of partitions n, which must be at least 1.
func Partition(key []byte, n int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % n
}

// murmur2 is MurmurHash2 by Austin Appleby (public domain) with the seed of Kafka's clients (Utils.murmur2).
func murmur2(data []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := uint32(seed) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data)
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}
