package protorow

import (
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// A messageReader reads a message as a row of some fields.
type messageReader struct {
	byNumber map[protowire.Number]*fieldReader
	empty    []row.Value // what the row has for fields that the message does not have
	names    []string
	scratch  sync.Pool // *scratch
}

// A scratch is the memory for one message.
type scratch struct {
	values []row.Value
	parts  row.Builder
}

// A fieldReader says where a field belongs and how its values are read.
type fieldReader struct {
	slot  int
	inner int // the place in the struct of a oneof, -1: it is none's
	width int // of that struct
	list  bool
	kind  protoreflect.Kind
	// One of these reads a value: from bytes, or from the bits of a number.
	message *valueReader
	scalar  func(bits uint64) (row.Value, error)
	text    func(b []byte) (row.Value, error)
	entry   *entryReader // of a map
}

// An entryReader reads the entries of a map, which are messages.
type entryReader struct{ message *messageReader }

// compileReader returns the reader of fields from a message. It recurses along the fields, which are finite.
func compileReader(of protoreflect.MessageDescriptor, fields []row.Field) (*messageReader, error) {
	m := &messageReader{byNumber: map[protowire.Number]*fieldReader{}, empty: make([]row.Value, len(fields))}
	m.scratch.New = func() any { return &scratch{values: make([]row.Value, len(fields))} }
	list, names := of.Fields(), namesOf(of)
	for slot, want := range fields {
		m.names = append(m.names, want.Name)
		i := names.fields.Find(want.Name)
		if i < 0 {
			if err := m.oneof(names.oneof(want.Name), want, slot); err != nil {
				return nil, column.At(want.Name, err)
			}
			continue
		}
		r, err := compileField(list.Get(i), want.Type)
		if err != nil {
			return nil, column.At(want.Name, err)
		}
		r.slot, r.inner = slot, -1
		m.byNumber[list.Get(i).Number()] = r
		if m.empty[slot], err = r.zero(list.Get(i)); err != nil {
			return nil, column.At(want.Name, err)
		}
	}
	return m, nil
}

// oneof adds the fields of a oneof if the wanted struct is one.
func (m *messageReader) oneof(of protoreflect.OneofDescriptor, want row.Field, slot int) error {
	if of == nil || want.Type.Kind != row.KindStruct {
		return nil
	}
	list := of.Fields()
	names := fieldNames(list)
	for inner, f := range want.Type.Fields {
		k := names.Find(f.Name)
		if k < 0 {
			continue
		}
		r, err := compileField(list.Get(k), f.Type)
		if err != nil {
			return column.At(f.Name, err)
		}
		r.slot, r.inner, r.width = slot, inner, len(want.Type.Fields)
		m.byNumber[list.Get(k).Number()] = r
	}
	return nil
}

// zero is what stands for a field that is missing: nothing, or the zero value where nothing cannot be told from it.
func (r *fieldReader) zero(f protoreflect.FieldDescriptor) (row.Value, error) {
	switch {
	case r.entry != nil:
		return row.NewMap(), nil
	case r.list:
		return row.NewArray(), nil
	case f.HasPresence():
		return row.Null, nil
	case r.text != nil:
		return r.text(nil)
	}
	return r.scalar(0)
}

func compileField(f protoreflect.FieldDescriptor, t *row.Type) (*fieldReader, error) {
	switch {
	case f.IsMap() != (t.Kind == row.KindMap), f.IsList() != (t.Kind == row.KindArray):
		return nil, column.Errorf("Protobuf's %s cannot be read as %s", describe(f), t)
	case f.IsMap():
		pair := []row.Field{{Name: "key", Type: t.Key}, {Name: "value", Type: t.Elem}}
		m, err := compileReader(f.Message(), pair)
		if err != nil {
			return nil, err
		}
		return &fieldReader{kind: f.Kind(), entry: &entryReader{m}}, nil
	case f.IsList():
		r, err := compileValue(f, t.Elem)
		if err == nil {
			r.list = true
		}
		return r, err
	}
	return compileValue(f, t)
}

func describe(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "map"
	case f.IsList():
		return "repeated " + f.Kind().String()
	}
	return f.Kind().String()
}

// compileValue returns how one value of a field is read.
func compileValue(f protoreflect.FieldDescriptor, t *row.Type) (*fieldReader, error) {
	r := &fieldReader{kind: f.Kind()}
	if f.Kind() == protoreflect.MessageKind {
		var err error
		r.message, err = compileMessage(f, t)
		return r, err
	}
	from := scalarType(f.Kind())
	if from == nil {
		return nil, column.Errorf("Protobuf's %s cannot be read", f.Kind())
	}
	if f.Kind() == protoreflect.EnumKind && (t.Kind == row.KindInt || t.Kind == row.KindBigint) {
		r.scalar = func(bits uint64) (row.Value, error) { return column.Integer(t.Kind, int64(int32(bits))), nil }
		return r, nil
	}
	convert, err := column.Converter(from, t)
	if err != nil {
		return nil, err
	}
	if f.Kind() == protoreflect.StringKind || f.Kind() == protoreflect.BytesKind {
		r.text = readText(f.Kind(), convert)
		return r, nil
	}
	number := numberOf(f)
	r.scalar = func(bits uint64) (row.Value, error) {
		if convert == nil {
			return number(bits), nil
		}
		return convert(number(bits))
	}
	return r, nil
}

// row reads a message.
func (m *messageReader) row(b []byte) (row.Row, error) {
	memory := m.scratch.Get().(*scratch)
	defer m.scratch.Put(memory)
	values := memory.values
	copy(values, m.empty)
	var parts map[int]*parts
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber {
			return "", errWire
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return "", errWire
		}
		raw := b[:n]
		b = b[n:]
		f := m.byNumber[num]
		if f == nil {
			continue
		}
		if parts == nil {
			parts = newParts()
		}
		if err := f.read(values, parts, typ, raw); err != nil {
			return "", column.At(m.names[f.slot], err)
		}
	}
	for slot, p := range parts {
		v, err := p.value()
		if err != nil {
			return "", column.At(m.names[slot], err)
		}
		if p.field.inner >= 0 {
			v = inOneof(p.field, v)
		}
		values[slot] = v
	}
	memory.parts.Reset()
	for _, v := range values {
		memory.parts.Add(v)
	}
	return memory.parts.Row(), nil
}

var errWire = column.Errorf("bytes that are no Protobuf message")

func newParts() map[int]*parts { return map[int]*parts{} }

// parts are what a message has of one field that may stand there in pieces: elements, entries, and messages, whose pieces count as one.
type parts struct {
	field   *fieldReader
	elems   row.Builder
	entries []row.Entry
	message []byte // its pieces
	piece   int    // where the last one begins
}

func (p *parts) value() (row.Value, error) {
	switch {
	case p.field.entry != nil:
		return row.NewMap(p.entries...), nil
	case p.field.list:
		return row.FromRow(row.KindArray, p.elems.Row()), nil
	}
	return p.field.message.read(p.message)
}

// inOneof is the struct of a oneof with one field set: the last one that the message has counts.
func inOneof(f *fieldReader, v row.Value) row.Value {
	fields := make([]row.Value, f.width)
	fields[f.inner] = v
	return row.NewStruct(fields...)
}

// read takes a field's value, or a piece of it.
func (f *fieldReader) read(values []row.Value, all map[int]*parts, typ protowire.Type, raw []byte) error {
	if !f.list && f.entry == nil && f.message == nil {
		v, err := f.one(typ, raw)
		if err != nil {
			return err
		}
		if f.inner >= 0 {
			delete(all, f.slot)
			v = inOneof(f, v)
		}
		values[f.slot] = v
		return nil
	}
	p := all[f.slot]
	if p == nil || p.field != f {
		p = &parts{field: f}
		all[f.slot] = p
	}
	switch {
	case f.entry != nil:
		return f.addEntry(p, typ, raw)
	case f.list:
		return f.addElements(p, typ, raw)
	}
	b, err := payload(typ, raw)
	if err != nil {
		return err
	}
	return p.addPiece(b)
}

// addPiece adds a piece of a message to those before it. The one before must be whole by itself, or it would be completed by this one.
func (p *parts) addPiece(b []byte) error {
	for before := p.message[p.piece:]; len(before) > 0; {
		_, _, n := protowire.ConsumeField(before)
		if n < 0 {
			return errWire
		}
		before = before[n:]
	}
	p.piece = len(p.message)
	p.message = append(p.message, b...)
	return nil
}

func payload(typ protowire.Type, raw []byte) ([]byte, error) {
	if typ != protowire.BytesType {
		return nil, column.Errorf("a value of another wire type")
	}
	b, _ := protowire.ConsumeBytes(raw)
	return b, nil
}

func (f *fieldReader) addEntry(p *parts, typ protowire.Type, raw []byte) error {
	b, err := payload(typ, raw)
	if err != nil {
		return err
	}
	r, err := f.entry.message.row(b)
	if err != nil {
		return err
	}
	p.entries = append(p.entries, row.Entry{Key: r.At(0), Value: r.At(1)})
	return nil
}

// addElements adds one element, or the many of a packed field.
func (f *fieldReader) addElements(p *parts, typ protowire.Type, raw []byte) error {
	if f.scalar == nil || typ != protowire.BytesType {
		v, err := f.one(typ, raw)
		p.elems.Add(v)
		return err
	}
	b, _ := protowire.ConsumeBytes(raw)
	packed := wireType(f.kind)
	for len(b) > 0 {
		n := protowire.ConsumeFieldValue(1, packed, b)
		if n < 0 {
			return errWire
		}
		v, err := f.one(packed, b[:n])
		if err != nil {
			return err
		}
		p.elems.Add(v)
		b = b[n:]
	}
	return nil
}

// one reads one value.
func (f *fieldReader) one(typ protowire.Type, raw []byte) (row.Value, error) {
	if f.scalar == nil {
		b, err := payload(typ, raw)
		switch {
		case err != nil:
			return row.Null, err
		case f.message != nil:
			return f.message.read(b)
		}
		return f.text(b)
	}
	if typ != wireType(f.kind) {
		return row.Null, column.Errorf("a value of another wire type")
	}
	var bits uint64
	switch typ {
	case protowire.VarintType:
		bits, _ = protowire.ConsumeVarint(raw)
	case protowire.Fixed32Type:
		b, _ := protowire.ConsumeFixed32(raw)
		bits = uint64(b)
	default:
		bits, _ = protowire.ConsumeFixed64(raw)
	}
	return f.scalar(bits)
}
