package poll

import (
	"database/sql"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/jsontext"
)

// A row reads rows of one query.
type row struct {
	mode  Mode
	names []string
	kinds []string // as the columns are declared
	into  []any
	cells []any
}

func (r *reading) newRow(rows *sql.Rows) (*row, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	out := &row{mode: r.cfg.Mode, cells: make([]any, len(types)), into: make([]any, len(types))}
	for i, t := range types {
		out.names = append(out.names, t.Name())
		out.kinds = append(out.kinds, strings.ToUpper(t.DatabaseTypeName()))
		out.into[i] = &out.cells[i]
	}
	return out, nil
}

// scan reads a row: the position behind it, and its columns as JSON.
func (w *row) scan(rows *sql.Rows) (at position, value []byte, err error) {
	if err := rows.Scan(w.into...); err != nil {
		return at, nil, err
	}
	first := 0
	if w.mode.numbered() {
		n, ok := w.cells[first].(int64)
		if !ok {
			return at, nil, fmt.Errorf("the incrementing column has %v, which is no whole number", w.cells[first])
		}
		at.Number = &n
		first++
	}
	if w.mode.timed() {
		text, ok := w.cells[first].(string)
		if !ok {
			return at, nil, fmt.Errorf("the timestamp column has %v, which is no text or number", w.cells[first])
		}
		at.Time = text
		first++
	}
	value = append(value, '{')
	for i := first; i < len(w.cells); i++ {
		if i > first {
			value = append(value, ',')
		}
		value = append(jsontext.AppendString(value, w.names[i]), ':')
		value = w.append(value, i)
	}
	return at, append(value, '}'), nil
}

// append appends a cell as JSON.
func (w *row) append(dst []byte, i int) []byte {
	const day = 24 * 60 * 60
	switch v := w.cells[i].(type) {
	case int64:
		if w.kinds[i] == "BOOLEAN" && (v == 0 || v == 1) {
			return strconv.AppendBool(dst, v == 1)
		}
		return strconv.AppendInt(dst, v, 10)
	case float64:
		if !math.IsInf(v, 0) && v == v {
			return strconv.AppendFloat(dst, v, 'g', -1, 64)
		}
	case bool:
		return strconv.AppendBool(dst, v)
	case string:
		return jsontext.AppendString(dst, v)
	case []byte:
		return jsontext.AppendString(dst, base64.StdEncoding.EncodeToString(v))
	case time.Time:
		if w.kinds[i] == "DATE" {
			return strconv.AppendInt(dst, int64(math.Floor(float64(v.Unix())/day)), 10)
		}
		return strconv.AppendInt(dst, v.UnixMilli(), 10)
	}
	return append(dst, "null"...) // there is none, or no number that JSON has
}
