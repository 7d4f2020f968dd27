package traces

import "github.com/mainstemio/mainstem/stream"

func cogroup[K any](s *side[K], n *node) {
	plain, ok := any(s).(*side[val])
	if !ok {
		if n.has("windows") {
			panic(notBuilt("windows of windowed keys"))
		}
		s.tables[n.id] = stream.AggregateCogroup(s.cogrouped(n), fromJSON(n.get("init")), serdeOf(n.vt), named(n, "store")...)
		return
	}
	c, initial, value, opts := plain.cogrouped(n), fromJSON(n.get("init")), serdeOf(n.vt), named(n, "store")
	to := s.g.windowed
	switch {
	case n.overSessions():
		to.tables[n.id] = stream.AggregateCogroupSessions(c, n.sessionWindows(), initial, reducer(n.function("merge")), value, opts...)
	case n.has("windows"):
		to.tables[n.id] = stream.AggregateCogroupWindows(c, n.timeWindows(), initial, value, opts...)
	default:
		plain.tables[n.id] = stream.AggregateCogroup(c, initial, value, opts...)
	}
}

// cogrouped puts the inputs together.
func (s *side[K]) cogrouped(n *node) stream.Cogrouped[K, val] {
	var folds []stream.Folding[K, val]
	for i, f := range n.get("fns").([]any) {
		folds = append(folds, stream.Fold(s.group(n.list("ins")[i]), aggregator(f.([]any))))
	}
	return stream.Cogroup(folds[0], folds[1:]...)
}
