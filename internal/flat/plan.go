package flat

import (
	"reflect"
	"time"
	"unsafe"
)

// A plan says how a type is written, in the order of its memory.
type plan []step

type kind uint8

const (
	kindRaw      kind = iota // size bytes without pointers
	kindString               //
	kindBytes                // a slice of one-byte elements
	kindRawSlice             // a slice whose elements of size bytes have no pointers
	kindSlice                // a slice of elem, each of size bytes
	kindArray                // count times elem, each of size bytes
	kindPointer              // to elem
	kindTime                 //
)

type step struct {
	kind   kind
	offset uintptr
	size   uintptr
	count  int
	elem   plan
	typ    reflect.Type // of the slice, or of what the pointer points to
}

var timeType = reflect.TypeFor[time.Time]()

// compile returns the plan of t.
func compile(t reflect.Type) (plan, bool) {
	c := compiler{open: map[reflect.Type]bool{}, exported: true}
	if !c.add(t, 0) {
		return nil, false
	}
	return c.plan, true
}

type compiler struct {
	plan     plan
	open     map[reflect.Type]bool // types that the current one is part of
	exported bool                  // the path to the current value is
}

// add appends the steps of a t at offset.
func (c *compiler) add(t reflect.Type, offset uintptr) bool {
	if c.open[t] {
		return false
	}
	c.open[t] = true
	defer delete(c.open, t)
	switch t.Kind() {
	case reflect.Struct:
		if t == timeType {
			c.plan = append(c.plan, step{kind: kindTime, offset: offset})
			return true
		}
		return c.addFields(t, offset)
	case reflect.Array:
		return c.addArray(t, offset)
	case reflect.String:
		c.plan = append(c.plan, step{kind: kindString, offset: offset})
		return true
	case reflect.Slice:
		return c.addSlice(t, offset)
	case reflect.Pointer:
		if !c.exported {
			return false
		}
		elem, ok := c.inner(t.Elem())
		c.plan = append(c.plan, step{kind: kindPointer, offset: offset, elem: elem, typ: t.Elem()})
		return ok
	case reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	}
	c.addRaw(offset, t.Size())
	return true
}

// addRaw appends n bytes, or lengthens the step before by them and the padding between.
func (c *compiler) addRaw(offset, n uintptr) {
	if last := len(c.plan) - 1; last >= 0 && c.plan[last].kind == kindRaw {
		c.plan[last].size = offset + n - c.plan[last].offset
		return
	}
	c.plan = append(c.plan, step{kind: kindRaw, offset: offset, size: n})
}

func (c *compiler) addFields(t reflect.Type, offset uintptr) bool {
	exported := c.exported
	defer func() { c.exported = exported }()
	for i := range t.NumField() {
		f := t.Field(i)
		c.exported = exported && f.IsExported()
		if !c.add(f.Type, offset+f.Offset) {
			return false
		}
	}
	return true
}

func (c *compiler) addArray(t reflect.Type, offset uintptr) bool {
	elem, ok := c.inner(t.Elem())
	if elem.raw() {
		c.addRaw(offset, t.Size())
		return ok
	}
	c.plan = append(c.plan, step{kind: kindArray, offset: offset, size: t.Elem().Size(), count: t.Len(), elem: elem})
	return ok
}

func (c *compiler) addSlice(t reflect.Type, offset uintptr) bool {
	elem, ok := c.inner(t.Elem())
	s := step{kind: kindSlice, offset: offset, size: t.Elem().Size(), elem: elem, typ: t}
	switch {
	case elem.raw() && s.size == 1:
		s.kind = kindBytes
	case elem.raw():
		s.kind = kindRawSlice
	}
	c.plan = append(c.plan, s)
	return ok
}

// inner compiles what stands behind a pointer or repeats.
func (c *compiler) inner(t reflect.Type) (plan, bool) {
	in := compiler{open: c.open, exported: c.exported}
	ok := in.add(t, 0)
	return in.plan, ok
}

// raw: the type has no pointers. An empty struct has no steps at all.
func (p plan) raw() bool { return len(p) == 0 || len(p) == 1 && p[0].kind == kindRaw }

func (p plan) copied() bool {
	for _, s := range p {
		if s.kind == kindString || s.kind == kindBytes || !s.elem.copied() {
			return false
		}
	}
	return true
}

// memory is size bytes at p, which have no pointers.
func memory(p unsafe.Pointer, size uintptr) []byte { return unsafe.Slice((*byte)(p), size) }
