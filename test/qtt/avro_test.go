package qtt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/avro"
)

// An avroCodec writes with the subject's newest schema and reads with the one that the header names.
type avroCodec struct{ codecSpec }

// An avroSchema is a schema twice: as it is, for its logical types, and without these, for the bytes.
type avroSchema struct {
	root  *avro.SchemaNode
	plain *avro.Schema
}

func parseAvro(text string) (*avroSchema, error) {
	anyName := avro.WithLaxNames(nil)
	v, err := parseJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	v = withoutListNames(v)
	full, err := avro.Parse(string(appendJSON(nil, withPrecisions(v))), anyName)
	if err != nil {
		return nil, err
	}
	plain, err := avro.Parse(string(appendJSON(nil, withoutLogicalTypes(v))), anyName)
	if err != nil {
		return nil, err
	}
	return &avroSchema{root: full.Root().ExpandReferences(), plain: plain}, nil
}

// withoutLogicalTypes takes logical types out of a schema, so that its bytes are read as what they are.
func withoutLogicalTypes(v any) any {
	return mapObjects(v, func(o *object) *object {
		bare := newObject()
		for _, name := range o.names {
			if name != "logicalType" {
				bare.set(name, o.values[name])
			}
		}
		return bare
	})
}

// withoutListNames takes names from arrays and maps, which have none; Java's library does not mind them.
func withoutListNames(v any) any {
	return mapObjects(v, func(o *object) *object {
		if o.values["items"] == nil && o.values["values"] == nil {
			return o
		}
		bare := newObject()
		for _, name := range o.names {
			if name != "name" {
				bare.set(name, o.values[name])
			}
		}
		return bare
	})
}

// withPrecisions gives decimals without a precision the one that Kafka Connect takes.
func withPrecisions(v any) any {
	return mapObjects(v, func(o *object) *object {
		if _, given := o.values["precision"]; !given && o.values["logicalType"] == "decimal" {
			o.set("precision", number("64"))
		}
		return o
	})
}

// mapObjects returns a JSON value with its objects replaced, the inner ones first.
func mapObjects(v any, replace func(*object) *object) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = mapObjects(item, replace)
		}
		return list
	case *object:
		o := newObject()
		for _, name := range v.names {
			o.set(name, mapObjects(v.values[name], replace))
		}
		return replace(o)
	}
	return v
}

func (c avroCodec) encode(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	s, id, err := c.latest()
	if err != nil {
		return nil, err
	}
	schema, err := parseAvro(s.Text)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", c.subject(), err)
	}
	native, err := toAvro(v, schema.root)
	if err != nil {
		return nil, err
	}
	return schema.plain.AppendEncode(appendHeader(nil, id), native)
}

func (c avroCodec) decode(b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	s, payload, err := c.written(b)
	if err != nil {
		return nil, err
	}
	schema, err := parseAvro(s.Text)
	if err != nil {
		return nil, fmt.Errorf("the schema of the bytes: %w", err)
	}
	var native any
	rest, err := schema.plain.Decode(payload, &native)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes behind the value", len(rest))
	}
	return fromAvro(native, schema.root)
}

// branch returns the schema of a value: that of a union which is not null.
func branch(n *avro.SchemaNode) *avro.SchemaNode {
	if n.Type != "union" {
		return n
	}
	for i := range n.Branches {
		if n.Branches[i].Type != "null" {
			return &n.Branches[i]
		}
	}
	return n
}

// isEntries tells whether an array stands for a map whose keys may be null: Kafka Connect writes them as records of key and value.
func isEntries(n *avro.SchemaNode) bool {
	return n.Type == "array" && branch(n.Items).Props["connect.internal.type"] == "MapEntry"
}

// toAvro turns a JSON value into what the encoder takes.
func toAvro(v any, n *avro.SchemaNode) (any, error) {
	if v == nil {
		return nil, nil
	}
	n = branch(n)
	text := func() string { return scalarText(v) }
	switch {
	case n.LogicalType == "decimal":
		return toAvroDecimal(text(), n)
	case isEntries(n):
		return toAvroEntries(v, n)
	}
	switch n.Type {
	case "record", "error":
		return toAvroRecord(v, n)
	case "array":
		list, ok := v.([]any)
		if !ok {
			return nil, notOf(v, n)
		}
		items := make([]any, len(list))
		for i, item := range list {
			var err error
			if items[i], err = toAvro(item, n.Items); err != nil {
				return nil, err
			}
		}
		return items, nil
	case "map":
		return toAvroMap(v, n)
	case "int":
		i, err := strconv.ParseInt(text(), 10, 32)
		return int32(i), err
	case "long":
		return strconv.ParseInt(text(), 10, 64)
	case "float":
		f, err := strconv.ParseFloat(text(), 32)
		return float32(f), err
	case "double":
		return strconv.ParseFloat(text(), 64)
	case "boolean":
		return strconv.ParseBool(text())
	case "bytes", "fixed":
		return base64.StdEncoding.DecodeString(text())
	case "string", "enum":
		return text(), nil
	}
	return nil, notOf(v, n)
}

func notOf(v any, n *avro.SchemaNode) error {
	return fmt.Errorf("%s is no Avro %s", appendJSON(nil, v), n.Type)
}

func toAvroRecord(v any, n *avro.SchemaNode) (any, error) {
	o, ok := v.(*object)
	if !ok {
		return nil, notOf(v, n)
	}
	fields := map[string]any{}
	for i := range n.Fields {
		f := &n.Fields[i]
		value, ok := o.getFold(f.Name)
		if !ok {
			continue // the encoder takes the default
		}
		native, err := toAvro(value, &f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		fields[f.Name] = native
	}
	return fields, nil
}

func toAvroMap(v any, n *avro.SchemaNode) (any, error) {
	o, ok := v.(*object)
	if !ok {
		return nil, notOf(v, n)
	}
	values := map[string]any{}
	for _, name := range o.names {
		native, err := toAvro(o.values[name], n.Values)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", name, err)
		}
		values[name] = native
	}
	return values, nil
}

func toAvroEntries(v any, n *avro.SchemaNode) (any, error) {
	o, ok := v.(*object)
	if !ok {
		return nil, notOf(v, n)
	}
	entries := []any{}
	for _, name := range o.names {
		entry := newObject()
		entry.set("key", name)
		entry.set("value", o.values[name])
		native, err := toAvroRecord(entry, branch(n.Items))
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", name, err)
		}
		entries = append(entries, native)
	}
	return entries, nil
}

// toAvroDecimal returns the two's complement of the unscaled value, big-endian and as short as it can be.
func toAvroDecimal(text string, n *avro.SchemaNode) (any, error) {
	d, err := parseDecimal(text)
	if err != nil {
		return nil, err
	}
	fit, ok := d.rescaled(n.Scale)
	if !ok {
		return nil, fmt.Errorf("%s does not fit scale %d", text, n.Scale)
	}
	return twosComplement(fit.unscaled), nil
}

func twosComplement(i *big.Int) []byte {
	size := i.BitLen()/8 + 1
	if i.Sign() < 0 {
		size = new(big.Int).Not(i).BitLen()/8 + 1
		i = new(big.Int).Add(i, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return i.FillBytes(make([]byte, size))
}

func fromTwosComplement(b []byte) *big.Int {
	i := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		i.Sub(i, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return i
}

// fromAvro turns what the decoder returns into what match compares.
func fromAvro(native any, n *avro.SchemaNode) (any, error) {
	n = branch(n)
	switch native := native.(type) {
	case nil, bool, string, int64, float64:
		return native, nil
	case int32:
		return int64(native), nil
	case float32:
		return float64(native), nil
	case []byte:
		if n.LogicalType == "decimal" {
			return decimal{unscaled: fromTwosComplement(native), scale: n.Scale}, nil
		}
		return slices.Clone(native), nil
	case []any:
		return fromAvroList(native, n)
	case map[string]any:
		return fromAvroFields(native, n)
	}
	return nil, fmt.Errorf("the decoder returned a %T for %s", native, n.Type)
}

func fromAvroList(native []any, n *avro.SchemaNode) (any, error) {
	list := make([]any, len(native))
	for i, item := range native {
		var err error
		if list[i], err = fromAvro(item, n.Items); err != nil {
			return nil, err
		}
	}
	if !isEntries(n) {
		return list, nil
	}
	fields := record{}
	for _, item := range list {
		entry, ok := item.(record)
		if !ok {
			return nil, errors.New("a map entry that is no record")
		}
		fields[fmt.Sprint(entry["key"])] = entry["value"]
	}
	return fields, nil
}

func fromAvroFields(native map[string]any, n *avro.SchemaNode) (any, error) {
	fields := record{}
	for name, value := range native {
		of := n.Values
		if i := slices.IndexFunc(n.Fields, func(f avro.SchemaField) bool { return f.Name == name }); i >= 0 {
			of = &n.Fields[i].Type
		}
		if of == nil {
			return nil, fmt.Errorf("%s has no field %s", strings.TrimSpace(n.Type+" "+n.Name), name)
		}
		var err error
		if fields[name], err = fromAvro(value, of); err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
	}
	return fields, nil
}
