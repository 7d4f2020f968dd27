package traces

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A function is a function of a case: its name and its arguments.
type function []any

func (f function) name() string         { return f[0].(string) }
func (f function) arg(i int) any        { return f[i] }
func (f function) text(i int) string    { return f[i].(string) }
func (f function) number(i int) int64   { return integer(f[i]) }
func (f function) unknown(k string) any { return notBuilt(k + " " + f.name()) }

type pair struct {
	key   key
	value val
}

// predicate returns a predicate on key and value.
func predicate(f function) func(key, val) bool {
	switch f.name() {
	case "contains":
		s := f.text(1)
		return func(_ key, v val) bool { return v.isText() && strings.Contains(v.s, s) }
	case "lenGt":
		n := int(f.number(1))
		return func(_ key, v val) bool { return v.isText() && len(v.s) > n }
	case "gt":
		n := f.number(1)
		return func(_ key, v val) bool { return v.isInt && v.i > n }
	case "even":
		return func(_ key, v val) bool { return v.isInt && v.i%2 == 0 }
	case "valNull":
		return func(_ key, v val) bool { return !v.set }
	case "keyIn":
		var keys []string
		for _, k := range f.arg(1).([]any) {
			keys = append(keys, fromJSON(k).str())
		}
		return func(k key, _ val) bool { return slices.Contains(keys, k.str()) }
	}
	panic(f.unknown("predicate"))
}

// valueFunction returns a function of key and value to a value.
func valueFunction(f function) func(key, val) val {
	switch f.name() {
	case "const":
		x := fromJSON(f.arg(1))
		return func(key, val) val { return x }
	case "withKey":
		return func(k key, v val) val { return text(k.str() + ":" + v.str()) }
	}
	of := notNullFunction(f)
	return func(_ key, v val) val {
		if !v.set {
			return v
		}
		return of(v)
	}
}

// notNullFunction returns the part of a value function that is for values other than null.
func notNullFunction(f function) func(val) val {
	switch f.name() {
	case "id":
		return func(v val) val { return v }
	case "upper":
		return func(v val) val { return text(strings.ToUpper(v.str())) }
	case "append":
		s := f.text(1)
		return func(v val) val { return text(v.str() + s) }
	case "len":
		return func(v val) val { return number(int64(len(v.str()))) }
	case "str":
		return func(v val) val { return text(v.str()) }
	case "nullIf":
		s := f.text(1)
		return func(v val) val {
			if strings.Contains(v.str(), s) {
				return val{}
			}
			return v
		}
	case "add":
		n := f.number(1)
		return func(v val) val { return number(v.i + n) }
	case "mod":
		n := f.number(1)
		return func(v val) val { return number(remainder(v.i, n)) }
	case "num":
		return func(v val) val { return number(firstDigits(v.str())) }
	}
	panic(f.unknown("value function"))
}

// remainder is never negative.
func remainder(i, n int64) int64 { return (i%n + n) % n }

// firstDigits returns the first 9 digits of s as a number, 0 if it has none.
func firstDigits(s string) int64 {
	var n int64
	digits := 0
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' && digits < 9 {
			n, digits = 10*n+int64(c-'0'), digits+1
		}
	}
	return n
}

// keyFunction returns a function of key and value to a key.
func keyFunction(f function) func(key, val) key {
	plain := func(of func(key, val) val) func(key, val) key {
		return func(k key, v val) key { return key{val: of(k, v)} }
	}
	switch f.name() {
	case "id":
		return func(k key, _ val) key { return k }
	case "const":
		x := fromJSON(f.arg(1))
		return plain(func(key, val) val { return x })
	case "keyFirst":
		n := int(f.number(1))
		return plain(func(k key, _ val) val {
			if !k.set {
				return val{}
			}
			return text(firstOf(k.str(), n))
		})
	case "nullIfKey":
		s := f.text(1)
		return func(k key, _ val) key {
			if k.str() == s {
				return key{}
			}
			return k
		}
	case "withVal":
		return plain(func(k key, v val) val { return text(k.str() + "-" + v.str()) })
	case "inner":
		return plain(func(k key, _ val) val { return k.val })
	case "winStr":
		return plain(func(k key, _ val) val { return text(k.str()) })
	}
	of := keyOfValue(f)
	return plain(func(_ key, v val) val {
		if !v.set {
			return v
		}
		return of(v)
	})
}

// keyOfValue returns a key function that looks at the value alone, for values other than null.
func keyOfValue(f function) func(val) val {
	switch f.name() {
	case "val":
		return func(v val) val { return text(v.str()) }
	case "valFirst":
		n := int(f.number(1))
		return func(v val) val { return text(firstOf(v.str(), n)) }
	case "valLen":
		return func(v val) val { return number(int64(len(v.str()))) }
	case "valMod":
		n := f.number(1)
		return func(v val) val { return text("m" + strconv.FormatInt(remainder(v.i, n), 10)) }
	case "field":
		i := int(f.number(1))
		return func(v val) val { return field(v, i) }
	}
	panic(f.unknown("key function"))
}

func firstOf(s string, n int) string { return s[:min(len(s), n)] }

// field returns the i-th part of S(v), null if it is missing or empty.
func field(v val, i int) val {
	parts := strings.Split(v.str(), "|")
	if !v.set || i >= len(parts) || parts[i] == "" {
		return val{}
	}
	return text(parts[i])
}

// flatFunction returns a function of a row to any number of rows.
func flatFunction(f function) func(key, val) []pair {
	switch f.name() {
	case "dup":
		n := f.number(1)
		return func(k key, v val) []pair {
			rows := make([]pair, n)
			for i := range rows {
				rows[i] = pair{k, v}
				if v.set {
					rows[i].value = text(fmt.Sprintf("%s#%d", v.str(), i+1))
				}
			}
			return rows
		}
	case "split":
		return func(k key, v val) []pair {
			var rows []pair
			for _, part := range parts(v, ",") {
				rows = append(rows, pair{k, text(part)})
			}
			return rows
		}
	case "splitKV":
		return func(_ key, v val) []pair {
			var rows []pair
			for _, part := range parts(v, ";") {
				k, value, both := strings.Cut(part, "=")
				if !both {
					k, value = "~", part
				}
				rows = append(rows, pair{key{val: tilde(k)}, tilde(value)})
			}
			return rows
		}
	}
	panic(f.unknown("flat function"))
}

// parts cuts a value and leaves out empty parts; null has none.
func parts(v val, at string) []string {
	if !v.set {
		return nil
	}
	return slices.DeleteFunc(strings.Split(v.str(), at), func(s string) bool { return s == "" })
}

// tilde stands for null.
func tilde(s string) val {
	if s == "~" {
		return val{}
	}
	return text(s)
}

// aggregator returns the function of the aggregate so far and a value to the next aggregate.
func aggregator(f function) func(a, v val) val {
	switch f.name() {
	case "concat":
		s := f.text(1)
		return func(a, v val) val { return text(a.s + s + v.str()) }
	case "concatNull":
		s, x := f.text(1), f.text(2)
		return func(a, v val) val {
			if strings.Contains(v.str(), x) {
				return val{}
			}
			return text(a.s + s + v.str())
		}
	case "cnt":
		return func(a, _ val) val { return number(a.i + 1) }
	case "sum", "sub":
		return arithmetic(f)
	case "max", "min":
		of := arithmetic(f)
		return func(a, v val) val {
			if !a.set {
				return v
			}
			return of(a, v)
		}
	}
	panic(f.unknown("aggregator"))
}

// arithmetic returns a function in which null counts as 0.
func arithmetic(f function) func(a, b val) val {
	switch f.name() {
	case "sum":
		return func(a, b val) val { return number(a.i + b.i) }
	case "sub":
		return func(a, b val) val { return number(a.i - b.i) }
	case "max":
		return func(a, b val) val { return number(max(a.i, b.i)) }
	case "min":
		return func(a, b val) val { return number(min(a.i, b.i)) }
	}
	panic(f.unknown("function"))
}

// reducer returns a reducer or merger.
func reducer(f function) func(a, b val) val {
	switch f.name() {
	case "concat":
		s := f.text(1)
		return func(a, b val) val { return text(a.str() + s + b.str()) }
	case "last":
		return func(_, b val) val { return b }
	case "first":
		return func(a, _ val) val { return a }
	case "nullIfNew":
		x := f.text(1)
		return func(a, b val) val {
			if strings.Contains(b.str(), x) {
				return val{}
			}
			return text(a.str() + "," + b.str())
		}
	}
	return arithmetic(f)
}

// joiner returns a joiner that sees the key.
func joiner(f function) func(k key, l, r val) val {
	paired := func(l, r val) string { return "(" + l.str() + "," + r.str() + ")" }
	switch f.name() {
	case "pair":
		return func(_ key, l, r val) val { return text(paired(l, r)) }
	case "pairKey":
		return func(k key, l, r val) val { return text(k.str() + paired(l, r)) }
	case "right":
		return func(_ key, _, r val) val { return r }
	case "pairNull":
		x := f.text(1)
		return func(_ key, l, r val) val {
			if strings.Contains(r.str(), x) {
				return val{}
			}
			return text(paired(l, r))
		}
	}
	panic(f.unknown("joiner"))
}
