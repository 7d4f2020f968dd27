package serde

import (
	"reflect"
	"unicode/utf8"
	"unsafe"

	"github.com/mainstemio/mainstem/internal/jsontext"
)

// A decoder reads one text. Its methods take the index where a value begins and return the index behind it, or -1 after
// having noted why not; on the way out of a failure the path is put together.
type decoder struct {
	b      []byte
	owned  bool // b is a private copy: strings may be parts of it, and escapes may be resolved in place
	closed bool // what open and next, which set it each time, found
	depth  int
	err    Error
}

//go:noinline
func (d *decoder) fail(at int, reason string) int {
	d.err = Error{Format: "json", Offset: at, Reason: reason}
	return -1
}

func (d *decoder) run(p plan, at unsafe.Pointer, b []byte) error {
	d.b = b
	if p.keepsText && len(b) <= maxSharedText {
		d.b, d.owned = append([]byte(nil), b...), true
	}
	i := jsontext.Space(b, 0)
	if i == len(b) {
		d.fail(i, "empty input")
		return d.error()
	}
	if b[i] == 'n' && !p.takesNull() {
		if i = d.literal("null", i); i >= 0 && jsontext.Space(b, i) == len(b) {
			return ErrNull
		}
	} else {
		i = d.value(p.node, at, i)
	}
	if i >= 0 {
		if i = jsontext.Space(d.b, i); i < len(d.b) {
			i = d.fail(i, "something behind the value")
		}
	}
	if i >= 0 && p.dec != opStruct && p.methods.validate != nil {
		i = d.validate(p.node, at, 0, i)
	}
	if i < 0 {
		return d.error()
	}
	return nil
}

func (d *decoder) error() error {
	err := d.err
	return &err
}

// takesNull reports whether the text null stands for a value of the type.
func (n *node) takesNull() bool {
	switch n.typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	return n.dec == opCustom
}

// value reads the value at i into p, which holds the zero value; null leaves that.
func (d *decoder) value(n *node, p unsafe.Pointer, i int) int {
	if i >= len(d.b) {
		return d.fail(i, reasonEnd)
	}
	c := d.b[i]
	if c == 'n' && n.dec != opCustom {
		return d.literal("null", i)
	}
	switch n.dec {
	case opString:
		if c != '"' {
			return d.mismatch(n, i)
		}
		return d.text((*string)(p), i)
	case opInt:
		return d.int(n, p, i)
	case opUint:
		return d.uint(n, p, i)
	case opStruct:
		if c != '{' {
			return d.mismatch(n, i)
		}
		return d.object(n, p, i)
	case opScalar:
		return d.scalar(n, p, i)
	case opBool:
		return d.bool(n, p, i)
	case opFloat:
		return d.float(n, p, i)
	case opPointer:
		return d.pointer(n, p, i)
	case opSlice:
		return d.slice(n, p, i)
	default:
		return d.rare(n, p, i)
	}
}

// rare is value for what seldom stands in records.
func (d *decoder) rare(n *node, p unsafe.Pointer, i int) int {
	switch n.dec {
	case opArray:
		return d.array(n, p, i)
	case opMap:
		return d.mapping(n, p, i)
	case opBytes:
		return d.bytes(n, p, i)
	case opText:
		return d.textMethod(n, p, i)
	case opCustom:
		return d.custom(n, p, i)
	case opQuoted:
		return d.quoted(n, p, i)
	default:
		return d.fallback(n, p, i)
	}
}

// mismatch reports a value of another kind than n reads, or something that is no value at all.
func (d *decoder) mismatch(n *node, i int) int {
	kind := ""
	switch c := d.b[i]; {
	case c == '"':
		kind = "a string"
	case c == '{':
		kind = "an object"
	case c == '[':
		kind = "an array"
	case c == 't' || c == 'f':
		kind = "a boolean"
	case c == '-' || c-'0' <= 9:
		kind = "a number"
	default:
		return d.fail(i, reasonValue)
	}
	return d.fail(i, kind+" where "+n.wanted()+" is needed")
}

func (n *node) wanted() string {
	switch n.dec {
	case opBool:
		return "a boolean"
	case opInt, opUint, opFloat:
		return "a number"
	case opStruct, opMap:
		return "an object"
	case opSlice, opArray:
		return "an array"
	case opScalar:
		return "a number or a string"
	}
	return "a string"
}

func (d *decoder) bool(n *node, p unsafe.Pointer, i int) int {
	switch d.b[i] {
	case 't':
		*(*bool)(p) = true
		return d.literal("true", i)
	case 'f':
		return d.literal("false", i)
	}
	return d.mismatch(n, i)
}

// object reads a struct.
func (d *decoder) object(n *node, p unsafe.Pointer, start int) int {
	o := n.object
	var seen fieldSet
	i := d.open(start, '}')
	if i < 0 {
		return i
	}
	for k := -1; !d.closed; {
		guess := k + 1
		if k, i = d.key(o, guess, i); i < 0 {
			return i
		}
		if k < 0 {
			i = d.skip(i)
			k = guess - 1
		} else {
			k, i = d.members(o, p, k, i, &seen)
		}
		if i < 0 {
			return i
		}
		if i = d.next(i, '}'); i < 0 {
			return i
		}
	}
	for _, k := range o.required {
		if !seen.has(k) {
			d.fail(start, "missing")
			d.err.Path = o.fields[k].name
			return -1
		}
	}
	if n.methods.validate != nil {
		return d.validate(n, p, start, i)
	}
	return i
}

// members reads the value of field k at i, and those of the fields that follow as the struct has them, as long as they are written without
// white space. It returns the number of the last one and the index behind its value.
func (d *decoder) members(o *object, p unsafe.Pointer, k, i int, seen *fieldSet) (last, end int) {
	for {
		f, first, behind := &o.fields[k], seen.add(k), 0
		if f.node.dec == opString && f.via == nil { // what most fields are
			behind = jsontext.PlainStringEnd(d.b, i)
		}
		if behind > 0 {
			*(*string)(unsafe.Add(p, f.offset)) = d.keep(d.b[i+1 : behind-1])
			i = behind
		} else {
			i = d.member(f, p, i, first)
		}
		if i < 0 || k+1 == len(o.fields) {
			return k, i
		}
		next := &o.fields[k+1]
		if !next.lead.Begins(d.b[i:]) {
			return k, i
		}
		k, i = k+1, i+next.lead.Len()
		if i < len(d.b) && d.b[i] <= ' ' {
			i = jsontext.Space(d.b, i)
		}
	}
}

// key reads a field name and its colon at i. It returns the number of the field, -1 for one that is not known, and the index
// of the value. guess is the field that comes next if the writer keeps to the order of the struct.
func (d *decoder) key(o *object, guess, i int) (k, value int) {
	b := d.b
	if guess < len(o.fields) {
		if q := o.fields[guess].quoted; len(b)-i > len(q) && string(b[i:i+len(q)]) == q {
			i += len(q)
			if b[i] <= ' ' {
				i = jsontext.Space(b, i)
			}
			return guess, i
		}
	}
	if i >= len(b) || b[i] != '"' {
		return -1, d.failKey(i)
	}
	end, escaped, ascii, reason := jsontext.ScanString(b, i+1)
	if reason != "" {
		return -1, d.fail(end, reason)
	}
	name := b[i+1 : end]
	if escaped || !ascii && !utf8.Valid(name) {
		name = jsontext.Unescape(nil, name)
	}
	return o.find(name), d.colon(end + 1)
}

// find returns the number of the field of that name: exactly, else but for case, else -1.
func (o *object) find(name []byte) int {
	if k, ok := o.exact[string(name)]; ok {
		return k
	}
	var buf [64]byte
	if k, ok := o.folded[string(fold(buf[:0], name))]; ok {
		return k
	}
	return -1
}

// member reads the value of a field. If the field came before, that value is forgotten.
func (d *decoder) member(f *field, p unsafe.Pointer, i int, first bool) int {
	for _, s := range f.via {
		to := (*unsafe.Pointer)(unsafe.Add(p, s.offset))
		if *to == nil {
			*to = reflect.New(s.typ).UnsafePointer()
		}
		p = *to
	}
	p = unsafe.Add(p, f.offset)
	if !first {
		reflect.NewAt(f.node.typ, p).Elem().SetZero()
	}
	switch {
	case i >= len(d.b):
		i = d.fail(i, reasonEnd)
	case d.b[i] == 'n' && f.required:
		if i = d.literal("null", i); i >= 0 {
			i = d.fail(i-len("null"), "null, but required")
		}
	default:
		i = d.value(f.node, p, i)
	}
	if i < 0 {
		d.err.Path = inField(f.name, d.err.Path)
	}
	return i
}

func (d *decoder) pointer(n *node, p unsafe.Pointer, i int) int {
	to := reflect.New(n.elem.typ).UnsafePointer()
	*(*unsafe.Pointer)(p) = to
	return d.value(n.elem, to, i)
}

// A sliceHeader is the layout of every slice.
type sliceHeader struct {
	data unsafe.Pointer
	len  int
	cap  int
}

// firstElements is the capacity that a slice of small elements starts with; it doubles from there as elements really come.
const firstElements = 4

// grow makes room for more elements when i bytes have been read. What is left of the text, at the length that the first
// element had, bounds the guess, and the guess is bounded itself, since the text may be hostile.
func (d *decoder) grow(n *node, p unsafe.Pointer, first, i int) {
	s := (*sliceHeader)(p)
	more := max(firstElements, s.len)
	switch {
	case n.elem.size <= 64:
	case s.len == 0:
		more = 1
	case s.len == 1:
		more = min(2*firstElements, 1+(len(d.b)-i)/(i-first))
	}
	reflect.NewAt(n.typ, p).Elem().Grow(more)
}

func (d *decoder) slice(n *node, p unsafe.Pointer, i int) int {
	if d.b[i] != '[' {
		return d.mismatch(n, i)
	}
	s := (*sliceHeader)(p)
	if i = d.open(i, ']'); i < 0 {
		return i
	}
	if d.closed {
		reflect.NewAt(n.typ, p).Elem().Set(reflect.MakeSlice(n.typ, 0, 0))
		return i
	}
	for first := i; ; {
		if s.len == s.cap {
			d.grow(n, p, first, i)
		}
		s.len++
		if i = d.value(n.elem, unsafe.Add(s.data, uintptr(s.len-1)*n.elem.size), i); i < 0 {
			d.err.Path = inElement(s.len-1, d.err.Path)
			return i
		}
		if i = d.next(i, ']'); i < 0 || d.closed {
			return i
		}
	}
}

// array reads as many elements as there are; more in the text are skipped, fewer leave zeros.
func (d *decoder) array(n *node, p unsafe.Pointer, i int) int {
	if d.b[i] != '[' {
		return d.mismatch(n, i)
	}
	i = d.open(i, ']')
	for k := 0; i >= 0 && !d.closed; k++ {
		if k < n.length {
			if i = d.value(n.elem, unsafe.Add(p, uintptr(k)*n.elem.size), i); i < 0 {
				d.err.Path = inElement(k, d.err.Path)
				return i
			}
		} else if i = d.skip(i); i < 0 {
			return i
		}
		i = d.next(i, ']')
	}
	return i
}
