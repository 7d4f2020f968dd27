package store

import (
	"encoding/binary"
	"fmt"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
)

// A TableCheckpoint is what a checkpoint database holds of one table.
type TableCheckpoint struct {
	App, Name string
	Partition int32
	Next      record.Offset // changelog position; -1: a first checkpoint that was not finished, it is removed at the next start
	Rows      int64
	Topic     [16]byte // id of the topic that Next is a position of; zero: not known
}

// Inspect reads every key of a checkpoint database and lists its tables, in the order of their keys. Keys that are not of the
// format are an error (ErrFormat).
func Inspect(db kv.Reader) ([]TableCheckpoint, error) {
	tables := map[string]*TableCheckpoint{}
	var order []string
	err := db.Scan(nil, nil, func(key, value []byte) error {
		if string(key) == string(formatKey) || key[0] == spaceWorker {
			return nil
		}
		t, rest, ok := parseTable(key)
		if !ok {
			return fmt.Errorf("%w: key %x", ErrFormat, key)
		}
		id := string(key[1 : len(key)-len(rest)])
		known := tables[id]
		if known == nil {
			t.Next = -1
			known, order = &t, append(order, id)
			tables[id] = known
		}
		switch {
		case key[0] == spaceRow:
			known.Rows++
		case len(rest) > 0:
			return fmt.Errorf("%w: key %x", ErrFormat, key)
		default:
			at, err := parsePosition(value)
			if err != nil {
				return fmt.Errorf("%w in key %x", err, key)
			}
			known.Next, known.Topic = at.next, at.topic
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	out := make([]TableCheckpoint, len(order))
	for i, id := range order {
		out[i] = *tables[id]
	}
	return out, nil
}

// parseTable reads what tableKey wrote; rest is the row's key.
func parseTable(key []byte) (t TableCheckpoint, rest []byte, ok bool) {
	if len(key) == 0 || key[0] != spacePosition && key[0] != spaceRow {
		return t, nil, false
	}
	rest = key[1:]
	for _, to := range []*string{&t.App, &t.Name} {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used) {
			return t, nil, false
		}
		*to, rest = string(rest[used:used+int(n)]), rest[used+int(n):]
	}
	if len(rest) < 4 {
		return t, nil, false
	}
	t.Partition = int32(binary.BigEndian.Uint32(rest))
	return t, rest[4:], true
}
