package cast

import (
	"strconv"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/java/datetime"
	"github.com/mainstemio/mainstem/row"
)

// Text is a value as CAST(… AS STRING) writes it; null is "null". t is needed for the names of fields only and may be nil.
func Text(v row.Value, t *row.Type) string {
	if v.Kind() == row.KindString {
		return v.Text()
	}
	var buf [64]byte
	return string(AppendText(buf[:0], v, t))
}

// AppendText appends Text.
func AppendText(dst []byte, v row.Value, t *row.Type) []byte {
	switch v.Kind() {
	case row.KindNull:
		return append(dst, "null"...)
	case row.KindBoolean:
		return strconv.AppendBool(dst, v.Boolean())
	case row.KindInt, row.KindBigint:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case row.KindDouble:
		return java.AppendDouble(dst, v.Double())
	case row.KindDecimal:
		dst, _ = v.Decimal().AppendText(dst) // never an error
		return dst
	case row.KindDate:
		return datetime.AppendDate(dst, v.Int64())
	case row.KindTime:
		return datetime.AppendTime(dst, v.Int64())
	case row.KindTimestamp:
		return datetime.AppendInstant(dst, v.Int64())
	case row.KindArray, row.KindMap:
		return appendParts(dst, v, t)
	case row.KindStruct:
		return appendStruct(dst, v, t)
	}
	return append(dst, v.Text()...)
}

func appendParts(dst []byte, v row.Value, t *row.Type) []byte {
	r, open, end := v.Row(), byte('['), byte(']')
	if v.Kind() == row.KindMap {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for i := range r.Len() {
		part := t
		switch {
		case v.Kind() == row.KindMap && i%2 == 1:
			dst = append(dst, '=')
		case i > 0:
			dst = append(dst, ", "...)
		}
		if t != nil {
			if part = t.Elem; v.Kind() == row.KindMap && i%2 == 0 {
				part = t.Key
			}
		}
		dst = AppendText(dst, r.At(i), part)
	}
	return append(dst, end)
}

// appendStruct leaves out fields that are null, as Connect's Struct does.
func appendStruct(dst []byte, v row.Value, t *row.Type) []byte {
	r := v.Row()
	dst = append(dst, "Struct{"...)
	first := true
	for i := range r.Len() {
		field := r.At(i)
		if field.IsNull() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var part *row.Type
		if t != nil {
			dst = append(append(dst, t.Fields[i].Name...), '=')
			part = t.Fields[i].Type
		}
		dst = AppendText(dst, field, part)
	}
	return append(dst, '}')
}
