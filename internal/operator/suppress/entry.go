package suppress

import (
	"encoding/binary"
	"errors"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Keys of the store:
//
//	0 | buffer time | key    a held row: an entry, with the time of its update
//	1 | key                  the buffer time of a held key, where its window does not say it
//
// Buffer times are 8 bytes, big-endian, with the sign bit turned over, so that the order of the bytes is that of time.
const (
	kindHeld  = 0
	kindIndex = 1
)

var (
	heldKeys = []byte{kindHeld}
	heldEnd  = []byte{kindIndex}
)

const (
	signBit     = 1 << 63
	placeHeader = 1 + 8
)

func appendPlace(dst []byte, at record.Timestamp, key []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, kindHeld), uint64(at)^signBit)
	return append(dst, key...)
}

func placeTime(place []byte) record.Timestamp {
	return record.Timestamp(binary.BigEndian.Uint64(place[1:]) ^ signBit)
}

func placeKey(place []byte) []byte { return place[placeHeader:len(place):len(place)] }

// An entry is what is held of a key; a nil value is an absent one. As bytes it is the three values and the headers:
//
//	values   prior, old, next: uvarint 0 for absent, otherwise 1 more than the length, and the bytes
//	headers  uvarint how many; of each the key and the value, as values are written
type entry struct {
	prior   []byte // what the table had before the first held update
	old     []byte // what it had before the last one
	next    []byte // what it has now
	headers []record.Header
}

func (e *entry) append(dst []byte) []byte {
	for _, v := range [...][]byte{e.prior, e.old, e.next} {
		dst = appendBytes(dst, v, v == nil)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.headers)))
	for _, h := range e.headers {
		dst = appendBytes(dst, []byte(h.Key), false)
		dst = appendBytes(dst, h.Value, h.Value == nil)
	}
	return dst
}

func appendBytes(dst, b []byte, absent bool) []byte {
	if absent {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(b))+1), b...)
}

var errEntry = errors.New("the bytes of a held update are cut or too long")

// readEntry reads an entry; its values are parts of b.
func readEntry(b []byte) (e entry, err error) {
	r := reader{rest: b}
	e.prior, e.old, e.next = r.bytes(), r.bytes(), r.bytes()
	for range r.number(len(b)) {
		e.headers = append(e.headers, record.Header{Key: string(r.bytes()), Value: r.bytes()})
	}
	if r.bad || len(r.rest) > 0 {
		return entry{}, errEntry
	}
	return e, nil
}

// A reader cuts an entry's bytes; after a mistake it is bad and gives nothing.
type reader struct {
	rest []byte
	bad  bool
}

// number reads a number of at most limit.
func (r *reader) number(limit int) int {
	n, used := binary.Uvarint(r.rest)
	if used <= 0 || n > uint64(limit) {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[used:]
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.number(len(r.rest))
	if n == 0 {
		return nil
	}
	if n--; n > len(r.rest) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// columns are the encoded columns that come with updates, nil where there are none.
type columns struct{ keys, values [][]byte }

// hold puts row i into the buffer.
func (t *suppress[K, V]) hold(c *operator.Changes[K, V], known columns, i int32) error {
	key, err := t.encodeKey(c, known.keys, i)
	if err != nil {
		return err
	}
	if key == nil {
		t.env.Drops.Add(operator.DropNullKey)
		return nil
	}
	var e entry
	if e.next, err = t.encodeNew(c, known.values, i); err != nil {
		return err
	}
	if c.HasOld && !operator.IsSet(c.OldAbsent, i) {
		if e.old, err = operator.Encode(&t.env.Arena, t.Value, c.Old[i]); err != nil {
			return operator.Uncodable(c.Origins[i], t.node, "the old value cannot be encoded", err)
		}
	}
	if c.Headers != nil {
		e.headers = c.Headers[i]
	}
	place, held := t.find(c.Keys[i], key)
	e.prior = e.old
	if held {
		value, _, _ := t.rows.Table.Get(place)
		before, err := readEntry(value)
		if err != nil {
			return t.broken(c.Origins[i], err)
		}
		e.prior = before.prior
		t.add(-1, -len(key)-len(value))
	} else if place, err = t.open(c, key, i); err != nil {
		return err
	}
	if place, err = operator.Encode(&t.env.Arena, serde.Bytes, place); err != nil { // it must outlive the call
		return err
	}
	value, err := t.rows.Set(place, e.append(nil), c.Timestamps[i], &c.Rows, i)
	t.add(1, len(key)+len(value))
	return err
}

func (t *suppress[K, V]) encodeKey(c *operator.Changes[K, V], known [][]byte, i int32) ([]byte, error) {
	if known != nil {
		return known[i], nil
	}
	key, err := operator.Encode(&t.env.Arena, t.Key, c.Keys[i])
	if err != nil {
		return nil, operator.Uncodable(c.Origins[i], t.node, "the key cannot be encoded", err)
	}
	return key, nil
}

// encodeNew returns nil for an absent value.
func (t *suppress[K, V]) encodeNew(c *operator.Changes[K, V], known [][]byte, i int32) ([]byte, error) {
	if operator.IsSet(c.NewAbsent, i) {
		return nil, nil
	}
	if known != nil {
		return known[i], nil
	}
	value, err := operator.Encode(&t.env.Arena, t.Value, c.New[i])
	if err != nil {
		return nil, operator.Uncodable(c.Origins[i], t.node, "the value cannot be encoded", err)
	}
	return value, nil
}

// open makes a place for a key that is not held, and returns it.
func (t *suppress[K, V]) open(c *operator.Changes[K, V], key []byte, i int32) ([]byte, error) {
	at := c.Timestamps[i]
	if t.End != nil {
		at = t.End(c.Keys[i])
	} else {
		stamp := binary.BigEndian.AppendUint64(nil, uint64(at))
		if _, err := t.rows.Set(t.indexKey(key), stamp, at, &c.Rows, i); err != nil {
			return nil, err
		}
	}
	if t.lowest != unknown {
		t.lowest = min(t.lowest, at)
	}
	t.place = appendPlace(t.place[:0], at, key)
	return t.place, nil
}

// find returns the place of a key that is held. The bytes are valid until the next call.
func (t *suppress[K, V]) find(key K, encoded []byte) (place []byte, held bool) {
	if t.End != nil {
		t.place = appendPlace(t.place[:0], t.End(key), encoded)
		_, _, held = t.rows.Table.Get(t.place)
		return t.place, held
	}
	stamp, _, held := t.rows.Table.Get(t.indexKey(encoded))
	if !held {
		return nil, false
	}
	t.place = appendPlace(t.place[:0], record.Timestamp(binary.BigEndian.Uint64(stamp)), encoded)
	return t.place, true
}

// indexKey returns the key of a held key's buffer time.
func (t *suppress[K, V]) indexKey(key []byte) []byte {
	return append([]byte{kindIndex}, key...)
}
