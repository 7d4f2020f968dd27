package avrorow

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// A write appends one value, which may be null.
type write func(dst []byte, v row.Value) ([]byte, error)

// An Encoder writes rows as records of one schema.
type Encoder struct {
	all write
	one bool
}

// NewEncoder returns the encoder of columns as records of a schema. A field of the schema that has no column must have a default or may
// be null; a column that has no field is an error.
func NewEncoder(s *Schema, columns row.Schema, unwrapped bool) (*Encoder, error) {
	one := unwrapped && len(columns) == 1
	t := columns.Struct()
	if one {
		t = columns[0].Type
	}
	all, err := writeCompiler{}.of(s.root, t)
	if err != nil {
		if one {
			err = column.At(columns[0].Name, err)
		}
		return nil, err
	}
	return &Encoder{all, one}, nil
}

// Append appends a row's record without a header; ok is false for the null row and for a bare null, which have no bytes.
func (e *Encoder) Append(dst []byte, r row.Row) (out []byte, ok bool, err error) {
	if r.IsNull() || e.one && r.At(0).IsNull() {
		return dst, false, nil
	}
	v := row.FromRow(row.KindStruct, r)
	if e.one {
		v = r.At(0)
	}
	out, err = e.all(dst, v)
	return out, err == nil, err
}

var errNull = column.Errorf("null where the schema does not have it")

// A writeCompiler compiles each pair once, as a readCompiler does.
type writeCompiler map[pair]compiled[write]

// of returns how values of t are written as ones of n. It recurses along t, which is finite.
func (c writeCompiler) of(n *node, t *row.Type) (write, error) {
	known, ok := c[pair{n, t}]
	if !ok {
		known.f, known.err = c.compile(n, t)
		c[pair{n, t}] = known
	}
	return known.f, known.err
}

func (c writeCompiler) compile(n *node, t *row.Type) (write, error) {
	if n.kind == "union" {
		return c.union(n, t)
	}
	w, err := c.bare(n, t)
	if err != nil {
		return nil, err
	}
	return func(dst []byte, v row.Value) ([]byte, error) {
		if v.IsNull() {
			return dst, errNull
		}
		return w(dst, v)
	}, nil
}

// union takes the first type of the union that the values can be written as.
func (c writeCompiler) union(n *node, t *row.Type) (write, error) {
	null := slices.IndexFunc(n.branches, func(b *node) bool { return b.kind == "null" })
	var failed error
	for i, b := range n.branches {
		if b.kind == "null" || b.kind == "union" {
			continue
		}
		w, err := c.bare(b, t)
		if err != nil {
			failed = err
			continue
		}
		return func(dst []byte, v row.Value) ([]byte, error) {
			switch {
			case !v.IsNull():
				return w(binary.AppendVarint(dst, int64(i)), v)
			case null < 0:
				return dst, errNull
			}
			return binary.AppendVarint(dst, int64(null)), nil
		}, nil
	}
	if failed == nil {
		failed = column.Errorf("%s cannot be written as Avro's null", t)
	}
	return nil, failed
}

// bare is of for values that are not null, of a type that is no union.
func (c writeCompiler) bare(n *node, t *row.Type) (write, error) {
	switch {
	case t.Kind == row.KindStruct && n.kind == "record":
		return c.record(n, t)
	case t.Kind == row.KindArray && n.kind == "array":
		return c.array(n, t)
	case t.Kind == row.KindMap && n.kind == "map" && t.Key.Is(row.KindString):
		return c.mapping(n, t)
	case t.Kind == row.KindMap && n.isEntries():
		return c.entries(n, t)
	case t.Kind == row.KindDecimal && n.logical == "decimal":
		return writeDecimal(n), nil
	case t.Kind == row.KindBytes && n.kind == "fixed":
		return func(dst []byte, v row.Value) ([]byte, error) {
			if len(v.Text()) != n.size {
				return dst, column.Errorf("bytes that are not %d", n.size)
			}
			return append(dst, v.Text()...), nil
		}, nil
	case t.Kind == row.KindString && n.kind == "enum":
		return func(dst []byte, v row.Value) ([]byte, error) {
			i := slices.Index(n.symbols, v.Text())
			if i < 0 {
				return dst, column.Errorf("a text that is no symbol of the enum")
			}
			return binary.AppendVarint(dst, int64(i)), nil
		}, nil
	}
	if w := writeScalar(n.kind, t.Kind); w != nil && n.logical != "decimal" {
		return w, nil
	}
	return nil, column.Errorf("%s cannot be written as Avro's %s", t, n.kind)
}

// writeScalar returns how a value without parts is written, nil if it cannot be.
func writeScalar(kind string, k row.Kind) write {
	whole := k == row.KindInt || k == row.KindDate || k == row.KindTime
	switch {
	case kind == "boolean" && k == row.KindBoolean:
		return func(dst []byte, v row.Value) ([]byte, error) {
			if v.Boolean() {
				return append(dst, 1), nil
			}
			return append(dst, 0), nil
		}
	case kind == "int" && whole, kind == "long" && (whole || k == row.KindBigint || k == row.KindTimestamp):
		return func(dst []byte, v row.Value) ([]byte, error) { return binary.AppendVarint(dst, v.Int64()), nil }
	case kind == "double" && k.IsNumber() && k != row.KindDecimal:
		return func(dst []byte, v row.Value) ([]byte, error) {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.AsDouble())), nil
		}
	case kind == "float" && k == row.KindDouble:
		return func(dst []byte, v row.Value) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Double()))), nil
		}
	case kind == "string" && k == row.KindString, kind == "bytes" && k == row.KindBytes:
		return func(dst []byte, v row.Value) ([]byte, error) {
			return append(binary.AppendVarint(dst, int64(len(v.Text()))), v.Text()...), nil
		}
	}
	return nil
}

func writeDecimal(n *node) write {
	precision := n.precision
	return func(dst []byte, v row.Value) ([]byte, error) {
		d, ok := v.Decimal().Fit(precision, n.scale)
		if !ok {
			return dst, column.Errorf("a number that does not fit into the schema's decimal")
		}
		b := column.AppendUnscaled(make([]byte, 0, 16), d)
		if n.kind == "bytes" {
			return append(binary.AppendVarint(dst, int64(len(b))), b...), nil
		}
		if len(b) > n.size {
			return dst, column.Errorf("a number that does not fit into the schema's decimal")
		}
		pad := byte(0)
		if d.Sign() < 0 {
			pad = 0xff
		}
		for range n.size - len(b) {
			dst = append(dst, pad)
		}
		return append(dst, b...), nil
	}
}

// A fieldWrite is how a record's field is written: from the value at slot, or always the same bytes.
type fieldWrite struct {
	slot  int // -1: there is no column
	write write
	fixed []byte // for a null that the schema has a default for, and without a column
}

// record writes the fields in the order of the schema.
func (c writeCompiler) record(n *node, t *row.Type) (write, error) {
	fields := make([]fieldWrite, len(n.fields))
	columns := column.NewIndex(len(t.Fields), func(i int) string { return t.Fields[i].Name })
	used := 0
	for i, f := range n.fields {
		w, err := c.field(f, t, columns)
		if err != nil {
			return nil, column.At(f.name, err)
		}
		if w.slot >= 0 {
			used++
		}
		fields[i] = w
	}
	if used < len(t.Fields) {
		names := column.NewIndex(len(n.fields), func(i int) string { return n.fields[i].name })
		for _, f := range t.Fields {
			if names.Find(f.Name) < 0 {
				return nil, column.At(f.Name, column.Errorf("the schema has no such field"))
			}
		}
	}
	return func(dst []byte, v row.Value) ([]byte, error) {
		r := v.Row()
		for _, f := range fields {
			if f.slot < 0 {
				dst = append(dst, f.fixed...)
				continue
			}
			part := r.At(f.slot)
			if part.IsNull() && f.fixed != nil {
				dst = append(dst, f.fixed...)
				continue
			}
			var err error
			if dst, err = f.write(dst, part); err != nil {
				return dst, column.At(t.Fields[f.slot].Name, err)
			}
		}
		return dst, nil
	}, nil
}

func (c writeCompiler) field(f field, t *row.Type, columns column.Index) (w fieldWrite, err error) {
	if w.slot = columns.Named(f.name); w.slot < 0 {
		w.slot = columns.Named(strings.ToUpper(f.name))
	}
	if w.slot >= 0 {
		if w.write, err = c.of(f.node, t.Fields[w.slot].Type); err != nil {
			return w, err
		}
		if f.node.kind != "union" && f.hasDefault {
			w.fixed, err = appendDefault(f)
		}
		return w, err
	}
	null := -1
	if f.node.kind == "union" {
		null = slices.IndexFunc(f.node.branches, func(b *node) bool { return b.kind == "null" })
	}
	switch {
	case f.hasDefault:
		w.fixed, err = appendDefault(f)
		return w, err
	case null >= 0:
		w.fixed = binary.AppendVarint(nil, int64(null))
		return w, nil
	}
	return w, column.Errorf("Missing default value for required Avro field: [%s]. This field appears in Avro schema in Schema Registry", f.name)
}

func (c writeCompiler) array(n *node, t *row.Type) (write, error) {
	item, err := c.of(n.elem, t.Elem)
	if err != nil {
		return nil, err
	}
	return func(dst []byte, v row.Value) ([]byte, error) {
		r := v.Row()
		return appendBlock(dst, r.Len(), func(dst []byte, i int) ([]byte, error) { return item(dst, r.At(i)) })
	}, nil
}

// appendBlock appends n items as one block, with the empty block that ends them.
func appendBlock(dst []byte, n int, item func([]byte, int) ([]byte, error)) ([]byte, error) {
	if n > 0 {
		dst = binary.AppendVarint(dst, int64(n))
	}
	for i := range n {
		var err error
		if dst, err = item(dst, i); err != nil {
			return dst, err
		}
	}
	return append(dst, 0), nil
}

func (c writeCompiler) mapping(n *node, t *row.Type) (write, error) {
	value, err := c.of(n.elem, t.Elem)
	if err != nil {
		return nil, err
	}
	return func(dst []byte, v row.Value) ([]byte, error) {
		r := v.Row()
		return appendBlock(dst, v.Len(), func(dst []byte, i int) ([]byte, error) {
			k := r.At(2 * i)
			if k.IsNull() {
				return dst, errNull
			}
			dst = append(binary.AppendVarint(dst, int64(len(k.Text()))), k.Text()...)
			return value(dst, r.At(2*i+1))
		})
	}, nil
}

func (c writeCompiler) entries(n *node, t *row.Type) (write, error) {
	entry, err := c.of(n.elem, row.StructType(row.Field{Name: keyField, Type: t.Key}, row.Field{Name: valueField, Type: t.Elem}))
	if err != nil {
		return nil, err
	}
	return func(dst []byte, v row.Value) ([]byte, error) {
		r := v.Row()
		return appendBlock(dst, v.Len(), func(dst []byte, i int) ([]byte, error) {
			return entry(dst, row.NewStruct(r.At(2*i), r.At(2*i+1)))
		})
	}, nil
}
