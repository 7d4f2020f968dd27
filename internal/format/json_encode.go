package format

import (
	"encoding/base64"
	"strconv"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/row"
)

// Append implements serde.Serde.
func (c *jsonCodec) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	if c.bare {
		v := r.At(0)
		if v.IsNull() && c.cols[0].Type.Kind != row.KindStruct {
			return append(dst, "null"...), nil
		}
		return jsonWriter{c.pairs}.append(dst, c.cols[0].Type, v), nil
	}
	dst = append(dst, '{')
	for i := range c.cols {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.names[i]...)
		dst = jsonWriter{c.pairs}.append(dst, c.cols[i].Type, r.At(i))
	}
	return append(dst, '}'), nil
}

// AppendJSON appends a value of the type as JSON: decimals are plain numbers with their scale, doubles as Java prints them, bytes in base64,
// dates, times and timestamps numbers.
func AppendJSON(dst []byte, t *row.Type, v row.Value) []byte { return jsonWriter{}.append(dst, t, v) }

// A jsonWriter writes values.
type jsonWriter struct {
	pairs bool // maps as arrays of objects of key and value
}

func (w jsonWriter) append(dst []byte, t *row.Type, v row.Value) []byte {
	switch v.Kind() {
	case row.KindNull:
		return append(dst, "null"...)
	case row.KindBoolean:
		return strconv.AppendBool(dst, v.Boolean())
	case row.KindDouble:
		if f := v.Double(); f-f != 0 { // NaN and the infinities have no number in JSON
			return append(java.AppendDouble(append(dst, '"'), f), '"')
		}
		return java.AppendDouble(dst, v.Double())
	case row.KindDecimal:
		dst, _ = v.Decimal().AppendJSON(dst)
		return dst
	case row.KindString:
		return jsontext.AppendString(dst, v.Text())
	case row.KindBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(v.Text()))
		return append(dst, '"')
	case row.KindArray:
		return w.array(dst, t, v.Row())
	case row.KindMap:
		return w.mapping(dst, t, v.Row())
	case row.KindStruct:
		return w.structure(dst, t, v.Row())
	default:
		return strconv.AppendInt(dst, v.Int64(), 10)
	}
}

func (w jsonWriter) array(dst []byte, t *row.Type, r row.Row) []byte {
	dst = append(dst, '[')
	for i := range r.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.append(dst, t.Elem, r.At(i))
	}
	return append(dst, ']')
}

func (w jsonWriter) mapping(dst []byte, t *row.Type, r row.Row) []byte {
	if w.pairs {
		return w.paired(dst, t, r)
	}
	dst = append(dst, '{')
	for i := 0; i < r.Len(); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch key := r.At(i); key.Kind() {
		case row.KindString:
			dst = jsontext.AppendString(dst, key.Text())
		case row.KindNull:
			dst = append(dst, `""`...)
		default:
			dst = jsontext.AppendString(dst, string(w.append(nil, t.Key, key)))
		}
		dst = append(dst, ':')
		dst = w.append(dst, t.Elem, r.At(i+1))
	}
	return append(dst, '}')
}

func (w jsonWriter) structure(dst []byte, t *row.Type, r row.Row) []byte {
	dst = append(dst, '{')
	for i, f := range t.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendString(dst, f.Name)
		dst = append(dst, ':')
		dst = w.append(dst, f.Type, r.At(i))
	}
	return append(dst, '}')
}

func (w jsonWriter) paired(dst []byte, t *row.Type, r row.Row) []byte {
	dst = append(dst, '[')
	for i := 0; i < r.Len(); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.append(append(dst, `{"key":`...), t.Key, r.At(i))
		dst = append(w.append(append(dst, `,"value":`...), t.Elem, r.At(i+1)), '}')
	}
	return append(dst, ']')
}
