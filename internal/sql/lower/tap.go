package lower

import (
	"fmt"
	"hash/maphash"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A Record is what a row-by-row query sees of a record. The key of a windowed source has the bounds of its window behind the columns.
type Record struct {
	Key, Value row.Row
	Time       record.Timestamp
	Partition  int32
	Offset     record.Offset
	Headers    []record.Header
}

// A Picker computes the rows of a row-by-row query (plan.Select), record by record. It belongs to one goroutine.
type Picker struct {
	source  *plan.Source
	tests   []func(row.Row) bool
	project func(row.Row) row.Row
	key     []int
	out     row.Builder
}

// NewPicker returns the picker of a query that is RowByRow.
func NewPicker(q *plan.Select, env Env) (*Picker, error) {
	return newBuilder(env).picker(q)
}

func (b *builder) picker(q *plan.Select) (*Picker, error) {
	if !q.RowByRow {
		return nil, fmt.Errorf("query %s: its rows depend on others", b.env.Name)
	}
	sink := q.Root.(*plan.Sink)
	p := &Picker{key: q.Key, project: b.project(sink.Exprs, "SELECT")}
	for n := sink.Inputs()[0]; ; n = n.Inputs()[0] {
		switch n := n.(type) {
		case *plan.Filter:
			p.tests = append(p.tests, b.test(n.Test, n.What))
		case *plan.Source:
			p.source = n
			return p, nil
		}
	}
}

// Row computes the row of a record that has a value; false: there is none, since the condition is not true.
func (p *Picker) Row(r Record) (row.Row, bool) {
	p.out.Reset()
	for _, read := range p.source.Reads {
		switch read.Part {
		case plan.RowTime:
			p.out.Add(row.NewBigint(int64(r.Time)))
		case plan.RowPartition:
			p.out.Add(row.NewInt(r.Partition))
		case plan.RowOffset:
			p.out.Add(row.NewBigint(int64(r.Offset)))
		case plan.FromHeaders:
			p.out.Add(headers(p.source.Of.Headers[read.Index], r.Headers))
		default:
			runOf(p.source.Of, read).addTo(&p.out, r.Key, r.Value)
		}
	}
	columns := p.out.Row()
	for _, test := range p.tests {
		if !test(columns) {
			return "", false
		}
	}
	return p.project(columns), true
}

// Gone is the row of a key whose row went away: what of the result stands in the key, and nulls.
func Gone(key []int, k row.Row) row.Row {
	var out row.Builder
	for _, part := range key {
		if part < 0 || k.IsNull() {
			out.AddNull()
		} else {
			out.AddFrom(k, part)
		}
	}
	return out.Row()
}

// A Tap computes the rows of a row-by-row query from the records of its source's topic. It belongs to one goroutine.
//
// Of a table a row that went away, or that the condition does not let through any more, is told once, if its key was shown before. Beyond
// shownKeys keys it does not remember which were: then each such row is told.
type Tap struct {
	*Picker
	keys   serde.Serde[row.Row]
	values serde.Serde[row.Row]
	time   func(stream.Incoming[row.Row, row.Row]) (record.Timestamp, error) // nil: the record's own
	failed func(step string, err error)
	seed   maphash.Seed
	shown  map[uint64]struct{} // keys; nil: all are told
}

// shownKeys bounds what a Tap remembers: about 2 MiB.
const shownKeys = 1 << 16

// NewTap returns the tap of a query that is RowByRow.
func NewTap(q *plan.Select, env Env) (*Tap, error) {
	b := newBuilder(env)
	p, err := b.picker(q)
	if err != nil {
		return nil, err
	}
	of := p.source.Of
	t := &Tap{Picker: p, failed: b.env.Failed, seed: maphash.MakeSeed()}
	if of.Table && len(p.tests) > 0 {
		t.shown = map[uint64]struct{}{}
	}
	side := format.Side{Spec: of.KeyFormat.Spec, Schema: of.Key, Unwrapped: of.KeyFormat.Unwrapped, Topic: of.Topic, Reads: true}
	if t.keys, err = b.keys(side, of.Window); err != nil {
		return nil, err
	}
	t.values, err = format.New(format.Side{
		Spec: of.ValueFormat.Spec, Schema: of.Value, Unwrapped: of.ValueFormat.Unwrapped, Topic: of.Topic, Reads: true, Schemas: env.Schemas,
	})
	if err == nil && of.Time.Column != "" {
		t.time, err = b.timesOf(of)
	}
	return t, err
}

// Row computes the row of a record of a chunk. ok is false if there is none; a record that cannot be decoded has none, and is told to
// Env.Failed. gone tells that the row of its key went away.
func (t *Tap) Row(c *client.Chunk, i int) (values row.Row, gone, ok bool) {
	r, err := t.decode(c, i)
	if err != nil {
		t.failed("SELECT", fmt.Errorf("record %s at offset %d is left out: %w", c.TopicPartition, c.Offsets[i], err))
		return "", false, false
	}
	table := t.source.Of.Table
	switch {
	case r.Time < 0, table && r.Key.IsNull(), !table && r.Value.IsNull():
		return "", false, false
	}
	if !r.Value.IsNull() {
		if values, ok = t.Picker.Row(r); ok {
			t.show(c.Keys[i])
			return values, false, true
		}
	}
	if !table || !t.hide(c.Keys[i]) {
		return "", false, false
	}
	return Gone(t.key, r.Key), true, true
}

func (t *Tap) decode(c *client.Chunk, i int) (r Record, err error) {
	r = Record{Time: c.Timestamps[i], Partition: c.Partition, Offset: c.Offsets[i]}
	if c.Headers != nil {
		r.Headers = c.Headers[i]
	}
	if r.Key, err = t.keys.Decode(c.Keys[i]); err != nil {
		return r, fmt.Errorf("key: %w", err)
	}
	if c.Values[i] != nil {
		if r.Value, err = t.values.Decode(c.Values[i]); err != nil {
			return r, fmt.Errorf("value: %w", err)
		}
	}
	if t.time != nil && !r.Value.IsNull() {
		r.Time, err = t.time(stream.Incoming[row.Row, row.Row]{Key: r.Key, Value: r.Value, Timestamp: r.Time})
	}
	return r, err
}

// show notes that the client has a row of a key.
func (t *Tap) show(key []byte) {
	if t.shown == nil {
		return
	}
	if t.shown[maphash.Bytes(t.seed, key)] = struct{}{}; len(t.shown) > shownKeys {
		t.shown = nil
	}
}

// hide tells whether the client may have a row of a key, which now goes away.
func (t *Tap) hide(key []byte) bool {
	if t.shown == nil {
		return true
	}
	h := maphash.Bytes(t.seed, key)
	_, had := t.shown[h]
	delete(t.shown, h)
	return had
}
