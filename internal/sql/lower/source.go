package lower

import (
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/java/datetime"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/stream"
)

// source reads a topic and gives its rows the columns that the query uses.
func (b *builder) source(n *plan.Source) (edge, error) {
	side := format.Side{Spec: n.Of.KeyFormat.Spec, Schema: n.Of.Key, Unwrapped: n.Of.KeyFormat.Unwrapped, Topic: n.Of.Topic, Reads: true}
	keys, err := b.keys(side, n.Of.Window)
	if err != nil {
		return edge{}, err
	}
	name := b.names[n]
	in, err := b.reading(n)
	if err != nil {
		return edge{}, err
	}
	n = in.source
	var opts []stream.Option
	if n.Of.Time.Column != "" {
		times, err := b.timesAt(n.Of, in.time)
		if err != nil {
			return edge{}, err
		}
		opts = append(opts, stream.Timestamps(times), stream.SkipInvalidTime())
	}
	inside := true // columns of key and value only
	for _, r := range n.Reads {
		inside = inside && (r.Part == plan.FromKey || r.Part == plan.FromValue || r.Part == plan.WindowStart || r.Part == plan.WindowEnd)
	}
	columns := picking(n)
	if n.Of.Table && inside {
		t := stream.TableFrom(b.Builder, n.Of.Topic, keys, in.values, append(opts, stream.KeptAs(name))...)
		return tableEdge(stream.MapTableWithKey(t, columns).WithSerde(format.Internal{})), nil
	}
	if b.env.FromEnd && !n.Of.Table {
		opts = append(opts, stream.FromEnd())
	}
	s := stream.From(b.Builder, n.Of.Topic, keys, in.values, append(opts, stream.Named(name+"-source"))...)
	switch {
	case in.same:
		return streamEdge(s.WithSerdes(keys, format.Internal{})), nil
	case inside:
		return streamEdge(stream.MapValuesWithKey(s, columns).WithSerdes(keys, format.Internal{})), nil
	}
	s = stream.ProcessValues(s, func() processor.FixedKey[row.Row, row.Row, row.Row] { return placed{n} }).WithSerdes(keys, format.Internal{})
	if n.Of.Table {
		return tableEdge(stream.ToTable(s, format.Internal{}, stream.KeptAs(name))), nil
	}
	return streamEdge(s), nil
}

// A run is some columns of a key or value, one behind the other.
type run struct {
	key      bool
	from, to int
}

// runOf is where a column of a key or value stands.
func runOf(of *catalog.Source, r plan.Read) run {
	at := len(of.Key) + 1
	switch r.Part {
	case plan.FromValue:
		return run{false, r.Index, r.Index + 1}
	case plan.FromKey:
		at = r.Index
	case plan.WindowStart:
		at = len(of.Key)
	}
	return run{true, at, at + 1}
}

func (c run) addTo(out *row.Builder, k, v row.Row) {
	switch {
	case !c.key:
		out.AddRange(v, c.from, c.to)
	case k.IsNull():
		for range c.to - c.from {
			out.AddNull()
		}
	default:
		out.AddRange(k, c.from, c.to)
	}
}

// picking makes the rows of the columns that stand in key and value. A row without a value stays without one.
func picking(n *plan.Source) func(k, v row.Row) row.Row {
	var runs []run
	for _, r := range n.Reads {
		c, last := runOf(n.Of, r), len(runs)-1
		if last >= 0 && runs[last].key == c.key && runs[last].to == c.from {
			runs[last].to = c.to
		} else {
			runs = append(runs, c)
		}
	}
	return func(k, v row.Row) row.Row {
		if v.IsNull() {
			return ""
		}
		out := rowBuilders.Get().(*row.Builder)
		defer rowBuilders.Put(out)
		out.Reset()
		for _, c := range runs {
			c.addTo(out, k, v)
		}
		return out.Row()
	}
}

// placed is pick for sources whose rows need to know the record's time, place or headers.
type placed struct{ n *plan.Source }

func (placed) Init(processor.FixedKeyContext[row.Row]) error { return nil }
func (placed) Close() error                                  { return nil }

func (p placed) Process(ctx processor.FixedKeyContext[row.Row], r processor.Record[row.Row, row.Row]) error {
	if r.Value.IsNull() {
		ctx.Forward("")
		return nil
	}
	var out row.Builder
	for _, read := range p.n.Reads {
		switch read.Part {
		case plan.RowTime:
			out.Add(row.NewBigint(int64(r.Time)))
		case plan.RowPartition, plan.RowOffset:
			at, ok := ctx.Source()
			switch {
			case !ok:
				out.AddNull()
			case read.Part == plan.RowPartition:
				out.Add(row.NewInt(at.Partition))
			default:
				out.Add(row.NewBigint(int64(at.Offset)))
			}
		case plan.FromHeaders:
			out.Add(headers(p.n.Of.Headers[read.Index], r.Headers))
		default:
			runOf(p.n.Of, read).addTo(&out, r.Key, r.Value)
		}
	}
	ctx.Forward(out.Row())
	return nil
}

// headers is the value of a header column: all headers, or the last one with the key.
func headers(h catalog.Header, list []record.Header) row.Value {
	if h.Key != "" {
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].Key == h.Key {
				return bytesValue(list[i].Value)
			}
		}
		return row.Null
	}
	all := make([]row.Value, len(list))
	for i, x := range list {
		all[i] = row.NewStruct(row.NewString(x.Key), bytesValue(x.Value))
	}
	return row.NewArray(all...)
}

func bytesValue(b []byte) row.Value {
	if b == nil {
		return row.Null
	}
	return row.NewBytes(string(b))
}

// timesOf takes the times of records from a column.
func (b *builder) timesOf(s *catalog.Source) (func(stream.Incoming[row.Row, row.Row]) (record.Timestamp, error), error) {
	return b.timesAt(s, s.Value.Index(s.Time.Column))
}

// timesAt is timesOf where the column, if it is one of the values', stands at the given place of their rows.
func (b *builder) timesAt(s *catalog.Source, place int) (func(stream.Incoming[row.Row, row.Row]) (record.Timestamp, error), error) {
	inKey := true
	i := s.Key.Index(s.Time.Column)
	schema := s.Key
	if i < 0 {
		inKey, i, schema = false, s.Value.Index(s.Time.Column), s.Value
	}
	if i < 0 {
		return nil, fmt.Errorf("source %s: its TIMESTAMP column %s is neither in the key nor in the value", s.Name, s.Time.Column)
	}
	read, err := timeReader(schema[i].Type, s.Time.Format)
	if err != nil {
		return nil, err
	}
	if !inKey {
		i = place
	}
	strict, failed := b.env.StrictTimes, b.env.Failed
	return func(in stream.Incoming[row.Row, row.Row]) (record.Timestamp, error) {
		r := in.Value
		if inKey {
			r = in.Key
		}
		if r.IsNull() {
			return in.Timestamp, nil
		}
		at, err := read(r.At(i))
		if err != nil && !strict {
			failed("TIMESTAMP", err)
			return -1, nil // left out
		}
		return at, err
	}, nil
}

// timeReader turns a column's value into a time.
func timeReader(t *row.Type, pattern string) (func(row.Value) (record.Timestamp, error), error) {
	if t.Kind != row.KindString {
		return func(v row.Value) (record.Timestamp, error) {
			if v.IsNull() {
				return 0, stream.Reject("the TIMESTAMP column is null")
			}
			return record.Timestamp(v.Int64()), nil
		}, nil
	}
	f, err := datetime.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("TIMESTAMP_FORMAT: %w", err)
	}
	return func(v row.Value) (record.Timestamp, error) {
		if v.IsNull() {
			return 0, stream.Reject("the TIMESTAMP column is null")
		}
		at, err := f.ParseTimestamp(v.Text(), time.UTC)
		if err != nil {
			return 0, stream.Reject("the TIMESTAMP column does not fit its TIMESTAMP_FORMAT")
		}
		return record.Timestamp(at), nil
	}, nil
}
