package lower

import (
	"errors"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// OwnTopic is the topic that the topologies of BuildOwn write to. There need be none of the name.
const OwnTopic = "result"

// BuildOwn returns the topology of a query of its own. Its rows go to OwnTopic as they are, their keys too, which have the bounds of windows
// behind the columns.
func BuildOwn(q *plan.Query, env Env) (*stream.Topology, error) {
	b := newBuilder(env)
	b.names = plan.Names(q)
	sink := q.Root.(*plan.Sink)
	in, err := b.build(sink.Inputs()[0])
	if err != nil {
		return nil, err
	}
	project := b.project(sink.Exprs, "SELECT")
	switch {
	case in.windows != nil:
		stream.MapTable(*in.windows, project).Updates().To(OwnTopic, flatKeys{}, format.Internal{})
	case in.table != nil:
		stream.MapTable(*in.table, project).Updates().To(OwnTopic, format.Internal{}, format.Internal{})
	default:
		s := stream.MapValues(in.stream.Filter(present), project)
		s.To(OwnTopic, format.Internal{}, format.Internal{})
	}
	return b.Build()
}

// flatKeys writes the keys of windows as rows. Nobody reads them back.
type flatKeys struct{}

var _ serde.Serde[windowed] = flatKeys{}

var errOnlyWritten = errors.New("these keys are only written")

// HoldsNull implements serde.Serde.
func (flatKeys) HoldsNull() bool { return false }

// Append implements serde.Serde.
func (flatKeys) Append(dst []byte, k windowed) ([]byte, error) {
	var out row.Builder
	out.AddAll(k.Key)
	out.Add(row.NewBigint(int64(k.Start)))
	out.Add(row.NewBigint(int64(k.End)))
	return format.Internal{}.Append(dst, out.Row())
}

// Decode implements serde.Serde.
func (flatKeys) Decode([]byte) (windowed, error) { return windowed{}, errOnlyWritten }
