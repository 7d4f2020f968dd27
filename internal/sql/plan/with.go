package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/row"
)

// Settings are properties by ksqlDB's names, such as ksql.persistence.default.format.key.
type Settings map[string]string

// The names of settings that planning looks at.
const (
	settingKeyFormat   = "ksql.persistence.default.format.key"
	settingValueFormat = "ksql.persistence.default.format.value"
	settingWrap        = "ksql.persistence.wrap.single.values"
	settingPrefix      = "ksql.output.topic.name.prefix"
	settingNewPlanner  = "ksql.new.query.planner.enabled"
)

func (s Settings) get(name, otherwise string) string {
	if v, ok := s[name]; ok {
		return v
	}
	return otherwise
}

// The properties of WITH.
const (
	withTopic           = "KAFKA_TOPIC"
	withPartitions      = "PARTITIONS"
	withReplicas        = "REPLICAS"
	withRetention       = "RETENTION_MS"
	withCleanup         = "CLEANUP_POLICY"
	withFormat          = "FORMAT"
	withKeyFormat       = "KEY_FORMAT"
	withValueFormat     = "VALUE_FORMAT"
	withKeyDelimiter    = "KEY_DELIMITER"
	withValueDelimiter  = "VALUE_DELIMITER"
	withWrap            = "WRAP_SINGLE_VALUE"
	withTimestamp       = "TIMESTAMP"
	withTimestampFormat = "TIMESTAMP_FORMAT"
	withWindowType      = "WINDOW_TYPE"
	withWindowSize      = "WINDOW_SIZE"
	withQueryID         = "QUERY_ID"
)

// formatProperties are properties of a format, by the property of WITH for keys and for values.
var formatProperties = []struct{ key, value, prop string }{
	{withKeyDelimiter, withValueDelimiter, "delimiter"},
	{"KEY_SCHEMA_FULL_NAME", "VALUE_SCHEMA_FULL_NAME", "fullSchemaName"},
	{"", "VALUE_AVRO_SCHEMA_FULL_NAME", "fullSchemaName"},
	{"KEY_SCHEMA_ID", "VALUE_SCHEMA_ID", "schemaId"},
	{"KEY_PROTOBUF_NULLABLE_REPRESENTATION", "VALUE_PROTOBUF_NULLABLE_REPRESENTATION", "nullableRepresentation"},
}

// known lists the properties that a statement takes.
func known(create bool) []string {
	names := []string{
		withTopic, withPartitions, withReplicas, withRetention, withCleanup, withFormat, withKeyFormat, withValueFormat, withWrap,
		withTimestamp, withTimestampFormat,
	}
	for _, f := range formatProperties {
		names = append(names, f.value)
		if f.key != "" {
			names = append(names, f.key)
		}
	}
	if create {
		names = append(names, withWindowType, withWindowSize, "SOURCED_BY_CONNECTOR")
	}
	return names
}

// A with is a WITH clause.
type with struct {
	props map[string]ast.Expr
	at    map[string]ast.Property
}

// withOf reads a WITH clause and refuses what it does not know.
func withOf(list []ast.Property, names []string) (with, error) {
	w := with{map[string]ast.Expr{}, map[string]ast.Property{}}
	var unknown []string
	var first ast.Property
	for _, p := range list {
		name := strings.ToUpper(p.Name.Text)
		if !slices.Contains(names, name) {
			if unknown = append(unknown, name); len(unknown) == 1 {
				first = p
			}
			continue
		}
		if _, twice := w.props[name]; twice {
			return w, errorAt(p, "Property '%s' is given twice in the WITH clause", name)
		}
		w.props[name], w.at[name] = p.Value, p
	}
	if len(unknown) > 0 {
		near := parse.Nearest(unknown[0], names)
		if near != "" {
			near = "did you mean " + near + "?"
		}
		slices.Sort(unknown)
		return w, &Error{
			Code: codeProperty, Message: "Failed to prepare statement: Invalid config variable(s) in the WITH clause: " + strings.Join(unknown, ","),
			Span: first.Span, Hint: near,
		}
	}
	return w, nil
}

// text is a property as text; ok tells that it is there.
func (w with) text(name string) (text string, ok bool, err error) {
	e, ok := w.props[name]
	if !ok {
		return "", false, nil
	}
	if text, ok := Literal(e); ok {
		return text, true, nil
	}
	return "", true, w.invalid(name, "Expected a literal but was: "+ast.Format(e))
}

// Literal is a property's value as text; ok is false for what is no literal.
func Literal(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.StringLiteral:
		return e.Value, true
	case *ast.IntegerLiteral:
		return strconv.FormatInt(e.Value, 10), true
	case *ast.BoolLiteral:
		return strconv.FormatBool(e.Value), true
	case *ast.ColumnRef:
		return e.Name.Text, true
	}
	return "", false
}

func (w with) invalid(name, reason string) error {
	return coded(codeProperty, errorAt(w.at[name], "Failed to prepare statement: Configuration %s is invalid: %s", name, reason))
}

// number is a property as a whole number.
func (w with) number(name string) (n int64, ok bool, err error) {
	text, ok, err := w.text(name)
	if err != nil || !ok {
		return 0, ok, err
	}
	if n, err = strconv.ParseInt(text, 10, 64); err != nil {
		return 0, true, w.invalid(name, "'"+text+"' is not a whole number")
	}
	return n, true, nil
}

// boolean is a property as a truth value.
func (w with) boolean(name string) (b, ok bool, err error) {
	text, ok, err := w.text(name)
	if err != nil || !ok {
		return false, ok, err
	}
	if b, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
		return false, true, w.invalid(name, "'"+text+"' is neither true nor false")
	}
	return b, true, nil
}

// formatNames are the formats that the clause names, empty where it names none.
func (w with) formatNames() (key, value string, err error) {
	if key, _, err = w.text(withKeyFormat); err != nil {
		return "", "", err
	}
	if value, _, err = w.text(withValueFormat); err != nil {
		return "", "", err
	}
	both, ok, err := w.text(withFormat)
	if err != nil || !ok {
		return strings.ToUpper(key), strings.ToUpper(value), err
	}
	for name, given := range map[string]string{withKeyFormat: key, withValueFormat: value} {
		if given != "" {
			return "", "", errorf("Cannot supply both '%s' and 'FORMAT' properties, as 'FORMAT' sets both key and value formats. Either use just 'FORMAT', or use 'KEY_FORMAT' and 'VALUE_FORMAT'.", name)
		}
	}
	return strings.ToUpper(both), strings.ToUpper(both), nil
}

// properties adds to a spec what the clause says about its format.
func (w with) properties(spec format.Spec, key bool) (format.Spec, error) {
	for _, f := range formatProperties {
		name := f.value
		if key {
			name = f.key
		}
		text, ok, err := w.text(name)
		if err != nil {
			return spec, err
		}
		if !ok {
			continue
		}
		if f.prop == "delimiter" {
			if _, err := format.DelimiterOf(text); err != nil {
				return spec, w.invalid(name, err.Error()+"\nExample valid value: ';'")
			}
		}
		if !format.Takes(spec.Name, f.prop) {
			return spec, errorf("%s does not support the following configs: [%s]", spec.Name, f.prop)
		}
		if f.prop == format.PropNullable {
			if text = strings.ToLower(text); text != "optional" && text != "wrapper" {
				return spec, w.invalid(name, "'"+text+"' is neither OPTIONAL nor WRAPPER")
			}
		}
		spec = spec.With(f.prop, text)
	}
	if spec.Name == format.Protobuf {
		spec = spec.With(format.PropUnwrap, "true")
	}
	return spec, nil
}

// keyFormat decides how keys are written. spec is what the clause or the source in front says.
func (w with) keyFormat(spec format.Spec, schema row.Schema) (catalog.Serialized, error) {
	if len(schema) == 0 {
		return catalog.Serialized{Spec: format.Spec{Name: format.None}}, nil
	}
	spec, err := w.properties(spec, true)
	if err != nil {
		return catalog.Serialized{}, err
	}
	trait, ok := format.TraitOf(spec.Name)
	if !ok {
		return catalog.Serialized{}, errorf("Unknown format: %s", spec.Name)
	}
	if spec.Name == format.None {
		return catalog.Serialized{}, errorf("The 'NONE' format can only be used when no columns are defined. Got: [%s]", describe(schema, nil))
	}
	out := catalog.Serialized{Spec: spec, Unwrapped: len(schema) == 1 && trait.Unwraps}
	out.Chosen = out.Unwrapped && trait.Wraps
	for _, c := range schema {
		if hasMap(c.Type) {
			return out, errorf("Map keys, including types that contain maps, are not supported as they may lead to unexpected behavior due to inconsistent serialization. Key column name: %s. Column type: %s. See https://github.com/confluentinc/ksql/issues/6621 for more.",
				row.Quote(c.Name), c.Type)
		}
	}
	if err := format.Check(spec, schema, true); err != nil {
		return out, errorf("Key format does not support schema.\nformat: %s\nschema: %s\nreason: %s", spec.Name, persistence(schema, " KEY", out), err)
	}
	return out, nil
}

// valueFormat decides how values are written.
func (w with) valueFormat(spec format.Spec, schema row.Schema, s Settings) (catalog.Serialized, error) {
	spec, err := w.properties(spec, false)
	if err != nil {
		return catalog.Serialized{}, err
	}
	trait, ok := format.TraitOf(spec.Name)
	if !ok {
		return catalog.Serialized{}, errorf("Unknown format: %s", spec.Name)
	}
	out := catalog.Serialized{Spec: spec}
	wrap, given, err := w.boolean(withWrap)
	if err != nil {
		return out, err
	}
	switch {
	case given && (wrap && !trait.Wraps || !wrap && !trait.Unwraps):
		return out, errorf("Format '%s' does not support '%s' set to '%t'.", spec.Name, withWrap, wrap)
	case given && len(schema) != 1:
		return out, errorf("'%s' is only valid for single-field value schemas", withWrap)
	case given:
		out.Chosen, out.Unwrapped = trait.Wraps && trait.Unwraps, !wrap
	case len(schema) == 1 && trait.Wraps && trait.Unwraps:
		if text, set := s[settingWrap]; set && text != "" {
			out.Unwrapped = text == "false"
			out.Chosen = true
		}
	case len(schema) == 1:
		out.Unwrapped = trait.Unwraps
	}
	if err := format.Check(spec, schema, false); err != nil {
		return out, errorf("Value format does not support schema.\nformat: %s\nschema: %s\nreason: %s", spec.Name, persistence(schema, "", out), err)
	}
	return out, nil
}

func hasMap(t *row.Type) bool {
	if t == nil {
		return false
	}
	return t.Kind == row.KindMap || hasMap(t.Elem) || slices.ContainsFunc(t.Fields, func(f row.Field) bool { return hasMap(f.Type) })
}

// persistence is a schema as messages about formats show it.
func persistence(schema row.Schema, suffix string, s catalog.Serialized) string {
	var columns []string
	for _, c := range schema {
		columns = append(columns, row.Quote(c.Name)+" "+c.Type.String()+suffix)
	}
	return "Persistence{columns=[" + strings.Join(columns, ", ") + "], features=[" + strings.Join(Features(s), ", ") + "]}"
}

// Features are ksqlDB's names for what a statement or a default chose.
func Features(s catalog.Serialized) []string {
	switch {
	case s.Chosen && s.Unwrapped:
		return []string{"UNWRAP_SINGLES"}
	case s.Chosen:
		return []string{"WRAP_SINGLES"}
	}
	return nil
}
