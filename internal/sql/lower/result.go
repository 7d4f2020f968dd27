package lower

import (
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// resultStore is the name of the store that keeps a result, where no other store has what it is made of.
const resultStore = "Result"

// A Result says where the rows of a query's table are, for those who look them up.
type Result struct {
	Store string
	// Windows: the keys of the store are stream.Windowed[row.Row]; nil: they are row.Row. Values are row.Row.
	Windows *ResultWindows
	// Row makes the table's value of what the store has; a null row: it is not in the table.
	Row func(k stream.Windowed[row.Row], stored row.Row) row.Row
}

// ResultWindows says which windows a store has. Times are in ms; Size is 0 for sessions. Windows are kept for the Retention, from their starts.
type ResultWindows struct {
	Size, Advance, Retention int64
	Key                      serde.Serde[row.Row] // of the keys without their windows
}

// ResultOf returns where the rows of a persistent query's table are, nil for a stream.
//
// The result of an aggregation is computed from its store when it is read: that costs the query nothing. Other tables have a store of their
// own for it, which costs a row of memory and of changelog for each row of the result.
func ResultOf(q *plan.Query, env Env) (*Result, error) {
	b := newBuilder(env)
	b.names = plan.Names(q)
	if err := b.sink(q.Root.(*plan.Sink)); err != nil {
		return nil, err
	}
	return b.result, nil
}

// BuildTable returns the topology that keeps the rows of a table's topic, so that they can be looked up, and where they are. The keys of a
// windowed one have the bounds of their windows behind the columns.
func BuildTable(s *catalog.Source, env Env) (*stream.Topology, *Result, error) {
	b := newBuilder(env)
	side := format.Side{Spec: s.KeyFormat.Spec, Schema: s.Key, Unwrapped: s.KeyFormat.Unwrapped, Topic: s.Topic, Reads: true}
	keys, err := b.keys(side, s.Window)
	if err != nil {
		return nil, nil, err
	}
	values, err := format.New(format.Side{
		Spec: s.ValueFormat.Spec, Schema: s.Value, Unwrapped: s.ValueFormat.Unwrapped, Topic: s.Topic, Reads: true, Schemas: env.Schemas,
	})
	if err != nil {
		return nil, nil, err
	}
	var opts []stream.Option
	if s.Time.Column != "" {
		times, err := b.timesOf(s)
		if err != nil {
			return nil, nil, err
		}
		opts = append(opts, stream.Timestamps(times), stream.SkipInvalidTime())
	}
	in := stream.From(b.Builder, s.Topic, keys, values, opts...).WithSerdes(keys, format.Internal{})
	stream.ToTable(in, format.Internal{}, stream.Named(resultStore))
	t, err := b.Build()
	return t, &Result{Store: resultStore, Row: func(_ windowed, stored row.Row) row.Row { return stored }}, err
}

// A kept says how the rows of a table are computed from a store that some step before has.
type kept struct {
	store   string
	windows *ResultWindows
	row     func(k windowed, stored row.Row) row.Row
}

// then is k behind one more step.
func (k *kept) then(step func(row.Row) row.Row) *kept {
	if k == nil {
		return nil
	}
	before := k.row
	return &kept{store: k.store, windows: k.windows, row: func(w windowed, stored row.Row) row.Row {
		if r := before(w, stored); !r.IsNull() {
			return step(r)
		}
		return ""
	}}
}

// result is where the rows of the sink behind k are.
func (k *kept) result(steps ...func(row.Row) row.Row) *Result {
	for _, step := range steps {
		k = k.then(step)
	}
	return &Result{Store: k.store, Windows: k.windows, Row: k.row}
}

// passing is the step of a filter.
func passing(pass func(row.Row) bool) func(row.Row) row.Row {
	return func(r row.Row) row.Row {
		if !pass(r) {
			return ""
		}
		return r
	}
}

// asWritten reads rows back from what is written to a topic whose format has no nulls: so the table has what its topic has.
func asWritten(s *catalog.Source, values serde.Serde[row.Row]) func(row.Row) row.Row {
	if s.ValueFormat.Name != format.Protobuf && s.ValueFormat.Name != format.ProtobufNoSR {
		return func(r row.Row) row.Row { return r }
	}
	return func(r row.Row) row.Row {
		b, err := values.Append([]byte{}, r)
		if err != nil {
			return r
		}
		written, err := values.Decode(b)
		if err != nil {
			return r
		}
		return written
	}
}

// widened gives a row that was kept before CREATE OR REPLACE added columns the nulls that it lacks.
func widened(r row.Row, columns int) row.Row {
	if r.IsNull() || r.Len() >= columns {
		return r
	}
	var out row.Builder
	out.AddAll(r)
	for range columns - r.Len() {
		out.AddNull()
	}
	return out.Row()
}
