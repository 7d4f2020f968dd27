package traces

import "github.com/mainstemio/mainstem/stream"

// joinForeign adds a join of two tables by a foreign key.
func (s *side[K]) joinForeign(n *node) {
	left, right := s.table(n.text("left")), s.g.plain.table(n.text("right"))
	foreignKey, of := keys(s, s.g.plain, n.function("fk")), joiner(n.function("fn"))
	opts := named(n, "store")
	if name := n.text("name"); name != "" {
		opts = append(opts, stream.JoinNamed(name))
	}
	switch kind := n.text("type"); kind {
	case "inner":
		s.tables[n.id] = stream.JoinForeign(left, right, foreignKey, func(l, r val) val { return of(key{}, l, r) }, serdeOf(n.vt), opts...)
	case "left":
		s.tables[n.id] = stream.LeftJoinForeign(left, right, foreignKey, func(l val, r *val) val { return of(key{}, l, orNull(r)) }, serdeOf(n.vt), opts...)
	default:
		panic(notBuilt(kind + " join by foreign key"))
	}
}
