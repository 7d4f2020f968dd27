package lower

import (
	"slices"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

// A reading is how the values of a source's records become rows. Those of a stream have the columns only that the query uses, where the
// format can be asked for them; a table is kept with all of them.
type reading struct {
	source *plan.Source // with Reads that point into these rows
	values serde.Serde[row.Row]
	time   int  // place of the column that gives the time, -1: none of the values'
	same   bool // the rows are those of the step: nothing has to be picked
}

func (b *builder) reading(n *plan.Source) (reading, error) {
	side := format.Side{
		Spec: n.Of.ValueFormat.Spec, Schema: n.Of.Value, Unwrapped: n.Of.ValueFormat.Unwrapped, Topic: n.Of.Topic, Reads: true,
		Schemas: b.env.Schemas,
	}
	r := reading{source: n, time: n.Of.Value.Index(n.Of.Time.Column)}
	if !n.Of.Table && format.Selects(side) {
		side.Columns = r.narrow(n)
	}
	var err error
	r.values, err = format.New(side)
	return r, err
}

// narrow has the rows of values begin with the columns that the step reads, in its order, and returns them.
func (r *reading) narrow(n *plan.Source) []int {
	columns := make([]int, 0, len(n.Reads)+1)
	source := *n
	source.Reads = slices.Clone(n.Reads)
	for i, read := range n.Reads {
		if read.Part == plan.FromValue {
			source.Reads[i].Index = len(columns)
			columns = append(columns, read.Index)
		}
	}
	r.source, r.same = &source, len(columns) == len(n.Reads)
	if r.time >= 0 {
		at := slices.Index(columns, r.time)
		if at < 0 {
			at, r.same = len(columns), false
			columns = append(columns, r.time)
		}
		r.time = at
	}
	return columns
}
