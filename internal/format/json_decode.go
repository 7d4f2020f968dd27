package format

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/row"
)

// A jsonCodec reads and writes JSON.
type jsonCodec struct {
	name   string // of the format, for errors
	cols   row.Schema
	exact  map[string]int // columns by their names
	bare   bool           // the only column stands for itself
	pairs  bool           // maps are written as arrays of objects of key and value
	upward map[string]int // columns by their names in upper case, where that is another name
	spans  sync.Pool      // *[]span
	names  []string       // as JSON text with the colon, for writing
}

// A span is where a column's value stands in the text; to 0: nowhere.
type span struct {
	from, to int
	exact    bool // its name was written as the column's
}

func newJSON(s Side) *jsonCodec {
	c := &jsonCodec{name: s.Name, cols: s.Schema, exact: map[string]int{}, upward: map[string]int{}, bare: s.Unwrapped && len(s.Schema) == 1}
	for i, col := range s.Schema {
		c.exact[col.Name] = i
		if upper := strings.ToUpper(col.Name); upper == col.Name {
			c.upward[upper] = i
		}
		c.names = append(c.names, string(jsontext.AppendString(nil, col.Name))+":")
	}
	c.spans.New = func() any { s := make([]span, len(c.cols)); return &s }
	return c
}

// textKeys refuses maps whose keys are no text: JSON has no others.
func textKeys(t *row.Type) error {
	switch {
	case t == nil:
		return nil
	case t.Kind == row.KindMap && !t.Key.Is(row.KindString):
		return errors.New("JSON only supports MAP types with STRING keys")
	}
	for _, f := range t.Fields {
		if err := textKeys(f.Type); err != nil {
			return err
		}
	}
	return textKeys(t.Elem)
}

// HoldsNull implements serde.Serde.
func (c *jsonCodec) HoldsNull() bool { return true }

func (c *jsonCodec) fail(column, reason string) error {
	return &Error{Format: c.name, Column: column, Reason: reason}
}

// Decode implements serde.Serde.
func (c *jsonCodec) Decode(b []byte) (row.Row, error) {
	if b == nil {
		return "", nil
	}
	i := jsontext.Space(b, 0)
	end, reason := jsontext.Skip(b, i, 0)
	if reason == "" && jsontext.Space(b, end) != len(b) {
		reason = "more than one JSON value"
	}
	if reason != "" {
		return "", c.fail("", reason+" at byte "+strconv.Itoa(end))
	}
	text := b[i:end]
	if string(text) == "null" {
		return "", nil
	}
	if c.bare {
		v, err := c.value(c.cols[0].Type, text)
		if err != nil {
			return "", c.fail(c.cols[0].Name, err.Error())
		}
		return row.NewRow(v), nil
	}
	if text[0] != '{' {
		return "", c.fail("", "not an object")
	}
	spans := c.spans.Get().(*[]span)
	defer c.spans.Put(spans)
	clear(*spans)
	c.find(text, *spans)
	var out row.Builder
	for i, s := range *spans {
		if s.to == 0 {
			out.AddNull()
			continue
		}
		if err := c.add(&out, c.cols[i].Type, text[s.from:s.to]); err != nil {
			return "", c.fail(c.cols[i].Name, err.Error())
		}
	}
	return out.Row(), nil
}

// find notes where the columns stand in an object that was checked. A name as the column's beats one in other case.
func (c *jsonCodec) find(b []byte, spans []span) {
	eachMember(b, func(name []byte, from, to int) {
		i, exact := c.exact[string(name)]
		if !exact {
			var ok bool
			if i, ok = c.upward[strings.ToUpper(string(name))]; !ok {
				return
			}
		}
		if exact || !spans[i].exact {
			spans[i] = span{from, to, exact}
		}
	})
}

// eachMember calls f for each member of a checked object with its name and the place of its value.
func eachMember(b []byte, f func(name []byte, from, to int)) {
	i := jsontext.Space(b, 1)
	for closed := b[i] == '}'; !closed; {
		name, from, _ := jsontext.Key(b, i)
		if strings.IndexByte(string(name), '\\') >= 0 {
			name = jsontext.Unescape(nil, name)
		}
		to, _ := jsontext.Skip(b, from, 0)
		f(name, from, to)
		i, closed, _ = jsontext.Next(b, to, '}')
	}
}

// eachElement calls f for each element of a checked array.
func eachElement(b []byte, f func(from, to int) error) error {
	i := jsontext.Space(b, 1)
	for closed := b[i] == ']'; !closed; {
		to, _ := jsontext.Skip(b, i, 0)
		if err := f(i, to); err != nil {
			return err
		}
		i, closed, _ = jsontext.Next(b, to, ']')
	}
	return nil
}

// A reason is an error that is only a sentence.
type reason string

func (r reason) Error() string { return string(r) }

// add adds a checked JSON value as one of the type.
func (c *jsonCodec) add(out *row.Builder, t *row.Type, b []byte) error {
	if t.Kind == row.KindString && b[0] == '"' {
		raw := b[1 : len(b)-1]
		for _, x := range raw {
			if x == '\\' || x >= 0x80 {
				raw = jsontext.Unescape(nil, raw)
				break
			}
		}
		out.AddText(row.KindString, raw)
		return nil
	}
	v, err := c.value(t, b)
	if err != nil {
		return err
	}
	out.Add(v)
	return nil
}

// text is the inside of a JSON string.
func text(b []byte) string { return string(jsontext.Unescape(nil, b[1:len(b)-1])) }

func isNumber(b []byte) bool { return b[0] == '-' || b[0]-'0' <= 9 }

// value is what a checked JSON value means as one of the type.
func (c *jsonCodec) value(t *row.Type, b []byte) (row.Value, error) {
	if string(b) == "null" {
		return row.Null, nil
	}
	switch t.Kind {
	case row.KindBoolean:
		if b[0] != 't' && b[0] != 'f' {
			return row.Null, reason("not a boolean")
		}
		return row.NewBoolean(b[0] == 't'), nil
	case row.KindInt, row.KindBigint, row.KindDate, row.KindTime, row.KindTimestamp:
		return jsonInteger(t.Kind, b)
	case row.KindDouble:
		return jsonDouble(b)
	case row.KindDecimal:
		return jsonDecimal(t, b)
	case row.KindString:
		if b[0] == '"' {
			return row.NewString(text(b)), nil
		}
		return row.NewString(string(compact(b))), nil
	case row.KindBytes:
		if b[0] != '"' {
			return row.Null, reason("not text in base64")
		}
		raw, err := base64.StdEncoding.DecodeString(text(b))
		if err != nil {
			return row.Null, reason("not text in base64")
		}
		return row.NewBytes(string(raw)), nil
	case row.KindArray:
		return c.array(t, b)
	case row.KindMap:
		return c.mapping(t, b)
	case row.KindStruct:
		return c.structure(t, b)
	}
	return row.Null, reason("no JSON of this type")
}

// jsonInteger takes whole numbers as Java's conversions do: fractions are cut off and what does not fit wraps around. Text counts for
// INTEGER and BIGINT.
func jsonInteger(k row.Kind, b []byte) (row.Value, error) {
	quoted := b[0] == '"' && (k == row.KindInt || k == row.KindBigint)
	if quoted {
		b = []byte(text(b))
	}
	if len(b) == 0 || !isNumber(b) && !quoted {
		return row.Null, reason("not a number")
	}
	bits := 64
	if k == row.KindInt && quoted {
		bits = 32
	}
	n, err := strconv.ParseInt(string(b), 10, bits)
	if err != nil {
		if quoted {
			return row.Null, reason("text that is no whole number")
		}
		if n, err = wrapped(b); err != nil {
			return row.Null, err
		}
	}
	switch k {
	case row.KindInt:
		return row.NewInt(int32(n)), nil
	case row.KindDate:
		return row.NewDate(n), nil
	case row.KindTime:
		return row.NewTime(n), nil
	case row.KindTimestamp:
		return row.NewTimestamp(n), nil
	default:
		return row.NewBigint(n), nil
	}
}

// wrapped is the low 64 bits of a number's whole part.
func wrapped(b []byte) (int64, error) {
	d, err := row.ParseDecimal(b)
	if err != nil {
		return 0, reason("number out of range")
	}
	return d.Wrapped(), nil
}

func jsonDouble(b []byte) (row.Value, error) {
	s := string(b)
	if b[0] == '"' {
		s = strings.TrimSpace(text(b))
	} else if !isNumber(b) {
		return row.Null, reason("not a number")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return row.Null, reason("not a number")
	}
	return row.NewDouble(f), nil
}

func jsonDecimal(t *row.Type, b []byte) (row.Value, error) {
	s := string(b)
	if b[0] == '"' {
		s = text(b)
	} else if !isNumber(b) {
		return row.Null, reason("not a number")
	}
	d, err := row.ParseDecimal(s)
	if err != nil {
		return row.Null, reason(err.Error())
	}
	return fit(d, t)
}

// fit gives d the scale of the type. What would have to be rounded, or has too many digits, does not fit.
func fit(d row.Decimal, t *row.Type) (row.Value, error) {
	fitted, ok := d.Fit(t.Precision, t.Scale)
	if !ok {
		return row.Null, reason("a number that does not fit into " + t.String() + " without rounding")
	}
	return row.FromDecimal(fitted), nil
}

func (c *jsonCodec) array(t *row.Type, b []byte) (row.Value, error) {
	if b[0] != '[' {
		return row.Null, reason("not an array")
	}
	var elems row.Builder
	if err := eachElement(b, func(from, to int) error { return c.add(&elems, t.Elem, b[from:to]) }); err != nil {
		return row.Null, err
	}
	return row.FromRow(row.KindArray, elems.Row()), nil
}

func (c *jsonCodec) mapping(t *row.Type, b []byte) (v row.Value, err error) {
	if b[0] == '[' && c.name == JSONSR {
		return c.paired(t, b)
	}
	if b[0] != '{' {
		return row.Null, reason("not an object")
	}
	var entries []row.Entry
	eachMember(b, func(name []byte, from, to int) {
		e, failed := c.value(t.Elem, b[from:to])
		if failed != nil {
			err = failed
		}
		entries = append(entries, row.Entry{Key: row.NewString(string(name)), Value: e})
	})
	if err != nil {
		return row.Null, err
	}
	return row.NewMap(entries...), nil
}

// paired reads a map that is written as an array of objects of key and value.
func (c *jsonCodec) paired(t *row.Type, b []byte) (row.Value, error) {
	pair := row.StructType(row.Field{Name: "key", Type: t.Key}, row.Field{Name: "value", Type: t.Elem})
	var entries []row.Entry
	err := eachElement(b, func(from, to int) error {
		v, err := c.structure(pair, b[from:to])
		if err != nil {
			return err
		}
		r := v.Row()
		entries = append(entries, row.Entry{Key: r.At(0), Value: r.At(1)})
		return nil
	})
	if err != nil {
		return row.Null, err
	}
	return row.NewMap(entries...), nil
}

func (c *jsonCodec) structure(t *row.Type, b []byte) (v row.Value, err error) {
	if b[0] != '{' {
		return row.Null, reason("not an object")
	}
	spans := make([]span, len(t.Fields))
	eachMember(b, func(name []byte, from, to int) {
		for i, f := range t.Fields {
			if exact := f.Name == string(name); exact || !spans[i].exact && f.Name == strings.ToUpper(string(name)) {
				spans[i] = span{from, to, exact}
			}
		}
	})
	var fields row.Builder
	for i, s := range spans {
		if s.to == 0 {
			fields.AddNull()
		} else if err := c.add(&fields, t.Fields[i].Type, b[s.from:s.to]); err != nil {
			return row.Null, reason("field " + t.Fields[i].Name + ": " + err.Error())
		}
	}
	return row.FromRow(row.KindStruct, fields.Row()), nil
}

// compact is checked JSON without white space between its tokens.
func compact(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		switch b[i] {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end, _ := jsontext.String(b, i)
			out = append(out, b[i:end]...)
			i = end
		default:
			out = append(out, b[i])
			i++
		}
	}
	return out
}
