package lower

import (
	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/stream"
)

// aggregate groups rows and computes aggregates. The store has one row for each group: the aggregates' states.
func (b *builder) aggregate(n *plan.Aggregate) (edge, error) {
	in, err := b.build(n.Inputs()[0])
	if err != nil {
		return edge{}, err
	}
	l := n.Layout()
	keys, err := b.keyCodec("", l.Key, l.Format, catalog.Window{})
	if err != nil {
		return edge{}, err
	}
	f := b.folding(n)
	if in.table != nil {
		grouped := stream.GroupTableBy(*in.table, func(r row.Row) (row.Row, row.Row) { return f.key(r), r }, keys, format.Internal{})
		t := stream.AggregateTable(grouped, f.initial, f.add, f.undo, format.Internal{})
		return tableEdge(stream.MapTableWithKey(t, f.result).WithSerde(format.Internal{})), nil
	}
	var grouped stream.Grouped[row.Row, row.Row]
	if s := in.stream.Filter(present); n.KeySame {
		grouped = stream.GroupByKey(s.WithSerdes(keys, format.Internal{}))
	} else {
		grouped = stream.GroupBy(s.WithSerdes(keys, format.Internal{}), f.key, keys)
	}
	if n.Over == nil {
		t := stream.Aggregate(grouped, f.initial, f.add, format.Internal{})
		return tableEdge(stream.MapTableWithKey(t, f.result).WithSerde(format.Internal{})), nil
	}
	return b.overWindows(n, f, grouped), nil
}

func present(r row.Row) bool { return !r.IsNull() }

// overWindows aggregates each window.
func (b *builder) overWindows(n *plan.Aggregate, f folding, g stream.Grouped[row.Row, row.Row]) edge {
	grace := n.Over.Grace
	if !n.Over.HasGrace {
		grace = max(dayMs-n.Over.Size, 0) // as Kafka Streams' windows had it by default
	}
	var t windows
	var opts []stream.Option
	if n.Final {
		opts = append(opts, stream.EmitOnClose())
	}
	switch n.Over.Kind {
	case catalog.Session:
		w := stream.Sessions(ms(n.Over.Size), ms(grace))
		if n.Over.HasRetention {
			w = w.Retention(ms(n.Over.Retention))
		}
		t = stream.AggregateSessions(stream.WindowedBySessions(g, w), f.initial, f.add, f.merge, format.Internal{}, opts...)
	default:
		w := stream.Hopping(ms(n.Over.Size), ms(n.Over.Advance), ms(grace))
		if n.Over.HasRetention {
			w = w.Retention(ms(n.Over.Retention))
		}
		t = stream.AggregateWindows(stream.WindowedBy(g, w), f.initial, f.add, format.Internal{}, opts...)
	}
	t = stream.MapTableWithKey(t, func(k windowed, states row.Row) row.Row {
		if states.IsNull() {
			return ""
		}
		var out row.Builder
		f.addResults(&out, k.Key, states)
		if n.Bounds {
			out.Add(row.NewBigint(int64(k.Start)))
			out.Add(row.NewBigint(int64(k.End)))
		}
		return out.Row()
	})
	return edge{windows: &t}
}

const dayMs = 24 * 60 * 60 * 1000

// A folding is what an aggregation does with rows and states.
type folding struct {
	b       *builder
	n       *plan.Aggregate
	initial row.Row
}

func (b *builder) folding(n *plan.Aggregate) folding {
	var initial row.Builder
	for _, c := range n.Calls {
		initial.Add(c.Initial())
	}
	return folding{b, n, initial.Row()}
}

// key is the group of a row; a null in it leaves the row out.
func (f folding) key(r row.Row) row.Row {
	if r.IsNull() {
		return ""
	}
	var out row.Builder
	for _, x := range f.n.By {
		v := f.b.eval(x, r, "GROUP BY")
		if v.IsNull() {
			return ""
		}
		out.Add(v)
	}
	return out.Row()
}

// each computes the states anew. An aggregate that fails ends the query, as a function of a step does.
func (f folding) each(states, r row.Row, step func(c *expr.AggregateCall, state row.Value, report func(error)) (row.Value, error)) row.Row {
	var out row.Builder
	for i, c := range f.n.Calls {
		v, err := step(c, states.At(i), func(err error) { f.b.env.Failed(c.String(), err) })
		if err != nil {
			panic(stream.Reject(c.Name() + " failed: " + err.Error()))
		}
		out.Add(v)
	}
	return out.Row()
}

func (f folding) add(states, r row.Row) row.Row {
	return f.each(states, r, func(c *expr.AggregateCall, state row.Value, report func(error)) (row.Value, error) {
		return c.Add(state, r, report)
	})
}

func (f folding) undo(states, r row.Row) row.Row {
	return f.each(states, r, func(c *expr.AggregateCall, state row.Value, report func(error)) (row.Value, error) {
		return c.Undo(state, r, report)
	})
}

// merge joins the states of two sessions.
func (f folding) merge(x, y row.Row) row.Row {
	var out row.Builder
	for i, c := range f.n.Calls {
		v, err := c.Merge(x.At(i), y.At(i))
		if err != nil {
			panic(stream.Reject(c.Name() + " failed: " + err.Error()))
		}
		out.Add(v)
	}
	return out.Row()
}

// result is the row behind the aggregation: the groups, then the results.
func (f folding) result(key, states row.Row) row.Row {
	if states.IsNull() {
		return ""
	}
	var out row.Builder
	f.addResults(&out, key, states)
	return out.Row()
}

func (f folding) addResults(out *row.Builder, key, states row.Row) {
	out.AddAll(key)
	for i, c := range f.n.Calls {
		v, err := c.Result(states.At(i))
		if err != nil {
			f.b.env.Failed(c.String(), err)
			v = row.Null
		}
		out.Add(v)
	}
}
