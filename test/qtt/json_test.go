package qtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
)

// A JSON text is read as nil, bool, string, number, []any or *object. The fields of an object keep their order, which matters where a
// column takes an object as text.
type object struct {
	names  []string
	values map[string]any
}

// A number is the text of a JSON number.
type number string

func newObject() *object { return &object{values: map[string]any{}} }

func (o *object) set(name string, value any) {
	if _, known := o.values[name]; !known {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// getFold returns a field by its name in any case, the exact name first.
func (o *object) getFold(name string) (any, bool) {
	if v, ok := o.values[name]; ok {
		return v, true
	}
	for _, n := range o.names {
		if strings.EqualFold(n, name) {
			return o.values[n], true
		}
	}
	return nil, false
}

// parseJSON reads one value and nothing after it; no text at all is null.
func parseJSON(text []byte) (any, error) {
	if len(text) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readJSON(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("text behind the JSON value: %s", text)
	}
	return v, nil
}

func readJSON(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		return number(token), nil
	case json.Delim:
		if token == '[' {
			return readList(d)
		}
		return readObject(d)
	default:
		return token, nil
	}
}

func readList(d *json.Decoder) (any, error) {
	list := []any{}
	for d.More() {
		v, err := readJSON(d)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func readObject(d *json.Decoder) (any, error) {
	o := newObject()
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := readJSON(d)
		if err != nil {
			return nil, err
		}
		o.set(name.(string), v)
	}
	_, err := d.Token()
	return o, err
}

// appendJSON writes a value as JSON without spaces.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case number:
		return append(dst, v...)
	case string:
		return appendQuoted(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case *object:
		dst = append(dst, '{')
		for i, name := range v.names {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, name), ':')
			dst = appendJSON(dst, v.values[name])
		}
		return append(dst, '}')
	default:
		panic(fmt.Sprintf("%T is not a JSON value", v))
	}
}

func appendQuoted(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string cannot fail
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// A decimal is an exact number: unscaled / 10^scale. 1.0 and 1.00 differ in their scale.
type decimal struct {
	unscaled *big.Int
	scale    int
}

// parseDecimal reads digits with an optional point and exponent.
func parseDecimal(text string) (decimal, error) {
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		e, err := strconv.Atoi(text[i+1:])
		if err != nil {
			return decimal{}, fmt.Errorf("%q is no number", text)
		}
		mantissa, exponent = text[:i], e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	unscaled, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return decimal{}, fmt.Errorf("%q is no number", text)
	}
	return decimal{unscaled: unscaled, scale: len(fraction) - exponent}, nil
}

// same tells whether two decimals have the same digits and the same scale.
func (d decimal) same(other decimal) bool {
	return d.scale == other.scale && d.unscaled.Cmp(other.unscaled) == 0
}

// rescaled returns the value with another scale; false if digits would be lost.
func (d decimal) rescaled(scale int) (decimal, bool) {
	power := func(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
	if scale >= d.scale {
		return decimal{new(big.Int).Mul(d.unscaled, power(scale-d.scale)), scale}, true
	}
	quotient, rest := new(big.Int).QuoRem(d.unscaled, power(d.scale-scale), new(big.Int))
	return decimal{quotient, scale}, rest.Sign() == 0
}

// equal tells whether two decimals are the same number.
func (d decimal) equal(other decimal) bool {
	scale := max(d.scale, other.scale)
	a, _ := d.rescaled(scale)
	b, _ := other.rescaled(scale)
	return a.same(b)
}

func (d decimal) String() string {
	if d.scale <= 0 {
		return d.unscaled.String() + strings.Repeat("0", -d.scale)
	}
	digits := new(big.Int).Abs(d.unscaled).String()
	if missing := d.scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	sign := ""
	if d.unscaled.Sign() < 0 {
		sign = "-"
	}
	return sign + digits[:len(digits)-d.scale] + "." + digits[len(digits)-d.scale:]
}
