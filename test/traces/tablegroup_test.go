package traces

import "github.com/mainstemio/mainstem/stream"

func groupTable[K, L any](s *side[K], to *side[L], n *node) {
	keyOf, valueOf := keys(s, to, n.function("key")), s.values(n.function("fn"))
	to.tableGroups[n.id] = stream.GroupTableByWithKey(s.table(n.input()), func(k K, v val) (L, val) { return keyOf(k, v), valueOf(k, v) },
		to.serde(n.kt), serdeOf(n.vt), named(n, "name")...)
}

func (s *side[K]) tableGroup(n *node) stream.GroupedTable[K, val] {
	g, built := s.tableGroups[n.input()]
	if !built {
		panic(notBuilt("a grouped table " + n.input() + " with such keys"))
	}
	return g
}

func (s *side[K]) countTable(n *node) {
	count := func(by int64) func(val, val) val { return func(a, _ val) val { return number(a.i + by) } }
	s.tables[n.id] = stream.AggregateTable(s.tableGroup(n), number(0), count(1), count(-1), serdeOf(n.vt), named(n, "store")...)
}

func (s *side[K]) reduceTable(n *node) {
	s.tables[n.id] = stream.ReduceTable(s.tableGroup(n), reducer(n.function("add")), reducer(n.function("sub")), named(n, "store")...)
}

func (s *side[K]) aggregateTable(n *node) {
	add, sub := aggregator(n.function("add")), aggregator(n.function("sub"))
	s.tables[n.id] = stream.AggregateTable(s.tableGroup(n), fromJSON(n.get("init")), add, sub, serdeOf(n.vt), named(n, "store")...)
}
