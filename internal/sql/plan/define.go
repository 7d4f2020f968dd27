package plan

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// headersType is that of a HEADERS column.
var headersType = row.ArrayType(row.StructType(row.Field{Name: "KEY", Type: row.StringType}, row.Field{Name: "VALUE", Type: row.BytesType}))

// Define plans CREATE STREAM and CREATE TABLE over a topic.
func Define(c Context, s *ast.CreateSource) (*catalog.Source, error) {
	w, err := withOf(s.With, known(true))
	if err != nil {
		return nil, err
	}
	out := &catalog.Source{Name: s.Name.Text, Table: s.Table, ReadOnly: s.SourceOnly}
	if err := columns(c, s, out); err != nil {
		return nil, err
	}
	topic, ok, err := w.text(withTopic)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errorf("Missing required property \"KAFKA_TOPIC\" which has no default value.")
	}
	out.Topic = topic
	if err := windowing(w, out); err != nil {
		return nil, err
	}
	if err := inferred(c, w, out); err != nil {
		return nil, err
	}
	if err := serialized(c, w, out); err != nil {
		return nil, err
	}
	if out.Time, err = timeOf(w, append(append(row.Schema(nil), out.Key...), out.Value...)); err != nil {
		return nil, err
	}
	return out, checkDefined(out)
}

// columns takes over the columns of the statement.
func columns(c Context, s *ast.CreateSource, out *catalog.Source) error {
	seen, left := map[string]bool{}, expr.MaxTypeParts
	for _, e := range s.Elements {
		name := e.Name.Text
		if isPseudo(name) {
			return errorAt(e, "'%s' is a reserved column name. You cannot use it as a name for a column.", name)
		}
		if seen[name] {
			return errorAt(e, "Duplicate column names: %s", row.Quote(name))
		}
		seen[name] = true
		t, err := TypeOf(c.Catalog, e.Type)
		if err != nil {
			return err
		}
		if left -= expr.TypeParts(t); left < 0 {
			return errorAt(e, "The columns have more than %d parts.", expr.MaxTypeParts)
		}
		col := row.Column{Name: name, Type: t}
		switch e.Constraint {
		case ast.Key, ast.PrimaryKey:
			out.Key = append(out.Key, col)
		case ast.Headers:
			if !t.Equal(headersType) {
				return errorAt(e, "Invalid type for HEADERS column: expected %s, got %s", headersType, t)
			}
			if err := anotherHeader(out.Headers, e); err != nil {
				return err
			}
			out.Headers = append(out.Headers, catalog.Header{Column: col})
		case ast.Header:
			if !t.Is(row.KindBytes) {
				return errorAt(e, "Invalid type for HEADER('%s') column: expected BYTES, got %s", e.HeaderKey, t)
			}
			if err := anotherHeader(out.Headers, e); err != nil {
				return err
			}
			out.Headers = append(out.Headers, catalog.Header{Column: col, Key: e.HeaderKey})
		default:
			out.Value = append(out.Value, col)
		}
	}
	return nil
}

// anotherHeader refuses what a column before it has already: behind HEADERS there is nothing to add, and no key is read twice.
func anotherHeader(have []catalog.Header, e ast.ColumnDef) error {
	for _, h := range have {
		switch {
		case h.Key == "":
			return errorAt(e, "Schema already contains a HEADERS column: %s.", row.Quote(h.Name))
		case h.Key == e.HeaderKey:
			return errorAt(e, "Schema already contains a HEADER('%s') column: %s.", h.Key, row.Quote(h.Name))
		}
	}
	return nil
}

// windowing takes over WINDOW_TYPE and WINDOW_SIZE.
func windowing(w with, out *catalog.Source) error {
	kind, ok, err := w.text(withWindowType)
	if err != nil {
		return err
	}
	size, sized, err := w.text(withWindowSize)
	if err != nil {
		return err
	}
	if !ok {
		if sized {
			return w.invalid(withWindowSize, "it needs a WINDOW_TYPE")
		}
		return nil
	}
	out.Window.Kind = catalog.WindowKind(strings.ToUpper(kind))
	switch out.Window.Kind {
	case catalog.Session:
		if sized {
			return errorf("Failed to prepare statement: 'WINDOW_SIZE' should not be set for SESSION windows.")
		}
	case catalog.Tumbling, catalog.Hopping:
		if !sized {
			return errorf("Failed to prepare statement: 'WINDOW_SIZE' property is mandatory for HOPPING and TUMBLING windows.")
		}
		if out.Window.SizeMs, err = durationOf(size); err != nil {
			return w.invalid(withWindowSize, err.Error())
		}
	default:
		return w.invalid(withWindowType, "'"+kind+"' is none of SESSION, HOPPING, TUMBLING")
	}
	return nil
}

// durationOf reads "30 seconds".
func durationOf(text string) (int64, error) {
	parts := strings.Fields(text)
	if len(parts) != 2 {
		return 0, errorf("Invalid duration: '%s'. Expected the form: <number> <unit>, e.g. 20 SECONDS", text)
	}
	unit, ok := ast.UnitOf(strings.ToUpper(parts[1]))
	if !ok {
		return 0, errorf("Invalid duration: '%s'. Unknown time unit: '%s'", text, strings.ToUpper(parts[1]))
	}
	n := int64(0)
	for _, c := range parts[0] {
		if c < '0' || c > '9' || n > 1<<50 {
			return 0, errorf("Invalid duration: '%s'. Not a whole number: '%s'", text, parts[0])
		}
		n = n*10 + int64(c-'0')
	}
	ms, ok := ast.Duration{Count: n, Unit: unit}.Millis()
	if !ok || ms == 0 {
		return 0, errorf("Invalid duration: '%s'. It must be above zero and fit into 64 bits", text)
	}
	return ms, nil
}

// serialized decides how keys and values are written.
func serialized(c Context, w with, out *catalog.Source) error {
	key, value, err := w.formatNames()
	if err != nil {
		return err
	}
	if key == "" {
		key = strings.ToUpper(c.Settings.get(settingKeyFormat, format.Kafka))
	}
	if value == "" {
		value = strings.ToUpper(c.Settings.get(settingValueFormat, ""))
	}
	if value == "" {
		return errorf("Statement is missing the 'VALUE_FORMAT' property from the WITH clause. Either provide one or set a default via the '%s' config.", settingValueFormat)
	}
	if len(out.Key) == 0 {
		if _, ok := format.TraitOf(key); !ok {
			return errorf("Unknown format: %s", key)
		}
	}
	out.KeySpec = format.Spec{Name: key}
	if out.KeyFormat, err = w.keyFormat(format.Spec{Name: key}, out.Key); err != nil {
		return err
	}
	out.KeyFormat = named(out.KeyFormat, out.Name)
	out.ValueFormat, err = w.valueFormat(format.Spec{Name: value}, out.Value, c.Settings)
	return err
}

// timeOf takes over TIMESTAMP and TIMESTAMP_FORMAT.
func timeOf(w with, schema row.Schema) (catalog.Time, error) {
	name, ok, err := w.text(withTimestamp)
	if err != nil || !ok {
		return catalog.Time{}, err
	}
	pattern, formatted, err := w.text(withTimestampFormat)
	if err != nil {
		return catalog.Time{}, err
	}
	name = columnName(name)
	i := schema.Index(name)
	if i < 0 {
		return catalog.Time{}, errorf("The TIMESTAMP column set in the WITH clause does not exist in the schema: '%s'", name)
	}
	t := schema[i].Type
	if !(t.Is(row.KindBigint) || t.Is(row.KindTimestamp)) && !(t.Is(row.KindString) && formatted) {
		return catalog.Time{}, errorf("Timestamp column, %s, should be LONG(INT64), TIMESTAMP, or a String with a timestamp_format specified", row.Quote(name))
	}
	return catalog.Time{Column: name, Format: pattern}, nil
}

// columnName reads a name within a string: in upper case unless it is in back quotes.
func columnName(text string) string {
	if len(text) >= 2 && text[0] == '`' && text[len(text)-1] == '`' {
		return strings.ReplaceAll(text[1:len(text)-1], "``", "`")
	}
	return strings.ToUpper(text)
}

// checkDefined refuses sources that cannot be.
func checkDefined(s *catalog.Source) error {
	switch {
	case len(s.Key)+len(s.Value)+len(s.Headers) == 0:
		return errorf("No columns supplied.")
	case s.Table && len(s.Key) == 0:
		return errorf("Tables require a PRIMARY KEY. Please define the PRIMARY KEY.")
	case s.Window.Windowed() && len(s.Key) == 0:
		return errorf("Windowed sources require a key column.")
	case len(s.Value) == 0 && s.ValueFormat.Name != format.None && !s.ReadOnly && len(s.Headers) == 0:
		return nil
	}
	return nil
}

// TypeOf is what a type's text means.
func TypeOf(c *catalog.Catalog, t ast.Type) (*row.Type, error) {
	out, err := typeOf(c, t)
	if err == nil && expr.TypeParts(out) > expr.MaxTypeParts {
		return nil, errorAt(t, "The type has more than %d parts.", expr.MaxTypeParts)
	}
	return out, err
}

func typeOf(c *catalog.Catalog, t ast.Type) (*row.Type, error) {
	switch t := t.(type) {
	case *ast.NamedType:
		return namedType(c, t)
	case *ast.DecimalType:
		if t.Precision < 1 || t.Scale < 0 || t.Scale > t.Precision {
			return nil, errorAt(t, "DECIMAL precision must be >= 1 and scale between 0 and the precision: DECIMAL(%d,%d)", t.Precision, t.Scale)
		}
		return row.DecimalType(t.Precision, t.Scale), nil
	case *ast.ArrayType:
		elem, err := typeOf(c, t.Elem)
		if err != nil {
			return nil, err
		}
		return row.ArrayType(elem), nil
	case *ast.MapType:
		key, err := typeOf(c, t.Key)
		if err != nil {
			return nil, err
		}
		value, err := typeOf(c, t.Value)
		if err != nil {
			return nil, err
		}
		return row.MapType(key, value), nil
	case *ast.StructType:
		var fields []row.Field
		seen := map[string]bool{}
		for _, f := range t.Fields {
			ft, err := typeOf(c, f.Type)
			if err != nil {
				return nil, err
			}
			if seen[f.Name.Text] {
				return nil, errorAt(f, "Duplicate field names found in STRUCT: %s", row.Quote(f.Name.Text))
			}
			seen[f.Name.Text] = true
			fields = append(fields, row.Field{Name: f.Name.Text, Type: ft})
		}
		return row.StructType(fields...), nil
	}
	return nil, errorAt(t, "Unknown type")
}

var basicTypes = map[string]*row.Type{
	"BOOLEAN": row.Boolean, "INT": row.Int, "INTEGER": row.Int, "BIGINT": row.Bigint, "DOUBLE": row.Double, "STRING": row.StringType,
	"VARCHAR": row.StringType, "BYTES": row.BytesType, "DATE": row.DateType, "TIME": row.TimeType, "TIMESTAMP": row.TimestampType,
}

func namedType(c *catalog.Catalog, t *ast.NamedType) (*row.Type, error) {
	if basic := basicTypes[t.Name.Text]; basic != nil && !t.Name.Quoted {
		return basic, nil
	}
	if custom := c.Type(t.Name.Text); custom != nil {
		return custom, nil
	}
	return nil, errorAt(t, "Cannot resolve unknown type: %s", t.Name.Text)
}
