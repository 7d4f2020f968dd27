package row

import (
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// A Builder makes rows. Its zero value is ready; it keeps its memory from row to row and belongs to one goroutine.
type Builder struct {
	ends []uint32
	data []byte
	open []parent // of the nested values that are open, the innermost last
	head []byte   // of the row that is made
}

// A parent is how much there was when a nested value was opened.
type parent struct{ ends, data int }

// Reset forgets what was added.
func (b *Builder) Reset() { b.ends, b.data, b.open = b.ends[:0], b.data[:0], b.open[:0] }

// Len is the number of values added so far, parts of open ones too.
func (b *Builder) Len() int { return len(b.ends) }

func (b *Builder) end() { b.ends = append(b.ends, uint32(len(b.data))) }

// Add adds a value.
func (b *Builder) Add(v Value) {
	if v.kind != KindNull {
		b.data = appendValue(b.data, &v)
	}
	b.end()
}

// AddNull adds a null.
func (b *Builder) AddNull() { b.end() }

// AddText adds a STRING or BYTES that is copied from text.
func (b *Builder) AddText(k Kind, text []byte) {
	b.data = append(append(b.data, byte(k)), text...)
	b.end()
}

// AddFrom adds the i-th value of a row as it is.
func (b *Builder) AddFrom(r Row, i int) {
	b.data = append(b.data, r.part(i)...)
	b.end()
}

// AddField adds the at-th part of the i-th value of a row, an array or a struct; of a null it is null.
func (b *Builder) AddField(r Row, i, at int) {
	if nested := r.part(i); nested != "" {
		b.data = append(b.data, Row(nested[1:]).part(at)...)
	}
	b.end()
}

// AddAll adds all values of a row.
func (b *Builder) AddAll(r Row) { b.AddRange(r, 0, r.Len()) }

// AddRange adds the values of a row from one place to another, that one not included.
func (b *Builder) AddRange(r Row, from, to int) {
	b.data = append(b.data, b.addEnds(r, from, to, len(b.data))...)
}

// addEnds adds the ends of values of a row, of which the first is to begin at some byte, and returns their bytes, which are the caller's to add.
func (b *Builder) addEnds(r Row, from, to, at int) string {
	if from >= to {
		return ""
	}
	w := int(r[0])
	base, start := 1+w+w*int(r.number(1)), 0
	if from > 0 {
		start = int(r.number(1 + w*from))
	}
	end := start
	for i := from; i < to; i++ {
		end = int(r.number(1 + w*(i+1)))
		b.ends = append(b.ends, uint32(end-start+at))
	}
	return string(r[base+start : base+end])
}

// Open begins a nested value: what is added until its Close are its parts, as in FromRow.
func (b *Builder) Open() { b.open = append(b.open, parent{len(b.ends), len(b.data)}) }

// Close ends the nested value that was opened last: it is added as one of the kind.
func (b *Builder) Close(k Kind) {
	at := b.open[len(b.open)-1]
	b.open = b.open[:len(b.open)-1]
	ends, size := b.ends[at.ends:], len(b.data)-at.data
	w := width(len(ends), size)
	head := 2 + w + w*len(ends)
	b.data = slices.Grow(b.data, head)[:len(b.data)+head]
	copy(b.data[at.data+head:], b.data[at.data:at.data+size])
	b.data[at.data] = byte(k)
	appendHead(b.data[:at.data+1], ends, uint32(at.data), w)
	b.ends = b.ends[:at.ends]
	b.end()
}

// Row returns the row of what was added, and resets b. It costs one allocation.
func (b *Builder) Row() Row {
	r := b.around(unsafe.String(unsafe.SliceData(b.data), len(b.data)), "")
	b.Reset()
	return r
}

// around returns the row of values with b's ends, whose bytes are first and second.
func (b *Builder) around(first, second string) Row {
	b.head = appendHead(b.head[:0], b.ends, 0, width(len(b.ends), len(first)+len(second)))
	var out strings.Builder // whose memory is not cleared before it is written
	out.Grow(len(b.head) + len(first) + len(second))
	out.Write(b.head)
	out.WriteString(first)
	out.WriteString(second)
	return Row(out.String())
}

// Join returns the row of the values of x and the first n of y.
func Join(x, y Row, n int) Row {
	b := builders.Get().(*Builder)
	defer builders.Put(b)
	b.Reset()
	first := b.addEnds(x, 0, x.Len(), 0)
	return b.around(first, b.addEnds(y, 0, n, len(first)))
}

// builders are those of Make.
var builders = sync.Pool{New: func() any { return new(Builder) }}

// Make returns the row of what f adds to a builder that is used again and again: of the builder nothing may be kept.
func Make(f func(*Builder)) Row {
	b := builders.Get().(*Builder)
	defer builders.Put(b)
	b.Reset()
	f(b)
	return b.Row()
}
