package table

import (
	"bytes"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/serde"
)

// A Regrouped is what an update of a table means for one row of a table that is aggregated from it: a value leaves, or comes, or
// takes another's place. It is what moves through the repartition between the two tables; RegroupedSerde gives its form on a topic.
type Regrouped[V any] struct {
	Old, New       V
	HasOld, HasNew bool
}

// Regroup computes a new key and value for the rows of a table, whose updates must know the old values. An update that stays with its
// new key is one message, as KIP-904 has it; one that moves is two, and the old key loses the row before the new one gets it. A row
// whose new key or value is null is in no group. Updates of a versioned table that are not the newest of their key change nothing; like
// Kafka Streams it does not count them.
type Regroup[K, V, L, W any] struct {
	Func func(K, V) (L, W, error)
	Key  serde.Serde[L]
}

type regroup[K, V, L, W any] struct {
	Regroup[K, V, L, W]
	node      string
	env       *operator.Env
	out       *operator.Gathered[L, Regrouped[W]]
	row       int32 // a user's function works on, for Catch
	keyNull   func(L) bool
	valueNull func(W) bool
}

// Instance implements Spec.
func (g Regroup[K, V, L, W]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewGathered[L, Regrouped[W]](s)
	return &regroup[K, V, L, W]{
		Regroup: g, node: s.Node, env: s.Env, out: o,
		keyNull: operator.NullTest[L](), valueNull: operator.NullTest[W](),
	}, err
}

// A grouping is where a row belongs.
type grouping[L, W any] struct {
	key   L
	bytes []byte
	value W
	any   bool // it belongs somewhere
}

func (g *regroup[K, V, L, W]) ReceiveChanges(c *operator.Changes[K, V]) (err error) {
	g.row = operator.NoRow
	defer operator.Catch(&err, &g.row, &c.Rows, g.node)
	for _, i := range c.Sel {
		if operator.IsSet(c.Superseded, i) {
			continue // the newest row stays in its group
		}
		var was, is grouping[L, W]
		if !operator.IsSet(c.NewAbsent, i) {
			if is, err = g.group(c, c.New[i], i); err != nil {
				return err
			}
		}
		if c.HasOld && !operator.IsSet(c.OldAbsent, i) {
			if was, err = g.group(c, c.Old[i], i); err != nil {
				return err
			}
		}
		if err := g.send(was, is, &c.Rows, i); err != nil {
			return err
		}
	}
	return g.out.Flush()
}

// group computes where v, a value of row i, belongs.
func (g *regroup[K, V, L, W]) group(c *operator.Changes[K, V], v V, i int32) (to grouping[L, W], err error) {
	g.row = i
	to.key, to.value, err = g.Func(c.Keys[i], v)
	if err != nil {
		return to, operator.Rejected(&c.Rows, i, g.node, err)
	}
	if g.keyNull != nil && g.keyNull(to.key) || g.valueNull != nil && g.valueNull(to.value) {
		g.row = operator.NoRow
		return to, nil
	}
	if to.bytes, err = operator.Encode(&g.env.Arena, g.Key, to.key); err != nil {
		return to, operator.Uncodable(c.Origins[i], g.node, "the new key cannot be encoded", err)
	}
	g.row = operator.NoRow
	to.any = to.bytes != nil
	return to, nil
}

// send hands on what becomes of row i, which was in one group and is in another.
func (g *regroup[K, V, L, W]) send(was, is grouping[L, W], r *operator.Rows, i int32) error {
	if was.any && is.any && bytes.Equal(was.bytes, is.bytes) {
		return g.out.Add(is.key, Regrouped[W]{Old: was.value, New: is.value, HasOld: true, HasNew: true}, r.Timestamps[i], r, i)
	}
	if was.any {
		if err := g.out.Add(was.key, Regrouped[W]{Old: was.value, HasOld: true}, r.Timestamps[i], r, i); err != nil {
			return err
		}
	}
	if is.any {
		return g.out.Add(is.key, Regrouped[W]{New: is.value, HasNew: true}, r.Timestamps[i], r, i)
	}
	return nil
}
