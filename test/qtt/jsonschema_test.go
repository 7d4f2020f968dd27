package qtt

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A jsonSchemaCodec writes JSON behind a header. The schema says what a number, a text or an object is, as it does for Kafka Connect.
type jsonSchemaCodec struct{ codecSpec }

func (c jsonSchemaCodec) encode(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	s, id, err := c.latest()
	if err != nil {
		return nil, err
	}
	schema, err := parseJSON([]byte(s.Text))
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", c.subject(), err)
	}
	return appendJSON(appendHeader(nil, id), fitJSON(v, notNull(schema))), nil
}

// notNull returns the part of a schema that is about values which are not null.
func notNull(schema any) *object {
	o, _ := schema.(*object)
	if o == nil {
		return newObject()
	}
	for _, name := range []string{"oneOf", "anyOf"} {
		choices, _ := o.values[name].([]any)
		for _, choice := range choices {
			if c, ok := choice.(*object); ok && c.values["type"] != "null" {
				return notNull(c)
			}
		}
	}
	return o
}

// properties returns the fields of an object's schema; nil for a map.
func properties(schema *object) *object {
	o, _ := schema.values["properties"].(*object)
	return o
}

// fitJSON gives the fields the names of the schema and leaves those out that it does not have.
func fitJSON(v any, schema *object) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = fitJSON(item, notNull(schema.values["items"]))
		}
		return list
	case *object:
		fit := newObject()
		fields := properties(schema)
		for _, name := range v.names {
			if fields == nil {
				fit.set(name, fitJSON(v.values[name], notNull(schema.values["additionalProperties"])))
				continue
			}
			i := slices.IndexFunc(fields.names, func(n string) bool { return strings.EqualFold(n, name) })
			if i >= 0 {
				fit.set(fields.names[i], fitJSON(v.values[name], notNull(fields.values[fields.names[i]])))
			}
		}
		return fit
	}
	return v
}

func (c jsonSchemaCodec) decode(b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	s, payload, err := c.written(b)
	if err != nil {
		return nil, err
	}
	schema, err := parseJSON([]byte(s.Text))
	if err != nil {
		return nil, fmt.Errorf("the schema of the bytes: %w", err)
	}
	v, err := parseJSON(payload)
	if err != nil {
		return nil, fmt.Errorf("JSON %q: %w", payload, err)
	}
	got, err := fromJSONSchema(v, notNull(schema))
	if fields, ok := got.(record); ok && properties(notNull(schema)) != nil && !c.unwrapped() {
		c.keepColumns(fields)
	}
	return got, err
}

// unwrapped tells whether the bytes are those of the only column, not of an object of columns.
func (c jsonSchemaCodec) unwrapped() bool {
	return len(c.columns) == 1 && (c.key || slices.Contains(c.format.Features, "UNWRAP_SINGLES"))
}

// keepColumns drops fields that the schema has and the source has not: they are always null.
func (c jsonSchemaCodec) keepColumns(fields record) {
	for name := range fields {
		if !slices.ContainsFunc(c.columns, func(col column) bool { return col.name == name || col.name == strings.ToUpper(name) }) {
			delete(fields, name)
		}
	}
}

// fromJSONSchema turns JSON into what match compares: fractions are doubles or decimals as the schema says; fields that are missing are
// null.
func fromJSONSchema(v any, schema *object) (any, error) {
	if v == nil {
		return nil, nil
	}
	name, _ := schema.values["title"].(string)
	connect, _ := schema.values["connect.type"].(string)
	switch v := v.(type) {
	case number:
		if isDecimal(name) {
			return parseDecimal(string(v))
		}
		if schema.values["type"] == "integer" {
			return strconv.ParseInt(string(v), 10, 64)
		}
		return strconv.ParseFloat(string(v), 64)
	case string:
		if connect == "bytes" && !isDecimal(name) {
			return base64.StdEncoding.DecodeString(v)
		}
		return v, nil
	case []any:
		return fromSchemaList(v, schema, connect == "map")
	case *object:
		return fromSchemaObject(v, schema)
	}
	return v, nil
}

func isDecimal(title string) bool { return strings.HasSuffix(title, "data.Decimal") }

// fromSchemaList reads an array, or a map that is written as one of keys and values.
func fromSchemaList(list []any, schema *object, entries bool) (any, error) {
	items := notNull(schema.values["items"])
	if entries {
		fields := record{}
		for _, item := range list {
			got, err := fromJSONSchema(item, items)
			if err != nil {
				return nil, err
			}
			entry, ok := got.(record)
			if !ok {
				return nil, fmt.Errorf("%s is no map entry", show(got))
			}
			fields[fmt.Sprint(entry["key"])] = entry["value"]
		}
		return fields, nil
	}
	got := make([]any, len(list))
	for i, item := range list {
		var err error
		if got[i], err = fromJSONSchema(item, items); err != nil {
			return nil, err
		}
	}
	return got, nil
}

func fromSchemaObject(o *object, schema *object) (any, error) {
	got := record{}
	fields := properties(schema)
	if fields != nil {
		for _, name := range fields.names {
			got[name] = nil
		}
	}
	for _, name := range o.names {
		of := schema.values["additionalProperties"]
		if fields != nil {
			of = fields.values[name]
		}
		value, err := fromJSONSchema(o.values[name], notNull(of))
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
		got[name] = value
	}
	return got, nil
}
