package qtt

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strings"
)

// What a codec decodes is nil, bool, string, int64, *big.Int, float64, decimal, []byte, []any or record.
type record map[string]any

// doubleTolerance is how far a double may be from its text.
const doubleTolerance = 1e-6

// match compares what came out with what the case wants and returns the first difference with its place; nil if there is none.
func match(want, got any, place string) error {
	ok := false
	switch want := want.(type) {
	case nil:
		b, bytes := got.([]byte)
		ok = got == nil || bytes && len(b) == 0
	case bool:
		ok = got == want
	case string:
		ok = matchText(want, got)
	case number:
		ok = matchNumber(want, got)
	case []any:
		return matchList(want, got, place)
	case *object:
		return matchObject(want, got, place)
	}
	if !ok {
		return differ(want, got, place)
	}
	return nil
}

func differ(want, got any, place string) error {
	return fmt.Errorf("%s: want %s, got %s", place, appendJSON(nil, want), show(got))
}

func matchText(want string, got any) bool {
	switch got := got.(type) {
	case string:
		return want == got
	case []byte:
		return want == base64.StdEncoding.EncodeToString(got)
	case decimal:
		d, err := parseDecimal(want)
		return err == nil && d.same(got)
	}
	return false
}

// matchNumber compares by what came out: whole numbers exactly, doubles within the tolerance, decimals with their scale.
func matchNumber(want number, got any) bool {
	exact, err := parseDecimal(string(want))
	if err != nil {
		return false
	}
	switch got := got.(type) {
	case int64:
		return exact.equal(decimal{unscaled: big.NewInt(got)})
	case *big.Int:
		return exact.equal(decimal{unscaled: got})
	case float64:
		f, _, err := big.ParseFloat(string(want), 10, 53, big.ToNearestEven)
		if err != nil {
			return false
		}
		near, _ := f.Float64()
		return math.Abs(near-got) < doubleTolerance
	case decimal:
		if !strings.ContainsAny(string(want), ".eE") {
			return got.scale <= 0 && exact.equal(got)
		}
		return exact.same(got)
	}
	return false
}

func matchList(want []any, got any, place string) error {
	list, ok := got.([]any)
	if !ok || len(list) != len(want) {
		return differ(want, got, place)
	}
	for i, w := range want {
		if err := match(w, list[i], fmt.Sprintf("%s[%d]", place, i)); err != nil {
			return err
		}
	}
	return nil
}

// matchObject compares the fields of an object: as many, by their names as they are or in upper case.
func matchObject(want *object, got any, place string) error {
	fields, ok := got.(record)
	if !ok || len(fields) != len(want.names) {
		return differ(want, got, place)
	}
	for _, name := range want.names {
		value := fields[name]
		if value == nil {
			value = fields[strings.ToUpper(name)]
		}
		if err := match(want.values[name], value, place+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// show writes a decoded value for people; fields in the order of their names.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return string(appendQuoted(nil, v))
	case []byte:
		return "bytes " + base64.StdEncoding.EncodeToString(v)
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = show(item)
		}
		return "[" + strings.Join(texts, ",") + "]"
	case record:
		texts := make([]string, 0, len(v))
		for name, value := range v {
			texts = append(texts, string(appendQuoted(nil, name))+":"+show(value))
		}
		sort.Strings(texts)
		return "{" + strings.Join(texts, ",") + "}"
	default:
		return fmt.Sprint(v)
	}
}
