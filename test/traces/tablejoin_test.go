package traces

import "github.com/mainstemio/mainstem/stream"

// joinTables adds a join of two tables on their keys.
func (s *side[K]) joinTables(n *node) {
	left, right := s.table(n.text("left")), s.table(n.text("right"))
	of := joiner(n.function("fn"))
	var t stream.Table[K, val]
	switch kind := n.text("type"); kind {
	case "inner":
		t = stream.JoinTablesWithKey(left, right, func(k K, l, r val) val { return of(s.see(k), l, r) })
	case "left":
		t = stream.LeftJoinTablesWithKey(left, right, func(k K, l val, r *val) val { return of(s.see(k), l, orNull(r)) })
	case "outer":
		t = stream.OuterJoinTablesWithKey(left, right, func(k K, l, r *val) val { return of(s.see(k), orNull(l), orNull(r)) })
	default:
		panic(notBuilt(kind + " join of tables"))
	}
	s.tables[n.id] = s.kept(t, n)
}

// orNull returns the value of a side of a join that may be missing.
func orNull(v *val) val {
	if v == nil {
		return val{}
	}
	return *v
}
