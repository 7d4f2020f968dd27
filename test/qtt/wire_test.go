package qtt

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The bytes of a format with schemas begin with magicByte and the schema's id, 4 bytes big-endian.
const (
	magicByte  = 0
	headerSize = 5
)

func appendHeader(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, magicByte), uint32(id))
}

// latest returns the schema that a producer of the topic writes with, and its id.
func (s codecSpec) latest() (Schema, int, error) {
	schema, id, ok := s.registry.Latest(s.subject())
	if !ok {
		return schema, 0, fmt.Errorf("subject %s has no schema", s.subject())
	}
	return schema, id, nil
}

// written takes the header off and returns the schema that the bytes were written with.
func (s codecSpec) written(b []byte) (Schema, []byte, error) {
	if len(b) < headerSize || b[0] != magicByte {
		return Schema{}, nil, errors.New("no header with a schema id")
	}
	id := int(binary.BigEndian.Uint32(b[1:]))
	schema, ok := s.registry.ByID(id)
	if !ok {
		return Schema{}, nil, fmt.Errorf("schema id %d is not registered", id)
	}
	return schema, b[headerSize:], nil
}
