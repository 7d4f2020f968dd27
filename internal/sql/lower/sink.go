package lower

import (
	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
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
		if s, err = timed(s, n.To); err != nil {
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
		if s, err = timed(s, n.To); err != nil {
			return err
		}
	}
	s.To(n.To.Topic, windowKeys, values)
	return nil
}

// timed gives records the time of a column.
func timed[K any](s stream.Stream[K, row.Row], to *catalog.Source) (stream.Stream[K, row.Row], error) {
	i := to.Value.Index(to.Time.Column)
	if i < 0 {
		return s, nil // a key column: the time stays
	}
	read, err := timeReader(to.Value[i].Type, to.Time.Format)
	if err != nil {
		return s, err
	}
	return stream.ProcessValues(s, func() processor.FixedKey[K, row.Row, row.Row] {
		return processor.FixedKeyFunc[K, row.Row, row.Row](func(ctx processor.FixedKeyContext[row.Row], r processor.Record[K, row.Row]) error {
			if r.Value.IsNull() {
				ctx.Forward(r.Value)
				return nil
			}
			at, err := read(r.Value.At(i))
			if err != nil || at < 0 {
				return err
			}
			ctx.ForwardAt(r.Value, record.Timestamp(at))
			return nil
		})
	}), nil
}
