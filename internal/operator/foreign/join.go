package foreign

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Join keeps the subscriptions and answers them from the right table. Its inputs are the subscriptions and the right table, which can
// be read.
type Join[K, F, W any] struct {
	Store   string
	Key     serde.Serde[K] // of the left table
	Foreign serde.Serde[F]
}

type join[K, F, W any] struct {
	Join[K, F, W]
	node        string
	env         *operator.Env
	foreignID   serde.Serde[F]
	right       operator.Reader[F, W]
	subscribers *operator.State[[]byte, subscriber]
	out         *operator.Gathered[K, Response[W]]
	row         int32  // a user's function or serde works on, for Catch
	key, end    []byte // of subscriptions, for one row
}

// Instance implements operator.Spec.
func (j Join[K, F, W]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewGathered[K, Response[W]](s)
	if err != nil {
		return nil, err
	}
	t := &join[K, F, W]{Join: j, node: s.Node, env: s.Env, foreignID: operator.Identify(j.Foreign), out: o}
	t.subscribers = operator.NewState(s, store.Options[[]byte, subscriber]{
		Name: j.Store, Partition: s.Partition, Key: serde.Bytes, Value: subscriberSerde{}, Ordered: true,
	})
	operator.ReaderOf(s, s.Inputs[1], &t.right)
	return operator.Slots{t, (*rightSide[K, F, W])(t)}, nil
}

// Receive takes subscriptions.
func (j *join[K, F, W]) Receive(b *operator.Batch[F, Subscription[K]]) (err error) {
	j.row = operator.NoRow
	defer operator.Catch(&err, &j.row, &b.Rows, j.node)
	known := b.KeyBytes.From(j.foreignID)
	for _, i := range b.Sel {
		s := &b.Values[i]
		if s.Nowhere {
			if err := j.answer(response[W]{at: b.Timestamps[i]}, b, i); err != nil {
				return err
			}
			continue
		}
		var foreignKey []byte
		if known != nil {
			foreignKey = known[i]
		} else if foreignKey, err = j.encode(b.Keys[i], &b.Rows, i); err != nil {
			return err
		}
		if err := j.subscribe(foreignKey, s, b, i); err != nil {
			return err
		}
	}
	return j.out.Flush()
}

func (j *join[K, F, W]) encode(foreignKey F, r *operator.Rows, i int32) ([]byte, error) {
	j.row = i
	b, err := operator.Encode(&j.env.Arena, j.Foreign, foreignKey)
	if err != nil {
		return nil, operator.Uncodable(r.Origins[i], j.node, "the foreign key cannot be encoded", err)
	}
	j.row = operator.NoRow
	return b, nil
}

// subscribe does what subscription i says.
func (j *join[K, F, W]) subscribe(foreignKey []byte, s *Subscription[K], b *operator.Batch[F, Subscription[K]], i int32) error {
	j.key = append(prefixOf(j.key[:0], foreignKey), s.KeyBytes...)
	key, err := operator.Encode(&j.env.Arena, serde.Bytes, j.key)
	if err != nil {
		return err
	}
	switch s.Instruction {
	case Leave:
		j.subscribers.Remove(key)
		return nil
	case Retract:
		j.subscribers.Remove(key)
	case Ask, AskIfThere:
		next := subscriber{High: s.Hash.High, Low: s.Hash.Low, From: s.From}
		if _, err := j.subscribers.Set(key, next, b.Timestamps[i], &b.Rows, i); err != nil {
			return err
		}
	}
	j.row = i
	w, ts, ok, err := j.right.Read(b.Keys[i], foreignKey)
	if err != nil {
		return operator.Rejected(&b.Rows, i, j.node, err)
	}
	j.row = operator.NoRow
	if !ok && s.Instruction == AskIfThere {
		return nil
	}
	r := response[W]{at: b.Timestamps[i], foreign: j.foreignHash(foreignKey)}
	if ok {
		r.at = max(r.at, ts)
		r.value, r.present = w, s.Instruction != Retract
	}
	return j.answer(r, b, i)
}

// A response is the right row for a subscription, or none, and the time of the result.
type response[W any] struct {
	value   W
	present bool
	at      record.Timestamp
	foreign Hash
}

// foreignHash returns what responses say about their foreign key: nothing where none is overtaken.
func (j *join[K, F, W]) foreignHash(foreignKey []byte) Hash {
	if !j.env.OverTopics {
		return Hash{}
	}
	return hashOf(foreignKey)
}

// answer answers subscription i.
func (j *join[K, F, W]) answer(r response[W], b *operator.Batch[F, Subscription[K]], i int32) error {
	s := &b.Values[i]
	made := Response[W]{Value: r.value, Present: r.present, Hash: s.Hash, To: s.From, Foreign: r.foreign, Retraction: s.Instruction == Retract && !s.Nowhere}
	return j.out.Add(s.Key, made, r.at, &b.Rows, i)
}

// rightSide is a join as the right table's child.
type rightSide[K, F, W any] join[K, F, W]

// ReceiveChanges answers all who read the rows that change. Updates of a versioned table that are not the newest are dropped and counted.
func (t *rightSide[K, F, W]) ReceiveChanges(c *operator.Changes[F, W]) (err error) {
	j := (*join[K, F, W])(t)
	j.row = operator.NoRow
	defer operator.Catch(&err, &j.row, &c.Rows, j.node)
	known := c.KeyBytes.From(j.foreignID)
	for _, i := range c.Sel {
		if operator.IsSet(c.Superseded, i) {
			j.env.Drops.Add(operator.DropSuperseded)
			continue
		}
		var foreignKey []byte
		if known != nil {
			foreignKey = known[i]
		} else if foreignKey, err = j.encode(c.Keys[i], &c.Rows, i); err != nil {
			return err
		}
		if err := j.announce(foreignKey, c, i); err != nil {
			return err
		}
	}
	return j.out.Flush()
}

// announce answers all who read row i.
func (j *join[K, F, W]) announce(foreignKey []byte, c *operator.Changes[F, W], i int32) (err error) {
	j.key = prefixOf(j.key[:0], foreignKey)
	j.end = behind(j.end[:0], j.key)
	r := Response[W]{Present: !operator.IsSet(c.NewAbsent, i), Foreign: j.foreignHash(foreignKey)}
	if r.Present {
		r.Value = c.New[i]
	}
	skip := len(j.key)
	j.row = i
	j.subscribers.Table.Range(j.key, j.end, func(key []byte, s subscriber, _ record.Timestamp) bool {
		var k K
		if k, err = j.Key.Decode(key[skip:]); err != nil {
			err = operator.Uncodable(c.Origins[i], j.node, "the key of a subscription cannot be decoded", err)
			return false
		}
		r.Hash, r.To = Hash{High: s.High, Low: s.Low, Some: true}, s.From
		err = j.out.Add(k, r, c.Timestamps[i], &c.Rows, i)
		return err == nil
	})
	j.row = operator.NoRow
	return err
}
