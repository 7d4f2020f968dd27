// Package protorow turns Protobuf messages into rows and back.
//
// Callers: package format. It calls row and column, and the Protobuf compiler for the text of schemas.
//
// Owner and locks: a File, a Decoder and an Encoder are immutable and safe for concurrent use.
//
// Format: Protobuf's wire encoding. Compiled from a message's descriptor and the columns: fields are found by the names of columns, in any
// case if the column's is in upper case. A field without presence is its zero value when the message does not have it, every other one is
// null. Dates, times, timestamps, decimals and Google's wrappers are the messages that Kafka Connect uses for them. Text gives the file
// that Kafka Connect would register for columns.
//
// Not here: registries, and the header of records.
package protorow

import (
	"encoding/binary"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// A Decoder reads messages of one type as rows.
type Decoder struct{ message *messageReader }

// NewDecoder returns the decoder of columns from messages.
func NewDecoder(of protoreflect.MessageDescriptor, columns row.Schema) (*Decoder, error) {
	m, err := compileReader(of, columns.Struct().Fields)
	if err != nil {
		return nil, err
	}
	return &Decoder{m}, nil
}

// Decode reads a message.
func (d *Decoder) Decode(b []byte) (row.Row, error) { return d.message.row(b) }

// An Encoder writes rows as messages of one type.
type Encoder struct{ message *messageWriter }

// NewEncoder returns the encoder of columns as messages. A column that the message does not have is an error.
func NewEncoder(of protoreflect.MessageDescriptor, columns row.Schema) (*Encoder, error) {
	m, err := compileWriter(of, columns.Struct().Fields)
	if err != nil {
		return nil, err
	}
	return &Encoder{m}, nil
}

// Append appends a row that is not null as a message.
func (e *Encoder) Append(dst []byte, r row.Row) ([]byte, error) { return e.message.append(dst, r) }

// maxIndexes bounds how deep the message of a record may stand in others.
const maxIndexes = 32

// AppendIndexes appends which message of its file a record is: the indexes down to it behind their number, as zigzag varints; one zero
// stands for the first message.
func AppendIndexes(dst []byte, of protoreflect.MessageDescriptor) []byte {
	var path []int
	for d := protoreflect.Descriptor(of); ; d = d.Parent() {
		m, ok := d.(protoreflect.MessageDescriptor)
		if !ok {
			break
		}
		path = append(path, m.Index())
	}
	if len(path) == 1 && path[0] == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(len(path)))
	for i := len(path) - 1; i >= 0; i-- {
		dst = binary.AppendVarint(dst, int64(path[i]))
	}
	return dst
}

// Indexes takes off a record which message of its file it is.
func Indexes(b []byte) (path []int, rest []byte, err error) {
	count, n := binary.Varint(b)
	if n <= 0 || count < 0 || count > maxIndexes {
		return nil, nil, column.Errorf("no indexes of a message")
	}
	b = b[n:]
	if count == 0 {
		return []int{0}, b, nil
	}
	for range count {
		i, n := binary.Varint(b)
		if n <= 0 || i < 0 || i > 1<<20 {
			return nil, nil, column.Errorf("no indexes of a message")
		}
		path, b = append(path, int(i)), b[n:]
	}
	return path, b, nil
}
