package serde

// Reasons that more than one place gives.
const (
	reasonEnd   = "unexpected end"
	reasonDepth = "nested too deeply"
	reasonValue = "not a JSON value"
	reasonRange = "number out of range"
)

// space returns the index of the first byte at or behind i that is no white space.
func space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// literal checks for the word at i, whose first byte is known to be right.
func (d *decoder) literal(word string, i int) int {
	b := d.b
	if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
		return i + len(word)
	}
	return d.fail(i, reasonValue)
}

// number checks the number at i and returns the index behind it.
func (d *decoder) number(i int) int {
	b := d.b
	if b[i] == '-' {
		i++
	}
	whole := i
	if i = digits(b, i); i == whole {
		return d.badNumber(i)
	}
	if b[whole] == '0' && i > whole+1 {
		return d.fail(whole, "number with a leading zero")
	}
	if i < len(b) && b[i] == '.' {
		frac := i + 1
		if i = digits(b, frac); i == frac {
			return d.badNumber(i)
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		exp := i
		if i = digits(b, exp); i == exp {
			return d.badNumber(i)
		}
	}
	return i
}

func (d *decoder) badNumber(i int) int {
	if i >= len(d.b) {
		return d.fail(i, reasonEnd)
	}
	return d.fail(i, "not a number")
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// skip checks the value at i, which is not at white space, and returns the index behind it.
func (d *decoder) skip(i int) int {
	if i >= len(d.b) {
		return d.fail(i, reasonEnd)
	}
	switch c := d.b[i]; {
	case c == '"':
		return d.skipString(i)
	case c == '{':
		return d.skipMembers(i, '}')
	case c == '[':
		return d.skipMembers(i, ']')
	case c == 't':
		return d.literal("true", i)
	case c == 'f':
		return d.literal("false", i)
	case c == 'n':
		return d.literal("null", i)
	case c == '-' || c-'0' <= 9:
		return d.number(i)
	}
	return d.fail(i, reasonValue)
}

func (d *decoder) skipString(i int) int {
	end, _, _, reason := scanString(d.b, i+1)
	if reason != "" {
		return d.fail(end, reason)
	}
	return end + 1
}

// skipMembers skips an object or an array.
func (d *decoder) skipMembers(i int, end byte) int {
	if i = d.open(i, end); i < 0 || d.closed {
		return i
	}
	for {
		if end == '}' {
			if i >= len(d.b) || d.b[i] != '"' {
				return d.failKey(i)
			}
			if i = d.skipString(i); i < 0 {
				return i
			}
			if i = d.colon(i); i < 0 {
				return i
			}
		}
		if i = d.skip(i); i < 0 {
			return i
		}
		if i = d.next(i, end); i < 0 || d.closed {
			return i
		}
	}
}

// open goes into an object or array that begins at i: to its first member, or behind it if it is empty, which d.closed tells.
func (d *decoder) open(i int, end byte) int {
	if d.depth++; d.depth > MaxJSONDepth {
		return d.fail(i, reasonDepth)
	}
	i = space(d.b, i+1)
	d.closed = i < len(d.b) && d.b[i] == end
	if d.closed {
		d.depth--
		i++
	}
	return i
}

// next goes on behind a member that ends at i: to the following one, or behind the object or array, which d.closed tells.
func (d *decoder) next(i int, end byte) int {
	i = space(d.b, i)
	if i >= len(d.b) {
		return d.fail(i, reasonEnd)
	}
	switch d.b[i] {
	case ',':
		d.closed = false
		return space(d.b, i+1)
	case end:
		d.closed = true
		d.depth--
		return i + 1
	}
	return d.fail(i, "neither a comma nor the end of the object or array")
}

// colon goes from behind a key to the value.
func (d *decoder) colon(i int) int {
	i = space(d.b, i)
	if i >= len(d.b) {
		return d.fail(i, reasonEnd)
	}
	if d.b[i] != ':' {
		return d.fail(i, "no colon behind a field name")
	}
	return space(d.b, i+1)
}

func (d *decoder) failKey(i int) int {
	if i >= len(d.b) {
		return d.fail(i, reasonEnd)
	}
	return d.fail(i, "not a field name")
}
