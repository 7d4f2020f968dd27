package jsonschema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// Limits of schemas from outside.
const (
	maxTextBytes = 1 << 20
	maxTypes     = 10_000
	maxDepth     = 64
)

// decimalPrecision is what a decimal has whose schema does not say it.
const decimalPrecision = 64

// A schema is one level of a JSON Schema: what Kafka Connect looks at.
type schema struct {
	Type       types             `json:"type"`
	Title      string            `json:"title"`
	Ref        string            `json:"$ref"`
	OneOf      []json.RawMessage `json:"oneOf"`
	AnyOf      []json.RawMessage `json:"anyOf"`
	AllOf      []json.RawMessage `json:"allOf"`
	Enum       []any             `json:"enum"`
	Properties json.RawMessage   `json:"properties"`
	Additional json.RawMessage   `json:"additionalProperties"`
	Items      json.RawMessage   `json:"items"`
	Connect    string            `json:"connect.type"`
	Index      *int              `json:"connect.index"`
	Parameters map[string]string `json:"connect.parameters"`
}

// types is the type of a schema: a name, or a list of names.
type types []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *types) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = types{one}
		return nil
	}
	var all []string
	err := json.Unmarshal(b, &all)
	*t = all
	return err
}

// Infer returns the type of the values of a schema. Names stay as they are.
func Infer(text string) (*row.Type, error) {
	if len(text) > maxTextBytes {
		return nil, fmt.Errorf("JSON schema of %d bytes is longer than %d", len(text), maxTextBytes)
	}
	i := &inference{root: json.RawMessage(text), left: maxTypes, members: map[string]map[string]json.RawMessage{}}
	t, err := i.of(i.root, 0)
	if err == nil && t == nil {
		err = column.Errorf("the schema is of null only")
	}
	return t, err
}

// An inference bounds the work: a schema may be used many times within others.
type inference struct {
	root    json.RawMessage
	left    int
	members map[string]map[string]json.RawMessage // of the schema's parts that references go through, by their paths
}

func (i *inference) parse(raw json.RawMessage, depth int) (schema, error) {
	var s schema
	if i.left--; i.left < 0 || depth > maxDepth {
		return s, column.Errorf("a schema that contains itself, or too many levels")
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, column.Errorf("a schema that cannot be read")
	}
	return s, nil
}

// of returns the type of a schema; nil is that of null.
func (i *inference) of(raw json.RawMessage, depth int) (*row.Type, error) {
	s, err := i.parse(raw, depth)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Ref != "":
		to, err := i.referred(s.Ref)
		if err != nil {
			return nil, err
		}
		return i.of(to, depth+1)
	case len(s.OneOf) > 0:
		return i.choice(s.OneOf, depth)
	case len(s.AnyOf) > 0:
		return i.choice(s.AnyOf, depth)
	case len(s.AllOf) == 1:
		return i.of(s.AllOf[0], depth+1)
	}
	kinds := slices.DeleteFunc(slices.Clone(s.Type), func(t string) bool { return t == "null" })
	switch {
	case len(kinds) == 0 && len(s.Type) > 0:
		return nil, nil
	case len(kinds) == 0 && len(s.Enum) > 0:
		return row.StringType, nil
	case len(kinds) == 0 && s.Properties != nil:
		kinds = []string{"object"}
	case len(kinds) != 1:
		return nil, column.Errorf("a schema of no type, or of several")
	}
	return i.typ(s, kinds[0], depth)
}

// choice is the type of a oneOf: that of its only schema which is not null.
func (i *inference) choice(of []json.RawMessage, depth int) (*row.Type, error) {
	var found *row.Type
	for _, raw := range of {
		t, err := i.of(raw, depth+1)
		switch {
		case err != nil:
			return nil, err
		case t != nil && found != nil:
			return nil, column.Errorf("a choice of several types")
		case t != nil:
			found = t
		}
	}
	return found, nil
}

// referred follows a reference into the schema itself: "#/definitions/name".
func (i *inference) referred(ref string) (json.RawMessage, error) {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, column.Errorf("a reference to another schema")
	}
	at, walked := i.root, ""
	for _, name := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if name == "" {
			continue
		}
		members, known := i.members[walked]
		if !known {
			if json.Unmarshal(at, &members) != nil {
				return nil, column.Errorf("a reference to nothing")
			}
			i.members[walked] = members
		}
		walked += "/" + name
		at = members[strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")]
		if at == nil || len(walked) > 1<<10 {
			return nil, column.Errorf("a reference to nothing")
		}
	}
	return at, nil
}

func (i *inference) typ(s schema, kind string, depth int) (*row.Type, error) {
	switch kind {
	case "boolean":
		return row.Boolean, nil
	case "integer":
		return integerType(s), nil
	case "number":
		return numberType(s), nil
	case "string":
		if s.Title == decimalTitle {
			return numberType(s), nil
		}
		if s.Connect == "bytes" {
			return row.BytesType, nil
		}
		return row.StringType, nil
	case "array":
		return i.array(s, depth)
	case "object":
		return i.object(s, depth)
	}
	return nil, column.Errorf("a type that is not known")
}

func integerType(s schema) *row.Type {
	switch {
	case s.Title == dateTitle:
		return row.DateType
	case s.Title == timeTitle:
		return row.TimeType
	case s.Title == timestampTitle:
		return row.TimestampType
	case s.Connect == "int8" || s.Connect == "int16" || s.Connect == "int32":
		return row.Int
	}
	return row.Bigint
}

func numberType(s schema) *row.Type {
	switch {
	case s.Title == decimalTitle:
		precision, scale := decimalPrecision, 0
		if p, err := strconv.Atoi(s.Parameters["connect.decimal.precision"]); err == nil && p > 0 {
			precision = p
		}
		if n, err := strconv.Atoi(s.Parameters["scale"]); err == nil && n >= 0 {
			scale = n
		}
		return row.DecimalType(max(precision, scale), scale)
	case strings.HasPrefix(s.Connect, "int"):
		return integerType(s)
	}
	return row.Double
}

func (i *inference) array(s schema, depth int) (*row.Type, error) {
	if s.Items == nil {
		return nil, column.Errorf("an array without items")
	}
	elem, err := i.of(s.Items, depth+1)
	switch {
	case err != nil:
		return nil, err
	case elem == nil:
		return nil, column.Errorf("an array of null")
	case s.Connect == "map" && elem.Kind == row.KindStruct && elem.Field("key") >= 0 && elem.Field("value") >= 0:
		return row.MapType(elem.Fields[elem.Field("key")].Type, elem.Fields[elem.Field("value")].Type), nil
	}
	return row.ArrayType(elem), nil
}

// object is a struct of properties, or a map if there are none or Kafka Connect says so.
func (i *inference) object(s schema, depth int) (*row.Type, error) {
	if s.Connect == "map" || s.Properties == nil {
		if s.Additional == nil || s.Additional[0] != '{' {
			return nil, column.Errorf("an object without properties")
		}
		value, err := i.of(s.Additional, depth+1)
		if err != nil {
			return nil, err
		}
		if value == nil {
			return nil, column.Errorf("a map to null")
		}
		return row.MapType(row.StringType, value), nil
	}
	names, members, err := properties(s.Properties)
	if err != nil {
		return nil, err
	}
	type place struct {
		row.Field
		index int
	}
	var fields []place
	for n, name := range names {
		t, err := i.of(members[name], depth+1)
		if err != nil {
			return nil, column.At(name, err)
		}
		if t == nil {
			return nil, column.At(name, column.Errorf("a property of null only"))
		}
		inner, err := i.parse(members[name], depth)
		if err != nil {
			return nil, err
		}
		at := n
		if inner.Index != nil {
			at = *inner.Index
		}
		fields = append(fields, place{row.Field{Name: name, Type: t}, at})
	}
	slices.SortStableFunc(fields, func(a, b place) int { return cmp.Compare(a.index, b.index) })
	out := make([]row.Field, len(fields))
	for n, f := range fields {
		out[n] = f.Field
	}
	return row.StructType(out...), nil
}

// properties returns the members of an object in the order of the text.
func properties(raw json.RawMessage) (names []string, members map[string]json.RawMessage, err error) {
	bad := column.Errorf("properties that are no object")
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, nil, bad
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, bad
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var skipped json.RawMessage
		if err != nil || !ok || d.Decode(&skipped) != nil {
			return nil, nil, bad
		}
		if !seen[name] {
			names, seen[name] = append(names, name), true
		}
	}
	return names, members, nil
}

// PairedMaps tells whether a schema has maps that are written as arrays of objects of key and value.
func PairedMaps(text string) bool {
	var v any
	if len(text) > maxTextBytes || json.Unmarshal([]byte(text), &v) != nil {
		return false
	}
	return paired(v, 0)
}

func paired(v any, depth int) bool {
	if depth > 4*maxDepth {
		return false
	}
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(x any) bool { return paired(x, depth+1) })
	case map[string]any:
		if v["connect.type"] == "map" && v["type"] == "array" {
			return true
		}
		for _, x := range v {
			if paired(x, depth+1) {
				return true
			}
		}
	}
	return false
}
