package avrorow

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// A reader takes values off a record. Values may take no bytes at all, so their number is bounded too. It keeps its memory from record to
// record and belongs to one goroutine.
type reader struct {
	s      string
	at     int
	left   int        // values that may still be read
	levels []*scratch // for values in each other
	level  int
}

// A scratch is the memory for one value with parts.
type scratch struct {
	values []row.Value
	parts  row.Builder
}

// enter returns the memory for a value with n parts that come in any order; leave must follow.
func (r *reader) enter(n int) *scratch {
	if r.level == len(r.levels) {
		r.levels = append(r.levels, &scratch{})
	}
	s := r.levels[r.level]
	r.level++
	if cap(s.values) < n {
		s.values = make([]row.Value, n)
	}
	s.values = s.values[:n]
	clear(s.values)
	s.parts.Reset()
	return s
}

func (r *reader) leave() { r.level-- }

// freeValues is how many values a record may have on top of some for every byte.
const (
	freeValues    = 1 << 14
	valuesPerByte = 8
)

func (r *reader) reset(s string) {
	r.s, r.at, r.left, r.level = s, 0, freeValues+valuesPerByte*len(s), 0
}

var errShort = column.Errorf("the record ends too early")

// spend counts a value.
func (r *reader) spend() error {
	if r.left--; r.left < 0 {
		return column.Errorf("more values than a record of this size may have")
	}
	return nil
}

// long reads a number of variable length.
func (r *reader) long() (int64, error) {
	n := uint64(0)
	for shift := 0; shift < 70; shift += 7 {
		if r.at >= len(r.s) {
			return 0, errShort
		}
		b := r.s[r.at]
		r.at++
		if shift == 63 && b > 1 {
			break
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(n>>1) ^ -int64(n&1), nil
		}
	}
	return 0, column.Errorf("a number that does not end")
}

// integer reads a number of 32 bits.
func (r *reader) integer() (int64, error) {
	n, err := r.long()
	if err == nil && n != int64(int32(n)) {
		return 0, column.Errorf("a number that does not fit into 32 bits")
	}
	return n, err
}

func (r *reader) take(n int64) (string, error) {
	if n < 0 || n > int64(len(r.s)-r.at) {
		return "", errShort
	}
	r.at += int(n)
	return r.s[r.at-int(n) : r.at], nil
}

// bytes reads bytes behind their length.
func (r *reader) bytes() (string, error) {
	n, err := r.long()
	if err != nil {
		return "", err
	}
	return r.take(n)
}

func (r *reader) text() (string, error) {
	s, err := r.bytes()
	if err == nil && !utf8.ValidString(s) {
		return "", column.Errorf("text that is not UTF-8")
	}
	return s, err
}

func (r *reader) boolean() (bool, error) {
	s, err := r.take(1)
	if err != nil {
		return false, err
	}
	return s[0] != 0, nil
}

func (r *reader) float() (float64, error) {
	s, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32([]byte(s)))), nil
}

func (r *reader) double() (float64, error) {
	s, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.LittleEndian.Uint64([]byte(s))), nil
}

// blocks calls item for each element of an array or entry of a map.
func (r *reader) blocks(item func() error) error {
	for {
		n, err := r.long()
		if err != nil {
			return err
		}
		if n < 0 {
			if _, err := r.long(); err != nil { // the block's size, for those who skip it
				return err
			}
			if n = -n; n < 0 {
				return column.Errorf("a block without end")
			}
		}
		if n == 0 {
			return nil
		}
		for range n {
			if err := r.spend(); err != nil {
				return err
			}
			if err := item(); err != nil {
				return err
			}
		}
	}
}

// skip passes over a value.
func (r *reader) skip(n *node, depth int) error {
	if err := r.spend(); err != nil {
		return err
	}
	if depth > 4*maxDepth {
		return column.Errorf("values too deep in each other")
	}
	switch n.kind {
	case "null":
		return nil
	case "boolean":
		return r.pass(1)
	case "int", "long", "enum":
		_, err := r.long()
		return err
	case "float":
		return r.pass(4)
	case "double":
		return r.pass(8)
	case "string", "bytes":
		_, err := r.bytes()
		return err
	case "fixed":
		return r.pass(n.size)
	case "array":
		return r.blocks(func() error { return r.skip(n.elem, depth+1) })
	case "map":
		return r.blocks(func() error {
			if _, err := r.bytes(); err != nil {
				return err
			}
			return r.skip(n.elem, depth+1)
		})
	case "union":
		b, err := r.branch(n)
		if err != nil {
			return err
		}
		return r.skip(n.branches[b], depth+1)
	}
	for _, f := range n.fields {
		if err := r.skip(f.node, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) pass(n int) error {
	_, err := r.take(int64(n))
	return err
}

// branch reads which of a union's types follows.
func (r *reader) branch(n *node) (int, error) {
	b, err := r.long()
	if err == nil && (b < 0 || b >= int64(len(n.branches))) {
		return 0, column.Errorf("a type that the union does not have")
	}
	return int(b), err
}
