package join

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A Joiner computes the result for the values of two sides. A side that is missing has the zero value.
type Joiner[K, V, W, R any] func(k K, v V, w W, has Sides) (R, error)

// Sides says which sides of a join have a value.
type Sides struct{ Left, Right bool }

// Tables joins the rows of two tables that have the same key. An update of either side is an update of the result, computed from the
// other side's row as it is at that moment, with the later of both times. Both tables must be readable and know old values; old
// values of the result are computed from those, and so are its rows when somebody reads it (it needs no store for that).
//
// As in Kafka Streams, an update whose other side is missing is no update of an inner join, while a delete goes on where the
// other side is there, also when there was nothing to delete. Updates of a versioned table that are not the newest are dropped and
// counted.
type Tables[K, V, W, R any] struct {
	Join                  Joiner[K, V, W, R]
	LeftOuter, RightOuter bool // a row of the left, or right, table stands in the result also alone
	LeftKey, RightKey     serde.Serde[K]

	Store string         // empty: the result is not kept
	Value serde.Serde[R] // needed with Store only
}

// Instance implements operator.Spec.
func (c *Tables[K, V, W, R]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, R](s)
	if err != nil {
		return nil, err
	}
	j := &tableJoin[K, R]{node: s.Node, env: s.Env, out: o, null: operator.NullTest[R](), row: operator.NoRow, cached: s.Cached}
	left := &tableSide[K, V, W, R]{tableJoin: j, key: c.RightKey, keyID: operator.Identify(c.RightKey), outer: c.LeftOuter, otherOuter: c.RightOuter}
	left.join = func(k K, v V, w W, has Sides) (R, error) { return c.Join(k, v, w, has) }
	right := &tableSide[K, W, V, R]{tableJoin: j, key: c.LeftKey, keyID: operator.Identify(c.LeftKey), outer: c.RightOuter, otherOuter: c.LeftOuter}
	left.alike, right.alike = operator.Same(c.LeftKey, c.RightKey), true
	right.join = func(k K, w W, v V, has Sides) (R, error) {
		return c.Join(k, v, w, Sides{Left: has.Right, Right: has.Left})
	}
	operator.ReaderOf(s, s.Inputs[1], &left.other)
	operator.ReaderOf(s, s.Inputs[0], &right.other)
	computed := &tablesReader[K, V, W, R]{Tables: c, join: j, same: operator.Same(c.LeftKey, c.RightKey), left: &right.other, right: &left.other}
	if c.Store != "" {
		j.rows = operator.NewState(s, store.Options[K, R]{Name: c.Store, Partition: s.Partition, Key: c.LeftKey, Value: c.Value})
		s.Provide(j.rows)
	} else {
		s.Provide(computed)
	}
	if o.Finally(s, j.settle) {
		j.cut = &tableCut[K, R]{rows: computed, key: c.LeftKey, keyID: operator.Identify(c.LeftKey)}
	}
	return operator.Slots{operator.ChangesRowByRow(s, left), operator.ChangesRowByRow(s, right)}, nil
}

// A tableJoin is what both sides of a join share.
type tableJoin[K, R any] struct {
	node string
	env  *operator.Env
	out  *operator.ChangesOut[K, R]
	null func(R) bool
	rows *operator.State[K, R] // nil: not kept
	row  int32                 // a user's function or serde works on, for Catch

	cut    *tableCut[K, R] // nil: not in consistent mode
	cached bool            // see operator.Caches
	sel    []int32
	keys   [][]byte // of the rows that sel names, as the other table encodes them
	view   operator.Changes[K, R]
}

// Rest implements Rester.
func (j *tableJoin[K, R]) Rest() { j.sel, j.keys, j.view = nil, nil, operator.Changes[K, R]{} }

// isNull tells whether a result is none.
func (j *tableJoin[K, R]) isNull(r R) bool { return j.null != nil && j.null(r) }

// begin prepares the view for updates with the keys and origins of c's.
func beginTable[K, V, R any](j *tableJoin[K, R], c *operator.Changes[K, V]) *operator.Changes[K, R] {
	if j.rows != nil {
		return j.rows.Changes(&j.view, &c.Rows, c.Keys)
	}
	v, n := &j.view, len(c.Keys)
	*v = operator.Changes[K, R]{
		Rows: operator.Rows{Timestamps: operator.Sized(v.Timestamps, n), Headers: c.Headers, Origins: c.Origins},
		Keys: c.Keys, New: operator.Sized(v.New, n), NewAbsent: operator.Sized(v.NewAbsent, n),
		HasOld: true, Old: operator.Sized(v.Old, n), OldAbsent: operator.Sized(v.OldAbsent, n), KeyBytes: c.KeyBytes,
	}
	return v
}

// A tableSide takes the updates of one of the tables: V is its type, W that of the other one.
type tableSide[K, V, W, R any] struct {
	*tableJoin[K, R]
	other             operator.Reader[K, W]
	key               serde.Serde[K] // the other table's
	keyID             serde.Serde[K]
	alike             bool               // the result's keys have the same bytes
	join              Joiner[K, V, W, R] // Left means this side
	outer, otherOuter bool
}

func (t *tableSide[K, V, W, R]) ReceiveChanges(c *operator.Changes[K, V]) (err error) {
	t.row = operator.NoRow
	defer operator.Catch(&err, &t.row, &c.Rows, t.node)
	if t.cut != nil {
		return touch(t.tableJoin, c)
	}
	v := beginTable(t.tableJoin, c)
	if err := t.choose(c); err != nil {
		return err
	}
	operator.Foresee(t.other, t.keys)
	if t.rows != nil && t.alike {
		t.rows.Foresee(t.keys)
	}
	updates := t.sel[:0]
	for n, i := range t.sel {
		t.row = i
		update, err := t.update(c, v, t.keys[n], i)
		if err != nil {
			return operator.Rejected(&c.Rows, i, t.node, err)
		}
		if !update {
			continue
		}
		if err := t.put(c.KeyBytes, v, i); err != nil {
			return err
		}
		updates = append(updates, i)
	}
	t.row = operator.NoRow
	clear(t.keys) // they live in the unit's memory
	v.Sel = updates
	return t.out.Emit(v)
}

// choose sets sel to the rows that are not dropped, and keys to their keys.
func (t *tableSide[K, V, W, R]) choose(c *operator.Changes[K, V]) error {
	known := c.KeyBytes.From(t.keyID)
	t.sel, t.keys = t.sel[:0], t.keys[:0]
	for _, i := range c.Sel {
		if operator.IsSet(c.Superseded, i) {
			t.env.Drops.Add(operator.DropSuperseded)
			continue
		}
		t.row = i
		key, err := t.keyOf(c, known, i)
		if err != nil {
			return err
		}
		t.sel, t.keys = append(t.sel, i), append(t.keys, key)
	}
	return nil
}

// keyOf returns the key of row i as the other table encodes it.
func (t *tableSide[K, V, W, R]) keyOf(c *operator.Changes[K, V], known [][]byte, i int32) ([]byte, error) {
	if known != nil {
		return known[i], nil
	}
	key, err := operator.Encode(&t.env.Arena, t.key, c.Keys[i])
	if err != nil {
		return nil, operator.Uncodable(c.Origins[i], t.node, "the key cannot be encoded", err)
	}
	return key, nil
}

// update computes what row i of c means for the result: nothing, if ok is false.
func (t *tableSide[K, V, W, R]) update(c *operator.Changes[K, V], v *operator.Changes[K, R], key []byte, i int32) (ok bool, err error) {
	w, ts, has, err := t.other.Read(c.Keys[i], key)
	if err != nil {
		return false, err
	}
	is := !operator.IsSet(c.NewAbsent, i)
	was := c.HasOld && !operator.IsSet(c.OldAbsent, i)
	if !has && (!t.outer || !is && !was) {
		return false, nil
	}
	v.Timestamps[i] = c.Timestamps[i]
	if has {
		v.Timestamps[i] = max(ts, c.Timestamps[i])
	}
	if v.New[i], v.NewAbsent[i], err = t.result(c.Keys[i], c.New[i], w, Sides{is, has}); err != nil {
		return false, err
	}
	var old V
	if was {
		old = c.Old[i]
	}
	v.Old[i], v.OldAbsent[i], err = t.result(c.Keys[i], old, w, Sides{was, has})
	return true, err
}

// result is the row of the result for the two rows of a key, if there is one.
func (t *tableSide[K, V, W, R]) result(k K, v V, w W, has Sides) (r R, absent bool, err error) {
	if !(has.Left && has.Right || has.Left && t.outer || has.Right && t.otherOuter) {
		return r, true, nil
	}
	if !has.Left {
		var none V
		v = none
	}
	r, err = t.join(k, v, w, has)
	return r, t.isNull(r), err
}

// put stores row i where the result is kept.
func (j *tableJoin[K, R]) put(keys operator.Encoded[K], v *operator.Changes[K, R], i int32) error {
	if j.rows == nil {
		return nil
	}
	key, err := j.rows.KeyOf(v.Keys, keys.From(j.rows.KeyID), v.Origins, i)
	if err != nil {
		return err
	}
	v.KeyBytes.Bytes[i] = key
	old, oldTime, had := j.rows.Table.Get(key)
	if j.cached { // an update says what the store had
		v.Old[i], v.OldAbsent[i] = old, !had
	}
	return j.rows.Put(v, operator.PutRow[K, R]{Key: key, Next: v.New[i], Null: v.NewAbsent[i], Old: old, OldTime: oldTime, Had: had}, i)
}

// A tablesReader computes rows of a join that is not kept.
type tablesReader[K, V, W, R any] struct {
	*Tables[K, V, W, R]
	join  *tableJoin[K, R]
	same  bool // the tables' keys have the same bytes
	left  *operator.Reader[K, V]
	right *operator.Reader[K, W]
}

// Read implements operator.Reader.
func (t *tablesReader[K, V, W, R]) Read(key K, encoded []byte) (r R, ts record.Timestamp, ok bool, err error) {
	v, leftTime, hasLeft, err := (*t.left).Read(key, encoded)
	if err != nil || !hasLeft && !t.RightOuter {
		return r, record.NoTimestamp, false, err
	}
	if !t.same {
		if encoded, err = operator.Encode(&t.join.env.Arena, t.RightKey, key); err != nil {
			return r, record.NoTimestamp, false, err
		}
	}
	w, rightTime, hasRight, err := (*t.right).Read(key, encoded)
	if err != nil || !hasRight && !(hasLeft && t.LeftOuter) {
		return r, record.NoTimestamp, false, err
	}
	ts = record.NoTimestamp
	if hasLeft {
		ts = leftTime
	}
	if hasRight {
		ts = max(ts, rightTime)
	}
	r, err = t.Join(key, v, w, Sides{hasLeft, hasRight})
	return r, ts, err == nil && !t.join.isNull(r), err
}
