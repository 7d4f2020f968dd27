package lower

import (
	"cmp"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

func exprs(x ...*expr.Expr) []*expr.Expr { return x }

// sink projects the rows and writes them.
func (b *builder) sink(n *plan.Sink) error {
	in, err := b.build(n.Inputs()[0])
	if err != nil {
		return err
	}
	values, err := b.valueCodec(n.To)
	if err != nil {
		return err
	}
	project := b.project(n.Exprs, "SELECT")
	if in.windows != nil {
		return b.sinkWindows(n, in, project)
	}
	keys, err := b.keyCodec(n.To.Topic, n.To.Key, n.To.KeyFormat, n.To.Window)
	if err != nil {
		return err
	}
	direct := b.direct(n, values)
	var s rows
	switch {
	case in.table != nil && in.kept != nil && direct != nil:
		b.result = in.kept.result(project, asWritten(n.To, values))
		s, values = in.table.Updates(), direct
	case in.table != nil:
		s = b.keepResult(n, in, project, values).Updates()
	case direct != nil:
		s, values = *in.stream, direct
	default:
		s = stream.MapValues(*in.stream, project)
	}
	if n.To.Time.Column != "" {
		if s, err = timed(b, s, n.To); err != nil {
			return err
		}
	}
	s.To(b.output(n.To), keys, values)
	return nil
}

// direct is what writes the sink's columns right from the rows that they are computed from, nil: they must be made rows first, since the
// format needs that, or the time of records is one of the columns.
func (b *builder) direct(n *plan.Sink, values serde.Serde[row.Row]) serde.Serde[row.Row] {
	to, ok := values.(format.ColumnWriter)
	if !ok || n.To.Time.Column != "" || len(n.Exprs) == 0 || len(n.Exprs) != len(n.To.Value) {
		return nil
	}
	return &columnCodec{ColumnWriter: to, columns: b.computations(n.Exprs, "SELECT")}
}

// output is the topic that a sink's records go to.
func (b *builder) output(to *catalog.Source) string { return cmp.Or(b.env.Output, to.Topic) }

// keepResult projects a table whose rows can be looked up. Where no step before has them in a store they get one.
func (b *builder) keepResult(n *plan.Sink, in edge, project func(row.Row) row.Row, values serde.Serde[row.Row]) table {
	t := stream.MapTable(*in.table, project)
	written := asWritten(n.To, values)
	if in.kept != nil {
		b.result = in.kept.result(project, written)
		return t
	}
	t = t.Keep(format.Internal{}, stream.Named(resultStore))
	b.result = &Result{Store: resultStore, Row: func(_ windowed, stored row.Row) row.Row { return written(widened(stored, len(n.To.Value))) }}
	return t
}

func (b *builder) sinkWindows(n *plan.Sink, in edge, project func(row.Row) row.Row) error {
	values, err := b.valueCodec(n.To)
	if err != nil {
		return err
	}
	keys, err := b.keyCodec(n.To.Topic, n.To.Key, n.To.KeyFormat, catalog.Window{})
	if err != nil {
		return err
	}
	b.result = in.kept.result(project, asWritten(n.To, values))
	windowKeys := stream.SessionWindowedSerde(keys)
	if n.To.Window.Kind != catalog.Session {
		windowKeys = stream.WindowedSerde(keys, ms(n.To.Window.SizeMs))
	}
	if direct := b.direct(n, values); direct != nil {
		in.windows.Updates().To(b.output(n.To), windowKeys, direct)
		return nil
	}
	s := stream.MapTable(*in.windows, project).Updates()
	if n.To.Time.Column != "" {
		if s, err = timed(b, s, n.To); err != nil {
			return err
		}
	}
	s.To(b.output(n.To), windowKeys, values)
	return nil
}

// timed gives records the time of a column, of the value or of a plain key.
func timed[K any](b *builder, s stream.Stream[K, row.Row], to *catalog.Source) (stream.Stream[K, row.Row], error) {
	schema, i := to.Value, to.Value.Index(to.Time.Column)
	inKey := i < 0
	if inKey {
		schema, i = to.Key, to.Key.Index(to.Time.Column)
	}
	read, err := timeReader(schema[i].Type, to.Time.Format)
	if err != nil {
		return s, err
	}
	strict, failed := b.env.StrictTimes, b.env.Failed
	process := func(ctx processor.FixedKeyContext[row.Row], r processor.Record[K, row.Row]) error {
		from := r.Value
		if inKey {
			from = keyRow(r.Key)
		}
		if from.IsNull() {
			ctx.Forward(r.Value)
			return nil
		}
		at, err := read(from.At(i))
		switch {
		case err == nil && at >= 0:
			ctx.ForwardAt(r.Value, at)
		case strict && err != nil:
			return err
		case strict:
			return stream.Reject("the TIMESTAMP column is negative")
		default:
			failed("TIMESTAMP", err)
		}
		return nil
	}
	return stream.ProcessValues(s, func() processor.FixedKey[K, row.Row, row.Row] {
		return processor.FixedKeyFunc[K, row.Row, row.Row](process)
	}), nil
}

// keyRow is the row in a key, windowed or not.
func keyRow(k any) row.Row {
	if w, ok := k.(windowed); ok {
		return w.Key
	}
	r, _ := k.(row.Row)
	return r
}
