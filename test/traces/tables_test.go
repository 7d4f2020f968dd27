package traces

import (
	"slices"

	"github.com/mainstemio/mainstem/stream"
)

func (g *graph) table(n *node) {
	g.plain.tables[n.id] = stream.TableFrom(g.b, n.text("topic"), serdeOf(n.kt), serdeOf(n.vt), slices.Concat(named(n, "store"), extractor(n), withHistory(n))...)
}

func (s *side[K]) toTable(n *node) {
	s.tables[n.id] = stream.ToTable(s.stream(n.input()), serdeOf(n.vt), append(named(n, "store"), withHistory(n)...)...)
}

func (s *side[K]) tableFilter(n *node) {
	t := s.table(n.input()).FilterWithKey(s.passes(n.function("fn"), n.op == "table.filterNot"))
	s.tables[n.id] = s.kept(t, n)
}

func (s *side[K]) tableMapValues(n *node) {
	s.tables[n.id] = s.kept(stream.MapTableWithKey(s.table(n.input()), s.values(n.function("fn"))), n)
}

// kept keeps a table in the store that the step names, if it names one.
func (s *side[K]) kept(t stream.Table[K, val], n *node) stream.Table[K, val] {
	if n.text("store") != "" {
		return t.Keep(serdeOf(n.vt), named(n, "store")...)
	}
	return t
}

func toStream[K, L any](s *side[K], to *side[L], n *node) {
	updates := s.table(n.input()).Updates()
	if !n.has("key") {
		to.streams[n.id] = any(updates).(stream.Stream[L, val])
		return
	}
	to.streams[n.id] = stream.SelectKeyWithKey(updates, keys(s, to, n.function("key")))
}

func (s *side[K]) groupByKey(n *node) {
	s.groups[n.id] = stream.GroupByKey(s.stream(n.input()), named(n, "name")...)
}

func groupBy[K, L any](s *side[K], to *side[L], n *node) {
	to.groups[n.id] = stream.GroupByWithKey(s.stream(n.input()), keys(s, to, n.function("key")), to.serde(n.kt), named(n, "name")...)
}

func (s *side[K]) count(n *node) {
	s.g.skipForCount(n)
	s.tables[n.id] = stream.Aggregate(s.group(n.input()), number(0), func(a, _ val) val { return number(a.i + 1) }, serdeOf(n.vt), named(n, "store")...)
}

func (s *side[K]) reduce(n *node) {
	s.tables[n.id] = stream.Reduce(s.group(n.input()), reducer(n.function("fn")), serdeOf(n.vt), named(n, "store")...)
}

func (s *side[K]) aggregate(n *node) {
	of := aggregator(n.function("fn"))
	s.tables[n.id] = stream.Aggregate(s.group(n.input()), fromJSON(n.get("init")), of, serdeOf(n.vt), named(n, "store")...)
}

// skipForCount counts the name that stream.Count would: the runner counts by aggregating, since its values are not int64.
func (g *graph) skipForCount(n *node) {
	if !n.has("store") {
		g.b.SkipNames(1)
	}
}
