package traces

import "github.com/mainstemio/mainstem/stream"

// globalTable adds a table of which every process has all rows.
func (g *graph) globalTable(n *node) {
	g.globals[n.id] = stream.GlobalTableFrom(g.b, n.text("topic"), serdeOf(n.kt), serdeOf(n.vt), append(named(n, "store"), withHistory(n)...)...)
}

// joinGlobal adds a join of a stream with a global table.
func (s *side[K]) joinGlobal(n *node) {
	left, right := s.stream(n.text("left")), s.g.globals[n.text("right")]
	by, of := keys(s, s.g.plain, n.function("key")), joiner(n.function("fn"))
	switch kind := n.text("type"); kind {
	case "inner":
		s.streams[n.id] = stream.JoinGlobalWithKey(left, right, by, func(k K, l, r val) val { return of(s.see(k), l, r) })
	case "left":
		s.streams[n.id] = stream.LeftJoinGlobalWithKey(left, right, by, func(k K, l val, r *val) val { return of(s.see(k), l, orNull(r)) })
	default:
		panic(notBuilt(kind + " join with a global table"))
	}
}
