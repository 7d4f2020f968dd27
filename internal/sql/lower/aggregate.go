package lower

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
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
	store, group := stream.Named(b.names[n]), stream.Named(b.names[n]+"-group")
	if in.table != nil {
		grouped := stream.GroupTableBy(*in.table, func(r row.Row) (row.Row, row.Row) { return f.key(r), r }, keys, format.Internal{}, group)
		return f.table(stream.AggregateTable(grouped, f.initial, f.add, f.undo, format.Internal{}, store)), nil
	}
	var grouped stream.Grouped[row.Row, row.Row]
	if s := in.stream.Filter(present); n.KeySame {
		grouped = stream.GroupByKey(s.WithSerdes(keys, format.Internal{}), group)
	} else {
		grouped = stream.GroupBy(s.WithSerdes(keys, format.Internal{}), f.key, keys, group)
	}
	if n.Over == nil {
		return f.table(stream.Aggregate(grouped, f.initial, f.add, format.Internal{}, store)), nil
	}
	return b.overWindows(n, f, grouped, keys), nil
}

func present(r row.Row) bool { return !r.IsNull() }

// overWindows aggregates each window.
func (b *builder) overWindows(n *plan.Aggregate, f folding, g stream.Grouped[row.Row, row.Row], keys serde.Serde[row.Row]) edge {
	grace := n.Over.Grace
	if !n.Over.HasGrace {
		grace = max(dayMs-n.Over.Size, 0) // as Kafka Streams' windows had it by default
	}
	shape := ResultWindows{Size: n.Over.Size, Advance: n.Over.Advance, Retention: n.Over.Size + grace, Key: keys}
	if n.Over.HasRetention {
		shape.Retention = n.Over.Retention
	}
	var t windows
	opts := []stream.Option{stream.Named(b.names[n])}
	if n.Final {
		opts = append(opts, stream.EmitOnClose())
	}
	switch n.Over.Kind {
	case catalog.Session:
		shape.Size = 0
		w := stream.Sessions(ms(n.Over.Size), ms(grace))
		if n.Over.HasRetention {
			w = w.Retention(ms(n.Over.Retention))
		}
		t = stream.AggregateSessions(stream.WindowedBySessions(g, w), f.initial, f.add, f.merge, format.Internal{}, append(opts, stream.TellOld())...)
	default:
		w := stream.Hopping(ms(n.Over.Size), ms(n.Over.Advance), ms(grace))
		if n.Over.HasRetention {
			w = w.Retention(ms(n.Over.Retention))
		}
		t = stream.AggregateWindows(stream.WindowedBy(g, w), f.initial, f.add, format.Internal{}, opts...)
	}
	result := func(k windowed, states row.Row) row.Row {
		if states.IsNull() {
			return ""
		}
		var room [fewCalls]row.Value
		out := f.appendResults(room[:0], k.Key, states)
		if n.Bounds {
			out = append(out, row.NewBigint(int64(k.Start)), row.NewBigint(int64(k.End)))
		}
		return row.NewRow(out...)
	}
	states := t.StoreName()
	t = stream.MapTableWithKey(t, result)
	return edge{windows: &t, kept: &kept{store: states, windows: &shape, row: result}}
}

const dayMs = 24 * 60 * 60 * 1000

// A folding is what an aggregation does with rows and states.
type folding struct {
	n       *plan.Aggregate
	by      []computation
	reports []func(error) // of the calls
	initial row.Row
	direct  bool // a call puts its new state into the row at once
	plain   bool // results are the states themselves
}

func (b *builder) folding(n *plan.Aggregate) folding {
	f := folding{n: n, by: b.computations(n.By, "GROUP BY"), plain: true}
	var initial row.Builder
	failed := b.env.Failed
	for _, c := range n.Calls {
		initial.Add(c.Initial())
		f.reports = append(f.reports, func(err error) { failed(c.String(), err) })
		f.direct, f.plain = f.direct || c.AddsTo(), f.plain && c.Plain()
	}
	f.initial = initial.Row()
	return f
}

// key is the group of a row; a null in it leaves the row out.
func (f folding) key(r row.Row) row.Row {
	if r.IsNull() {
		return ""
	}
	var room [fewCalls]row.Value
	key := room[:0]
	for i := range f.by {
		v := f.by[i].value(r)
		if v.IsNull() {
			return ""
		}
		key = append(key, v)
	}
	return row.NewRow(key...)
}

// each computes the states anew.
func (f folding) each(states, r row.Row, step func(c *expr.AggregateCall, state row.Value, report func(error)) (row.Value, error)) row.Row {
	var room [fewCalls]row.Value
	next, same := room[:0], true
	for i, c := range f.n.Calls {
		state := states.At(i)
		v, err := step(c, state, f.reports[i])
		if err != nil {
			v = f.failed(i, err, state)
		}
		next, same = append(next, v), same && v == state
	}
	if same {
		return states
	}
	return row.NewRow(next...)
}

// fewCalls is how many states or results need no memory of their own while they are computed.
const fewCalls = 8

// failed is the state behind an aggregate that failed: a user's own keeps the one it had, any other ends the query, as a function of a step
// does.
func (f folding) failed(i int, err error, state row.Value) row.Value {
	name := f.n.Calls[i].Name()
	if own := (function.RowError{}); errors.As(err, &own) {
		f.reports[i](fmt.Errorf("%s: %w", name, err))
		return state
	}
	panic(stream.Reject(name + " failed: " + err.Error()))
}

func (f folding) add(states, r row.Row) row.Row {
	if f.direct {
		return f.addTo(states, r)
	}
	return f.each(states, r, func(c *expr.AggregateCall, state row.Value, report func(error)) (row.Value, error) {
		return c.Add(state, r, report)
	})
}

// addTo is add where a call puts its new state into the row at once.
func (f folding) addTo(states, r row.Row) row.Row {
	out := rowBuilders.Get().(*row.Builder)
	defer rowBuilders.Put(out)
	out.Reset()
	same := true
	for i, c := range f.n.Calls {
		state := states.At(i)
		if c.AddsTo() {
			if c.AddTo(out, state, r, f.reports[i]) {
				same = false
			} else {
				out.AddFrom(states, i)
			}
			continue
		}
		v, err := c.Add(state, r, f.reports[i])
		if err != nil {
			v = f.failed(i, err, state)
		}
		out.Add(v)
		same = same && v == state
	}
	if same {
		return states
	}
	return out.Row()
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
			v = f.failed(i, err, x.At(i))
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
	if f.plain {
		return row.Join(key, states, len(f.n.Calls))
	}
	var room [fewCalls]row.Value
	return row.NewRow(f.appendResults(room[:0], key, states)...)
}

// table is the edge behind an aggregation without windows.
func (f folding) table(states table) edge {
	t := stream.MapTableWithKey(states, f.result).WithSerde(format.Internal{})
	return edge{table: &t, kept: &kept{store: states.StoreName(), row: func(k windowed, r row.Row) row.Row { return f.result(k.Key, r) }}}
}

// appendResults appends the groups and the results.
func (f folding) appendResults(dst []row.Value, key, states row.Row) []row.Value {
	dst = key.Append(dst)
	for i, c := range f.n.Calls {
		v, err := c.Result(states.At(i))
		if err != nil {
			f.reports[i](err)
			v = row.Null
		}
		dst = append(dst, v)
	}
	return dst
}
