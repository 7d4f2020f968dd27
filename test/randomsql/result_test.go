package randomsql

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

func upper(s string) string { return strings.ToUpper(s) }

// A result is what a query gave, as text: of a table the last row of each key, of a stream all rows.
type result struct {
	sink *catalog.Source
	sets []bool // by column: a list without order
	rows []string
	last map[string]string
}

func newResult(q *query, sink *catalog.Source) *result {
	r := &result{sink: sink, last: map[string]string{}}
	for _, c := range q.list() {
		r.sets = append(r.sets, c.set)
	}
	return r
}

func (r *result) add(key, value row.Row, window []int64, ts int64) {
	var k, v []string
	for i, c := range r.sink.Key {
		if key.IsNull() {
			k = append(k, null)
			continue
		}
		k = append(k, shown(key.At(i), c.Type))
	}
	for _, w := range window {
		k = append(k, strconv.FormatInt(w, 10))
	}
	keyText := strings.Join(k, " | ")
	if r.sink.Table && value.IsNull() {
		delete(r.last, keyText)
		return
	}
	for i, c := range r.sink.Value {
		cell := null
		if !value.IsNull() {
			cell = shown(value.At(i), c.Type)
			if r.sets[len(r.sink.Key)+i] {
				cell = unordered(cell)
			}
		}
		v = append(v, cell)
	}
	line := keyText + " => " + strings.Join(v, " | ")
	if r.sink.Table {
		r.last[keyText] = line
		return
	}
	r.rows = append(r.rows, line+" @"+strconv.FormatInt(ts, 10))
}

// lines are the rows in order of their text.
func (r *result) lines() []string {
	out := append([]string{}, r.rows...)
	for _, line := range r.last {
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

const null = "~"

// shown is a value as text that is the same for equal values, whatever wrote them.
func shown(v row.Value, t *row.Type) string {
	if v.IsNull() {
		return null
	}
	switch t.Kind {
	case row.KindArray:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = shown(v.Row().At(i), t.Elem)
		}
		return encoded(parts)
	case row.KindMap:
		var parts []string
		for i := 0; i < v.Row().Len(); i += 2 {
			parts = append(parts, v.Row().At(i).Text()+"="+shown(v.Row().At(i+1), t.Elem))
		}
		slices.Sort(parts)
		return encoded(parts)
	case row.KindStruct:
		var parts []string
		for i, f := range t.Fields {
			parts = append(parts, f.Name+"="+shown(v.Row().At(i), f.Type))
		}
		slices.Sort(parts)
		return encoded(parts)
	case row.KindDouble:
		return double(v.Double())
	case row.KindDecimal:
		return number(v.Decimal().String())
	case row.KindString:
		return strconv.Quote(v.Text())
	}
	return pgText(v, t)
}

func encoded(parts []string) string {
	b, _ := json.Marshal(parts)
	return string(b)
}

// unordered is a list with its elements in order of their text.
func unordered(list string) string {
	var parts []string
	if json.Unmarshal([]byte(list), &parts) != nil {
		return list
	}
	slices.Sort(parts)
	return encoded(parts)
}

// double leaves out the last digits, which depend on the order of sums.
func double(f float64) string {
	if f == 0 {
		return "0" // of either sign
	}
	return strconv.FormatFloat(f, 'g', 11, 64)
}

// number is a decimal without zeros at its end.
func number(text string) string {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return "not a number: " + text
	}
	s := r.FloatString(30)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// fromPostgres is shown for the text of a value in PostgreSQL's JSON.
func fromPostgres(raw json.RawMessage, t *row.Type) (string, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return null, nil
	}
	switch t.Kind {
	case row.KindArray:
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return "", err
		}
		parts := make([]string, len(list))
		for i, e := range list {
			var err error
			if parts[i], err = fromPostgres(e, t.Elem); err != nil {
				return "", err
			}
		}
		return encoded(parts), nil
	case row.KindMap, row.KindStruct:
		return fieldsFromPostgres(raw, t)
	case row.KindDouble:
		f, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
		return double(f), err
	case row.KindDecimal:
		return number(string(raw)), nil
	case row.KindInt, row.KindBigint, row.KindBoolean:
		return string(raw), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", err
	}
	return scalarFromPostgres(text, t)
}

func fieldsFromPostgres(raw json.RawMessage, t *row.Type) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", err
	}
	var parts []string
	for name, e := range fields {
		et := t.Elem
		if t.Kind == row.KindStruct {
			et = t.Fields[t.Field(name)].Type
		}
		text, err := fromPostgres(e, et)
		if err != nil {
			return "", err
		}
		parts = append(parts, name+"="+text)
	}
	slices.Sort(parts)
	return encoded(parts), nil
}

func scalarFromPostgres(text string, t *row.Type) (string, error) {
	switch t.Kind {
	case row.KindString:
		return strconv.Quote(text), nil
	case row.KindBytes:
		b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`))
		return pgText(row.NewBytes(string(b)), t), err
	case row.KindTime, row.KindTimestamp: // fractions are as long as they have to be
		whole, fraction, _ := strings.Cut(text, ".")
		return whole + "." + (fraction + "000")[:3], nil
	case row.KindDate:
		return text, nil
	}
	return "", fmt.Errorf("a %s in PostgreSQL's answer", t)
}
