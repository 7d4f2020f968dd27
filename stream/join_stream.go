package stream

import (
	"time"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/join"
	"github.com/mainstemio/mainstem/internal/topology"
)

// A JoinWindow says which records of two streams are close enough to be joined. The zero JoinWindow joins records of the same time,
// without grace; see Within.
type JoinWindow struct {
	before time.Duration
	after  time.Duration
	grace  time.Duration
	eager  bool
}

// Within joins a left record with the right ones whose time is at most before ahead of it and at most after behind it: from its time -
// before to its time + after, both included. One of the two may be negative: then all matches are behind it, or ahead.
func Within(before, after time.Duration) JoinWindow { return JoinWindow{before: before, after: after} }

// Grace is how late a record may come and still be joined: records are kept for before, after and grace together, measured from the
// highest time of their stream so far. A result without a match waits for the end of the window and the grace. Default: 0.
func (w JoinWindow) Grace(d time.Duration) JoinWindow {
	w.grace = d
	return w
}

// Eager gives the results without a match of a left or outer join at once, and not when their windows are over: a match that comes later
// is one more result. Kafka Streams did so before 3.1, and ksqlDB does for joins without a GRACE PERIOD.
func (w JoinWindow) Eager() JoinWindow {
	w.eager = true
	return w
}

// check records what is wrong with the window of a step.
func (w JoinWindow) check(b *Builder, step string) {
	c := durations{b: b, step: step}
	c.atLeast("before and after together", w.before+w.after, 0)
	c.atLeast("the grace", w.grace, 0)
	if w.before%time.Millisecond != 0 {
		b.mistake("%s: before is %s, but must be whole milliseconds", step, w.before)
	}
}

// StoresNamed gives the stores of a join of streams names that begin with prefix: they fix the names of its changelog topics, and must
// never change while the state is to be kept. Default: names that count.
func StoresNamed(prefix string) Option {
	return func(o *options) { o.storesName, o.given = prefix, append(o.given, optStoresNamed) }
}

const optStoresNamed optionKind = "StoresNamed"

// Join pairs the records of two streams that have the same key and whose times are close: see Within. Each pair is a record with the
// later of the two times, and the key and headers of the one that came last. It is made as soon as both are there.
//
// Records with a null key or value are dropped and counted. Out-of-order records are joined as long as the records that match them are
// kept; one that comes later than before, after and grace behind the highest time of its stream is not kept itself. A side whose key was
// changed moves to the partition of its key first, and must know its serdes: see WithSerdes. So must every side, for what is kept of
// it. Options: Named, the beginning of the names of these moves and of the step; StoresNamed.
func Join[K, V, W, R any](left Stream[K, V], right Stream[K, W], w JoinWindow, f func(V, W) R, opts ...Option) Stream[K, R] {
	left.need("Join", f != nil)
	return JoinWithKey(left, right, w, func(_ K, v V, w W) R { return f(v, w) }, opts...)
}

// JoinWithKey is Join with a function that sees the key.
func JoinWithKey[K, V, W, R any](left Stream[K, V], right Stream[K, W], w JoinWindow, f func(K, V, W) R, opts ...Option) Stream[K, R] {
	left.need("JoinWithKey", f != nil)
	return joinStreams(left, right, w, join.Streams[K, V, W, R]{Pair: f}, opts)
}

// LeftJoin is Join with a result for each left record that matches nothing too: then f gets nil. It is made with the record's time when the
// window and the grace are over, which any later record of either stream may show; for a record that comes behind the end of its window
// at once. A left record with a null key matches nothing and is a result at once, with a null key; f sees a zero key.
func LeftJoin[K, V, W, R any](left Stream[K, V], right Stream[K, W], w JoinWindow, f func(V, *W) R, opts ...Option) Stream[K, R] {
	left.need("LeftJoin", f != nil)
	return LeftJoinWithKey(left, right, w, func(_ K, v V, w *W) R { return f(v, w) }, opts...)
}

// LeftJoinWithKey is LeftJoin with a function that sees the key.
func LeftJoinWithKey[K, V, W, R any](left Stream[K, V], right Stream[K, W], w JoinWindow, f func(K, V, *W) R, opts ...Option) Stream[K, R] {
	left.need("LeftJoinWithKey", f != nil)
	return joinStreams(left, right, w, join.Streams[K, V, W, R]{
		Pair:      func(k K, v V, w W) R { return f(k, v, &w) },
		LeftAlone: func(k K, v V) R { return f(k, v, nil) },
	}, opts)
}

// OuterJoin is LeftJoin with a result for each right record that matches nothing too: then f gets nil for the left one.
func OuterJoin[K, V, W, R any](left Stream[K, V], right Stream[K, W], w JoinWindow, f func(*V, *W) R, opts ...Option) Stream[K, R] {
	left.need("OuterJoin", f != nil)
	return OuterJoinWithKey(left, right, w, func(_ K, v *V, w *W) R { return f(v, w) }, opts...)
}

// OuterJoinWithKey is OuterJoin with a function that sees the key.
func OuterJoinWithKey[K, V, W, R any](left Stream[K, V], right Stream[K, W], w JoinWindow, f func(K, *V, *W) R, opts ...Option) Stream[K, R] {
	left.need("OuterJoinWithKey", f != nil)
	return joinStreams(left, right, w, join.Streams[K, V, W, R]{
		Pair:       func(k K, v V, w W) R { return f(k, &v, &w) },
		LeftAlone:  func(k K, v V) R { return f(k, &v, nil) },
		RightAlone: func(k K, w W) R { return f(k, nil, &w) },
	}, opts)
}

var kindJoin = kind{word: "Join"}

// joinStreams adds a join, whose functions op has.
func joinStreams[K, V, W, R any](left Stream[K, V], right Stream[K, W], w JoinWindow, op join.Streams[K, V, W, R], opts []Option) Stream[K, R] {
	b := left.b
	o := b.apply(kindJoin, opts, optStoresNamed)
	w.check(b, kindJoin.word)
	if right.b != b {
		b.mistake("Join: the streams come from two builders, or one is the zero Stream")
		return Stream[K, R]{edge: left.edge, key: left.key}
	}
	left.needSerdes()
	right.needSerdes()
	self := b.optimize && left.node == right.node && left.keyChanged && b.graph.ChangesKeys(left.node)
	left = left.placedForJoin(o, "-left")
	if self { // the moves of both sides become one
		b.burn(repartitionNames)
		right.node, right.keyChanged = left.node, false
	} else {
		right = right.placedForJoin(o, "-right")
	}
	op.Eager = w.eager
	waits := op.LeftAlone != nil && !w.eager
	names := joinNamesOf(b, o, op.LeftAlone != nil, op.RightAlone != nil)
	op.Key, op.Left, op.Right = left.key, left.value, right.value
	op.Before, op.After, op.Grace = millis(w.before), millis(w.after), millis(w.grace)
	op.LeftStore, op.RightStore, op.WaitingStore = names.left, names.right, names.waiting
	if b.optimize && left.node == right.node {
		return selfJoin(left, names.step, op)
	}
	n := topology.Node{Name: names.step, Kind: topology.Processor, Inputs: []topology.NodeID{left.node, right.node}, Op: op}
	n.Stores, n.Retention, n.Unkeyed = []string{names.left, names.right}, changelogRetention(op.Before+op.After+op.Grace), op.LeftAlone != nil
	if waits {
		n.Stores, n.Retentions = append(n.Stores, names.waiting), map[string]time.Duration{names.waiting: 0}
	}
	return Stream[K, R]{edge: left.add(n), key: left.key}
}

// selfJoin adds the join of a stream with itself that needs one store. Both sides are of one type, though the compiler does not know.
func selfJoin[K, V, W, R any](s Stream[K, V], step string, op join.Streams[K, V, W, R]) Stream[K, R] {
	pair, ok := any(op.Pair).(func(K, V, V) R)
	if !ok {
		s.b.mistake("Join: a stream is joined with itself as values of two types")
	}
	return Stream[K, R]{key: s.key, edge: s.add(topology.Node{
		Name: step, Kind: topology.Processor, Inputs: []topology.NodeID{s.node}, Stores: []string{op.LeftStore},
		Retention: changelogRetention(op.Before + op.After + op.Grace), Unkeyed: op.LeftAlone != nil || op.RightAlone != nil,
		Op: join.SelfJoin[K, V, R]{
			Store: op.LeftStore, Key: op.Key, Value: op.Left, Before: op.Before, After: op.After, Grace: op.Grace, Pair: pair,
		},
	})}
}

// needSerdes records a mistake unless the serdes of a side are known.
func (s Stream[K, V]) needSerdes() {
	s.needKey("Join")
	if s.value == nil {
		s.b.mistake("Join behind %q: the serde of the value is not known, because a step made new values; give it with WithSerdes",
			s.b.graph.StepName(s.node))
	}
}

// placedForJoin returns the stream behind the move that it needs to be joined, if any. The move has the name of the join and its side, or
// else that of the stream's last step; as in Kafka Streams the joins of a stream that have no names share one.
func (s Stream[K, V]) placedForJoin(o options, side string) Stream[K, V] {
	if !s.keyChanged {
		return s
	}
	b := s.b
	b.burn(repartitionNames)
	last := b.graph.StepName(s.node)
	name := last
	if o.named {
		name = o.name + side
	}
	move, known := b.joinMoves[s.node]
	if !known || name != last {
		move = b.graph.Add(topology.Node{
			Name: name + "-repartition", Kind: topology.Repartition, Inputs: []topology.NodeID{s.node}, Automatic: true,
			Op: operator.Repartition[K, V]{Key: s.key, Value: s.value},
		})
		b.joinMoves[s.node] = move
	}
	s.node, s.keyChanged = move, false
	return s
}

// joinNames are the names of a join's step and stores.
type joinNames struct{ step, left, right, waiting string }

// Beginnings of names in a join that is given none.
const (
	joinWindowed  = "KSTREAM-WINDOWED-"
	joinThis      = "KSTREAM-JOINTHIS-"
	joinOther     = "KSTREAM-JOINOTHER-"
	joinOuterThis = "KSTREAM-OUTERTHIS-"
	joinOuterOth  = "KSTREAM-OUTEROTHER-"
	joinShared    = "KSTREAM-OUTERSHARED-"
	joinMerge     = "KSTREAM-MERGE-"
)

// joinNamesOf makes the names, all of which count as they do in Kafka Streams, given or not. leftAlone and rightAlone tell a left and an
// outer join.
func joinNamesOf(b *Builder, o options, leftAlone, rightAlone bool) joinNames {
	b.newName(joinWindowed)
	b.newName(joinWindowed)
	this, thisSuffix, sharedSuffix := joinThis, "-this-join", "-left-shared-join"
	if rightAlone {
		this, thisSuffix, sharedSuffix = joinOuterThis, "-outer-this-join", "-outer-shared-join"
	}
	other, otherSuffix := joinOther, "-other-join"
	if leftAlone {
		other, otherSuffix = joinOuterOth, "-outer-other-join"
	}
	left := b.newName(this)
	n := joinNames{left: left, right: b.newName(other), waiting: joinShared + left[len(this):], step: b.newName(joinMerge)}
	if o.has(optStoresNamed) {
		n.left, n.right, n.waiting = o.storesName+thisSuffix, o.storesName+otherSuffix, o.storesName+sharedSuffix
	}
	if o.named {
		n.step = o.name + "-merge"
	}
	n.left, n.right, n.waiting = n.left+"-store", n.right+"-store", n.waiting+"-store"
	return n
}

// Grace lets the records of a stream wait for late updates of a versioned table before they are joined: until the highest time of
// the stream is d ahead of them. d must not be longer than the table's history.
func Grace(d time.Duration) Option {
	return func(o *options) { o.grace, o.given = d, append(o.given, optGrace) }
}

const optGrace optionKind = "Grace"

// JoinTable joins each record of a stream with the row that a table has under its key: the row as it is when the record comes, whatever
// the times, or, if the table is versioned, as it was at the record's time. The result has the record's key, time and headers. A record
// whose key has no row gives none, and updates of the table give none.
//
// Records with a null key or value are dropped and counted. A stream whose key was changed moves to the partition of its key first, and
// must know the serde of the key: see WithSerdes. The table is kept in a store; both topics need equal numbers of partitions.
//
// With Grace records wait in a buffer, which is durable, and are joined in the order of their times; the stream must know the serde of its
// values for that. A record that is later than the grace is joined at once. Options: Named, the name of the move and the step, and the
// beginning of the buffer's; Grace.
func JoinTable[K, V, W, R any](s Stream[K, V], t Table[K, W], f func(V, W) R, opts ...Option) Stream[K, R] {
	s.need("JoinTable", f != nil)
	return JoinTableWithKey(s, t, func(_ K, v V, w W) R { return f(v, w) }, opts...)
}

// JoinTableWithKey is JoinTable with a function that sees the key.
func JoinTableWithKey[K, V, W, R any](s Stream[K, V], t Table[K, W], f func(K, V, W) R, opts ...Option) Stream[K, R] {
	s.need("JoinTableWithKey", f != nil)
	return joinTable(s, t, kindJoinTable, join.StreamTable[K, V, W, R]{Pair: f}, opts)
}

// LeftJoinTable is JoinTable with a result for every record: where the table has no row, f gets nil. That is so for a null key too, whose
// result has a null key and never waits; f sees a zero key.
func LeftJoinTable[K, V, W, R any](s Stream[K, V], t Table[K, W], f func(V, *W) R, opts ...Option) Stream[K, R] {
	s.need("LeftJoinTable", f != nil)
	return LeftJoinTableWithKey(s, t, func(_ K, v V, w *W) R { return f(v, w) }, opts...)
}

// LeftJoinTableWithKey is LeftJoinTable with a function that sees the key.
func LeftJoinTableWithKey[K, V, W, R any](s Stream[K, V], t Table[K, W], f func(K, V, *W) R, opts ...Option) Stream[K, R] {
	s.need("LeftJoinTableWithKey", f != nil)
	return joinTable(s, t, kindLeftJoinTable, join.StreamTable[K, V, W, R]{
		Pair:  func(k K, v V, w W) R { return f(k, v, &w) },
		Alone: func(k K, v V) R { return f(k, v, nil) },
	}, opts)
}

var (
	kindJoinTable     = kind{"JoinTable", "KSTREAM-JOIN-"}
	kindLeftJoinTable = kind{"LeftJoinTable", "KSTREAM-LEFTJOIN-"}
)

func joinTable[K, V, W, R any](s Stream[K, V], t Table[K, W], k kind, op join.StreamTable[K, V, W, R], opts []Option) Stream[K, R] {
	b := s.b
	o := b.apply(k, opts, optGrace)
	if t.b != b {
		b.mistake("%s: the stream and the table come from two builders, or one is the zero Stream or Table", k.word)
		return Stream[K, R]{edge: s.edge, key: s.key}
	}
	if s.keyChanged {
		s.needKey(k.word)
	}
	s = s.placedForJoin(o, "")
	t.kept()
	n := topology.Node{Name: b.stepName(k, o), Kind: topology.Processor, Inputs: []topology.NodeID{s.node, t.node}, Joins: true, LooksUp: true}
	n.Unkeyed = op.Alone != nil
	if o.named {
		b.burn(1) // Kafka Streams makes a name in any case
	}
	op.Key = t.key
	history, versioned := t.history()
	op.Versioned = versioned
	if o.has(optGrace) {
		durations{b: b, step: k.word}.atLeast("the grace", o.grace, 0)
		switch {
		case !versioned:
			b.mistake("%s: Grace needs a versioned table, since others do not know their rows as they were", k.word)
		case o.grace > history:
			b.mistake("%s: the grace is %s, longer than the table's history of %s", k.word, o.grace, history)
		}
		if s.value == nil {
			b.mistake("%s with Grace behind %q: the serde of the value is not known, because a step made new values; give it with WithSerdes",
				k.word, b.graph.StepName(s.node))
		}
		op.Buffer = &join.StreamBuffer[V]{Store: n.Name + "-Buffer", Value: s.value, Grace: millis(o.grace)}
		n.Stores = []string{op.Buffer.Store}
	}
	n.Op = op
	return Stream[K, R]{edge: s.add(n), key: s.key}
}
