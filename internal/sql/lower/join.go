package lower

import (
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/stream"
)

// A pairing puts the columns of two rows side by side; the row that is missing gives nulls.
type pairing struct {
	left, right int  // how many columns each side has
	key         bool // the key follows: ROWKEY
}

func pairingOf(n plan.Node) pairing {
	in := n.Inputs()
	p := pairing{left: len(in[0].Layout().Columns), right: len(in[1].Layout().Columns)}
	if j, ok := n.(*plan.Join); ok {
		p.key = j.Keyed
	}
	return p
}

func (p pairing) row(k, l, r row.Row) row.Row {
	var out row.Builder
	addSide(&out, l, p.left)
	addSide(&out, r, p.right)
	if p.key {
		if k.IsNull() {
			out.AddNull()
		} else {
			out.AddFrom(k, 0)
		}
	}
	return out.Row()
}

func addSide(out *row.Builder, r row.Row, columns int) {
	if r.IsNull() {
		for range columns {
			out.AddNull()
		}
		return
	}
	out.AddAll(r)
}

// or is the row that p points to, or no row.
func or(p *row.Row) row.Row {
	if p == nil {
		return ""
	}
	return *p
}

func (p pairing) both(k, l, r row.Row) row.Row               { return p.row(k, l, r) }
func (p pairing) withRight(k, l row.Row, r *row.Row) row.Row { return p.row(k, l, or(r)) }
func (p pairing) withLeft(k, r row.Row, l *row.Row) row.Row  { return p.row(k, or(l), r) }
func (p pairing) any(k row.Row, l, r *row.Row) row.Row       { return p.row(k, or(l), or(r)) }

// join joins streams within a time, a stream with a table, or tables.
func (b *builder) join(n *plan.Join) (edge, error) {
	left, err := b.build(n.Inputs()[0])
	if err != nil {
		return edge{}, err
	}
	right, err := b.build(n.Inputs()[1])
	if err != nil {
		return edge{}, err
	}
	p, name := pairingOf(n), stream.Named(b.names[n])
	switch {
	case left.stream != nil && right.stream != nil:
		return b.joinStreams(n, p, *left.stream, *right.stream)
	case left.stream != nil:
		s, err := b.keyed(*left.stream, n.Inputs()[0])
		if err != nil {
			return edge{}, err
		}
		if n.Kind == plan.Inner {
			return streamEdge(stream.JoinTableWithKey(s, *right.table, p.both, name)), nil
		}
		return streamEdge(stream.LeftJoinTableWithKey(s, *right.table, p.withRight, name)), nil
	}
	return tableEdge(joinTables(n.Kind, p, *left.table, *right.table).WithSerde(format.Internal{})), nil
}

// keyed tells a stream how its rows are written where they move or are kept.
func (b *builder) keyed(s rows, n plan.Node) (rows, error) {
	l := n.Layout()
	codec, err := b.keyCodec("", l.Key, l.Format, l.Window)
	if err != nil {
		return s, err
	}
	return s.WithSerdes(codec, format.Internal{}), nil
}

func (b *builder) joinStreams(n *plan.Join, p pairing, left, right rows) (edge, error) {
	left, err := b.keyed(left.Filter(present), n.Inputs()[0])
	if err != nil {
		return edge{}, err
	}
	if right, err = b.keyed(right.Filter(present), n.Inputs()[1]); err != nil {
		return edge{}, err
	}
	window := stream.Within(ms(n.Before), ms(n.After)).Grace(ms(n.Grace))
	swapped := stream.Within(ms(n.After), ms(n.Before)).Grace(ms(n.Grace))
	if n.Eager {
		window, swapped = window.Eager(), swapped.Eager()
	}
	names := []stream.Option{stream.Named(b.names[n]), stream.StoresNamed(b.names[n])}
	switch n.Kind {
	case plan.Inner:
		return streamEdge(stream.JoinWithKey(left, right, window, p.both, names...)), nil
	case plan.Left:
		return streamEdge(stream.LeftJoinWithKey(left, right, window, p.withRight, names...)), nil
	case plan.Right:
		return streamEdge(stream.LeftJoinWithKey(right, left, swapped, p.withLeft, names...)), nil
	default:
		return streamEdge(stream.OuterJoinWithKey(left, right, window, p.any, names...)), nil
	}
}

func joinTables(k plan.JoinKind, p pairing, left, right table) table {
	switch k {
	case plan.Inner:
		return stream.JoinTablesWithKey(left, right, p.both)
	case plan.Left:
		return stream.LeftJoinTablesWithKey(left, right, p.withRight)
	case plan.Right:
		return stream.LeftJoinTablesWithKey(right, left, p.withLeft)
	default:
		return stream.OuterJoinTablesWithKey(left, right, p.any)
	}
}

// foreign joins a table with the one that a foreign key points to.
func (b *builder) foreign(n *plan.ForeignJoin) (edge, error) {
	left, err := b.build(n.Inputs()[0])
	if err != nil {
		return edge{}, err
	}
	right, err := b.build(n.Inputs()[1])
	if err != nil {
		return edge{}, err
	}
	p := pairingOf(n)
	names := []stream.Option{stream.JoinNamed(b.names[n]), stream.KeptAs(b.names[n] + "-result")}
	key := b.key(exprs(n.Foreign), "JOIN ON")
	foreignKey := func(_, v row.Row) row.Row { return key(v) }
	if n.Kind == plan.Inner {
		return tableEdge(stream.JoinForeign(*left.table, *right.table, foreignKey,
			func(l, r row.Row) row.Row { return p.row("", l, r) }, format.Internal{}, names...)), nil
	}
	return tableEdge(stream.LeftJoinForeign(*left.table, *right.table, foreignKey,
		func(l row.Row, r *row.Row) row.Row { return p.row("", l, or(r)) }, format.Internal{}, names...)), nil
}
