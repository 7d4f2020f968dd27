package stream

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/foreign"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

// JoinForeign joins each row of the left table with the row of the right one whose key foreignKey finds in it. The result has the keys
// of the left table; a row has none while the right row is missing. An update on either side gives updates of the result, one for each
// left row that reads a right one, in order of their keys' bytes; a row that may have been in the result is deleted there even if
// it was not. Left rows whose foreign key is null are dropped and counted, and are in no result. A null from join is no row.
//
// Both tables are kept in stores. Their numbers of partitions may differ: subscriptions of the left rows move to the partition of the
// foreign key and the right rows back. In one process each left row is answered before the next one is taken; where one input record
// changes a left row twice, or where workers share the application, the answer for an earlier value of a row may be left out. Results have the later of the times of the left row's and the right row's updates
// if the left row changed, and that of the right row's update if that did.
//
// Options: Named keeps the result in a store; JoinNamed; ForeignPartition.
func JoinForeign[K, V, F, W, R any](left Table[K, V], right Table[F, W], foreignKey func(K, V) F, join func(V, W) R, value serde.Serde[R],
	opts ...Option,
) Table[K, R] {
	left.need("JoinForeign", join != nil)
	return joinForeign(left, right, foreignJoin[K, V, F, W, R]{
		foreignKey: foreignKey, value: value,
		join: func(_ K, v V, w W, _ bool) (R, error) { return join(v, w), nil },
	}, opts)
}

// LeftJoinForeign is JoinForeign with a result for every row of the left table, also for those whose foreign key is null: where there is
// no right row, join gets nil.
func LeftJoinForeign[K, V, F, W, R any](left Table[K, V], right Table[F, W], foreignKey func(K, V) F, join func(V, *W) R, value serde.Serde[R],
	opts ...Option,
) Table[K, R] {
	left.need("LeftJoinForeign", join != nil)
	return joinForeign(left, right, foreignJoin[K, V, F, W, R]{
		left: true, foreignKey: foreignKey, value: value,
		join: func(_ K, v V, w W, present bool) (R, error) {
			if !present {
				return join(v, nil), nil
			}
			return join(v, &w), nil
		},
	}, opts)
}

// JoinNamed gives the topics and stores inside a join names that begin with name. Default: names that count.
func JoinNamed(name string) Option {
	return func(o *options) { o.joinName, o.given = name, append(o.given, optJoinNamed) }
}

const optJoinNamed optionKind = "JoinNamed"

// ForeignPartition tells a foreign-key join in which of n partitions the right table has the row of a key, where its topic was not written
// by Kafka's default partitioner (KIP-775). F is the type of the right table's keys. The left table may be partitioned in any way.
func ForeignPartition[F any](f func(key F, n int32) int32) Option {
	return func(o *options) {
		o.given = append(o.given, optForeignPartition)
		if f != nil {
			o.foreign = f
		}
	}
}

const optForeignPartition optionKind = "ForeignPartition"

// foreignPlace is the partitioner of the subscriptions, nil: the default.
func foreignPlace[K, F any](b *Builder, o options) operator.PlaceFunc[F, foreign.Subscription[K]] {
	if !o.has(optForeignPartition) {
		return nil
	}
	f, ok := o.foreign.(func(F, int32) int32)
	if !ok {
		b.mistake("JoinForeign: the function of ForeignPartition is nil, or its type is not that of the right table's keys")
		return nil
	}
	return func(r Outgoing[F, foreign.Subscription[K]], n int32) Placement { return InPartition(f(r.Key, n)) }
}

type foreignJoin[K, V, F, W, R any] struct {
	left       bool
	foreignKey func(K, V) F
	value      serde.Serde[R]
	join       func(K, V, W, bool) (R, error)
}

func joinForeign[K, V, F, W, R any](left Table[K, V], right Table[F, W], j foreignJoin[K, V, F, W, R], opts []Option) Table[K, R] {
	b := left.b
	o := b.apply(kindForeignJoin, opts, optJoinNamed, optForeignPartition, optKeptAs)
	left.need(kindForeignJoin.word, j.foreignKey != nil && j.value != nil)
	if right.b != b {
		b.mistake("JoinForeign: the tables come from two builders, or one is the zero Table")
		return Table[K, R]{edge: left.edge, key: left.key, value: j.value}
	}
	left.needValue("left")
	right.needValue("right")
	left.needOld()
	right.needOld()
	names := foreignNames(b, o.joinName)
	foreignKey := func(k K, v V) (F, error) { return j.foreignKey(k, v), nil }
	resolve := topology.Node{Name: names.resolve, Kind: topology.Processor, Joins: true}
	if !j.left {
		names.pending = names.resolve + "-pending"
		resolve.Stores, resolve.Private, resolve.Uncached = []string{names.pending}, []string{names.pending}, true
	}
	at := left.add(topology.Node{
		Name: names.subscribe, Kind: topology.Processor, Inputs: []topology.NodeID{left.node},
		Op: foreign.Subscribe[K, V, F]{
			LeftJoin: j.left, Key: left.key, Value: left.value, Foreign: right.key, ForeignKey: foreignKey, Pending: names.pending,
		},
	})
	at = at.add(topology.Node{
		Name: names.registrations, Kind: topology.Repartition, Inputs: []topology.NodeID{at.node},
		Op: operator.Repartition[F, foreign.Subscription[K]]{
			Key: right.key, Value: foreign.SubscriptionSerde(left.key), Place: foreign.Place[K], By: foreignPlace[K, F](b, o),
		},
	})
	at = at.add(topology.Node{
		Name: names.join, Kind: topology.Processor, Inputs: []topology.NodeID{at.node, right.node}, Joins: true,
		Stores: []string{names.store}, Uncached: true,
		Op: foreign.Join[K, F, W]{Store: names.store, Key: left.key, Foreign: right.key},
	})
	at = at.add(topology.Node{
		Name: names.responses, Kind: topology.Repartition, Inputs: []topology.NodeID{at.node},
		Op: operator.Repartition[K, foreign.Response[W]]{Key: left.key, Value: foreign.ResponseSerde(right.value), Place: foreign.PlaceResponse[W]},
	})
	resolve.Inputs = []topology.NodeID{at.node, left.node}
	resolve.Op = foreign.Resolve[K, V, F, W, R]{
		LeftJoin: j.left, Key: left.key, Value: left.value, Foreign: right.key, ForeignKey: foreignKey, Pending: names.pending, Join: j.join,
	}
	at = at.add(resolve)
	store := o.storeName(func() string { return b.newStoreName(foreignResult) })
	n := topology.Node{Name: names.result, Kind: topology.Processor, Inputs: []topology.NodeID{at.node}}
	return keptTable(Stream[K, R]{edge: at, key: left.key, value: j.value}, n, store, o.named)
}

// needValue records a mistake unless the serde of the table's values is known.
func (t Table[K, V]) needValue(side string) {
	if t.value == nil {
		t.b.mistake("JoinForeign: the serde of the %s table's values is not known, because %q computed them: keep that table with Keep",
			side, t.b.graph.StepName(t.node))
	}
}

// Prefixes of the names in a foreign-key join that is given none.
const (
	foreignRegistration = "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-"
	foreignStore        = "KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-"
	foreignProcessor    = "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-"
	foreignResponse     = "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-"
	foreignResolver     = "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-"
	foreignResult       = "KTABLE-FK-JOIN-OUTPUT-"
)

// foreignStepNames are the names in a foreign-key join; those of the repartitions are those of their topics.
type foreignStepNames struct {
	registrations, subscribe, store, join, responses, resolve, result string
	pending                                                           string // the runtime's own; left joins have none
}

// foreignNames makes the names, all of which count as they do in Kafka Streams, given or not.
func foreignNames(b *Builder, name string) foreignStepNames {
	of := func(suffix, prefix string) string {
		made := b.newName(prefix)
		if name != "" {
			return name + suffix
		}
		return made
	}
	var n foreignStepNames
	n.registrations = of("-subscription-registration", foreignRegistration) + "-topic"
	n.subscribe = of("-subscription-registration-processor", foreignRegistration)
	b.burn(2) // a sink and a source
	n.store = of("-subscription-store", foreignStore)
	n.join = of("-subscription-receive", foreignProcessor)
	b.burn(2) // the join's two halves
	n.responses = of("-subscription-response", foreignResponse) + "-topic"
	b.burn(2) // a sink and a source
	n.resolve = of("-subscription-response-resolver", foreignResolver)
	n.result = of("-result", foreignResult)
	return n
}
