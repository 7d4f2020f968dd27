// Package text holds the functions of SQL on texts and bytes: case, parts, padding, masks, encodings, regular expressions, URLs.
//
// Purpose: the functions of ksqlDB with the results of Java's String, Pattern and URI.
//
// Callers and callees: package builtin lists Functions; it calls java and java/regex.
//
// Owner and locks: an Eval made by Bind remembers the last pattern that it compiled, behind an atomic pointer.
//
// Format: positions and lengths count UTF-16 units, from 1.
//
// Not here: LIKE and concatenation by operators (expr), JSON (json), dates as text (date).
package text

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

func doc(name, text string) function.Doc {
	return function.Doc{Name: name, Category: "STRING", Text: text}
}

// Functions are all functions of this package. random gives 64 random bits.
func Functions(random func() uint64) []function.Scalar {
	all := []function.Scalar{
		of("ucase", "The text in upper case.", java.Upper),
		of("lcase", "The text in lower case.", strings.ToLower),
		of("trim", "The text without white space at its ends.", java.Trim),
		of("initcap", "The text with each word in lower case after a capital.", capitals),
		chr(), concat(), concatWith(), elt(), field(), length(), instr(), replace(), split(), splitToMap(), substring(),
		pad("lpad", "The text with so many characters, filled from the left; what is too long is cut.", true),
		pad("rpad", "The text with so many characters, filled at the end; what is too long is cut.", false),
		unique(random),
	}
	all = append(all, masks()...)
	all = append(all, encodings()...)
	all = append(all, expressions()...)
	return append(all, urls()...)
}

// of makes a function of one text.
func of(name, text string, f func(string) string) function.Scalar {
	return function.Scalar{Doc: doc(name, text), Overloads: []function.Overload{{
		Signature: "(STRING) STRING", Eval: func(args []row.Value) (row.Value, error) { return row.NewString(f(args[0].Text())), nil },
	}}}
}

// capitals makes the first letter of each word a capital and all others small; words are parted by white space.
func capitals(s string) string {
	var b strings.Builder
	start := true
	for _, r := range s {
		c := string(r)
		if start {
			b.WriteString(strings.ToUpper(c))
		} else {
			b.WriteString(strings.ToLower(c))
		}
		start = r == ' ' || r >= '\t' && r <= '\r'
	}
	return b.String()
}

// joined puts values together with a separator between them; nulls are passed over.
func joined(args []row.Value, separator string) (string, error) {
	if err := function.CheckSizes(args, len(separator)); err != nil {
		return "", err
	}
	size := 0
	for _, v := range args {
		size += len(v.Text()) + len(separator)
	}
	var b strings.Builder
	b.Grow(size)
	first := true
	for _, v := range args {
		if v.IsNull() {
			continue
		}
		if !first {
			b.WriteString(separator)
		}
		first = false
		b.WriteString(v.Text())
	}
	return b.String(), nil
}

func concat() function.Scalar {
	return function.Scalar{Doc: doc("concat", "The texts, or bytes, one behind the other; nulls are passed over."), Overloads: []function.Overload{
		{Signature: "(STRING...) STRING", Nulls: true, Eval: func(args []row.Value) (row.Value, error) {
			s, err := joined(args, "")
			return row.NewString(s), err
		}},
		{Signature: "(BYTES...) BYTES", Nulls: true, Eval: func(args []row.Value) (row.Value, error) {
			s, err := joined(args, "")
			return row.NewBytes(s), err
		}},
	}}
}

func concatWith() function.Scalar {
	f := func(make func(string) row.Value) function.Eval {
		return func(args []row.Value) (row.Value, error) {
			if args[0].IsNull() {
				return row.Null, nil
			}
			s, err := joined(args[1:], args[0].Text())
			return make(s), err
		}
	}
	return function.Scalar{Doc: doc("concat_ws", "The texts, or bytes, with the first argument between them; nulls are passed over."), Overloads: []function.Overload{
		{Signature: "(STRING, STRING, STRING...) STRING", Nulls: true, Eval: f(row.NewString)},
		{Signature: "(BYTES, BYTES, BYTES...) BYTES", Nulls: true, Eval: f(row.NewBytes)},
	}}
}

func elt() function.Scalar {
	return function.Scalar{Doc: doc("elt", "The n-th of the texts, from 1; null if there is none."), Overloads: []function.Overload{{
		Signature: "(INT, STRING...) STRING", Nulls: true, Eval: func(args []row.Value) (row.Value, error) {
			n := args[0].Int64()
			if args[0].IsNull() || n < 1 || n >= int64(len(args)) {
				return row.Null, nil
			}
			return args[n], nil
		},
	}}}
}

func field() function.Scalar {
	return function.Scalar{Doc: doc("field", "Which of the other texts the first one is, from 1; 0: none."), Overloads: []function.Overload{{
		Signature: "(STRING, STRING...) INT", Nulls: true, Eval: func(args []row.Value) (row.Value, error) {
			for i, v := range args[1:] {
				if !v.IsNull() && v == args[0] {
					return row.NewInt(int32(i + 1)), nil
				}
			}
			return row.NewInt(0), nil
		},
	}}}
}

func length() function.Scalar {
	return function.Scalar{Doc: doc("len", "The number of characters of a text, or of bytes."), Overloads: []function.Overload{
		{Signature: "(STRING) INT", Eval: func(args []row.Value) (row.Value, error) { return row.NewInt(int32(java.Length(args[0].Text()))), nil }},
		{Signature: "(BYTES) INT", Eval: func(args []row.Value) (row.Value, error) { return row.NewInt(int32(len(args[0].Text()))), nil }},
	}}
}

func replace() function.Scalar {
	return function.Scalar{Doc: doc("replace", "The text with each occurrence of the second argument replaced by the third."), Overloads: []function.Overload{{
		Signature: "(STRING, STRING, STRING) STRING", Eval: func(args []row.Value) (row.Value, error) {
			s, from, to := args[0].Text(), args[1].Text(), args[2].Text()
			if grown := len(to) - len(from); grown > 0 && len(s)+strings.Count(s, from)*grown > function.MaxBytes {
				return row.Null, function.ErrTooLarge
			}
			return row.NewString(strings.ReplaceAll(s, from, to)), nil
		},
	}}}
}

// substring: a position before the start, as negative ones count from the end, is the start; a negative length is none.
func substring() function.Scalar {
	cut := func(args []row.Value) (from, to int) {
		size := java.Length(args[0].Text())
		if args[0].Kind() == row.KindBytes {
			size = len(args[0].Text())
		}
		pos := int(args[1].Int64())
		switch {
		case pos > 0:
			from = min(pos-1, size)
		case pos < 0:
			from = max(size+pos, 0)
		}
		to = size
		if len(args) > 2 {
			to = int(min(int64(from)+max(args[2].Int64(), 0), int64(size)))
		}
		return from, to
	}
	text := func(args []row.Value) (row.Value, error) {
		from, to := cut(args)
		return row.NewString(java.Substring(args[0].Text(), from, to)), nil
	}
	bytes := func(args []row.Value) (row.Value, error) {
		from, to := cut(args)
		return row.NewBytes(args[0].Text()[from:to]), nil
	}
	bind := func(b function.Binding) function.Eval {
		if v, _ := b.Setting("ksql.functions.substring.legacy.args"); strings.EqualFold(v, "true") {
			return legacySubstring
		}
		return text
	}
	return function.Scalar{
		Doc: doc("substring", "The part of a text, or of bytes, from a position (1 is the first, -1 the last), to its end or of the given length."),
		Overloads: []function.Overload{
			{Signature: "(STRING, INT) STRING", Bind: bind},
			{Signature: "(STRING, INT, INT) STRING", Bind: bind},
			{Signature: "(BYTES, INT) BYTES", Eval: bytes},
			{Signature: "(BYTES, INT, INT) BYTES", Eval: bytes},
		},
	}
}

// legacySubstring counts from 0, and its third argument is the position behind the end.
func legacySubstring(args []row.Value) (row.Value, error) {
	size := java.Length(args[0].Text())
	to := size
	if len(args) > 2 {
		to = min(int(args[2].Int64()), size)
	}
	return row.NewString(java.Substring(args[0].Text(), int(args[1].Int64()), to)), nil
}

// instr finds a text; a negative position searches backwards from there, the fourth argument is which occurrence is meant.
func instr() function.Scalar {
	eval := func(args []row.Value) (row.Value, error) {
		s, sub, pos, nth := args[0].Text(), args[1].Text(), 1, 1
		if len(args) > 2 {
			pos = int(args[2].Int64())
		}
		if len(args) > 3 {
			nth = int(args[3].Int64())
		}
		return row.NewInt(int32(occurrence(s, sub, pos, nth))), nil
	}
	return function.Scalar{
		Doc: doc("instr", "The position of the second text in the first, from 1; 0: it is not there. A third argument is where the search starts, a fourth which occurrence counts."),
		Overloads: []function.Overload{
			{Signature: "(STRING, STRING) INT", Eval: eval},
			{Signature: "(STRING, STRING, INT) INT", Eval: eval},
			{Signature: "(STRING, STRING, INT, INT) INT", Eval: eval},
		},
	}
}

func occurrence(s, sub string, pos, nth int) int {
	switch {
	case nth < 1 || sub == "":
		return 0
	case pos < 0:
		return java.LastIndex(s, sub, java.Length(s)+pos, nth) + 1
	}
	return java.Index(s, sub, pos-1, nth) + 1
}

// pad makes LPAD and RPAD.
func pad(name, text string, left bool) function.Scalar {
	fill := func(v row.Value, size, want int, padding string, units func(string, int, int) string, unit int) string {
		if size >= want {
			return units(v.Text(), 0, want)
		}
		missing := want - size
		padding = units(strings.Repeat(padding, missing/max(unit, 1)+1), 0, missing)
		if left {
			return padding + v.Text()
		}
		return v.Text() + padding
	}
	bytes := func(s string, from, to int) string { return s[from:min(to, len(s))] }
	return function.Scalar{Doc: doc(name, text), Overloads: []function.Overload{
		{Signature: "(STRING, INT, STRING) STRING", Eval: func(args []row.Value) (row.Value, error) {
			want, padding := int(args[1].Int64()), args[2].Text()
			if want < 0 || padding == "" {
				return row.Null, nil
			}
			if want > function.MaxBytes {
				return row.Null, function.ErrTooLarge
			}
			return row.NewString(fill(args[0], java.Length(args[0].Text()), want, padding, java.Substring, java.Length(padding))), nil
		}},
		{Signature: "(BYTES, INT, BYTES) BYTES", Eval: func(args []row.Value) (row.Value, error) {
			want, padding := int(args[1].Int64()), args[2].Text()
			if want < 0 || padding == "" {
				return row.Null, nil
			}
			if want > function.MaxBytes {
				return row.Null, function.ErrTooLarge
			}
			return row.NewBytes(fill(args[0], len(args[0].Text()), want, padding, bytes, len(padding))), nil
		}},
	}}
}
