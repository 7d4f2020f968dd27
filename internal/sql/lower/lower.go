// Package lower builds the topology of a planned query.
//
// Callers: the session, for queries that run, and the tools that test and explain them. It calls the DSL: SQL's steps are those of
// package stream over rows, so there is one engine, with one set of semantics.
//
// Owner and locks: Build keeps nothing. The functions of the steps belong to their tasks; they hold what they need and not the builder, which
// would stay in memory with its graph for as long as the query runs.
//
// Format: on every edge keys and values are row.Rows. A key is written as its topic's key format says, also in repartition topics, so that
// records meet those that other programs put there; values between steps are rows as they are (docs/format/row.md). The key row of a
// windowed source has the bounds of its window behind the columns. An expression that fails gives null, and a word to Env.Failed.
//
// Names of stores and internal topics are those of the plan's steps (plan.Names), so that they outlive changes of the steps around them.
//
// Not here: what a statement means (package plan), topics and their settings, running.
package lower

import (
	"fmt"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

type (
	rows     = stream.Stream[row.Row, row.Row]
	table    = stream.Table[row.Row, row.Row]
	windowed = stream.Windowed[row.Row]
	windows  = stream.Table[windowed, row.Row]
)

// Env is what a query runs with.
type Env struct {
	Name    string // of the topology
	Schemas format.Schemas
	// StrictTimes ends a query at a record whose TIMESTAMP column gives no time; otherwise it is left out.
	StrictTimes bool
	// FromEnd has streams begin with what comes after the query's first start. Tables begin at their beginning.
	FromEnd bool
	// Output is the topic that the sink writes to in place of its own, in the form of its own; empty: its own.
	Output string
	// Failed is told of expressions that failed for a row, which became null, or rows that were left out. Default: nobody.
	Failed func(step string, err error)
}

// Build returns the topology of a persistent query, or of a query of its own if it has no sink: see BuildOwn.
func Build(q *plan.Query, env Env) (*stream.Topology, error) {
	if q.Sink == nil {
		return BuildOwn(q, env)
	}
	b := newBuilder(env)
	b.names = plan.Names(q)
	sink, ok := q.Root.(*plan.Sink)
	if !ok {
		return nil, fmt.Errorf("build %s: its last step is a %T, not a sink", env.Name, q.Root)
	}
	if err := b.sink(sink); err != nil {
		return nil, err
	}
	return b.Build()
}

type builder struct {
	*stream.Builder
	env    Env
	names  map[plan.Node]string // of steps
	result *Result              // of the sink's table
}

func newBuilder(env Env) *builder {
	if env.Failed == nil {
		env.Failed = func(string, error) {}
	}
	return &builder{Builder: stream.New(env.Name, stream.ExplicitNames()), env: env}
}

// An edge is the result of a step: one of its first three fields is set.
type edge struct {
	stream  *rows
	table   *table
	windows *windows // an aggregation over windows
	kept    *kept    // of a table: a store that its rows can be computed from; nil: none
}

// build builds a step with all in front of it.
func (b *builder) build(n plan.Node) (edge, error) {
	switch n := n.(type) {
	case *plan.Source:
		return b.source(n)
	case *plan.Filter:
		return b.filter(n)
	case *plan.Rekey:
		return b.rekey(n)
	case *plan.Expand:
		return b.expand(n)
	case *plan.Aggregate:
		return b.aggregate(n)
	case *plan.Join:
		return b.join(n)
	case *plan.ForeignJoin:
		return b.foreign(n)
	}
	return edge{}, fmt.Errorf("build %s: there is no step for a %T", b.env.Name, n)
}

// keyCodec is how keys with a layout are written. Between steps, where no topic has a say, a single column stands for itself, so that equal
// keys of both sides of a join are the same bytes whatever their columns are called; and a format that cannot hold the key gives way to JSON.
func (b *builder) keyCodec(topic string, schema row.Schema, s catalog.Serialized, w catalog.Window) (serde.Serde[row.Row], error) {
	if topic == "" {
		if s.Name == format.None || s.Name == "" || format.Check(s.Spec, schema, true) != nil {
			s.Spec = format.Spec{Name: format.JSON}
		}
		trait, _ := format.TraitOf(s.Name)
		s.Unwrapped = len(schema) == 1 && trait.Unwraps
	}
	return b.keys(format.Side{Spec: s.Spec, Schema: schema, Unwrapped: s.Unwrapped, Topic: topic}, w)
}

func (b *builder) keys(s format.Side, w catalog.Window) (serde.Serde[row.Row], error) {
	s.Key, s.Schemas = true, b.env.Schemas
	codec, err := format.New(s)
	if err != nil {
		return nil, err
	}
	if w.Windowed() {
		return windowKeys{codec, w.SizeMs}, nil
	}
	return codec, nil
}

func (b *builder) valueCodec(s *catalog.Source) (serde.Serde[row.Row], error) {
	return format.New(format.Side{
		Spec: s.ValueFormat.Spec, Schema: s.Value, Unwrapped: s.ValueFormat.Unwrapped, Topic: s.Topic, Schemas: b.env.Schemas,
	})
}

func (b *builder) filter(n *plan.Filter) (edge, error) {
	in, err := b.build(n.Inputs()[0])
	if err != nil {
		return edge{}, err
	}
	pass := b.test(n.Test, n.What)
	switch {
	case in.stream != nil:
		return streamEdge(in.stream.Filter(pass)), nil
	case in.table != nil:
		t := in.table.Filter(pass)
		return edge{table: &t, kept: in.kept.then(passing(pass))}, nil
	}
	t := in.windows.Filter(pass)
	return edge{windows: &t, kept: in.kept.then(passing(pass))}, nil
}

// rekey gives the rows the key of PARTITION BY or of a join.
func (b *builder) rekey(n *plan.Rekey) (edge, error) {
	in, err := b.build(n.Inputs()[0])
	if err != nil {
		return edge{}, err
	}
	l := n.Layout()
	codec, err := b.keyCodec("", l.Key, l.Format, l.Window)
	if err != nil {
		return edge{}, err
	}
	key := b.key(n.Exprs, "PARTITION BY")
	of, direct := n.Inputs()[0].(*plan.Source)
	ofKeys := b.key(keyed(of, n.Exprs), "PARTITION BY")
	by := func(k, v row.Row) row.Row {
		if n.Same {
			return k
		}
		if v.IsNull() && direct && !k.IsNull() {
			return ofKeys(keysOnly(of, k))
		}
		return key(v)
	}
	if in.table != nil {
		s := stream.SelectKeyWithKey(in.table.Updates(), by).WithSerdes(codec, format.Internal{})
		return tableEdge(stream.ToTable(s, format.Internal{}, stream.KeptAs(b.names[n]))), nil
	}
	return streamEdge(stream.SelectKeyWithKey(*in.stream, by).WithSerdes(codec, format.Internal{})), nil
}

// keyed is the expressions of records without a value: those that read columns of the key only. The others are nil: null.
func keyed(n *plan.Source, exprs []*expr.Expr) []*expr.Expr {
	out := make([]*expr.Expr, len(exprs))
	for i, x := range exprs {
		if n != nil && !slices.ContainsFunc(x.Columns(), func(column int) bool { return n.Reads[column].Part != plan.FromKey }) {
			out[i] = x
		}
	}
	return out
}

// keysOnly is the row of a record without a value: what stands in its key, and nulls.
func keysOnly(n *plan.Source, k row.Row) row.Row {
	var out row.Builder
	for _, r := range n.Reads {
		if r.Part == plan.FromKey {
			out.AddFrom(k, r.Index)
		} else {
			out.AddNull()
		}
	}
	return out.Row()
}

func (b *builder) expand(n *plan.Expand) (edge, error) {
	in, err := b.build(n.Inputs()[0])
	if err != nil {
		return edge{}, err
	}
	failed := b.env.Failed
	return streamEdge(stream.FlatMapValues(*in.stream, func(r row.Row) []row.Row {
		if r.IsNull() {
			return nil
		}
		columns := make([][]row.Value, len(n.Calls))
		longest := 0
		for i, c := range n.Calls {
			values, err := c.Rows(r)
			if err != nil {
				failed(c.String(), err)
			}
			columns[i] = values
			longest = max(longest, len(columns[i]))
		}
		out := make([]row.Row, longest)
		for at := range out {
			var next row.Builder
			next.AddAll(r)
			for _, values := range columns {
				if at < len(values) {
					next.Add(values[at])
				} else {
					next.AddNull()
				}
			}
			out[at] = next.Row()
		}
		return out
	})), nil
}

func streamEdge(s rows) edge { return edge{stream: &s} }
func tableEdge(t table) edge { return edge{table: &t} }

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
