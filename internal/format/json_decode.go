package format

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/row"
)

// A jsonCodec reads and writes JSON.
type jsonCodec struct {
	name    string // of the format, for errors
	cols    row.Schema
	fields  row.Schema     // of records: the columns and those that are only checked
	places  []int          // of the columns among the fields
	checked []int          // fields that are no columns and of which a value can be wrong
	byName  map[string]int // fields, where they are many
	bare    bool           // the only column stands for itself
	pairs   bool           // maps are written as arrays of objects of key and value
	strict  bool           // only what stands for the value exactly, as a JSONText writes it
	scratch sync.Pool      // *scratch
	shape   *shape         // of the columns together, for writing
}

// fewFields are looked through as fast as they are found in a map, which a codec of its own for every query would cost memory.
const fewFields = 8

func newJSON(s Side) *jsonCodec {
	c := &jsonCodec{
		name: s.Name, cols: s.Schema, fields: s.Schema, bare: s.Unwrapped && len(s.Schema) == 1,
	}
	if len(c.fields) > fewFields {
		c.byName = make(map[string]int, len(c.fields))
	}
	for i, f := range c.fields {
		if c.byName != nil {
			c.byName[f.Name] = i
		}
		if s.Columns == nil {
			c.places = append(c.places, i)
		} else if f.Type.Kind != row.KindString && !slices.Contains(s.Columns, i) {
			c.checked = append(c.checked, i) // every JSON value is a STRING
		}
	}
	if s.Columns != nil {
		c.places, c.cols = s.Columns, nil
		for _, i := range s.Columns {
			c.cols = append(c.cols, c.fields[i])
		}
	}
	c.shape = shapeOf(c.cols.Struct())
	c.scratch.New = func() any { return &scratch{spans: make([]span, len(c.fields))} }
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
	if i < len(b) && b[i] == '{' && !c.bare {
		return c.object(b, i)
	}
	end, reason := jsontext.Skip(b, i, 0)
	if err := c.whole(b, end, reason); err != nil {
		return "", err
	}
	text := b[i:end]
	if string(text) == "null" {
		return "", nil
	}
	if !c.bare {
		return "", c.fail("", "not an object")
	}
	v, err := c.value(c.cols[0].Type, text)
	if err != nil {
		return "", c.fail(c.cols[0].Name, err.Error())
	}
	return row.NewRow(v), nil
}

// whole refuses text that is not one JSON value, which ends at end unless there is a reason.
func (c *jsonCodec) whole(b []byte, end int, reason string) error {
	if reason == "" && jsontext.Space(b, end) != len(b) {
		reason = "more than one JSON value"
	}
	if reason != "" {
		return c.fail("", reason+" at byte "+strconv.Itoa(end))
	}
	return nil
}

// eachMember calls f for each member of a checked object with its name and the place of its value.
func eachMember(b []byte, f func(name []byte, from, to int)) {
	i := jsontext.Space(b, 1)
	for closed := b[i] == '}'; !closed; {
		name, from, _ := jsontext.Key(b, i)
		if jsontext.PlainEnd(name, 0) < len(name) { // it has escapes, or bytes that may be no UTF-8
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
	switch {
	case t.Kind == row.KindString && b[0] == '"':
		out.AddText(row.KindString, inside(b))
		return nil
	case (t.Kind == row.KindBigint || t.Kind == row.KindInt) && !c.strict:
		if n, ok := shortWhole(b); ok {
			out.Add(wholeOf(t.Kind, n))
			return nil
		}
	}
	v, err := c.value(t, b)
	if err != nil {
		return err
	}
	out.Add(v)
	return nil
}

// inside is what a JSON string says.
func inside(b []byte) []byte {
	raw := b[1 : len(b)-1]
	switch at := jsontext.PlainEnd(raw, 0); {
	case at == len(raw):
		return raw
	case bytes.IndexByte(raw[at:], '\\') < 0 && utf8.Valid(raw[at:]):
		return raw
	}
	return jsontext.Unescape(nil, raw)
}

// text is inside as a string.
func text(b []byte) string { return string(inside(b)) }

// shortWhole reads what nearly all whole numbers are: up to 18 digits.
func shortWhole(b []byte) (n int64, ok bool) {
	digits := b
	if b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if b[0] == '-' {
		n = -n
	}
	return n, true
}

func isNumber(b []byte) bool { return b[0] == '-' || b[0]-'0' <= 9 }

// value is what a checked JSON value means as one of the type.
func (c *jsonCodec) value(t *row.Type, b []byte) (row.Value, error) {
	if b[0] == 'n' {
		return row.Null, nil
	}
	switch t.Kind {
	case row.KindBoolean:
		if b[0] != 't' && b[0] != 'f' {
			return row.Null, reason("not a boolean")
		}
		return row.NewBoolean(b[0] == 't'), nil
	case row.KindInt, row.KindBigint, row.KindDate, row.KindTime, row.KindTimestamp:
		if c.strict {
			return strictWhole(t.Kind, b)
		}
		return jsonInteger(t.Kind, b)
	case row.KindDouble:
		return jsonDouble(b)
	case row.KindDecimal:
		if c.strict {
			return roundedDecimal(t, b)
		}
		return jsonDecimal(t, b)
	case row.KindString:
		if b[0] == '"' {
			return row.NewString(text(b)), nil
		}
		if c.strict {
			return row.Null, reason("not text")
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
	return wholeOf(k, n), nil
}

// wholeOf is a whole number as a value of the kind.
func wholeOf(k row.Kind, n int64) row.Value {
	switch k {
	case row.KindInt:
		return row.NewInt(int32(n))
	case row.KindDate:
		return row.NewDate(n)
	case row.KindTime:
		return row.NewTime(n)
	case row.KindTimestamp:
		return row.NewTimestamp(n)
	default:
		return row.NewBigint(n)
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
	d, err := jsonNumber(b)
	if err != nil {
		return row.Null, err
	}
	return fit(d, t)
}

// jsonNumber reads a number, or a text of one, with all its digits.
func jsonNumber(b []byte) (row.Decimal, error) {
	if b[0] == '"' {
		b = inside(b)
	} else if !isNumber(b) {
		return row.Decimal{}, reason("not a number")
	}
	d, err := row.ParseDecimal(b)
	if err != nil {
		return row.Decimal{}, reason(err.Error())
	}
	return d, nil
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
	var err error
	elems := row.Make(func(out *row.Builder) {
		err = eachElement(b, func(from, to int) error { return c.add(out, t.Elem, b[from:to]) })
	})
	if err != nil {
		return row.Null, err
	}
	return row.FromRow(row.KindArray, elems), nil
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
	var room [16]span
	spans := append(room[:0], make([]span, len(t.Fields))...)
	eachMember(b, func(name []byte, from, to int) {
		for i, f := range t.Fields {
			if exact := f.Name == string(name); exact || !spans[i].exact && isUpper(f.Name, name) {
				spans[i] = span{from: from, to: to, exact: exact}
			}
		}
	})
	fields := row.Make(func(out *row.Builder) {
		for i, s := range spans {
			if s.to == 0 {
				out.AddNull()
			} else if failed := c.add(out, t.Fields[i].Type, b[s.from:s.to]); failed != nil {
				out.AddNull()
				err = reason("field " + t.Fields[i].Name + ": " + failed.Error())
				return
			}
		}
	})
	if err != nil {
		return row.Null, err
	}
	return row.FromRow(row.KindStruct, fields), nil
}

// isUpper tells whether a field has a name in upper case.
func isUpper(field string, name []byte) bool {
	for i, b := range name {
		if b >= utf8.RuneSelf {
			return field == strings.ToUpper(string(name))
		}
		if 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		if i >= len(field) || field[i] != b {
			return false
		}
	}
	return len(field) == len(name)
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
