package json

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/internal/sql/cast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// appendValue appends a value of SQL as JSON: dates and times as text, bytes in base64. t gives the names of fields.
func appendValue(dst []byte, v row.Value, t *row.Type) []byte {
	switch v.Kind() {
	case row.KindDouble:
		if f := v.Double(); math.IsNaN(f) || math.IsInf(f, 0) {
			return jsontext.AppendString(dst, java.Double(f))
		}
		return java.AppendDouble(dst, v.Double())
	case row.KindString:
		return jsontext.AppendString(dst, v.Text())
	case row.KindBytes:
		return jsontext.AppendString(dst, base64.StdEncoding.EncodeToString([]byte(v.Text())))
	case row.KindDate, row.KindTime, row.KindTimestamp:
		return jsontext.AppendString(dst, cast.Text(v, t))
	case row.KindArray:
		dst = append(dst, '[')
		for i, part := range v.Row().Values() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, part, t.Elem)
		}
		return append(dst, ']')
	case row.KindMap:
		r := v.Row()
		dst = append(dst, '{')
		for i := 0; i < r.Len(); i += 2 {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(jsontext.AppendString(dst, cast.Text(r.At(i), t.Key)), ':')
			dst = appendValue(dst, r.At(i+1), t.Elem)
		}
		return append(dst, '}')
	case row.KindStruct:
		return appendStruct(dst, v, t)
	}
	return cast.AppendText(dst, v, t)
}

// appendStruct appends the fields in the order of their names.
func appendStruct(dst []byte, v row.Value, t *row.Type) []byte {
	order := make([]int, len(t.Fields))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(t.Fields[a].Name, t.Fields[b].Name) })
	r := v.Row()
	dst = append(dst, '{')
	for n, i := range order {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsontext.AppendString(dst, t.Fields[i].Name), ':')
		dst = appendValue(dst, r.At(i), t.Fields[i].Type)
	}
	return append(dst, '}')
}

// contains looks for a value in a JSON array: whole numbers among whole ones, others among those with a point.
func contains() function.Scalar {
	eval := func(args []row.Value) (row.Value, error) {
		if args[0].IsNull() {
			return row.NewBoolean(false), nil
		}
		d, err := read(args[0].Text())
		if err != nil || d[d.start()] != '[' {
			return row.NewBoolean(false), nil //nolint:nilerr // what is no array contains nothing
		}
		for _, m := range d.members() {
			if equal(m.value, args[1]) {
				return row.NewBoolean(true), nil
			}
		}
		return row.NewBoolean(false), nil
	}
	return function.Scalar{Doc: doc("json_array_contains", "Whether a JSON array has a value among its elements."), Overloads: []function.Overload{{
		Signature: "(STRING, T) BOOLEAN", Nulls: true, Eval: eval,
	}}}
}

func equal(d document, v row.Value) bool {
	switch c := d[d.start()]; {
	case v.IsNull():
		return c == 'n'
	case v.Kind() == row.KindBoolean:
		return c == 't' && v.Boolean() || c == 'f' && !v.Boolean()
	case v.Kind() == row.KindString:
		s, ok := d.text()
		return ok && s == v.Text()
	case v.Kind() == row.KindDouble:
		f, err := strconv.ParseFloat(string(d), 64)
		return err == nil && f == v.Double()
	case v.Kind().IsNumber():
		n, err := row.ParseDecimal(string(d))
		return err == nil && n.Equal(v.AsDecimal())
	}
	return false
}
