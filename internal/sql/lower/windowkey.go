package lower

import (
	"encoding/binary"
	"errors"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

// windowKeys reads and writes the keys of windowed topics as Kafka Streams does: the key, then the start of the window, or for sessions
// (size 0) its end and its start. The row has start and end behind the key's columns.
type windowKeys struct {
	key  serde.Serde[row.Row]
	size int64 // ms, 0: sessions
}

var errShortWindow = errors.New("too short for a windowed key")

func (w windowKeys) HoldsNull() bool { return true }

// Own is for windowed.PlacedBy: all windows of a key stand in one partition.
func (w windowKeys) Own(key []byte) []byte {
	if w.size == 0 {
		return key[:len(key)-16]
	}
	return key[:len(key)-8]
}

func (w windowKeys) Decode(b []byte) (row.Row, error) {
	if b == nil {
		return "", nil
	}
	tail := 8
	if w.size == 0 {
		tail = 16
	}
	if len(b) < tail {
		return "", errShortWindow
	}
	key, err := w.key.Decode(b[:len(b)-tail])
	if err != nil || key.IsNull() {
		return "", err
	}
	start := int64(binary.BigEndian.Uint64(b[len(b)-8:]))
	end := start + w.size
	if w.size == 0 {
		end = int64(binary.BigEndian.Uint64(b[len(b)-16:]))
	}
	var out row.Builder
	out.AddAll(key)
	out.Add(row.NewBigint(start))
	out.Add(row.NewBigint(end))
	return out.Row(), nil
}

func (w windowKeys) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	n := r.Len() - 2
	var key row.Builder
	for i := range n {
		key.AddFrom(r, i)
	}
	dst, err := w.key.Append(dst, key.Row())
	if err != nil || dst == nil {
		return nil, err
	}
	if w.size == 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.At(n+1).Int64()))
	}
	return binary.BigEndian.AppendUint64(dst, uint64(r.At(n).Int64())), nil
}

// KeysOf is how the keys of a source's topic are read. Those of a windowed one have the bounds of their windows behind the columns.
func KeysOf(s *catalog.Source, schemas format.Schemas) (serde.Serde[row.Row], error) {
	b := builder{env: Env{Schemas: schemas}}
	return b.keys(format.Side{Spec: s.KeyFormat.Spec, Schema: s.Key, Unwrapped: s.KeyFormat.Unwrapped, Topic: s.Topic, Reads: true}, s.Window)
}
