package kafka

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mainstemio/mainstem/internal/server/kafka/guard"
)

// errFrameTooLarge refuses an announced frame length before anything is allocated for it.
var errFrameTooLarge = errors.New("frame is too large")

// arrivalStep is how much of a frame is allocated before its bytes have arrived; what was read is the credit for the next, larger
// step. A peer that announces much and sends little costs this much.
const arrivalStep = 64 << 10

// commonFrame is a size that frames of ordinary producers seldom exceed. Whoever has sent arrivalStep gets so much at once: it is
// counted in the budget, and copying a frame on its way costs more than reserving it.
const commonFrame = 1 << 20

// readLength reads a frame's length prefix.
func readLength(r *bufio.Reader, limit int) (int, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 0 || int(n) > limit {
		return 0, fmt.Errorf("%w: %d bytes announced, limit %d", errFrameTooLarge, n, limit)
	}
	return int(n), nil
}

// frames are buffers of large frames that nobody needs any more, for those to come: to clear a new one and to touch its pages costs
// as much as receiving the bytes. Batches read from disk for a Fetch lie in them as well.
type frames struct{ free sync.Pool }

// get returns a buffer of n bytes with anything in it.
func (f *frames) get(n int) []byte {
	if n <= arrivalStep {
		return make([]byte, n)
	}
	if b, ok := f.free.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n, (n+arrivalStep-1)/arrivalStep*arrivalStep)
}

// put takes a buffer that nothing refers to any more.
func (f *frames) put(b []byte) {
	if cap(b) > arrivalStep && cap(b) <= 4*commonFrame {
		f.free.Put(&b)
	}
}

// readBody reads n bytes, allocating as they arrive. Before it goes beyond the first step it calls reserve once.
func (f *frames) readBody(r io.Reader, n int, reserve func(n int) error) ([]byte, error) {
	buf := make([]byte, min(n, arrivalStep))
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, err
	}
	if len(buf) == n {
		return buf, nil
	}
	if err := reserve(n); err != nil {
		return nil, err
	}
	for len(buf) < n {
		have := len(buf)
		grown := f.get(min(n, max(4*have, commonFrame)))
		copy(grown, buf)
		if _, err := io.ReadFull(r, grown[have:]); err != nil {
			return nil, err
		}
		buf = grown
	}
	return buf, nil
}

// A header is what stands before every request body (KIP-482: version 2 adds tags).
type header struct {
	key, version int16
	correlation  int32
	clientID     string
}

// maxClientID bounds the client id: it is kept with groups and shown to operators.
const maxClientID = 1 << 10

// parseHeader reads the fields whose place does not depend on the version; rest starts at the client id.
func parseHeader(frame []byte) (h header, rest []byte, err error) {
	if len(frame) < 8 {
		return h, nil, fmt.Errorf("%w: header of %d bytes", guard.ErrMalformed, len(frame))
	}
	h.key = int16(binary.BigEndian.Uint16(frame))
	h.version = int16(binary.BigEndian.Uint16(frame[2:]))
	h.correlation = int32(binary.BigEndian.Uint32(frame[4:]))
	return h, frame[8:], nil
}

// parseClient reads the client id and, in a flexible request, skips the header's tags; body is the request.
func (h *header) parseClient(rest []byte, flexible bool) (body []byte, err error) {
	h.clientID, body, err = guard.ClientID(rest, flexible, maxClientID)
	return body, err
}
