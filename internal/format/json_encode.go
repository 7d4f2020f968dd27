package format

import (
	"encoding/base64"
	"strconv"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/java/datetime"
	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/row"
)

// Append implements serde.Serde.
func (c *jsonCodec) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	if c.bare {
		return c.AppendColumn(dst, 0, r.At(0)), nil
	}
	return jsonWriter{pairs: c.pairs}.structure(dst, c.shape, r), nil
}

// AppendColumn implements ColumnWriter.
func (c *jsonCodec) AppendColumn(dst []byte, i int, v row.Value) []byte {
	start, part := len(dst), c.shape.parts[i]
	return c.close(jsonWriter{pairs: c.pairs}.append(c.lead(dst, i), part, v), start, i)
}

// AppendElements implements ColumnWriter.
func (c *jsonCodec) AppendElements(dst []byte, i int, e row.Elements) []byte {
	start, part := len(dst), c.shape.parts[i]
	return c.close(jsonWriter{pairs: c.pairs}.elements(c.lead(dst, i), part, e), start, i)
}

// lead appends what stands in front of a column, and close what stands behind it, of which the whole begins at start.
func (c *jsonCodec) lead(dst []byte, i int) []byte {
	if c.bare {
		return dst
	}
	return c.shape.leads[i].Append(dst)
}

func (c *jsonCodec) close(dst []byte, start, i int) []byte {
	if c.bare {
		return dst
	}
	if i == 0 {
		dst[start] = '{' // instead of the first column's comma
	}
	if i == len(c.shape.leads)-1 {
		dst = append(dst, '}')
	}
	return dst
}

// A shape is a type as JSON is written of it.
type shape struct {
	parts []*shape        // of a struct the fields, of an array its elements, of a map its keys and values
	leads []jsontext.Lead // of the fields
}

// shapeOf returns the shape of a type; nil: it has no parts.
func shapeOf(t *row.Type) *shape {
	switch {
	case t == nil || !t.Kind.IsNested():
		return nil
	case t.Kind == row.KindArray:
		return &shape{parts: []*shape{shapeOf(t.Elem)}}
	case t.Kind == row.KindMap:
		return &shape{parts: []*shape{shapeOf(t.Key), shapeOf(t.Elem)}}
	}
	s := &shape{}
	for _, f := range t.Fields {
		s.leads, s.parts = append(s.leads, jsontext.NewLead(f.Name)), append(s.parts, shapeOf(f.Type))
	}
	return s
}

// A JSONText writes values of a type as ksqlDB's HTTP interface shows them: decimals are plain numbers with their scale, doubles as Java
// prints them, bytes in base64; dates, times and timestamps are texts, where records have numbers.
type JSONText struct{ shape *shape }

// NewJSONText returns what writes values of a type.
func NewJSONText(t *row.Type) JSONText { return JSONText{shapeOf(t)} }

// Append appends a value.
func (t JSONText) Append(dst []byte, v row.Value) []byte {
	return jsonWriter{texts: true}.append(dst, t.shape, v)
}

// A jsonWriter writes values.
type jsonWriter struct {
	pairs bool // maps as arrays of objects of key and value
	texts bool // dates, times and timestamps as texts
}

func (w jsonWriter) append(dst []byte, s *shape, v row.Value) []byte {
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
		return w.array(dst, s, v.Row())
	case row.KindMap:
		return w.mapping(dst, s, v.Row())
	case row.KindStruct:
		return w.structure(dst, s, v.Row())
	case row.KindDate, row.KindTime, row.KindTimestamp:
		if w.texts {
			return append(appendTemporal(append(dst, '"'), v), '"')
		}
	}
	return jsontext.AppendInt(dst, v.Int64())
}

// part appends the i-th part of a nested value.
func (w jsonWriter) part(dst []byte, s *shape, r row.Row, i int) []byte {
	switch k, text, n := r.PartAt(i); k {
	case row.KindString:
		return jsontext.AppendString(dst, text)
	case row.KindInt, row.KindBigint:
		return jsontext.AppendInt(dst, n)
	case row.KindStruct:
		return w.structure(dst, s, row.Row(text))
	case row.KindArray:
		return w.array(dst, s, row.Row(text))
	}
	return w.append(dst, s, r.At(i))
}

func appendTemporal(dst []byte, v row.Value) []byte {
	switch v.Kind() {
	case row.KindDate:
		return datetime.AppendDate(dst, v.Int64())
	case row.KindTime:
		return datetime.AppendTime(dst, v.Int64())
	}
	return datetime.AppendInstant(dst, v.Int64())
}

func (w jsonWriter) array(dst []byte, s *shape, r row.Row) []byte {
	return w.elements(dst, s, row.Elements{Of: r, To: r.Len(), Part: -1})
}

func (w jsonWriter) elements(dst []byte, s *shape, e row.Elements) []byte {
	if e.IsNull() {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i := e.From; i < e.To; i++ {
		if i > e.From {
			dst = append(dst, ',')
		}
		if e.Part < 0 {
			dst = w.part(dst, s.parts[0], e.Of, i)
		} else if k, nested, _ := e.Of.PartAt(i); k == row.KindNull {
			dst = append(dst, "null"...)
		} else {
			dst = w.part(dst, s.parts[0], row.Row(nested), e.Part)
		}
	}
	return append(dst, ']')
}

func (w jsonWriter) mapping(dst []byte, s *shape, r row.Row) []byte {
	if w.pairs {
		return w.paired(dst, s, r)
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
			dst = jsontext.AppendString(dst, string(w.append(nil, s.parts[0], key)))
		}
		dst = append(dst, ':')
		dst = w.append(dst, s.parts[1], r.At(i+1))
	}
	return append(dst, '}')
}

func (w jsonWriter) structure(dst []byte, s *shape, r row.Row) []byte {
	start := len(dst)
	for i := range s.leads {
		dst = w.part(s.leads[i].Append(dst), s.parts[i], r, i)
	}
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{' // instead of the first field's comma
	return append(dst, '}')
}

func (w jsonWriter) paired(dst []byte, s *shape, r row.Row) []byte {
	dst = append(dst, '[')
	for i := 0; i < r.Len(); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.append(append(dst, `{"key":`...), s.parts[0], r.At(i))
		dst = append(w.append(append(dst, `,"value":`...), s.parts[1], r.At(i+1)), '}')
	}
	return append(dst, ']')
}
