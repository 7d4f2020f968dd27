package table

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
)

// Global is a ToTable that all tasks read: the rows of all partitions of a topic, of which every process has a whole table.
type Global[K, V any] struct{ ToTable[K, V] }

// Instance implements operator.Spec.
func (c *Global[K, V]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, V](s)
	if err != nil {
		return nil, err
	}
	t := &toTable[K, V]{ToTable: c.ToTable, node: s.Node, env: s.Env, out: o, keyNull: operator.NullTest[K](), valueNull: operator.NullTest[V]()}
	t.rows = operator.NewState(s, store.Options[K, V]{Name: c.Store, Partition: s.Partition, Key: c.Key, Value: c.Value})
	s.ProvideGlobal(t.rows)
	return t, nil
}
