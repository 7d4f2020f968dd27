package consumer

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// The embedded protocol is what consumers of the classic protocol write into the coordinator's opaque fields (big endian):
//
//	subscription  version int16 | topics [string] | user data bytes | v1+ owned [topic string, partitions [int32]]
//	              | v2+ generation int32 | v3+ rack nullable string
//	assignment    version int16 | [topic string, partitions [int32]] | user data bytes
//
// Later versions begin like earlier ones. Lengths of strings are int16, those of arrays and bytes int32; -1 is null.

// errEmbedded: bytes that no consumer wrote.
var errEmbedded = errors.New("malformed consumer protocol")

// A subscription is what a classic member wants and holds.
type subscription struct {
	version int16
	topics  []string
	owned   map[string][]int32
	rack    string
}

// embedded takes the protocol's bytes apart; after the first error everything is zero.
type embedded struct {
	b   []byte
	bad bool
}

func (e *embedded) take(n int) []byte {
	if n < 0 || n > len(e.b) {
		e.bad, e.b = true, nil
		return nil
	}
	v := e.b[:n]
	e.b = e.b[n:]
	return v
}

func (e *embedded) int16() int16 {
	if v := e.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (e *embedded) int32() int32 {
	if v := e.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (e *embedded) string() string { return string(e.take(int(e.int16()))) }

// bytes reads a nullable byte string.
func (e *embedded) bytes() []byte {
	n := e.int32()
	if n == -1 {
		return nil
	}
	return e.take(int(n))
}

// count reads how many elements of at least size bytes follow.
func (e *embedded) count(size int) int {
	n := int(e.int32())
	if n < 0 || n > len(e.b)/size {
		e.bad, e.b = true, nil
		return 0
	}
	return n
}

func (e *embedded) partitions() map[string][]int32 {
	out := map[string][]int32{}
	for range e.count(6) {
		topic := e.string()
		for range e.count(4) {
			out[topic] = append(out[topic], e.int32())
		}
	}
	return out
}

func parseSubscription(b []byte) (subscription, error) {
	e := embedded{b: b}
	s := subscription{version: e.int16(), topics: []string{}}
	for range e.count(2) {
		s.topics = append(s.topics, e.string())
	}
	e.bytes()
	if s.version >= 1 {
		s.owned = e.partitions()
	}
	if s.version >= 2 {
		e.int32()
	}
	if s.version >= 3 {
		if n := e.int16(); n >= 0 {
			s.rack = string(e.take(int(n)))
		}
	}
	if e.bad || s.version < 0 {
		return subscription{}, errEmbedded
	}
	return s, nil
}

// parseAssignment reads what a leader assigned. Nothing at all is no partitions; custom tells that the leader's assignor had more to
// say than partitions.
func parseAssignment(b []byte) (assigned map[string][]int32, custom bool, err error) {
	if len(b) == 0 {
		return nil, false, nil
	}
	e := embedded{b: b}
	version := e.int16()
	assigned = e.partitions()
	custom = len(e.bytes()) > 0
	if e.bad || version < 0 {
		return nil, false, errEmbedded
	}
	return assigned, custom, nil
}

// appendAssignment writes an assignment in a version that the member understands.
func appendAssignment(version int16, assigned map[string][]int32) []byte {
	dst := binary.BigEndian.AppendUint16(nil, uint16(version))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(assigned)))
	for _, topic := range slices.Sorted(maps.Keys(assigned)) {
		dst = append(binary.BigEndian.AppendUint16(dst, uint16(len(topic))), topic...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(assigned[topic])))
		for _, p := range assigned[topic] {
			dst = binary.BigEndian.AppendUint32(dst, uint32(p))
		}
	}
	return binary.BigEndian.AppendUint32(dst, 0xffffffff) // no user data
}
