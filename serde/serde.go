// Package serde turns keys and values into bytes and back.
//
// Purpose: a Serde[T] for each format that stands in topics: strings, bytes, numbers as Kafka's own serializers write them,
// and JSON, which is compiled once per type and then neither reflects nor allocates per record.
//
// Callers and callees: pipelines are given serdes when they are built, and the engine calls them for every record. The
// package uses the standard library only; types take part through methods (JSONAppender, JSONParser, the interfaces of
// encoding and encoding/json, Validate).
//
// Ownership: a serde is immutable and safe for concurrent use. Decoded values own their memory, input is neither kept nor
// changed, output belongs to the caller.
//
// Format: string and bytes are as they are; Int32, Int64 and Float64 are 4 or 8 bytes, big endian; JSON is RFC 8259 with
// the rules of encoding/json, see JSON for the differences.
//
// Not here: schemas and registries of schemas, dynamically typed rows (package row), compression, which is the batch's.
package serde

import (
	"errors"
)

// A Serde encodes and decodes one type. It is stateless and safe for concurrent use.
type Serde[T any] interface {
	// Append encodes v behind dst and returns the extended slice, or nil when v is null (Kafka's null, not an empty value).
	Append(dst []byte, v T) ([]byte, error)
	// Decode reads b, which it neither keeps nor changes: results own their memory. b is nil for null; serdes that cannot hold
	// null (HoldsNull false) return ErrNull then. Errors describe the position and the reason, and never quote the value.
	Decode(b []byte) (T, error)
	// HoldsNull reports whether T has a value that stands for null.
	HoldsNull() bool
}

// ErrNull: a null where the type has no value for it.
var ErrNull = errors.New("null value")
