package format

import (
	"encoding/base64"
	"strconv"

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
		return AppendJSON(dst, c.cols[0].Type, v), nil
	}
	dst = append(dst, '{')
	for i := range c.cols {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.names[i]...)
		dst = AppendJSON(dst, c.cols[i].Type, r.At(i))
	}
	return append(dst, '}'), nil
}

// AppendJSON appends a value of the type as JSON: decimals are plain numbers with their scale, doubles as Java prints them, bytes in base64,
// dates, times and timestamps numbers.
func AppendJSON(dst []byte, t *row.Type, v row.Value) []byte {
	switch v.Kind() {
	case row.KindNull:
		return append(dst, "null"...)
	case row.KindBoolean:
		return strconv.AppendBool(dst, v.Boolean())
	case row.KindDouble:
		return row.AppendDouble(dst, v.Double())
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
		return appendJSONArray(dst, t, v.Row())
	case row.KindMap:
		return appendJSONMap(dst, t, v.Row())
	case row.KindStruct:
		return appendJSONStruct(dst, t, v.Row())
	default:
		return strconv.AppendInt(dst, v.Int64(), 10)
	}
}

func appendJSONArray(dst []byte, t *row.Type, r row.Row) []byte {
	dst = append(dst, '[')
	for i := range r.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendJSON(dst, t.Elem, r.At(i))
	}
	return append(dst, ']')
}

func appendJSONMap(dst []byte, t *row.Type, r row.Row) []byte {
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
			dst = jsontext.AppendString(dst, string(AppendJSON(nil, t.Key, key)))
		}
		dst = append(dst, ':')
		dst = AppendJSON(dst, t.Elem, r.At(i+1))
	}
	return append(dst, '}')
}

func appendJSONStruct(dst []byte, t *row.Type, r row.Row) []byte {
	dst = append(dst, '{')
	for i, f := range t.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendString(dst, f.Name)
		dst = append(dst, ':')
		dst = AppendJSON(dst, f.Type, r.At(i))
	}
	return append(dst, '}')
}
