package lower

import (
	"sync"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/row"
)

// rowBuilders are used again and again: a row then costs one allocation, that of its bytes.
var rowBuilders = sync.Pool{New: func() any { return new(row.Builder) }}

// A computation is an expression that a step computes for many rows; what fails is null, and told to Env.Failed.
type computation struct {
	x        *expr.Expr
	column   int // of the row, where the expression is nothing else; otherwise -1
	constant *row.Value
	report   func(error)
}

func (b *builder) computation(x *expr.Expr, step string) computation {
	failed := b.env.Failed
	c := computation{x: x, column: -1, report: func(err error) { failed(step, err) }}
	if place, plain := x.Column(); plain {
		c.column = place
	}
	if v, same := x.Constant(); same {
		c.constant = &v
	}
	return c
}

func (b *builder) computations(exprs []*expr.Expr, step string) []computation {
	out := make([]computation, len(exprs))
	for i, x := range exprs {
		out[i] = b.computation(x, step)
	}
	return out
}

func (c *computation) value(r row.Row) row.Value {
	switch {
	case c.column >= 0:
		return r.At(c.column)
	case c.constant != nil:
		return *c.constant
	}
	v, err := c.x.EvalReport(r, c.report)
	if err != nil {
		c.report(err)
		return row.Null
	}
	return v
}

// elements is value for an expression that chooses elements.
func (c *computation) elements(r row.Row) row.Elements {
	e, err := c.x.EvalElements(r, c.report)
	if err != nil {
		c.report(err)
		return row.Elements{}
	}
	return e
}

func (c *computation) addTo(out *row.Builder, r row.Row) {
	if c.column >= 0 {
		out.AddFrom(r, c.column)
		return
	}
	out.Add(c.value(r))
}

// project computes a row.
func (b *builder) project(exprs []*expr.Expr, step string) func(row.Row) row.Row {
	columns := b.computations(exprs, step)
	return func(r row.Row) row.Row {
		if r.IsNull() {
			return ""
		}
		out := rowBuilders.Get().(*row.Builder)
		defer rowBuilders.Put(out)
		out.Reset()
		for i := range columns {
			columns[i].addTo(out, r)
		}
		return out.Row()
	}
}

// A columnCodec writes the columns that are computed from a row. It reads what it writes.
type columnCodec struct {
	format.ColumnWriter
	columns []computation
}

// Append implements serde.Serde.
func (c *columnCodec) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	for i := range c.columns {
		if column := &c.columns[i]; column.x.ChoosesElements() {
			dst = c.AppendElements(dst, i, column.elements(r))
		} else {
			dst = c.AppendColumn(dst, i, column.value(r))
		}
	}
	return dst, nil
}

// test is a condition.
func (b *builder) test(x *expr.Expr, step string) func(row.Row) bool {
	c := b.computation(x, step)
	return func(r row.Row) bool { return !r.IsNull() && c.value(r).Boolean() }
}

// key computes a key; a single null is the null key. A nil expression is null.
func (b *builder) key(exprs []*expr.Expr, step string) func(row.Row) row.Row {
	parts := make([]*computation, len(exprs))
	for i, x := range exprs {
		if x != nil {
			c := b.computation(x, step)
			parts[i] = &c
		}
	}
	return func(r row.Row) row.Row {
		if len(parts) == 0 {
			return ""
		}
		var room [fewCalls]row.Value
		out := room[:0]
		for _, c := range parts {
			v := row.Null
			if c != nil && !r.IsNull() {
				v = c.value(r)
			}
			if v.IsNull() && len(parts) == 1 {
				return ""
			}
			out = append(out, v)
		}
		return row.NewRow(out...)
	}
}
