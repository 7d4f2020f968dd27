package serde

import "github.com/mainstemio/mainstem/internal/jsontext"

// Reasons that more than one place gives.
const (
	reasonEnd   = jsontext.ReasonEnd
	reasonDepth = jsontext.ReasonDepth
	reasonValue = jsontext.ReasonValue
	reasonRange = "number out of range"
)

// at takes the answer of a function of jsontext: the index to go on from, or a reason to fail there.
func (d *decoder) at(i int, reason string) int {
	if reason != "" {
		return d.fail(i, reason)
	}
	return i
}

// literal checks for the word at i, whose first byte is known to be right.
func (d *decoder) literal(word string, i int) int { return d.at(jsontext.Literal(d.b, word, i)) }

// number checks the number at i and returns the index behind it.
func (d *decoder) number(i int) int { return d.at(jsontext.Number(d.b, i)) }

// skip checks the value at i, which is not at white space, and returns the index behind it.
func (d *decoder) skip(i int) int { return d.at(jsontext.Skip(d.b, i, d.depth)) }

// open goes into an object or array that begins at i: to its first member, or behind it if it is empty, which d.closed tells.
func (d *decoder) open(i int, end byte) int {
	if d.depth++; d.depth > MaxJSONDepth {
		return d.fail(i, reasonDepth)
	}
	i = jsontext.Space(d.b, i+1)
	d.closed = i < len(d.b) && d.b[i] == end
	if d.closed {
		d.depth--
		i++
	}
	return i
}

// next goes on behind a member that ends at i: to the following one, or behind the object or array, which d.closed tells.
func (d *decoder) next(i int, end byte) int {
	i, closed, reason := jsontext.Next(d.b, i, end)
	if d.closed = closed; closed {
		d.depth--
	}
	return d.at(i, reason)
}

// colon goes from behind a key to the value.
func (d *decoder) colon(i int) int { return d.at(jsontext.Colon(d.b, i)) }

func (d *decoder) failKey(i int) int {
	if i >= len(d.b) {
		return d.fail(i, reasonEnd)
	}
	return d.fail(i, "not a field name")
}
