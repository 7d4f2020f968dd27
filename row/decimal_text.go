package row

import (
	"bytes"

	"github.com/mainstemio/mainstem/internal/jsontext"
)

// String returns the number in plain notation, with its scale.
func (d Decimal) String() string {
	if d.long != "" {
		return d.long
	}
	var buf [48]byte
	return string(d.append(buf[:0]))
}

// AppendText appends the plain notation; the error is always nil.
func (d Decimal) AppendText(dst []byte) ([]byte, error) { return d.append(dst), nil }

// MarshalText returns the plain notation; the error is always nil.
func (d Decimal) MarshalText() ([]byte, error) { return d.append(nil), nil }

// UnmarshalText is ParseDecimal.
func (d *Decimal) UnmarshalText(text []byte) error { return d.set(text) }

// AppendJSON appends the number as a JSON number; the error is always nil.
func (d Decimal) AppendJSON(dst []byte) ([]byte, error) { return d.append(dst), nil }

// ParseJSON reads one JSON scalar: a number, or a string that holds one. It does not keep the token.
func (d *Decimal) ParseJSON(token []byte) error {
	if n := len(token); n >= 2 && token[0] == '"' && token[n-1] == '"' {
		token = token[1 : n-1]
	}
	return d.set(token)
}

// MarshalJSON returns a JSON number; the error is always nil.
func (d Decimal) MarshalJSON() ([]byte, error) { return d.append(nil), nil }

// UnmarshalJSON is ParseJSON; null changes nothing, as encoding/json asks for.
func (d *Decimal) UnmarshalJSON(token []byte) error {
	if string(token) == "null" {
		return nil
	}
	return d.ParseJSON(token)
}

func (d *Decimal) set(text []byte) error {
	parsed, err := parseDecimal(text)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

func (d Decimal) append(dst []byte) []byte {
	if d.long != "" {
		return append(dst, d.long...)
	}
	if d.neg {
		dst = append(dst, '-')
	}
	return d.appendSize(dst)
}

// appendSize appends the number without its sign.
func (d Decimal) appendSize(dst []byte) []byte {
	if d.long != "" {
		if d.long[0] == '-' {
			return append(dst, d.long[1:]...)
		}
		return append(dst, d.long...)
	}
	start, scale := len(dst), int(d.scale)
	dst = jsontext.AppendUint(dst, d.coef)
	if scale == 0 {
		return dst
	}
	if point := len(dst) - scale; point > start { // digits before the point: make room for it
		dst = append(dst, 0)
		copy(dst[point+1:], dst[point:])
		dst[point] = '.'
		return dst
	}
	var buf [20]byte
	digits := buf[:0]
	if d.coef != 0 {
		digits = append(digits, dst[start:]...)
	}
	return appendPlain(dst[:start], false, digits, scale)
}

// cmpPlain compares two numbers in plain notation without signs: a longer whole part is greater, equally long ones and
// fractions compare as text once zeros at the end are gone.
func cmpPlain(a, b []byte) int {
	aWhole, aFrac, _ := bytes.Cut(a, []byte("."))
	bWhole, bFrac, _ := bytes.Cut(b, []byte("."))
	if len(aWhole) != len(bWhole) {
		if len(aWhole) < len(bWhole) {
			return -1
		}
		return 1
	}
	if c := bytes.Compare(aWhole, bWhole); c != 0 {
		return c
	}
	return bytes.Compare(bytes.TrimRight(aFrac, "0"), bytes.TrimRight(bFrac, "0"))
}
