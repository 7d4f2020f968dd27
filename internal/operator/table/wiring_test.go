package table

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/serde"
)

// wrong is a receiver of other types than anything sends.
type wrong struct{}

func TestWiringChecksTypes(t *testing.T) {
	specs := map[string]operator.Spec{
		"aggregate":       Aggregate[string, string, int64]{Store: "s", Key: serde.String, Value: serde.Int64},
		"to table":        &ToTable[string, string]{Store: "s", Key: serde.String, Value: serde.String},
		"materialize":     Materialize[string, string]{Store: "s", Key: serde.String, Value: serde.String},
		"filter":          Filter[string, string]{},
		"regroup":         Regroup[string, string, string, int]{Key: serde.String},
		"table aggregate": TableAggregate[string, string, int64]{Store: "s", Key: serde.String, Value: serde.Int64},
		"map":             Map[string, string, int]{},
	}
	for name, spec := range specs {
		s := &operator.Site{Env: &operator.Env{}, Task: operator.NewTask(), Node: name, Inputs: []int{0}, Children: []any{wrong{}}}
		if _, err := spec.Instance(s); err == nil {
			t.Errorf("%s: a child of the wrong type is accepted", name)
		}
	}
}
