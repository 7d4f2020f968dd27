package serde

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"unsafe"

	"github.com/mainstemio/mainstem/internal/jsontext"
)

// scalar has a JSONParser read the scalar at i.
func (d *decoder) scalar(n *node, p unsafe.Pointer, i int) int {
	if c := d.b[i]; c == '{' || c == '[' {
		return d.mismatch(n, i)
	}
	end := jsontext.PlainStringEnd(d.b, i)
	if end == 0 {
		if end = d.skip(i); end < 0 {
			return end
		}
	}
	if err := at(n.methods.parseJSON, p).ParseJSON(d.b[i:end:end]); err != nil {
		d.fail(i, err.Error())
		d.err.cause = err
		return -1
	}
	return end
}

// validate asks the value that stands from start to end whether it is right.
func (d *decoder) validate(n *node, p unsafe.Pointer, start, end int) int {
	if err := at(n.methods.validate, p).Validate(); err != nil {
		d.fail(start, err.Error())
		d.err.cause = err
		return -1
	}
	return end
}

// textMethod has an encoding.TextUnmarshaler read the string at i. What it says of errors may quote the string and is dropped.
func (d *decoder) textMethod(n *node, p unsafe.Pointer, i int) int {
	if d.b[i] != '"' {
		return d.mismatch(n, i)
	}
	text, end := d.unescaped(i)
	if end < 0 {
		return end
	}
	if at(n.methods.parseText, p).UnmarshalText(text[:len(text):len(text)]) != nil {
		return d.refused(n, i)
	}
	return end
}

func (d *decoder) refused(n *node, i int) int {
	return d.fail(i, "not a value of "+n.typ.String())
}

// custom has a json.Unmarshaler read the value at i, null too.
func (d *decoder) custom(n *node, p unsafe.Pointer, i int) int {
	end := d.skip(i)
	if end < 0 {
		return end
	}
	if at(n.methods.unmarshal, p).UnmarshalJSON(d.b[i:end:end]) != nil {
		return d.refused(n, i)
	}
	return end
}

// fallback has encoding/json read the value at i.
func (d *decoder) fallback(n *node, p unsafe.Pointer, i int) int {
	end := d.skip(i)
	if end < 0 {
		return end
	}
	if json.Unmarshal(d.b[i:end], reflect.NewAt(n.typ, p).Interface()) != nil {
		return d.refused(n, i)
	}
	return end
}

// quoted reads the value that stands inside the string at i.
func (d *decoder) quoted(n *node, p unsafe.Pointer, i int) int {
	if d.b[i] != '"' {
		return d.fail(i, "a string that holds the value is needed")
	}
	text, end := d.unescaped(i)
	if end < 0 {
		return end
	}
	inner := decoder{b: text, owned: d.owned, depth: d.depth}
	if inner.value(n.elem, p, 0) != len(text) {
		return d.fail(i, "a string that does not hold the value")
	}
	return end
}

// bytes reads a []byte: base64, or an array of numbers.
func (d *decoder) bytes(n *node, p unsafe.Pointer, i int) int {
	switch d.b[i] {
	case '[':
		return d.slice(n, p, i)
	case '"':
	default:
		return d.mismatch(n, i)
	}
	text, end := d.unescaped(i)
	if end < 0 {
		return end
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	size, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		return d.fail(i, "not base64")
	}
	*(*[]byte)(p) = out[:size]
	return end
}

// mapping reads a map with strings as keys.
func (d *decoder) mapping(n *node, p unsafe.Pointer, i int) int {
	if d.b[i] != '{' {
		return d.mismatch(n, i)
	}
	if i = d.open(i, '}'); i < 0 {
		return i
	}
	m := reflect.MakeMap(n.typ)
	for !d.closed {
		if i >= len(d.b) || d.b[i] != '"' {
			return d.failKey(i)
		}
		key := reflect.New(n.typ.Key()).Elem()
		value := reflect.New(n.elem.typ)
		var name string
		if i = d.text(&name, i); i < 0 {
			return i
		}
		if i = d.colon(i); i < 0 {
			return i
		}
		if i = d.value(n.elem, value.UnsafePointer(), i); i < 0 {
			d.err.Path = inField("{}", d.err.Path)
			return i
		}
		key.SetString(name)
		m.SetMapIndex(key, value.Elem())
		if i = d.next(i, '}'); i < 0 {
			return i
		}
	}
	reflect.NewAt(n.typ, p).Elem().Set(m)
	return i
}

// quotedNode is the plan for a field with the option ",string": null stays null, so a pointer is followed first. Types with
// methods of their own do not heed the option.
func quotedNode(n *node) *node {
	wrapped := *n
	switch {
	case n.enc == opPointer:
		wrapped.elem = quotedNode(n.elem)
	case n.enc != n.dec || n.enc == opScalar || n.enc == opText || n.enc == opCustom:
		return n
	default:
		wrapped.elem, wrapped.enc, wrapped.dec = n, opQuoted, opQuoted
	}
	return &wrapped
}

// quotable tells the types for which encoding/json heeds ",string".
func quotable(typ reflect.Type) bool {
	if typ.Kind() == reflect.Pointer && typ.Name() == "" {
		typ = typ.Elem()
	}
	switch kind := typ.Kind(); kind {
	case reflect.Bool, reflect.String:
		return true
	default:
		return reflect.Int <= kind && kind <= reflect.Float64
	}
}
