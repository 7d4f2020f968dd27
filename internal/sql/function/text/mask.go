package text

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// A masker has what capitals, small letters, digits and others become; keep: they stay.
type masker [4]rune

const keep = rune(-1)

var defaultMask = masker{'X', 'x', 'n', '-'}

func (m masker) mask(r rune) rune {
	var to rune
	switch {
	case unicode.IsUpper(r):
		to = m[0]
	case unicode.IsLower(r):
		to = m[1]
	case unicode.IsDigit(r):
		to = m[2]
	default:
		to = m[3]
	}
	if to == keep {
		return r
	}
	return to
}

// newMasker reads the four arguments for what characters become: null keeps them.
func newMasker(args []row.Value) (masker, error) {
	if len(args) == 0 {
		return defaultMask, nil
	}
	var m masker
	for i, v := range args {
		m[i] = keep
		if v.IsNull() {
			continue
		}
		if java.Length(v.Text()) != 1 {
			return m, fmt.Errorf("a mask must be one character, it is %q", v.Text())
		}
		m[i], _ = utf8.DecodeRuneInString(v.Text())
	}
	return m, nil
}

// masks are MASK and its kin, which differ in which characters are masked.
func masks() []function.Scalar {
	out := []function.Scalar{{
		Doc: doc("mask", "The text with capitals as X, small letters as x, digits as n and others as -, or as the arguments say; null keeps a kind."),
		Overloads: []function.Overload{
			{Signature: "(STRING) STRING", Eval: maskAll},
			{Signature: "(STRING, STRING, STRING, STRING, STRING) STRING", Nulls: true, Eval: maskAll},
		},
	}}
	for _, v := range []struct {
		name, text string
		masked     func(i, n, size int) bool
	}{
		{"mask_keep_left", "MASK for all but the first n characters.", func(i, n, _ int) bool { return i >= n }},
		{"mask_keep_right", "MASK for all but the last n characters.", func(i, n, size int) bool { return i < size-n }},
		{"mask_left", "MASK for the first n characters.", func(i, n, _ int) bool { return i < n }},
		{"mask_right", "MASK for the last n characters.", func(i, n, size int) bool { return i >= size-n }},
	} {
		eval := maskSome(v.masked)
		out = append(out, function.Scalar{Doc: doc(v.name, v.text), Overloads: []function.Overload{
			{Signature: "(STRING, INT) STRING", Eval: eval},
			{Signature: "(STRING, INT, STRING, STRING, STRING, STRING) STRING", Nulls: true, Eval: eval},
		}})
	}
	return out
}

func maskAll(args []row.Value) (row.Value, error) {
	if args[0].IsNull() {
		return row.Null, nil
	}
	m, err := newMasker(args[1:])
	if err != nil {
		return row.Null, err
	}
	runes := []rune(args[0].Text())
	for i, r := range runes {
		runes[i] = m.mask(r)
	}
	return row.NewString(string(runes)), nil
}

func maskSome(masked func(i, n, size int) bool) function.Eval {
	return func(args []row.Value) (row.Value, error) {
		if args[0].IsNull() || args[1].IsNull() {
			return row.Null, nil
		}
		n := int(args[1].Int64())
		if n < 0 {
			return row.Null, fmt.Errorf("the number of characters must not be negative, it is %d", n)
		}
		m, err := newMasker(args[2:])
		if err != nil {
			return row.Null, err
		}
		runes := []rune(args[0].Text())
		for i, r := range runes {
			if masked(i, n, len(runes)) {
				runes[i] = m.mask(r)
			}
		}
		return row.NewString(string(runes)), nil
	}
}
