package stream

import (
	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/internal/operator/window"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

var kindCogroup = kind{"AggregateCogroup", "COGROUPKSTREAM-AGGREGATE-"}

// cogroupMerge is the prefix of the name of the step.
const cogroupMerge = "COGROUPKSTREAM-MERGE-"

// A Folding is a grouped stream and the function that adds its values to an aggregate of type A: what Cogroup puts together. The zero
// Folding can't be used.
type Folding[K, A any] struct {
	b      *Builder
	key    serde.Serde[K]
	placed func(store string) edge
	plain  table.Fold[K, A]
	window window.Input[K, A]
}

// Fold gives a grouped stream the function that adds its values to an aggregate, which other streams share: see Cogroup. f returns the
// new aggregate and leaves the old one as it is.
func Fold[K, V, A any](g Grouped[K, V], f func(A, V) A) Folding[K, A] {
	g.need("Fold", f != nil)
	return fold(g, func(_ K, a A, v V) (A, error) { return f(a, v), nil })
}

// FoldWithKey is Fold with a function that sees the key.
func FoldWithKey[K, V, A any](g Grouped[K, V], f func(K, A, V) A) Folding[K, A] {
	g.need("FoldWithKey", f != nil)
	return fold(g, func(k K, a A, v V) (A, error) { return f(k, a, v), nil })
}

func fold[K, V, A any](g Grouped[K, V], add func(K, A, V) (A, error)) Folding[K, A] {
	var moved edge // the group behind its move: one for all aggregations of a cogroup
	return Folding[K, A]{
		b: g.b, key: g.key,
		placed: func(store string) edge {
			switch {
			case !g.moves:
				return g.edge
			case moved.b == nil:
				moved = g.placed(store)
			default:
				g.b.burn(repartitionNames) // Kafka Streams names the move that it does not make
			}
			return moved
		},
		plain:  table.Values[K, V, A]{Add: add},
		window: window.Values[K, V, A]{Add: add},
	}
}

// A Cogrouped is several grouped streams that are aggregated together.
type Cogrouped[K, A any] struct {
	inputs []Folding[K, A]
}

// Cogroup puts grouped streams together whose values, of whatever types, are folded into one aggregate for each key:
//
//	visits := stream.Cogroup(
//		stream.Fold(clicks, func(v Visit, c Click) Visit { … }),
//		stream.Fold(orders, func(v Visit, o Order) Visit { … }),
//	)
//	table := stream.AggregateCogroup(visits, Visit{}, visitSerde, stream.Named("visits"))
//
// The records are taken in the order in which they come, with one store for all. Streams whose key was changed move to the
// partition of their new key; where more than one does, their groups need names of their own (Named), since the topics of the moves
// are named after the store otherwise. The topics of all streams must have the same number of partitions and the same serde of keys.
func Cogroup[K, A any](first Folding[K, A], others ...Folding[K, A]) Cogrouped[K, A] {
	inputs := append([]Folding[K, A]{first}, others...)
	for _, in := range others {
		if in.b != first.b {
			first.b.mistake("Cogroup: the streams come from two builders, or one is the zero Folding")
			return Cogrouped[K, A]{inputs: inputs[:1]}
		}
	}
	return Cogrouped[K, A]{inputs: inputs}
}

// AggregateCogroup folds the values of all streams into one table, beginning with initial. Records with a null key or value are dropped
// and counted; a null aggregate deletes the key; the time of a row is the highest of its records. Option: Named, the name of the
// store.
func AggregateCogroup[K, A any](c Cogrouped[K, A], initial A, value serde.Serde[A], opts ...Option) Table[K, A] {
	at, n := c.step(opts, value != nil)
	op := table.Cogroup[K, A]{Store: n.Stores[0], Key: c.inputs[0].key, Value: value, Initial: initial}
	for _, in := range c.inputs {
		op.Inputs = append(op.Inputs, in.plain)
	}
	n.Op = op
	return Table[K, A]{edge: at.add(n), key: op.Key, value: value, store: op.Store}
}

// AggregateCogroupWindows folds the values of all streams into windows of time, as AggregateWindows does for one. Each stream has a
// stream time of its own: a record is late by the times of its own stream. Option: Named.
func AggregateCogroupWindows[K, A any](c Cogrouped[K, A], w Windows, initial A, value serde.Serde[A], opts ...Option) Table[Windowed[K], A] {
	at, n := c.step(opts, value != nil)
	w.check(at.b, "AggregateCogroupWindows")
	return windowTable(at, n, w, c.aggregation(n, initial, value))
}

// AggregateCogroupSessions folds the values of all streams into sessions, as AggregateSessions does for one. Each stream has a stream
// time of its own: a record is late by the times of its own stream. Option: Named.
func AggregateCogroupSessions[K, A any](
	c Cogrouped[K, A], w SessionWindows, initial A, merge func(a, b A) A, value serde.Serde[A], opts ...Option,
) Table[Windowed[K], A] {
	at, n := c.step(opts, merge != nil && value != nil)
	w.check(at.b, "AggregateCogroupSessions")
	return sessionTable(at, n, w, window.Sessions[K, A]{
		Aggregation: c.aggregation(n, initial, value),
		Merge:       func(_ K, a, b A) A { return merge(a, b) },
	})
}

// step begins the step: its name is the last one that Kafka Streams makes, for the node behind those of the streams.
func (c Cogrouped[K, A]) step(opts []Option, complete bool) (edge, topology.Node) {
	at := edge{b: c.inputs[0].b}
	at.need(kindCogroup.word, complete)
	o := at.b.apply(kindCogroup, opts)
	if !o.named {
		o.name = at.b.newStoreName(kindCogroup.prefix)
		at.b.storeNamed(&o)
	}
	n := topology.Node{Kind: topology.Processor, Stores: []string{o.name}}
	for _, in := range c.inputs {
		n.Inputs = append(n.Inputs, in.placed(o.name).node)
	}
	at.b.burn(len(c.inputs))
	n.Name = at.b.newName(cogroupMerge)
	return at, n
}

func (c Cogrouped[K, A]) aggregation(n topology.Node, initial A, value serde.Serde[A]) window.Aggregation[K, A] {
	op := window.Aggregation[K, A]{Store: n.Stores[0], Key: c.inputs[0].key, Value: value, Initial: initial}
	for _, in := range c.inputs {
		op.Inputs = append(op.Inputs, in.window)
	}
	return op
}
