package join

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/serde"
)

// A tableCut is what a join of tables needs in consistent mode. Updates of the two sides come one after the other, though they may follow
// from one record, and what the join would make of the first ones stands in no cut. So they only say which rows to look at; settle
// computes these when both sides are final.
type tableCut[K, R any] struct {
	rows  operator.Reader[K, R] // computes rows from both sides
	key   serde.Serde[K]        // of the result: the left table's
	keyID serde.Serde[K]
	bytes [][]byte
}

// touch gives the join's cache the keys that change, with the rows that they had when the epoch began.
func touch[K, R, V any](j *tableJoin[K, R], c *operator.Changes[K, V]) error {
	v, n := &j.view, len(c.Keys)
	*v = operator.Changes[K, R]{
		Rows: operator.Rows{Timestamps: c.Timestamps, Headers: c.Headers, Origins: c.Origins},
		Keys: c.Keys, New: operator.Sized(v.New, n), NewAbsent: operator.Sized(v.NewAbsent, n),
		HasOld: true, Old: operator.Sized(v.Old, n), OldAbsent: operator.Sized(v.OldAbsent, n),
		KeyBytes: operator.Encoded[K]{Bytes: operator.Sized(j.cut.bytes, n), By: j.cut.keyID},
	}
	j.cut.bytes = v.KeyBytes.Bytes
	known := c.KeyBytes.From(j.cut.keyID)
	j.sel = j.sel[:0]
	err := j.env.Caches.Before(func() error {
		for _, i := range c.Sel {
			if operator.IsSet(c.Superseded, i) {
				j.env.Drops.Add(operator.DropSuperseded)
				continue
			}
			j.row = i
			if err := j.was(v, known, i); err != nil {
				return operator.Rejected(&c.Rows, i, j.node, err)
			}
			j.sel = append(j.sel, i)
		}
		return nil
	})
	if err != nil {
		return err
	}
	j.row = operator.NoRow
	v.Sel = j.sel
	return j.out.Emit(v)
}

// was enters the key of row i and the row that it had.
func (j *tableJoin[K, R]) was(v *operator.Changes[K, R], known [][]byte, i int32) error {
	var key []byte
	if known != nil {
		key = known[i]
	} else {
		var err error
		if key, err = operator.Encode(&j.env.Arena, j.cut.key, v.Keys[i]); err != nil {
			return operator.Uncodable(v.Origins[i], j.node, "the key cannot be encoded", err)
		}
	}
	old, _, had, err := j.cut.rows.Read(v.Keys[i], key)
	v.KeyBytes.Bytes[i], v.Old[i], v.OldAbsent[i], v.NewAbsent[i] = key, old, !had, true
	return err
}

// settle computes what the row of a key is at the cut, and stores it where the result is kept. A deleted row has the time of the update
// that deleted it.
func (j *tableJoin[K, R]) settle(ch *operator.Change[K, R], r *operator.Rows) (err error) {
	j.row = 0
	defer operator.Catch(&err, &j.row, r, j.node)
	next, ts, ok, err := j.cut.rows.Read(ch.Key, ch.KeyBytes)
	if err != nil {
		return operator.Rejected(r, 0, j.node, err)
	}
	j.row = operator.NoRow
	ch.New, ch.NewAbsent = next, !ok
	if ok {
		ch.Timestamp = max(ch.Timestamp, ts)
	}
	if j.rows == nil {
		return nil
	}
	old, oldTime, had := j.rows.Table.Get(ch.KeyBytes)
	put := operator.PutRow[K, R]{Key: ch.KeyBytes, Next: next, Null: !ok, Old: old, OldTime: oldTime, Had: had}
	encoded, err := j.rows.Replace(put, ch.Timestamp, r, 0)
	ch.NewAbsent = encoded == nil
	return err
}
