package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/serde"
)

// Where the repartitions of a join are topics, subscriptions and responses are written so, numbers big endian:
//
//	subscription  version 1 │ instruction 1 │ flags 1 │ partition of the left row 4 │ hash 16, if any │ key of the left row
//	response      version 1 │ flags 1 │ partition of the left row 4 │ hash 16, if any │ hash of the foreign key 16, if any │ right row, if any
//
// The formats are not those of Kafka Streams, whose responses do not say for which foreign key they are.
const messageVersion = 1

// Flags of messages.
const (
	flagHash       = 1 << iota // the hash is there
	flagNowhere                // Subscription.Nowhere
	flagPresent                // Response.Present
	flagRetraction             // Response.Retraction
	flagForeign                // the hash of the foreign key is there
)

const hashBytes = 16

var errMessage = errors.New("not a message of a foreign-key join")

// SubscriptionSerde returns the serde of subscriptions by left rows whose keys have the given one, nil: it is not known.
func SubscriptionSerde[K any](key serde.Serde[K]) serde.Serde[Subscription[K]] {
	if key == nil {
		return nil
	}
	return subscriptionSerde[K]{key}
}

type subscriptionSerde[K any] struct{ key serde.Serde[K] }

// HoldsNull implements serde.Serde.
func (subscriptionSerde[K]) HoldsNull() bool { return false }

// Append implements serde.Serde.
func (subscriptionSerde[K]) Append(dst []byte, s Subscription[K]) ([]byte, error) {
	var flags byte
	if s.Nowhere {
		flags |= flagNowhere
	}
	if s.Hash.Some {
		flags |= flagHash
	}
	dst = append(dst, messageVersion, byte(s.Instruction), flags)
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.From))
	return append(appendHash(dst, s.Hash), s.KeyBytes...), nil
}

// Decode implements serde.Serde.
func (f subscriptionSerde[K]) Decode(b []byte) (s Subscription[K], err error) {
	const head = 3 + 4
	if len(b) < head || b[0] != messageVersion || b[1] > byte(AskIfThere) {
		return s, errMessage
	}
	s.Instruction, s.Nowhere = Instruction(b[1]), b[2]&flagNowhere != 0
	s.From = int32(binary.BigEndian.Uint32(b[3:]))
	rest, err := cutHash(b[head:], b[2]&flagHash != 0, &s.Hash)
	if err != nil || s.From < 0 {
		return s, errMessage
	}
	s.KeyBytes = append([]byte{}, rest...)
	if s.Key, err = f.key.Decode(s.KeyBytes); err != nil {
		return s, fmt.Errorf("key of a subscription: %w", err)
	}
	return s, nil
}

// ResponseSerde returns the serde of responses with right rows of the given one, nil: it is not known.
func ResponseSerde[W any](value serde.Serde[W]) serde.Serde[Response[W]] {
	if value == nil {
		return nil
	}
	return responseSerde[W]{value}
}

type responseSerde[W any] struct{ value serde.Serde[W] }

// HoldsNull implements serde.Serde.
func (responseSerde[W]) HoldsNull() bool { return false }

// Append implements serde.Serde.
func (f responseSerde[W]) Append(dst []byte, r Response[W]) ([]byte, error) {
	var flags byte
	for flag, set := range map[byte]bool{
		flagHash: r.Hash.Some, flagPresent: r.Present, flagRetraction: r.Retraction, flagForeign: r.Foreign.Some,
	} {
		if set {
			flags |= flag
		}
	}
	dst = binary.BigEndian.AppendUint32(append(dst, messageVersion, flags), uint32(r.To))
	dst = appendHash(appendHash(dst, r.Hash), r.Foreign)
	if !r.Present {
		return dst, nil
	}
	b, err := f.value.Append(dst, r.Value)
	if err == nil && b == nil {
		return nil, fmt.Errorf("right row: %w", serde.ErrNull)
	}
	return b, err
}

// Decode implements serde.Serde.
func (f responseSerde[W]) Decode(b []byte) (r Response[W], err error) {
	const head = 2 + 4
	if len(b) < head || b[0] != messageVersion {
		return r, errMessage
	}
	flags := b[1]
	r.Present, r.Retraction = flags&flagPresent != 0, flags&flagRetraction != 0
	r.To = int32(binary.BigEndian.Uint32(b[2:]))
	rest, err := cutHash(b[head:], flags&flagHash != 0, &r.Hash)
	if err == nil {
		rest, err = cutHash(rest, flags&flagForeign != 0, &r.Foreign)
	}
	switch {
	case err != nil || r.To < 0:
		return r, errMessage
	case !r.Present && len(rest) > 0:
		return r, errMessage
	case !r.Present:
		return r, nil
	}
	if r.Value, err = f.value.Decode(rest); err != nil {
		return r, fmt.Errorf("right row of a response: %w", err)
	}
	return r, nil
}

func appendHash(dst []byte, h Hash) []byte {
	if !h.Some {
		return dst
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, h.High), h.Low)
}

// cutHash reads a hash from the front of b, if it is there, and returns the rest.
func cutHash(b []byte, there bool, h *Hash) ([]byte, error) {
	if !there {
		return b, nil
	}
	if len(b) < hashBytes {
		return nil, errMessage
	}
	*h = Hash{High: binary.BigEndian.Uint64(b), Low: binary.BigEndian.Uint64(b[8:]), Some: true}
	return b[hashBytes:], nil
}
