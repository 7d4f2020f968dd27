package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// The header of records whose schema is registered.
const (
	magicByte  = 0
	headerSize = 5
	insideID   = 0 // of records that stay inside
)

// A dialect is one of the formats with registered schemas.
type dialect interface {
	// kind is the registry's word for the schemas.
	kind() string
	// text is the schema of a side's columns.
	text(s Side) (string, error)
	// reader and writer are compiled from a schema with its imports.
	reader(s Side, d definition) (payloadReader, error)
	writer(s Side, d definition) (payloadWriter, error)
	// infer returns the type of a schema's values.
	infer(s Side, d definition) (*row.Type, error)
}

// A definition is a schema with the texts that it imports, by the names of the imports.
type definition struct {
	text    string
	imports map[string]string
}

// A payloadReader reads what is behind the header.
type payloadReader func(b []byte) (row.Row, error)

// A payloadWriter appends what is behind the header. ok is false for rows that have no bytes at all.
type payloadWriter func(dst []byte, r row.Row) (out []byte, ok bool, err error)

var dialects = map[string]dialect{Avro: avroDialect{}, Protobuf: protobufDialect{}, JSONSR: jsonDialect{}}

// maxKnownSchemas bounds how many schemas a codec keeps compiled. Those of later ids are compiled again for every record.
const maxKnownSchemas = 1000

// A registeredCodec reads and writes records behind the id of their schema.
type registeredCodec struct {
	side    Side
	dialect dialect
	inside  payloadReader // for records that stay inside
	known   sync.Map      // payloadReader by id, int
	count   atomic.Int64  // of known
	out     atomic.Pointer[outgoing]
	mu      sync.Mutex // one goroutine finds out
}

// An outgoing is how records are written.
type outgoing struct {
	id    int
	write payloadWriter
}

func newRegistered(s Side) (Codec, error) {
	c := &registeredCodec{side: s, dialect: dialects[s.Name]}
	text, err := c.dialect.text(s)
	if err != nil {
		return nil, err
	}
	if c.inside, err = c.dialect.reader(s, definition{text: text}); err != nil {
		return nil, c.wrap(err)
	}
	if _, err = c.dialect.writer(s, definition{text: text}); err != nil {
		return nil, c.wrap(err)
	}
	return c, nil
}

// HoldsNull implements serde.Serde.
func (c *registeredCodec) HoldsNull() bool { return true }

// wrap gives an error the format's name, and the column that it is about.
func (c *registeredCodec) wrap(err error) error { return formatError(c.side.Name, err) }

func formatError(name string, err error) error {
	var e *column.Error
	if errors.As(err, &e) {
		return &Error{Format: name, Column: e.Column, Reason: e.Reason}
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Decode implements serde.Serde.
func (c *registeredCodec) Decode(b []byte) (row.Row, error) {
	if b == nil {
		return "", nil
	}
	if len(b) < headerSize || b[0] != magicByte {
		return "", c.wrap(column.Errorf("no header with the id of a schema"))
	}
	read, err := c.readerOf(int(binary.BigEndian.Uint32(b[1:])))
	if err != nil {
		return "", c.wrap(err)
	}
	r, err := read(b[headerSize:])
	if err != nil {
		return "", c.wrap(err)
	}
	return r, nil
}

func (c *registeredCodec) readerOf(id int) (payloadReader, error) {
	if id == insideID {
		return c.inside, nil
	}
	if known, ok := c.known.Load(id); ok {
		return known.(payloadReader), nil
	}
	if c.side.Schemas == nil {
		return nil, column.Errorf("there is no schema registry to ask for schema %d", id)
	}
	found, err := c.side.Schemas.ByID(id)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	if found.Kind != c.dialect.kind() {
		return nil, column.Errorf("schema %d is of kind %s", id, found.Kind)
	}
	d, err := resolve(c.side.Schemas, found.Definition)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	read, err := c.dialect.reader(c.side, d)
	if err != nil {
		return nil, err
	}
	if c.count.Add(1) <= maxKnownSchemas {
		c.known.Store(id, read)
	}
	return read, nil
}

// Append implements serde.Serde.
func (c *registeredCodec) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	out := c.out.Load()
	if out == nil {
		var err error
		if out, err = c.outgoing(); err != nil {
			return nil, c.wrap(err)
		}
	}
	dst = binary.BigEndian.AppendUint32(append(dst, magicByte), uint32(out.id))
	dst, ok, err := out.write(dst, r)
	switch {
	case err != nil:
		return nil, c.wrap(err)
	case !ok:
		return nil, nil
	}
	return dst, nil
}

// outgoing decides once with which schema records are written: the one that the statement names, the subject's newest if it takes the
// columns, otherwise that of the columns, which is registered.
func (c *registeredCodec) outgoing() (*outgoing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if out := c.out.Load(); out != nil {
		return out, nil
	}
	out, err := c.choose()
	if err == nil {
		c.out.Store(out)
	}
	return out, err
}

func (c *registeredCodec) choose() (*outgoing, error) {
	text, err := c.dialect.text(c.side)
	if err != nil {
		return nil, err
	}
	if c.side.Topic == "" || c.side.Reads {
		write, err := c.dialect.writer(c.side, definition{text: text})
		return &outgoing{insideID, write}, err
	}
	if c.side.Schemas == nil {
		return nil, errNoRegistry(c.side)
	}
	given, ok, err := givenSchema(c.side)
	if err != nil {
		return nil, err
	}
	if !ok {
		given, err = c.side.Schemas.Latest(Subject(c.side.Topic, c.side.Key))
		if err != nil && !errors.Is(err, ErrNoSchema) {
			return nil, fmt.Errorf("newest schema: %w", err)
		}
	}
	if err == nil {
		write, err := writerOf(c.side, given)
		if err == nil || ok {
			return &outgoing{given.ID, write}, err
		}
	}
	id, err := c.side.Schemas.Register(Subject(c.side.Topic, c.side.Key), Definition{Kind: c.dialect.kind(), Text: text})
	if err != nil {
		return nil, fmt.Errorf("register schema: %w", err)
	}
	write, err := c.dialect.writer(c.side, definition{text: text})
	return &outgoing{id, write}, err
}

// writerOf compiles the writer of a registered schema.
func writerOf(s Side, r Registered) (payloadWriter, error) {
	d := dialects[s.Name]
	if r.Kind != d.kind() {
		return nil, column.Errorf("schema %d is of kind %s", r.ID, r.Kind)
	}
	resolved, err := resolve(s.Schemas, r.Definition)
	if err != nil {
		return nil, err
	}
	return d.writer(s, resolved)
}

// givenSchema returns the schema whose id a statement gives.
func givenSchema(s Side) (r Registered, ok bool, err error) {
	text, ok := s.Props[PropSchemaID]
	if !ok {
		return r, false, nil
	}
	id, err := strconv.Atoi(text)
	if err != nil {
		return r, true, fmt.Errorf("schema id %s is not a whole number", text)
	}
	r, err = s.Schemas.ByID(id)
	if err != nil {
		return r, true, fmt.Errorf("schema %d: %w", id, err)
	}
	return r, true, nil
}

func errNoRegistry(s Side) error {
	return fmt.Errorf("Cannot create topic '%s' with format %s without configuring 'ksql.schema.registry.url'", s.Topic, s.Name)
}

// maxImports bounds how many schemas one may import, with what these import.
const maxImports = 100

// resolve collects the texts that a schema imports.
func resolve(from Schemas, d Definition) (definition, error) {
	out := definition{text: d.Text, imports: map[string]string{}}
	waiting := d.References
	for len(waiting) > 0 {
		ref := waiting[0]
		waiting = waiting[1:]
		if _, known := out.imports[ref.Name]; known {
			continue
		}
		if len(out.imports) == maxImports {
			return out, fmt.Errorf("more than %d imported schemas", maxImports)
		}
		found, err := from.Version(ref.Subject, ref.Version)
		if err != nil {
			return out, fmt.Errorf("import %s, version %d of %s: %w", ref.Name, ref.Version, ref.Subject, err)
		}
		out.imports[ref.Name] = found.Text
		waiting = append(waiting, found.References...)
	}
	return out, nil
}
