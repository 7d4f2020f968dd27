package table

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/serde"
)

// Cogroup folds the values of several streams into one table: for each as Aggregate does, into the same rows.
type Cogroup[K, A any] struct {
	Store   string
	Key     serde.Serde[K]
	Value   serde.Serde[A]
	Initial A
	Inputs  []Fold[K, A] // one for each stream
}

// A Fold says how the values of a stream are folded: it is a Values.
type Fold[K, A any] interface {
	into(s *operator.Site, c *Cogroup[K, A], rows *operator.State[K, A], o *operator.ChangesOut[K, A]) any
}

// Values folds the values of a stream.
type Values[K, V, A any] struct {
	// Add returns the new aggregate; a null one deletes the key.
	Add func(K, A, V) (A, error)
}

func (v Values[K, V, A]) into(s *operator.Site, c *Cogroup[K, A], rows *operator.State[K, A], o *operator.ChangesOut[K, A]) any {
	return Aggregate[K, V, A]{Store: c.Store, Key: c.Key, Value: c.Value, Initial: c.Initial, Add: v.Add}.into(s, rows, o)
}

// Instance implements Spec. With several inputs it is a Slots.
func (c Cogroup[K, A]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, A](s)
	if err != nil {
		return nil, err
	}
	rows := operator.NewState(s, store.Options[K, A]{Name: c.Store, Partition: s.Partition, Key: c.Key, Value: c.Value})
	s.Provide(rows)
	slots := make(operator.Slots, len(c.Inputs))
	for n, in := range c.Inputs {
		slots[n] = in.into(s, &c, rows, o)
	}
	if len(slots) == 1 {
		return slots[0], nil
	}
	return slots, nil
}
