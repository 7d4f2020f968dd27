package format

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/row"
)

// A delimitedCodec reads and writes the fields of a row as CSV.
type delimitedCodec struct {
	cols      row.Schema
	delimiter byte
}

func newDelimited(s Side) (Codec, error) {
	c := &delimitedCodec{cols: s.Schema, delimiter: ','}
	for _, col := range s.Schema {
		if col.Type.Kind.IsNested() {
			return nil, fmt.Errorf("The 'DELIMITED' format does not support type '%s', column: %s", col.Type.Kind, row.Quote(col.Name))
		}
	}
	if text, ok := s.Props[propDelimiter]; ok {
		var err error
		if c.delimiter, err = DelimiterOf(text); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// HoldsNull implements serde.Serde.
func (c *delimitedCodec) HoldsNull() bool { return true }

func (c *delimitedCodec) fail(column, reason string) error {
	return &Error{Format: Delimited, Column: column, Reason: reason}
}

// Decode implements serde.Serde. An empty field is null.
func (c *delimitedCodec) Decode(b []byte) (row.Row, error) {
	if b == nil {
		return "", nil
	}
	fields, err := c.split(string(b))
	if err != nil {
		return "", err
	}
	if len(fields) != len(c.cols) {
		return "", c.fail("", fmt.Sprintf("%d fields where the schema has %d", len(fields), len(c.cols)))
	}
	var out row.Builder
	for i, f := range fields {
		v, err := fromText(c.cols[i].Type, f)
		if err != nil {
			return "", c.fail(c.cols[i].Name, err.Error())
		}
		out.Add(v)
	}
	return out.Row(), nil
}

// split cuts a line of CSV into its fields, without their quotes.
func (c *delimitedCodec) split(s string) ([]string, error) {
	var fields []string
	for {
		if !strings.HasPrefix(s, `"`) {
			end := strings.IndexByte(s, c.delimiter)
			if end < 0 {
				return append(fields, strings.TrimRight(s, "\r\n")), nil
			}
			fields, s = append(fields, s[:end]), s[end+1:]
			continue
		}
		field, rest, ok := unquote(s)
		if !ok {
			return nil, c.fail("", "a quote that is not closed")
		}
		fields = append(fields, field)
		if rest == "" || rest == "\n" || rest == "\r\n" {
			return fields, nil
		}
		if rest[0] != c.delimiter {
			return nil, c.fail("", "text behind a closing quote")
		}
		s = rest[1:]
	}
}

// unquote takes the quoted field that s begins with; quotes within are doubled.
func unquote(s string) (field, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}

// fromText is what a field means as one of the type.
func fromText(t *row.Type, s string) (row.Value, error) {
	if t.Kind == row.KindString && s != "" {
		return row.NewString(s), nil
	}
	if s = strings.TrimSpace(s); s == "" {
		return row.Null, nil
	}
	switch t.Kind {
	case row.KindBoolean:
		return row.NewBoolean(strings.EqualFold(s, "true")), nil
	case row.KindInt, row.KindBigint, row.KindDate, row.KindTime, row.KindTimestamp:
		return integerText(t.Kind, s)
	case row.KindDouble:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return row.Null, reason("not a number")
		}
		return row.NewDouble(f), nil
	case row.KindDecimal:
		d, err := row.ParseDecimal(s)
		if err != nil {
			return row.Null, reason(err.Error())
		}
		return fit(d, t)
	default:
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return row.Null, reason("not text in base64")
		}
		return row.NewBytes(string(raw)), nil
	}
}

func integerText(k row.Kind, s string) (row.Value, error) {
	bits := 64
	if k == row.KindInt || k == row.KindDate {
		bits = 32
	}
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return row.Null, reason("not a whole number that fits")
	}
	switch k {
	case row.KindInt:
		return row.NewInt(int32(n)), nil
	case row.KindBigint:
		return row.NewBigint(n), nil
	case row.KindDate:
		return row.NewDate(n), nil
	case row.KindTime:
		return row.NewTime(n), nil
	default:
		return row.NewTimestamp(n), nil
	}
}

// Append implements serde.Serde.
func (c *delimitedCodec) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	if dst == nil {
		dst = []byte{} // an empty line is not null
	}
	for i := range c.cols {
		if i > 0 {
			dst = append(dst, c.delimiter)
		}
		dst = c.appendField(dst, r.At(i), i == 0)
	}
	return dst, nil
}

func (c *delimitedCodec) appendField(dst []byte, v row.Value, first bool) []byte {
	switch v.Kind() {
	case row.KindNull:
		return dst
	case row.KindBoolean:
		return strconv.AppendBool(dst, v.Boolean())
	case row.KindDouble:
		return java.AppendDouble(dst, v.Double())
	case row.KindDecimal:
		return c.appendText(dst, v.Decimal().String(), first)
	case row.KindDate, row.KindTime, row.KindTimestamp:
		return c.appendText(dst, strconv.FormatInt(v.Int64(), 10), first)
	case row.KindString:
		return c.appendText(dst, v.Text(), first)
	case row.KindBytes:
		return base64.StdEncoding.AppendEncode(dst, []byte(v.Text()))
	default:
		return strconv.AppendInt(dst, v.Int64(), 10)
	}
}

// appendText quotes what would be read as something else otherwise, by the rules of commons-csv's minimal mode: an empty first field, one
// that begins with a character up to '#', or ends with one up to a space, and one with a delimiter, a quote or an end of line inside.
func (c *delimitedCodec) appendText(dst []byte, s string, first bool) []byte {
	quote := s == "" && first
	if s != "" {
		begin := s[0]
		quote = begin <= '#' || s[len(s)-1] <= ' ' || strings.ContainsAny(s, "\r\n\"") || strings.IndexByte(s, c.delimiter) >= 0
		if first && !quote {
			letter := begin >= '0' && begin <= '9' || begin >= 'A' && begin <= 'Z' || begin >= 'a' && begin <= 'z'
			quote = !letter
		}
	}
	if !quote {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}
