// Package jsontext reads and writes the tokens of JSON text: white space, literals, numbers, strings with their escapes.
//
// Callers: serde, for JSON of Go types, internal/format, for JSON of rows, and row, for decimals as text. It calls nothing of the module.
//
// Owner and locks: functions only; they keep nothing of what they are given.
//
// Format: RFC 8259. Positions are bytes of the text. What is wrong is told as a position and a reason, which never quotes the text.
//
// Not here: what values mean, and errors with names of fields.
package jsontext

// Reasons that more than one place gives.
const (
	ReasonEnd   = "unexpected end"
	ReasonDepth = "nested too deeply"
	ReasonValue = "not a JSON value"
)

// MaxDepth is how deep objects and arrays may be nested; the outermost is the first.
const MaxDepth = 64

// Space returns the index of the first byte at or behind i that is no white space.
func Space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// Literal checks for the word at i, whose first byte is known to be right.
func Literal(b []byte, word string, i int) (end int, reason string) {
	if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
		return i + len(word), ""
	}
	return i, ReasonValue
}

// Number checks the number at i and returns the index behind it, or that of what is wrong.
func Number(b []byte, i int) (end int, reason string) {
	if b[i] == '-' {
		i++
	}
	whole := i
	if i = digits(b, i); i == whole {
		return BadNumber(b, i)
	}
	if b[whole] == '0' && i > whole+1 {
		return whole, "number with a leading zero"
	}
	if i < len(b) && b[i] == '.' {
		frac := i + 1
		if i = digits(b, frac); i == frac {
			return BadNumber(b, i)
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		exp := i
		if i = digits(b, exp); i == exp {
			return BadNumber(b, i)
		}
	}
	return i, ""
}

// BadNumber tells that digits are missing at i.
func BadNumber(b []byte, i int) (int, string) {
	if i >= len(b) {
		return i, ReasonEnd
	}
	return i, "not a number"
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// String checks the string whose opening quote is at i and returns the index behind its closing one.
func String(b []byte, i int) (end int, reason string) {
	end, _, _, reason = ScanString(b, i+1)
	if reason != "" {
		return end, reason
	}
	return end + 1, ""
}

// Skip checks the value at i, which is not at white space, and returns the index behind it, or that of what is wrong with a reason. depth is
// how many objects and arrays it stands in.
func Skip(b []byte, i, depth int) (end int, reason string) {
	if i >= len(b) {
		return i, ReasonEnd
	}
	switch c := b[i]; {
	case c == '"':
		return String(b, i)
	case c == '{':
		return skipMembers(b, i, '}', depth+1)
	case c == '[':
		return skipMembers(b, i, ']', depth+1)
	case c == 't':
		return Literal(b, "true", i)
	case c == 'f':
		return Literal(b, "false", i)
	case c == 'n':
		return Literal(b, "null", i)
	case c == '-' || c-'0' <= 9:
		return Number(b, i)
	}
	return i, ReasonValue
}

// skipMembers skips an object or an array.
func skipMembers(b []byte, i int, end byte, depth int) (int, string) {
	if depth > MaxDepth {
		return i, ReasonDepth
	}
	i = Space(b, i+1)
	if i < len(b) && b[i] == end {
		return i + 1, ""
	}
	for {
		var reason string
		if end == '}' {
			if _, i, reason = Key(b, i); reason != "" {
				return i, reason
			}
		}
		if i, reason = Skip(b, i, depth); reason != "" {
			return i, reason
		}
		var closed bool
		if i, closed, reason = Next(b, i, end); reason != "" || closed {
			return i, reason
		}
	}
}

// Key checks the name of an object's member at i and the colon behind it: name is the inside of the string, not yet unescaped, value the
// index of the member's value, or of what is wrong.
func Key(b []byte, i int) (name []byte, value int, reason string) {
	if i >= len(b) {
		return nil, i, ReasonEnd
	}
	if b[i] != '"' {
		return nil, i, "not a field name"
	}
	end, reason := String(b, i)
	if reason != "" {
		return nil, end, reason
	}
	name = b[i+1 : end-1]
	value, reason = Colon(b, end)
	return name, value, reason
}

// Colon goes from behind a name to the value.
func Colon(b []byte, i int) (value int, reason string) {
	i = Space(b, i)
	if i >= len(b) {
		return i, ReasonEnd
	}
	if b[i] != ':' {
		return i, "no colon behind a field name"
	}
	return Space(b, i+1), ""
}

// Next goes on behind a member that ends at i: to the following one, or behind the object or array, which closed tells.
func Next(b []byte, i int, end byte) (at int, closed bool, reason string) {
	i = Space(b, i)
	if i >= len(b) {
		return i, false, ReasonEnd
	}
	switch b[i] {
	case ',':
		return Space(b, i+1), false, ""
	case end:
		return i + 1, true, ""
	}
	return i, false, "neither a comma nor the end of the object or array"
}
