package foreign

import (
	"bytes"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/serde"
)

// Subscribe turns the updates of the left table, which must know the old values, into subscriptions. Updates of an inner join that
// have no foreign key are counted as dropped; those of a left join are answered without a right row.
type Subscribe[K, V, F any] struct {
	LeftJoin   bool
	ForeignKey func(K, V) (F, error)
	Key        serde.Serde[K]
	Value      serde.Serde[V]
	Foreign    serde.Serde[F]
	Pending    string // the store that Resolve has, empty: none
}

type subscribe[K, V, F any] struct {
	Subscribe[K, V, F]
	node      string
	env       *operator.Env
	partition int32
	keyID     serde.Serde[K]
	valueID   serde.Serde[V]
	null      func(F) bool
	out       *operator.Gathered[F, Subscription[K]]
	pending   *operator.State[[]byte, []byte] // nil: nobody needs it
	row       int32                           // a user's function or serde works on, for Catch
}

// Instance implements operator.Spec.
func (u Subscribe[K, V, F]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewGathered[F, Subscription[K]](s)
	pending, _ := s.Shared(u.Pending).(*operator.State[[]byte, []byte])
	return &subscribe[K, V, F]{
		Subscribe: u, node: s.Node, env: s.Env, partition: s.Partition, out: o, pending: pending,
		keyID: operator.Identify(u.Key), valueID: operator.Identify(u.Value), null: operator.NullTest[F](),
	}, err
}

// A link is the foreign key of a left value.
type link[F any] struct {
	key   F
	bytes []byte // nil: there is none
}

func (u *subscribe[K, V, F]) ReceiveChanges(c *operator.Changes[K, V]) (err error) {
	u.row = operator.NoRow
	defer operator.Catch(&err, &u.row, &c.Rows, u.node)
	for _, i := range c.Sel {
		if operator.IsSet(c.Superseded, i) {
			u.env.Drops.Add(operator.DropSuperseded)
			continue
		}
		deleted := operator.IsSet(c.NewAbsent, i)
		var was, is link[F]
		if c.HasOld && !operator.IsSet(c.OldAbsent, i) {
			if was, err = u.link(c, c.Old[i], i); err != nil {
				return err
			}
		} else if deleted {
			continue // nobody knew the row
		}
		if !deleted {
			if is, err = u.link(c, c.New[i], i); err != nil {
				return err
			}
		}
		s, err := u.subscription(c, i)
		if err != nil {
			return err
		}
		if err := u.instruct(change[K, F]{was: was, is: is, deleted: deleted, s: s}, &c.Rows, i); err != nil {
			return err
		}
	}
	return u.out.Flush()
}

// link computes the foreign key of v, a value of row i.
func (u *subscribe[K, V, F]) link(c *operator.Changes[K, V], v V, i int32) (l link[F], err error) {
	u.row = i
	if l.key, err = u.ForeignKey(c.Keys[i], v); err != nil {
		return l, operator.Rejected(&c.Rows, i, u.node, err)
	}
	if u.null == nil || !u.null(l.key) {
		if l.bytes, err = operator.Encode(&u.env.Arena, u.Foreign, l.key); err != nil {
			return l, operator.Uncodable(c.Origins[i], u.node, "the foreign key cannot be encoded", err)
		}
	}
	u.row = operator.NoRow
	return l, nil
}

// subscription returns what all subscriptions of row i have.
func (u *subscribe[K, V, F]) subscription(c *operator.Changes[K, V], i int32) (s Subscription[K], err error) {
	s = Subscription[K]{Key: c.Keys[i], From: u.partition}
	u.row = i
	if known := c.KeyBytes.From(u.keyID); known != nil {
		s.KeyBytes = known[i]
	} else if s.KeyBytes, err = operator.Encode(&u.env.Arena, u.Key, c.Keys[i]); err != nil {
		return s, operator.Uncodable(c.Origins[i], u.node, "the key cannot be encoded", err)
	}
	if !operator.IsSet(c.NewAbsent, i) {
		var value []byte
		if known := c.NewBytes.From(u.valueID); known != nil {
			value = known[i]
		} else if value, err = operator.Encode(&u.env.Arena, u.Value, c.New[i]); err != nil {
			return s, operator.Uncodable(c.Origins[i], u.node, "the value cannot be encoded", err)
		}
		s.Hash = hashOf(value)
	}
	u.row = operator.NoRow
	return s, nil
}

// A change is what happens to a left row.
type change[K, F any] struct {
	was, is link[F]
	deleted bool
	s       Subscription[K]
}

// instruct sends the subscriptions that follow from a change. A row that only exchanges one foreign key for another leaves the old one
// without an answer, since the answer for the new one comes in any case.
func (u *subscribe[K, V, F]) instruct(c change[K, F], r *operator.Rows, i int32) error {
	moved := c.was.bytes != nil && !bytes.Equal(c.was.bytes, c.is.bytes)
	switch {
	case u.LeftJoin:
		if moved {
			if err := u.send(c.was, Leave, &c.s, r, i); err != nil {
				return err
			}
		}
		return u.send(c.is, Ask, &c.s, r, i)
	case c.is.bytes == nil:
		if !c.deleted {
			u.env.Drops.Add(operator.DropNullForeignKey)
		}
		if c.was.bytes != nil {
			return u.retract(c, r, i)
		}
		return nil
	case moved:
		if err := u.send(c.was, Leave, &c.s, r, i); err != nil {
			return err
		}
		return u.send(c.is, Ask, &c.s, r, i)
	}
	if u.env.Caches.Consistent {
		return u.send(c.is, Ask, &c.s, r, i) // an answer from the right row's own update may have been for the value before
	}
	return u.send(c.is, AskIfThere, &c.s, r, i)
}

// retract takes back the subscription of a row that has no foreign key any more.
func (u *subscribe[K, V, F]) retract(c change[K, F], r *operator.Rows, i int32) error {
	if u.pending != nil {
		if _, err := u.pending.Set(c.s.KeyBytes, pendingRow, r.Timestamps[i], r, i); err != nil {
			return err
		}
	}
	return u.send(c.was, Retract, &c.s, r, i)
}

func (u *subscribe[K, V, F]) send(to link[F], what Instruction, s *Subscription[K], r *operator.Rows, i int32) error {
	next := *s
	next.Instruction = what
	if to.bytes == nil {
		next.Nowhere = true
		return u.out.AddUnkeyed(next, r.Timestamps[i], r, i)
	}
	return u.out.Add(to.key, next, r.Timestamps[i], r, i)
}

// Place sends subscriptions to the partition of their foreign key, and those without one somewhere.
func Place[K any](foreignKey []byte, s Subscription[K], partitions int32) int32 {
	if foreignKey == nil {
		return s.From % partitions
	}
	return operator.Partition(foreignKey, partitions)
}

// PlaceResponse sends responses where the subscriptions came from. The repartition has as many partitions as the left table.
func PlaceResponse[W any](_ []byte, r Response[W], partitions int32) int32 { return r.To % partitions }
