package serde

import (
	"encoding"
	"encoding/json"
	"reflect"
	"unsafe"
)

// An op says how a value of one type is read or written.
type op uint8

const (
	opBool op = iota
	opInt
	opUint
	opFloat
	opString
	opStruct
	opPointer
	opSlice
	opArray
	opMap
	opBytes    // []byte as base64
	opScalar   // JSONAppender, JSONParser
	opText     // the interfaces of encoding, as a JSON string
	opCustom   // json.Marshaler, json.Unmarshaler
	opQuoted   // elem inside a JSON string, for the option ",string"
	opFallback // by encoding/json
)

// A node is the plan for one type: what to do at an address that holds a value of it. Nodes are immutable once compile
// returns; recursive types make cycles of them. An address passed along with a node always points to a live value of typ on
// the heap: that is the one rule that the use of unsafe rests on.
type node struct {
	typ      reflect.Type
	size     uintptr
	enc, dec op
	elem     *node // of pointer, slice, array, map, quoted
	object   *object
	methods  methods
	length   int // of an array
}

// methods holds, for a type whose pointer implements them, interface values to be pointed at a value by at.
type methods struct {
	appendJSON JSONAppender
	parseJSON  JSONParser
	appendText encoding.TextAppender
	text       encoding.TextMarshaler
	parseText  encoding.TextUnmarshaler
	marshal    json.Marshaler
	unmarshal  json.Unmarshaler
	validate   validator
}

type validator interface{ Validate() error }

// at returns the interface value with p in place of the pointer in it. The dynamic type of model is a pointer, which an
// interface holds directly in its second word.
func at[I any](model I, p unsafe.Pointer) I {
	(*[2]unsafe.Pointer)(unsafe.Pointer(&model))[1] = p
	return model
}

// A plan is what JSON[T] knows of T.
type plan struct {
	*node
	keepsText bool // some part of T may be a piece of the input's text
}

func compile(typ reflect.Type) plan {
	c := compiler{root: typ, nodes: map[reflect.Type]*node{}}
	n := c.node(typ, "")
	return plan{node: n, keepsText: c.keepsText}
}

type compiler struct {
	root      reflect.Type
	nodes     map[reflect.Type]*node // finished or under way
	keepsText bool
}

// fail reports a mistake in the user's program.
func (c *compiler) fail(path, reason string) {
	if path != "" {
		path = " " + path + ":"
	}
	panic("serde: JSON[" + c.root.String() + "]:" + path + " " + reason)
}

func (c *compiler) node(typ reflect.Type, path string) *node {
	if n := c.nodes[typ]; n != nil {
		return n
	}
	n := &node{typ: typ, size: typ.Size()}
	c.nodes[typ] = n
	n.findMethods()
	enc, dec := n.methods.encodeOp(), n.methods.decodeOp()
	if enc == opFallback || dec == opFallback {
		n.enc = c.byKind(n, path)
		n.dec = n.enc
	}
	if enc != opFallback {
		n.enc = enc
	}
	if dec != opFallback {
		n.dec = dec
	}
	return n
}

func (n *node) findMethods() {
	if n.typ.Kind() == reflect.Pointer || n.typ.Kind() == reflect.Interface {
		return // the methods are those of what it points to
	}
	p, m := reflect.New(n.typ).Interface(), &n.methods
	m.appendJSON, _ = p.(JSONAppender)
	m.parseJSON, _ = p.(JSONParser)
	m.appendText, _ = p.(encoding.TextAppender)
	m.text, _ = p.(encoding.TextMarshaler)
	m.parseText, _ = p.(encoding.TextUnmarshaler)
	m.marshal, _ = p.(json.Marshaler)
	m.unmarshal, _ = p.(json.Unmarshaler)
	m.validate, _ = p.(validator)
}

// encodeOp returns opFallback if no method says how to write the type.
func (m *methods) encodeOp() op {
	switch {
	case m.appendJSON != nil:
		return opScalar
	case m.marshal != nil:
		return opCustom
	case m.text != nil || m.appendText != nil:
		return opText
	}
	return opFallback
}

func (m *methods) decodeOp() op {
	switch {
	case m.parseJSON != nil:
		return opScalar
	case m.unmarshal != nil:
		return opCustom
	case m.parseText != nil:
		return opText
	}
	return opFallback
}

var numberType = reflect.TypeFor[json.Number]()

// byKind plans a type by its structure.
func (c *compiler) byKind(n *node, path string) op {
	switch kind := n.typ.Kind(); kind {
	case reflect.Bool:
		return opBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return opInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return opUint
	case reflect.Float32, reflect.Float64:
		return opFloat
	case reflect.String:
		if n.typ == numberType {
			return opFallback
		}
		c.keepsText = true
		return opString
	case reflect.Struct:
		n.object = c.object(n.typ, path)
		return opStruct
	case reflect.Pointer:
		n.elem = c.node(n.typ.Elem(), path)
		for e := n.elem; e != nil && e.typ.Kind() == reflect.Pointer; e = e.elem {
			if e == n {
				c.fail(path, "a pointer that only leads to itself")
			}
		}
		return opPointer
	case reflect.Array:
		n.length = n.typ.Len()
		n.elem = c.node(n.typ.Elem(), path+"[]")
		return opArray
	case reflect.Slice:
		n.elem = c.node(n.typ.Elem(), path+"[]")
		if n.elem.enc == opUint && n.elem.dec == opUint && n.elem.size == 1 {
			return opBytes
		}
		return opSlice
	case reflect.Map:
		return c.mapOp(n, path)
	case reflect.Interface:
		return opFallback
	default:
		c.fail(path, "JSON has nothing for a "+kind.String())
		return opFallback
	}
}

// mapOp plans maps with plain strings as keys; other keys (numbers, texts) are left to encoding/json.
func (c *compiler) mapOp(n *node, path string) op {
	key := n.typ.Key()
	text := reflect.TypeFor[encoding.TextMarshaler]()
	untext := reflect.TypeFor[encoding.TextUnmarshaler]()
	if key.Kind() != reflect.String || key.Implements(text) || reflect.PointerTo(key).Implements(untext) {
		return opFallback
	}
	c.keepsText = true
	n.elem = c.node(n.typ.Elem(), path+"{}")
	return opMap
}
