package operator

import "github.com/mainstemio/mainstem/record"

// FlatMap computes any number of rows from each row.
type FlatMap[K, V, L, W any] struct {
	Func func(k K, v V, emit func(L, W)) error
}

// FlatMapValues computes any number of rows with the same key from each row.
type FlatMapValues[K, V, W any] struct {
	Func func(k K, v V, emit func(W)) error
}

// rowGatherer collects what rows made by a flat function inherit from the row they come from.
type rowGatherer struct {
	timestamps []record.Timestamp
	headers    [][]record.Header
	origins    []Origin
}

func (g *rowGatherer) reset() {
	clear(g.headers)
	g.timestamps, g.headers, g.origins = g.timestamps[:0], g.headers[:0], g.origins[:0]
}

func (g *rowGatherer) add(from *Rows, i int32) {
	g.timestamps = append(g.timestamps, from.Timestamps[i])
	g.origins = append(g.origins, from.Origins[i])
	if from.Headers != nil {
		g.headers = append(g.headers, from.Headers[i])
	}
}

// rows returns the gathered rows from up to to, at most MaxRows.
func (g *rowGatherer) rows(from, to int) Rows {
	r := Rows{Sel: FirstRows(to - from), Timestamps: g.timestamps[from:to], Origins: g.origins[from:to]}
	if len(g.headers) > 0 {
		r.Headers = g.headers[from:to]
	}
	return r
}

type flatMap[K, V, L, W any] struct {
	FlatMap[K, V, L, W]
	node string
	out  *Out[L, W]

	keys   []L
	values []W
	made   rowGatherer
	view   Batch[L, W]
}

// Instance implements Spec.
func (m FlatMap[K, V, L, W]) Instance(s *Site) (any, error) {
	o, err := NewOut[L, W](s)
	return &flatMap[K, V, L, W]{FlatMap: m, node: s.Node, out: o}, err
}

func (m *flatMap[K, V, L, W]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, m.node)
	m.reset()
	emit := func(k L, v W) {
		m.keys, m.values = append(m.keys, k), append(m.values, v)
		m.made.add(&b.Rows, row)
	}
	for _, i := range b.Sel {
		if IsSet(b.ValueNulls, i) {
			return NullValue(&b.Rows, i, m.node)
		}
		row = i
		if err := m.Func(b.Keys[i], b.Values[i], emit); err != nil {
			return Rejected(&b.Rows, i, m.node, err)
		}
		row = NoRow
		if len(m.keys) >= MaxRows {
			if err := m.flush(); err != nil {
				return err
			}
		}
	}
	return m.flush()
}

func (m *flatMap[K, V, L, W]) reset() {
	clear(m.keys)
	clear(m.values)
	m.keys, m.values = m.keys[:0], m.values[:0]
	m.made.reset()
}

// flush hands on what was made so far.
func (m *flatMap[K, V, L, W]) flush() error {
	for from := 0; from < len(m.keys); from += MaxRows {
		to := min(from+MaxRows, len(m.keys))
		m.view = Batch[L, W]{Rows: m.made.rows(from, to), Keys: m.keys[from:to], Values: m.values[from:to]}
		if err := m.out.Emit(&m.view); err != nil {
			return err
		}
	}
	m.reset()
	return nil
}

type flatMapValues[K, V, W any] struct {
	FlatMapValues[K, V, W]
	node string
	out  *Out[K, W]

	keys   []K
	nulls  []bool // beside keys where the input has such a column
	values []W
	made   rowGatherer
	view   Batch[K, W]
}

// Instance implements Spec.
func (m FlatMapValues[K, V, W]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, W](s)
	return &flatMapValues[K, V, W]{FlatMapValues: m, node: s.Node, out: o}, err
}

func (m *flatMapValues[K, V, W]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, m.node)
	m.reset()
	emit := func(v W) {
		m.keys, m.values = append(m.keys, b.Keys[row]), append(m.values, v)
		if b.KeyNulls != nil {
			m.nulls = append(m.nulls, b.KeyNulls[row])
		}
		m.made.add(&b.Rows, row)
	}
	for _, i := range b.Sel {
		if IsSet(b.ValueNulls, i) {
			return NullValue(&b.Rows, i, m.node)
		}
		row = i
		if err := m.Func(b.Keys[i], b.Values[i], emit); err != nil {
			return Rejected(&b.Rows, i, m.node, err)
		}
		row = NoRow
		if len(m.keys) >= MaxRows {
			if err := m.flush(); err != nil {
				return err
			}
		}
	}
	return m.flush()
}

func (m *flatMapValues[K, V, W]) reset() {
	clear(m.keys)
	clear(m.values)
	m.keys, m.nulls, m.values = m.keys[:0], m.nulls[:0], m.values[:0]
	m.made.reset()
}

// flush hands on what was made so far.
func (m *flatMapValues[K, V, W]) flush() error {
	for from := 0; from < len(m.keys); from += MaxRows {
		to := min(from+MaxRows, len(m.keys))
		m.view = Batch[K, W]{Rows: m.made.rows(from, to), Keys: m.keys[from:to], Values: m.values[from:to]}
		if len(m.nulls) > 0 {
			m.view.KeyNulls = m.nulls[from:to]
		}
		if err := m.out.Emit(&m.view); err != nil {
			return err
		}
	}
	m.reset()
	return nil
}
