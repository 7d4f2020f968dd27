package lower

import (
	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/row"
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
	var s rows
	if in.table != nil {
		s = stream.MapTable(*in.table, project).Updates()
	} else {
		s = stream.MapValues(*in.stream, project)
	}
	if n.To.Time.Column != "" {
		if s, err = timed(b, s, n.To); err != nil {
			return err
		}
	}
	s.To(n.To.Topic, keys, values)
	return nil
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
	windowKeys := stream.SessionWindowedSerde(keys)
	if n.To.Window.Kind != catalog.Session {
		windowKeys = stream.WindowedSerde(keys, ms(n.To.Window.SizeMs))
	}
	s := stream.MapTable(*in.windows, project).Updates()
	if n.To.Time.Column != "" {
		if s, err = timed(b, s, n.To); err != nil {
			return err
		}
	}
	s.To(n.To.Topic, windowKeys, values)
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
		case b.env.StrictTimes && err != nil:
			return err
		case b.env.StrictTimes:
			return stream.Reject("the TIMESTAMP column is negative")
		default:
			b.env.Failed("TIMESTAMP", err)
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
