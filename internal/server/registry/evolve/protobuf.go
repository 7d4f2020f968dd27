package evolve

import (
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Protobuf compares two files. Fields are known by their numbers: their names may change, and all but required ones may come and go.
func Protobuf(older, newer protoreflect.FileDescriptor) []Difference {
	c := &protobuf{seen: map[[2]protoreflect.FullName]bool{}}
	if older.Package() != newer.Package() {
		c.tell("#", "PACKAGE_CHANGED", "the package was "+quoted(older.Package())+" and is "+quoted(newer.Package()))
	}
	c.messages("#", older.Messages(), newer.Messages())
	return c.found
}

func quoted[T ~string](s T) string { return strconv.Quote(string(s)) }

type protobuf struct {
	found []Difference
	seen  map[[2]protoreflect.FullName]bool // messages may contain themselves
}

func (c *protobuf) tell(place, name, text string) {
	c.found = append(c.found, Difference{name, place, text})
}

// messages compares messages by their names: none may go.
func (c *protobuf) messages(place string, older, newer protoreflect.MessageDescriptors) {
	for i := range older.Len() {
		m := older.Get(i)
		if m.IsMapEntry() {
			continue // it belongs to its field
		}
		at := place + "/" + string(m.Name())
		if n := newer.ByName(m.Name()); n != nil {
			c.message(at, m, n)
		} else {
			c.tell(at, "MESSAGE_REMOVED", "the message is no longer there")
		}
	}
}

func (c *protobuf) message(place string, older, newer protoreflect.MessageDescriptor) {
	pair := [2]protoreflect.FullName{older.FullName(), newer.FullName()}
	if c.seen[pair] {
		return
	}
	c.seen[pair] = true
	c.oneofs(place, older, newer)
	for i := range older.Fields().Len() {
		f := older.Fields().Get(i)
		at := place + "/" + strconv.Itoa(int(f.Number()))
		switch n := newer.Fields().ByNumber(f.Number()); {
		case n != nil:
			c.field(at, f, n)
		case f.Cardinality() == protoreflect.Required:
			c.tell(at, "REQUIRED_FIELD_REMOVED", "the field "+quoted(f.Name())+" was required")
		}
	}
	for i := range newer.Fields().Len() {
		f := newer.Fields().Get(i)
		if f.Cardinality() == protoreflect.Required && older.Fields().ByNumber(f.Number()) == nil {
			c.tell(place+"/"+strconv.Itoa(int(f.Number())), "REQUIRED_FIELD_ADDED", "the field "+quoted(f.Name())+" is required, and records do not have it")
		}
	}
	c.messages(place, older.Messages(), newer.Messages())
}

// oneofs: of fields that could be set together only one may become part of a oneof, and only of one whose other fields are new.
func (c *protobuf) oneofs(place string, older, newer protoreflect.MessageDescriptor) {
	for i := range newer.Oneofs().Len() {
		o := newer.Oneofs().Get(i)
		if o.IsSynthetic() { // of an optional field
			continue
		}
		moved, existing := 0, 0
		for j := range o.Fields().Len() {
			f := older.Fields().ByNumber(o.Fields().Get(j).Number())
			switch {
			case f == nil:
			case oneofOf(f) == nil:
				moved++
			default:
				existing++
			}
		}
		at := place + "/" + string(o.Name())
		switch {
		case moved > 1:
			c.tell(at, "MULTIPLE_FIELDS_MOVED_TO_ONEOF", "several of its fields stood outside: records may have more than one of them")
		case moved == 1 && existing > 0:
			c.tell(at, "FIELD_MOVED_TO_EXISTING_ONEOF", "one of its fields stood outside: records may have it beside another one")
		}
	}
	for i := range older.Oneofs().Len() {
		o := older.Oneofs().Get(i)
		n := newer.Oneofs().ByName(o.Name())
		if n == nil || o.IsSynthetic() || n.IsSynthetic() {
			continue
		}
		for j := range o.Fields().Len() {
			if f := o.Fields().Get(j); n.Fields().ByNumber(f.Number()) == nil {
				c.tell(place+"/"+string(o.Name())+"/"+strconv.Itoa(int(f.Number())), "ONEOF_FIELD_REMOVED", "the field "+quoted(f.Name())+" is no longer part of it")
			}
		}
	}
}

// oneofOf is the oneof that a field stands in, nil if there is none.
func oneofOf(f protoreflect.FieldDescriptor) protoreflect.OneofDescriptor {
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return o
	}
	return nil
}

func (c *protobuf) field(place string, older, newer protoreflect.FieldDescriptor) {
	a, b := shapeOf(older), shapeOf(newer)
	switch {
	case a != b:
		c.tell(place, "FIELD_KIND_CHANGED", "the field was a "+string(a)+" and is a "+string(b))
	case a == mapShape:
		c.field(place, older.MapKey(), newer.MapKey())
		c.field(place, older.MapValue(), newer.MapValue())
	case a == messageShape:
		c.reference(place, older.Message(), newer.Message())
	case scalars[older.Kind()] != scalars[newer.Kind()]:
		c.tell(place, "FIELD_SCALAR_KIND_CHANGED", "records have a "+older.Kind().String()+", which is not read as a "+newer.Kind().String())
	case older.IsList() != newer.IsList() && scalars[older.Kind()] != textScalar:
		c.tell(place, "FIELD_NUMERIC_LABEL_CHANGED", "repeated numbers are written in another way than single ones")
	}
}

// reference compares the messages that two fields hold. Those of the same file are compared with the file.
func (c *protobuf) reference(place string, older, newer protoreflect.MessageDescriptor) {
	if localName(older) != localName(newer) {
		c.tell(place, "FIELD_NAMED_TYPE_CHANGED", "the field held "+quoted(older.FullName())+" and holds "+quoted(newer.FullName()))
		return
	}
	c.message(place, older, newer)
}

// localName is a message's name without its package.
func localName(m protoreflect.MessageDescriptor) string {
	full, pkg := string(m.FullName()), string(m.ParentFile().Package())
	if pkg == "" {
		return full
	}
	return full[len(pkg)+1:]
}

// A shape is how a field is written, roughly.
type shape string

const (
	scalarShape  shape = "scalar"
	messageShape shape = "message"
	mapShape     shape = "map"
)

func shapeOf(f protoreflect.FieldDescriptor) shape {
	switch {
	case f.IsMap():
		return mapShape
	case f.Kind() == protoreflect.MessageKind || f.Kind() == protoreflect.GroupKind:
		return messageShape
	}
	return scalarShape
}

// A scalar is a group of kinds that read each other's bytes.
type scalar uint8

const (
	numberScalar scalar = iota + 1
	zigzagScalar
	textScalar
	fixed32Scalar
	fixed64Scalar
	floatScalar
	doubleScalar
)

var scalars = map[protoreflect.Kind]scalar{
	protoreflect.Int32Kind: numberScalar, protoreflect.Int64Kind: numberScalar, protoreflect.Uint32Kind: numberScalar,
	protoreflect.Uint64Kind: numberScalar, protoreflect.BoolKind: numberScalar, protoreflect.EnumKind: numberScalar,
	protoreflect.Sint32Kind: zigzagScalar, protoreflect.Sint64Kind: zigzagScalar,
	protoreflect.StringKind: textScalar, protoreflect.BytesKind: textScalar,
	protoreflect.Fixed32Kind: fixed32Scalar, protoreflect.Sfixed32Kind: fixed32Scalar,
	protoreflect.Fixed64Kind: fixed64Scalar, protoreflect.Sfixed64Kind: fixed64Scalar,
	protoreflect.FloatKind: floatScalar, protoreflect.DoubleKind: doubleScalar,
}
