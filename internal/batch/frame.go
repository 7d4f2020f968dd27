package batch

import (
	"encoding/binary"
	"math"

	"github.com/mainstemio/mainstem/record"
)

// A frame is one record as it stands in the inflated bytes; slices alias them.
type frame struct {
	timestampDelta int64
	offsetDelta    int32
	key            []byte
	value          []byte
	headerCount    int
	headers        []byte // the headers without their count, framing checked
}

// parse reads the record at the start of b and returns what follows it. Every length is checked against the record's own
// end, so a hostile length never reaches beyond it.
func (f *frame) parse(b []byte) (rest []byte, ok bool) {
	size, b, ok := length(b)
	if !ok || size < 0 || size > len(b) {
		return nil, false
	}
	rest = b[size:]
	b = b[:size:size]
	if len(b) == 0 {
		return nil, false
	}
	b = b[1:] // attributes of a record are unused
	if f.timestampDelta, b, ok = varint(b); !ok {
		return nil, false
	}
	var delta, count int
	if delta, b, ok = length(b); !ok {
		return nil, false
	}
	f.offsetDelta = int32(delta)
	if f.key, b, ok = nullable(b); !ok {
		return nil, false
	}
	if f.value, b, ok = nullable(b); !ok {
		return nil, false
	}
	if count, b, ok = length(b); !ok || count < 0 {
		return nil, false
	}
	f.headerCount, f.headers = count, b
	return rest, checkHeaders(b, count)
}

// checkHeaders tells whether b is exactly count headers.
func checkHeaders(b []byte, count int) bool {
	for range count {
		key, after, ok := nullable(b)
		if !ok || key == nil {
			return false
		}
		if _, b, ok = nullable(after); !ok {
			return false
		}
	}
	return len(b) == 0
}

// decodeHeaders makes the headers of a parsed frame; values alias its bytes.
func (f *frame) decodeHeaders() []record.Header {
	if f.headerCount == 0 {
		return nil
	}
	hs := make([]record.Header, f.headerCount)
	b := f.headers
	for i := range hs {
		var key []byte
		key, b, _ = nullable(b)
		hs[i].Key = string(key)
		hs[i].Value, b, _ = nullable(b)
	}
	return hs
}

// nullable reads a length and that many bytes: nil for a negative length, never nil otherwise.
func nullable(b []byte) (data, rest []byte, ok bool) {
	n, b, ok := length(b)
	if !ok || n > len(b) {
		return nil, nil, false
	}
	if n < 0 {
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}

// length reads a varint of 32 bits.
func length(b []byte) (n int, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return int(b[0]>>1) ^ -int(b[0]&1), b[1:], true
	}
	x, rest, ok := varint(b)
	if !ok || x < math.MinInt32 || x > math.MaxInt32 {
		return 0, nil, false
	}
	return int(x), rest, true
}

// varint reads a zigzag varint of 64 bits.
func varint(b []byte) (x int64, rest []byte, ok bool) {
	x, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return x, b[n:], true
}
