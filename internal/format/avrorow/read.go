package avrorow

import (
	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// A pair is what is compiled: a type of a schema, read or written as a column's.
type pair struct {
	n *node
	t *row.Type
}

// A compiled is the outcome for a pair.
type compiled[F any] struct {
	f   F
	err error
}

// A readCompiler compiles each pair once: unions of records that use each other would multiply otherwise.
type readCompiler map[pair]compiled[read]

// of returns how values of n are read as ones of t. It recurses along t, which is finite.
func (c readCompiler) of(n *node, t *row.Type) (read, error) {
	known, ok := c[pair{n, t}]
	if !ok {
		known.f, known.err = c.compile(n, t)
		c[pair{n, t}] = known
	}
	return known.f, known.err
}

func (c readCompiler) compile(n *node, t *row.Type) (read, error) {
	switch {
	case n.kind == "union":
		return c.union(n, t)
	case t.Kind == row.KindStruct && n.kind == "record":
		return c.record(n, t)
	case t.Kind == row.KindArray && n.kind == "array":
		return c.array(n, t)
	case t.Kind == row.KindMap && n.kind == "map":
		return c.mapping(n, t)
	case t.Kind == row.KindMap && n.isEntries():
		return c.entries(n, t)
	case n.kind == "null":
		return func(*reader) (row.Value, error) { return row.Null, nil }, nil
	}
	scalar, from := readScalar(n)
	if scalar == nil {
		return nil, column.Errorf("Avro's %s cannot be read as %s", n.kind, t)
	}
	convert, err := column.Converter(from, t)
	if err != nil {
		return nil, err
	}
	return converted(scalar, convert), nil
}

func converted(scalar read, convert column.Convert) read {
	if convert == nil {
		return scalar
	}
	return func(r *reader) (row.Value, error) {
		v, err := scalar(r)
		if err != nil {
			return v, err
		}
		return convert(v)
	}
}

// readScalar returns how a value without parts is read, and as what.
func readScalar(n *node) (read, *row.Type) {
	switch n.kind {
	case "boolean":
		return func(r *reader) (row.Value, error) {
			b, err := r.boolean()
			return row.NewBoolean(b), err
		}, row.Boolean
	case "int":
		t := typeOf(n)
		return func(r *reader) (row.Value, error) {
			i, err := r.integer()
			return column.Integer(t.Kind, i), err
		}, t
	case "long":
		t := typeOf(n)
		return func(r *reader) (row.Value, error) {
			i, err := r.long()
			return column.Integer(t.Kind, i), err
		}, t
	case "float":
		return func(r *reader) (row.Value, error) {
			f, err := r.float()
			return row.NewDouble(f), err
		}, row.Double
	case "double":
		return func(r *reader) (row.Value, error) {
			f, err := r.double()
			return row.NewDouble(f), err
		}, row.Double
	case "string":
		return func(r *reader) (row.Value, error) {
			s, err := r.text()
			return row.NewString(s), err
		}, row.StringType
	case "enum":
		return func(r *reader) (row.Value, error) {
			i, err := r.long()
			if err == nil && (i < 0 || i >= int64(len(n.symbols))) {
				err = column.Errorf("a symbol that the enum does not have")
			}
			if err != nil {
				return row.Null, err
			}
			return row.NewString(n.symbols[i]), nil
		}, row.StringType
	case "bytes", "fixed":
		return readBytes(n)
	}
	return nil, nil
}

func readBytes(n *node) (read, *row.Type) {
	take := (*reader).bytes
	if n.kind == "fixed" {
		take = func(r *reader) (string, error) { return r.take(int64(n.size)) }
	}
	if n.logical != "decimal" {
		return func(r *reader) (row.Value, error) {
			b, err := take(r)
			return row.NewBytes(b), err
		}, row.BytesType
	}
	return func(r *reader) (row.Value, error) {
		b, err := take(r)
		if err != nil {
			return row.Null, err
		}
		d, err := column.Unscaled(b, n.scale)
		return row.FromDecimal(d), err
	}, row.DecimalType(n.precision, n.scale)
}

// union reads a union: as its values, or, where it has several types and t is a struct of these, as that struct.
func (c readCompiler) union(n *node, t *row.Type) (read, error) {
	_, single := n.only()
	reads := make([]read, len(n.branches))
	slots := make([]int, len(n.branches))
	var failed error
	possible := false
	asStruct := !single && t.Kind == row.KindStruct && hasBranches(n, t)
	for i, b := range n.branches {
		of := t
		if asStruct && b.kind != "null" {
			slots[i] = branchSlot(b, t)
			if slots[i] < 0 {
				continue
			}
			of = t.Fields[slots[i]].Type
		}
		var err error
		if reads[i], err = c.of(b, of); err != nil {
			failed = err
			continue
		}
		possible = possible || b.kind != "null"
	}
	if !possible && failed != nil {
		return nil, failed
	}
	return func(r *reader) (row.Value, error) {
		if err := r.spend(); err != nil {
			return row.Null, err
		}
		i, err := r.branch(n)
		switch {
		case err != nil:
			return row.Null, err
		case reads[i] == nil && asStruct:
			return row.NewStruct(make([]row.Value, len(t.Fields))...), r.skip(n.branches[i], 0)
		case reads[i] == nil:
			return row.Null, column.Errorf("a %s that cannot be read as %s", n.branches[i].kind, t)
		}
		v, err := reads[i](r)
		if err != nil || !asStruct || n.branches[i].kind == "null" {
			return v, err
		}
		fields := make([]row.Value, len(t.Fields))
		fields[slots[i]] = v
		return row.NewStruct(fields...), nil
	}, nil
}

// branchName is what Kafka Connect calls a union's type as a field.
func branchName(b *node) string {
	if b.name != "" {
		return b.name
	}
	return b.kind
}

func branchSlot(b *node, t *row.Type) int {
	for i, f := range t.Fields {
		if column.Is(f.Name, branchName(b)) {
			return i
		}
	}
	return -1
}

// hasBranches tells whether a struct's fields are a union's types.
func hasBranches(n *node, t *row.Type) bool {
	branches := column.NewIndex(len(n.branches), func(i int) string { return branchName(n.branches[i]) })
	for _, f := range t.Fields {
		if branches.Find(f.Name) < 0 {
			return false
		}
	}
	return len(t.Fields) > 0
}

// record reads a record's fields in the writer's order and gives them in the order of the struct.
func (c readCompiler) record(n *node, t *row.Type) (read, error) {
	reads := make([]read, len(n.fields))
	slots := make([]int, len(n.fields))
	names := column.NewIndex(len(n.fields), func(i int) string { return n.fields[i].name })
	for slot, f := range t.Fields {
		i := names.Find(f.Name)
		if i < 0 {
			continue
		}
		if reads[i] != nil {
			continue // two columns of one field: the first has it
		}
		var err error
		if reads[i], err = c.of(n.fields[i].node, f.Type); err != nil {
			return nil, column.At(f.Name, err)
		}
		slots[i] = slot
	}
	return func(r *reader) (row.Value, error) {
		if err := r.spend(); err != nil {
			return row.Null, err
		}
		s := r.enter(len(t.Fields))
		defer r.leave()
		for i, f := range n.fields {
			if reads[i] == nil {
				if err := r.skip(f.node, 0); err != nil {
					return row.Null, err
				}
				continue
			}
			v, err := reads[i](r)
			if err != nil {
				return row.Null, column.At(t.Fields[slots[i]].Name, err)
			}
			s.values[slots[i]] = v
		}
		for _, v := range s.values {
			s.parts.Add(v)
		}
		return row.FromRow(row.KindStruct, s.parts.Row()), nil
	}, nil
}

func (c readCompiler) array(n *node, t *row.Type) (read, error) {
	item, err := c.of(n.elem, t.Elem)
	if err != nil {
		return nil, err
	}
	return func(r *reader) (row.Value, error) {
		s := r.enter(0)
		defer r.leave()
		err := r.blocks(func() error {
			v, err := item(r)
			s.parts.Add(v)
			return err
		})
		if err != nil {
			return row.Null, err
		}
		return row.FromRow(row.KindArray, s.parts.Row()), nil
	}, nil
}

func (c readCompiler) mapping(n *node, t *row.Type) (read, error) {
	if !t.Key.Is(row.KindString) {
		return nil, column.Errorf("keys of Avro's maps are text, not %s", t.Key)
	}
	value, err := c.of(n.elem, t.Elem)
	if err != nil {
		return nil, err
	}
	return func(r *reader) (row.Value, error) {
		var entries []row.Entry
		err := r.blocks(func() error {
			k, err := r.text()
			if err != nil {
				return err
			}
			v, err := value(r)
			entries = append(entries, row.Entry{Key: row.NewString(k), Value: v})
			return err
		})
		if err != nil {
			return row.Null, err
		}
		return row.NewMap(entries...), nil
	}, nil
}

// entries reads a map that is written as records of key and value.
func (c readCompiler) entries(n *node, t *row.Type) (read, error) {
	entry, err := c.of(n.elem, row.StructType(row.Field{Name: keyField, Type: t.Key}, row.Field{Name: valueField, Type: t.Elem}))
	if err != nil {
		return nil, err
	}
	return func(r *reader) (row.Value, error) {
		var entries []row.Entry
		err := r.blocks(func() error {
			v, err := entry(r)
			if err != nil || v.IsNull() {
				return err
			}
			parts := v.Row()
			entries = append(entries, row.Entry{Key: parts.At(0), Value: parts.At(1)})
			return nil
		})
		if err != nil {
			return row.Null, err
		}
		return row.NewMap(entries...), nil
	}, nil
}
