package serde

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/mainstemio/mainstem/internal/jsontext"
)

// An encoder writes one value. Its methods append the value at p and return the longer slice, or nil after having noted why
// that cannot be done.
type encoder struct {
	depth int
	err   Error
}

func (e *encoder) fail(reason string, cause error) []byte {
	e.err = Error{Format: "json", Offset: -1, Reason: reason, cause: cause}
	return nil
}

func (e *encoder) run(p plan, at unsafe.Pointer, dst []byte) ([]byte, error) {
	if p.enc == opPointer && *(*unsafe.Pointer)(at) == nil {
		return nil, nil
	}
	out := e.value(dst, p.node, at)
	if out == nil {
		err := e.err
		return dst, &err
	}
	return out, nil
}

func (e *encoder) value(dst []byte, n *node, p unsafe.Pointer) []byte {
	switch n.enc {
	case opString:
		return jsontext.AppendString(dst, *(*string)(p))
	case opInt:
		return jsontext.AppendInt(dst, readInt(p, n.size))
	case opUint:
		return jsontext.AppendUint(dst, readUint(p, n.size))
	case opStruct:
		return e.object(dst, n, p)
	case opScalar:
		return e.scalar(dst, n, p)
	case opBool:
		return strconv.AppendBool(dst, *(*bool)(p))
	case opFloat:
		v := readFloat(p, n.size)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return e.fail("JSON has no NaN and no infinity", nil)
		}
		return appendFloat(dst, v, int(n.size)*8)
	case opPointer:
		to := *(*unsafe.Pointer)(p)
		if to == nil {
			return append(dst, "null"...)
		}
		return e.value(dst, n.elem, to)
	case opSlice:
		s := (*sliceHeader)(p)
		if s.data == nil {
			return append(dst, "null"...)
		}
		return e.elements(dst, n.elem, s.data, s.len)
	case opArray:
		return e.elements(dst, n.elem, p, n.length)
	default:
		return e.rare(dst, n, p)
	}
}

// rare is value for what seldom stands in records.
func (e *encoder) rare(dst []byte, n *node, p unsafe.Pointer) []byte {
	switch n.enc {
	case opMap:
		return e.mapping(dst, n, p)
	case opBytes:
		b := *(*[]byte)(p)
		if b == nil {
			return append(dst, "null"...)
		}
		dst = append(dst, '"')
		return append(base64.StdEncoding.AppendEncode(dst, b), '"')
	case opText:
		return e.textMethod(dst, n, p)
	case opCustom:
		text, err := at(n.methods.marshal, p).MarshalJSON()
		if err != nil {
			return e.refused(n)
		}
		buf := bytes.NewBuffer(dst)
		if !e.checked(text) || json.Compact(buf, text) != nil {
			return e.refused(n)
		}
		return buf.Bytes()
	case opQuoted:
		inner := e.value(nil, n.elem, p)
		if inner == nil {
			return nil
		}
		return jsontext.AppendString(dst, string(inner))
	default:
		return e.fallback(dst, n, p)
	}
}

// scalar has a JSONAppender write the value.
func (e *encoder) scalar(dst []byte, n *node, p unsafe.Pointer) []byte {
	out, err := at(n.methods.appendJSON, p).AppendJSON(dst)
	if err != nil {
		return e.fail(err.Error(), err)
	}
	if len(out) <= len(dst) {
		return e.fail("AppendJSON of "+n.typ.String()+" appended nothing", nil)
	}
	return out
}

func (e *encoder) refused(n *node) []byte {
	return e.fail("this "+n.typ.String()+" cannot be written as JSON", nil)
}

func (e *encoder) enter() bool {
	if e.depth++; e.depth > MaxJSONDepth {
		e.fail(reasonDepth, nil)
		return false
	}
	return true
}

func (e *encoder) object(dst []byte, n *node, p unsafe.Pointer) []byte {
	if !e.enter() {
		return nil
	}
	start := len(dst)
	for i := range n.object.fields {
		f := &n.object.fields[i]
		at := unsafe.Add(p, f.offset)
		if f.optional {
			var ok bool
			if at, ok = f.address(p); !ok || f.omitted(at) {
				continue
			}
		}
		dst = f.lead.Append(dst)
		switch f.node.enc {
		case opString:
			dst = jsontext.AppendString(dst, *(*string)(at))
			continue
		case opInt:
			dst = jsontext.AppendInt(dst, readInt(at, f.node.size))
			continue
		case opScalar:
			dst = e.scalar(dst, f.node, at)
		default:
			dst = e.value(dst, f.node, at)
		}
		if dst == nil {
			e.err.Path = inField(f.name, e.err.Path)
			return nil
		}
	}
	e.depth--
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{' // instead of the first field's comma
	return append(dst, '}')
}

// address returns where the field of the struct at p is; false if an embedded pointer on the way there is nil.
func (f *field) address(p unsafe.Pointer) (unsafe.Pointer, bool) {
	for _, s := range f.via {
		if p = *(*unsafe.Pointer)(unsafe.Add(p, s.offset)); p == nil {
			return nil, false
		}
	}
	return unsafe.Add(p, f.offset), true
}

// omitted reports whether the field is left out for its value.
func (f *field) omitted(p unsafe.Pointer) bool {
	if f.omit == omitNever {
		return false
	}
	v := reflect.NewAt(f.node.typ, p).Elem()
	if f.omit&omitZero != 0 && isZero(v) {
		return true
	}
	if f.omit&omitEmpty == 0 {
		return false
	}
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

type zeroer interface{ IsZero() bool }

func isZero(v reflect.Value) bool {
	if kind := v.Kind(); kind == reflect.Pointer || kind == reflect.Interface {
		if v.IsNil() {
			return true
		}
		z, ok := v.Interface().(zeroer)
		return ok && v.Type().Implements(reflect.TypeFor[zeroer]()) && z.IsZero()
	}
	if z, ok := v.Addr().Interface().(zeroer); ok {
		return z.IsZero()
	}
	return v.IsZero()
}

func (e *encoder) elements(dst []byte, elem *node, first unsafe.Pointer, count int) []byte {
	if !e.enter() {
		return nil
	}
	dst = append(dst, '[')
	for i := range count {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst = e.value(dst, elem, unsafe.Add(first, uintptr(i)*elem.size)); dst == nil {
			e.err.Path = inElement(i, e.err.Path)
			return nil
		}
	}
	e.depth--
	return append(dst, ']')
}

// mapping writes a map with strings as keys, in the order of the keys.
func (e *encoder) mapping(dst []byte, n *node, p unsafe.Pointer) []byte {
	m := reflect.NewAt(n.typ, p).Elem()
	if m.IsNil() {
		return append(dst, "null"...)
	}
	if !e.enter() {
		return nil
	}
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	dst = append(dst, '{')
	value := reflect.New(n.elem.typ)
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		value.Elem().Set(m.MapIndex(key))
		dst = append(jsontext.AppendString(dst, key.String()), ':')
		if dst = e.value(dst, n.elem, value.UnsafePointer()); dst == nil {
			e.err.Path = inField("{}", e.err.Path)
			return nil
		}
	}
	e.depth--
	return append(dst, '}')
}

// textMethod writes what the methods of encoding return as a JSON string.
func (e *encoder) textMethod(dst []byte, n *node, p unsafe.Pointer) []byte {
	if n.methods.appendText == nil {
		text, err := at(n.methods.text, p).MarshalText()
		if err != nil {
			return e.refused(n)
		}
		return jsontext.AppendString(dst, unsafe.String(unsafe.SliceData(text), len(text)))
	}
	start := len(dst) + 1
	dst, err := at(n.methods.appendText, p).AppendText(append(dst, '"'))
	if err != nil || len(dst) < start {
		return e.refused(n)
	}
	if text := dst[start:]; jsontext.PlainEnd(text, 0) < len(text) {
		return jsontext.AppendString(dst[:start-1], string(text))
	}
	return append(dst, '"')
}

// fallback has encoding/json write the value.
func (e *encoder) fallback(dst []byte, n *node, p unsafe.Pointer) []byte {
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(reflect.NewAt(n.typ, p).Interface()) != nil {
		return e.refused(n)
	}
	out := buf.Bytes()
	out = out[:len(out)-1] // without the line end
	if !e.checked(out[len(dst):]) {
		return e.refused(n)
	}
	return out
}

// checked reports whether text, which others wrote, is one JSON value and not too deep at this place.
func (e *encoder) checked(text []byte) bool {
	d := decoder{b: text, depth: e.depth}
	end := d.skip(jsontext.Space(text, 0))
	return end >= 0 && jsontext.Space(text, end) == len(text)
}
