package avrorow

import (
	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// typeOf is the type that a number of the schema has for Kafka Connect: times count in ms, other units are plain numbers.
func typeOf(n *node) *row.Type {
	switch {
	case n.kind == "int" && n.logical == "date":
		return row.DateType
	case n.kind == "int" && n.logical == "time-millis":
		return row.TimeType
	case n.kind == "int":
		return row.Int
	case n.logical == "timestamp-millis":
		return row.TimestampType
	}
	return row.Bigint
}

// Infer returns the type of the schema's values. Names stay as they are.
func (s *Schema) Infer() (*row.Type, error) {
	i := inference{left: maxNodes}
	return i.of(s.root, 0)
}

// An inference bounds the work: a type may be used many times within others.
type inference struct{ left int }

func (i *inference) of(n *node, depth int) (*row.Type, error) {
	if i.left--; i.left < 0 || depth > maxDepth {
		return nil, column.Errorf("a type that contains itself, or too many levels")
	}
	switch n.kind {
	case "union":
		if only, single := n.only(); single {
			return i.of(only, depth+1)
		}
		return i.union(n, depth)
	case "record":
		fields := make([]row.Field, len(n.fields))
		for k, f := range n.fields {
			t, err := i.of(f.node, depth+1)
			if err != nil {
				return nil, column.At(f.name, err)
			}
			fields[k] = row.Field{Name: f.name, Type: t}
		}
		return row.StructType(fields...), nil
	case "array":
		if n.isEntries() {
			r, _ := n.elem.only()
			return i.mapping(r.fields[0].node, r.fields[1].node, depth)
		}
		elem, err := i.of(n.elem, depth+1)
		if err != nil {
			return nil, err
		}
		return row.ArrayType(elem), nil
	case "map":
		return i.mapping(&node{kind: "string"}, n.elem, depth)
	}
	_, t := readScalar(n)
	if t == nil {
		return nil, column.Errorf("no column can have Avro's type %s", n.kind)
	}
	return t, nil
}

func (i *inference) mapping(key, value *node, depth int) (*row.Type, error) {
	k, err := i.of(key, depth+1)
	if err != nil {
		return nil, err
	}
	v, err := i.of(value, depth+1)
	if err != nil {
		return nil, err
	}
	return row.MapType(k, v), nil
}

func (i *inference) union(n *node, depth int) (*row.Type, error) {
	var fields []row.Field
	for _, b := range n.branches {
		if b.kind == "null" {
			continue
		}
		t, err := i.of(b, depth+1)
		if err != nil {
			return nil, err
		}
		fields = append(fields, row.Field{Name: branchName(b), Type: t})
	}
	if len(fields) == 0 {
		return nil, column.Errorf("no column can have Avro's type null")
	}
	return row.StructType(fields...), nil
}
