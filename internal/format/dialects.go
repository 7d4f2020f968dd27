package format

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstemio/mainstem/internal/format/avrorow"
	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/internal/format/jsonschema"
	"github.com/mainstemio/mainstem/internal/format/protorow"
	"github.com/mainstemio/mainstem/row"
)

type avroDialect struct{}

func (avroDialect) kind() string { return "AVRO" }

func (avroDialect) text(s Side) (string, error) {
	return avrorow.Text(s.Schema, cmp.Or(s.Props[PropFullName], avrorow.DefaultName), s.Unwrapped)
}

func (avroDialect) reader(s Side, d definition) (payloadReader, error) {
	schema, err := avrorow.Parse(d.text)
	if err != nil {
		return nil, err
	}
	decoder, err := avrorow.NewDecoder(schema, s.Schema, s.Unwrapped)
	if err != nil {
		return nil, err
	}
	return decoder.Decode, nil
}

func (avroDialect) writer(s Side, d definition) (payloadWriter, error) {
	schema, err := avrorow.Parse(d.text)
	if err != nil {
		return nil, err
	}
	encoder, err := avrorow.NewEncoder(schema, s.Schema, s.Unwrapped)
	if err != nil {
		return nil, err
	}
	return encoder.Append, nil
}

func (avroDialect) infer(_ Side, d definition) (*row.Type, error) {
	schema, err := avrorow.Parse(d.text)
	if err != nil {
		return nil, err
	}
	return schema.Infer()
}

type protobufDialect struct{}

func (protobufDialect) kind() string { return "PROTOBUF" }

func (protobufDialect) text(s Side) (string, error) { return protobufText(s) }

func protobufText(s Side) (string, error) {
	nullable := protorow.Nullable(strings.ToLower(s.Props[PropNullable]))
	return protorow.Text(s.Schema, cmp.Or(s.Props[PropFullName], protorow.DefaultName), nullable)
}

// reader reads records of any of the file's messages. Which one it is stands in front of them.
func (protobufDialect) reader(s Side, d definition) (payloadReader, error) {
	file, err := protorow.Parse(d.text, d.imports)
	if err != nil {
		return nil, err
	}
	var decoders sync.Map // *protorow.Decoder by protoreflect.FullName: no more than the file has messages
	of := func(path []int) (*protorow.Decoder, error) {
		message, err := file.MessageAt(path)
		if err != nil {
			return nil, err
		}
		if known, ok := decoders.Load(message.FullName()); ok {
			return known.(*protorow.Decoder), nil
		}
		decoder, err := protorow.NewDecoder(message, s.Schema)
		if err == nil {
			decoders.Store(message.FullName(), decoder)
		}
		return decoder, err
	}
	return func(b []byte) (row.Row, error) {
		path, rest, err := protorow.Indexes(b)
		if err != nil {
			return "", err
		}
		decoder, err := of(path)
		if err != nil {
			return "", err
		}
		return decoder.Decode(rest)
	}, nil
}

// message is the one that a side means.
func (protobufDialect) message(s Side, d definition) (protoreflect.MessageDescriptor, error) {
	file, err := protorow.Parse(d.text, d.imports)
	if err != nil {
		return nil, err
	}
	return file.Message(s.Props[PropFullName])
}

func (p protobufDialect) writer(s Side, d definition) (payloadWriter, error) {
	message, err := p.message(s, d)
	if err != nil {
		return nil, err
	}
	encoder, err := protorow.NewEncoder(message, s.Schema)
	if err != nil {
		return nil, err
	}
	indexes := protorow.AppendIndexes(nil, message)
	return func(dst []byte, r row.Row) ([]byte, bool, error) {
		out, err := encoder.Append(append(dst, indexes...), r)
		return out, true, err
	}, nil
}

func (p protobufDialect) infer(s Side, d definition) (*row.Type, error) {
	message, err := p.message(s, d)
	if err != nil {
		return nil, err
	}
	return protorow.Infer(message)
}

type jsonDialect struct{}

func (jsonDialect) kind() string { return "JSON" }

func (jsonDialect) text(s Side) (string, error) { return jsonschema.Text(s.Schema, s.Unwrapped) }

// reader reads JSON by the columns: what the schema of the record says of it does not matter.
func (jsonDialect) reader(s Side, _ definition) (payloadReader, error) {
	c := newJSON(s)
	return func(b []byte) (row.Row, error) {
		if b == nil {
			b = []byte{}
		}
		r, err := c.Decode(b)
		return r, bare(err)
	}, nil
}

// bare turns an error of JSON into one without the format's name, which is put in front again.
func bare(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return &column.Error{Column: e.Column, Reason: e.Reason}
	}
	return err
}

func (jsonDialect) writer(s Side, d definition) (payloadWriter, error) {
	c := newJSON(s)
	c.pairs = jsonschema.PairedMaps(d.text)
	return func(dst []byte, r row.Row) ([]byte, bool, error) {
		out, err := c.Append(dst, r)
		return out, true, bare(err)
	}, nil
}

func (jsonDialect) infer(_ Side, d definition) (*row.Type, error) { return jsonschema.Infer(d.text) }

// A bareProtobuf reads and writes messages without a header: PROTOBUF_NOSR.
type bareProtobuf struct {
	decoder *protorow.Decoder
	encoder *protorow.Encoder
}

func newBareProtobuf(s Side) (Codec, error) {
	text, err := protobufText(s)
	if err != nil {
		return nil, err
	}
	message, err := protobufDialect{}.message(s, definition{text: text})
	if err != nil {
		return nil, fmt.Errorf("schema of the columns: %w", err)
	}
	c := &bareProtobuf{}
	if c.decoder, err = protorow.NewDecoder(message, s.Schema); err != nil {
		return nil, formatError(s.Name, err)
	}
	if c.encoder, err = protorow.NewEncoder(message, s.Schema); err != nil {
		return nil, formatError(s.Name, err)
	}
	return c, nil
}

// HoldsNull implements serde.Serde.
func (c *bareProtobuf) HoldsNull() bool { return true }

// Append implements serde.Serde.
func (c *bareProtobuf) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	if dst == nil {
		dst = []byte{} // a message without fields is not null
	}
	out, err := c.encoder.Append(dst, r)
	if err != nil {
		return nil, formatError(ProtobufNoSR, err)
	}
	return out, nil
}

// Decode implements serde.Serde.
func (c *bareProtobuf) Decode(b []byte) (row.Row, error) {
	if b == nil {
		return "", nil
	}
	r, err := c.decoder.Decode(b)
	if err != nil {
		return "", formatError(ProtobufNoSR, err)
	}
	return r, nil
}
