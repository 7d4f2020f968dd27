// Package guard is what hostile bytes meet before the codec does: the shapes of requests, what decoding one would cost, and the
// budgets that all connections share.
//
// Package kafka calls it for every connection and every frame; it calls kmsg only to learn the sizes of its types.
//
// The shapes are compiled once and never change. A Budget has one lock for its counters of connections, never held across a call;
// its bytes are semaphores.
//
// Format: the shapes table (shapes.go) says how a request stands on the wire.
//
// Not here: sockets, frames, the meaning of any request.
package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of the guard. The text that wraps them names counts and sizes, never contents.
var (
	ErrMalformed = errors.New("malformed request")
	ErrTooCostly = errors.New("request would take too much memory")
)

// Memory that kmsg takes besides elements, rounded up: a string's header and allocation, a tag's place in a map.
const (
	stringCost = 32
	tagCost    = 160
)

// Check walks a request body before kmsg sees it and returns the memory that decoding will take, in bytes. kmsg bounds array
// lengths by one byte an element and does not bound tag counts at all: a body of a few bytes costs seconds, and one of 1 MiB up to
// 80 MiB. The walk allocates nothing, takes time linear in the body and refuses what is not a whole request, what announces
// more elements than the rest of the body can hold, and what would take more than budget.
func Check(key, version int16, body []byte, budget int64) (int64, error) {
	steps, ok := programs()[[2]int16{key, version}]
	if !ok {
		return 0, fmt.Errorf("%w: no shape for key %d version %d", ErrMalformed, key, version)
	}
	w := walker{rest: body, budget: budget}
	if err := w.walk(steps); err != nil {
		return 0, fmt.Errorf("key %d version %d at byte %d of %d: %w", key, version, len(body)-len(w.rest), len(body), err)
	}
	return budget - w.budget, nil
}

type walker struct {
	rest   []byte
	budget int64
}

func (w *walker) walk(steps []step) error {
	for i := range steps {
		s := &steps[i]
		var err error
		switch s.kind {
		case plain:
			err = w.skip(s.size)
		case text, blob:
			err = w.string(s)
		case array:
			err = w.array(s)
		case optional:
			err = w.optional(s)
		case tagged:
			err = w.tags(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) skip(n int) error {
	if n > len(w.rest) {
		return fmt.Errorf("%w: %d bytes needed, %d left", ErrMalformed, n, len(w.rest))
	}
	w.rest = w.rest[n:]
	return nil
}

func (w *walker) spend(n int64) error {
	w.budget -= n
	if w.budget < 0 {
		return ErrTooCostly
	}
	return nil
}

func (w *walker) uvarint() (int64, error) {
	v, n := binary.Uvarint(w.rest[:min(len(w.rest), 5)])
	if n <= 0 || v > 1<<32-1 {
		return 0, fmt.Errorf("%w: bad varint", ErrMalformed)
	}
	w.rest = w.rest[n:]
	return int64(v), nil
}

// length reads the length of a string, blob or array; -1 is null.
func (w *walker) length(s *step) (int, error) {
	if s.compact {
		v, err := w.uvarint()
		return int(v) - 1, err
	}
	if s.kind == text {
		if len(w.rest) < 2 {
			return 0, w.skip(2)
		}
		n := int16(binary.BigEndian.Uint16(w.rest))
		w.rest = w.rest[2:]
		return int(n), nil
	}
	if len(w.rest) < 4 {
		return 0, w.skip(4)
	}
	n := int32(binary.BigEndian.Uint32(w.rest))
	w.rest = w.rest[4:]
	return int(n), nil
}

func (w *walker) string(s *step) error {
	n, err := w.length(s)
	switch {
	case err != nil:
		return err
	case n < -1 || n == -1 && s.kind == text && !s.nullable:
		return fmt.Errorf("%w: length %d", ErrMalformed, n)
	}
	n = max(n, 0)
	if err := w.skip(n); err != nil {
		return err
	}
	if s.kind == blob { // kmsg does not copy: it is a slice of the frame
		return nil
	}
	return w.spend(int64(n) + stringCost)
}

func (w *walker) array(s *step) error {
	n, err := w.length(s)
	if err != nil || n == -1 {
		return err
	}
	if n < 0 || n > len(w.rest)/s.min {
		return fmt.Errorf("%w: %d elements of at least %d bytes, %d left", ErrMalformed, n, s.min, len(w.rest))
	}
	if err := w.spend(int64(n) * s.cost); err != nil {
		return err
	}
	if len(s.steps) == 1 && s.steps[0].kind == plain {
		return w.skip(n * s.steps[0].size)
	}
	for range n {
		if err := w.walk(s.steps); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) optional(s *step) error {
	if len(w.rest) == 0 {
		return w.skip(1)
	}
	present := w.rest[0] != 0xff
	w.rest = w.rest[1:]
	if !present {
		return nil
	}
	if err := w.spend(s.cost); err != nil {
		return err
	}
	return w.walk(s.steps)
}

func (w *walker) tags(s *step) error {
	n, err := w.uvarint()
	if err != nil {
		return err
	}
	if n > int64(len(w.rest)/2) {
		return fmt.Errorf("%w: %d tags in %d bytes", ErrMalformed, n, len(w.rest))
	}
	for range n {
		if err := w.tag(s); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) tag(s *step) error {
	number, err := w.uvarint()
	if err != nil {
		return err
	}
	size, err := w.uvarint()
	if err != nil {
		return err
	}
	value := w.rest
	if err := w.skip(int(size)); err != nil {
		return err
	}
	if err := w.spend(tagCost); err != nil {
		return err
	}
	for _, t := range s.tags {
		if uint32(number) == t.number {
			after := w.rest
			w.rest = value[:size] // what is left of it is ignored, as kmsg does
			err := w.walk(t.steps)
			w.rest = after
			return err
		}
	}
	return nil
}

// headerBudget is far more than the header's tags are worth; nothing decodes them.
const headerBudget = 1 << 20

// ClientID reads what stands in a request header behind the correlation id: the client id, of at most limit bytes, and in a flexible
// request the tags, which are skipped. What is left is the request's body.
func ClientID(rest []byte, flexible bool, limit int) (id string, body []byte, err error) {
	w := walker{rest: rest, budget: headerBudget}
	n, err := w.length(&step{kind: text, nullable: true})
	if err != nil {
		return "", nil, fmt.Errorf("client id: %w", err)
	}
	if n < -1 || n > limit {
		return "", nil, fmt.Errorf("%w: client id of %d bytes", ErrMalformed, n)
	}
	at := w.rest
	if err := w.skip(max(n, 0)); err != nil {
		return "", nil, fmt.Errorf("client id: %w", err)
	}
	id = string(at[:max(n, 0)])
	if flexible {
		if err := w.tags(&step{kind: tagged}); err != nil {
			return "", nil, fmt.Errorf("header tags: %w", err)
		}
	}
	return id, w.rest, nil
}
