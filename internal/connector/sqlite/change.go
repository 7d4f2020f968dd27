package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/record"
)

// A change is what one record does to the table: the rows of its group become rows.
type change struct {
	index  int // of the record in its batch
	tp     record.TopicPartition
	offset record.Offset
	group  []any
	id     string // group as a comparable value
	rows   [][]any
}

// decode turns records into changes, or returns the first that cannot be decoded. Records that the database already holds are
// left out unread (whether that is still so is checked again inside the transaction), and so are those that a later record of
// the same key replaces: their effect would be overwritten inside one transaction, which nobody could see.
func (s *Sink[K, V]) decode(records []record.Record) ([]change, *badRecord) {
	last := lastOfKeys(records)
	changes := make([]change, 0, len(last))
	for i := range records {
		r := &records[i]
		if r.Offset < s.held[r.TopicPartition].Offset {
			continue
		}
		if j, ok := last[keyed{r.TopicPartition, string(r.Key)}]; ok && j != i && r.Key != nil {
			continue
		}
		c, err := s.change(r)
		if err != nil {
			return nil, &badRecord{i, &connect.RecordError{TopicPartition: r.TopicPartition, Offset: r.Offset, Err: err}}
		}
		c.index = i
		changes = append(changes, c)
	}
	return changes, nil
}

// keyed is a key in its partition, as bytes.
type keyed struct {
	tp  record.TopicPartition
	key string
}

// lastOfKeys returns the place of the last record of each key. Null is no key.
func lastOfKeys(records []record.Record) map[keyed]int {
	last := make(map[keyed]int, min(len(records), 1024))
	for i := range records {
		if r := &records[i]; r.Key != nil {
			last[keyed{r.TopicPartition, string(r.Key)}] = i
		}
	}
	return last
}

func (s *Sink[K, V]) change(r *record.Record) (change, error) {
	c := change{tp: r.TopicPartition, offset: r.Offset}
	key, err := s.cfg.Key.Decode(r.Key)
	if err != nil {
		return c, fmt.Errorf("decode key: %w", err)
	}
	if c.group, err = bindable(s.cfg.Group(key)); err != nil {
		return c, fmt.Errorf("group of the key: %w", err)
	}
	if len(c.group) != len(s.cfg.Table.Group) {
		return c, fmt.Errorf("group has %d values, the table's group %d columns", len(c.group), len(s.cfg.Table.Group))
	}
	if c.id, err = groupID(c.group); err != nil {
		return c, err
	}
	if r.Value == nil {
		return c, nil // a tombstone empties the group
	}
	value, err := s.cfg.Value.Decode(r.Value)
	if err != nil {
		return c, fmt.Errorf("decode value: %w", err)
	}
	rows, err := s.cfg.Rows(Record[K, V]{r.TopicPartition, r.Offset, r.Timestamp, key, value})
	if err != nil {
		return c, err
	}
	if c.rows, err = s.checkRows(rows, c.id); err != nil {
		return c, err
	}
	return c, nil
}

// checkRows holds the mapping to its word: a row outside the record's group would stay in the table for ever.
func (s *Sink[K, V]) checkRows(rows []Row, group string) ([][]any, error) {
	if len(rows) > 1 && s.cfg.Table.groupIsKey() {
		return nil, fmt.Errorf("%d rows for a table with one row a key", len(rows))
	}
	places := s.cfg.Table.groupColumns()
	out := make([][]any, len(rows))
	own := make([]any, len(places))
	for i, row := range rows {
		if len(row) != len(s.cfg.Table.Columns) {
			return nil, fmt.Errorf("row has %d values, the table %d columns", len(row), len(s.cfg.Table.Columns))
		}
		var err error
		if out[i], err = bindable(row); err != nil {
			return nil, fmt.Errorf("row: %w", err)
		}
		for j, p := range places {
			own[j] = out[i][p]
		}
		if id, err := groupID(own); err != nil || id != group {
			return nil, errors.New("row lies outside the group of the record's key")
		}
	}
	return out, nil
}

// bindable changes values in place to those that the driver binds as they are.
func bindable(values []any) ([]any, error) {
	for i, v := range values {
		switch v := v.(type) {
		case nil, int64, float64, string, []byte:
		case int:
			values[i] = int64(v)
		case int32:
			values[i] = int64(v)
		case bool:
			values[i] = int64(0)
			if v {
				values[i] = int64(1)
			}
		default:
			return nil, fmt.Errorf("value %d has type %T, which is none of SQLite's", i, v)
		}
	}
	return values, nil
}

// groupID encodes bound values so that equal ids mean equal groups.
func groupID(values []any) (string, error) {
	b := make([]byte, 0, 64)
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case float64:
			b = binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
		case string:
			b = append(binary.AppendUvarint(append(b, 's'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(append(b, 'b'), uint64(len(v))), v...)
		default:
			return "", errors.New("group has a null")
		}
	}
	return string(b), nil
}

// latest drops what the database already holds and keeps, of several changes of one group, the last: different keys may stand
// for one group. The order of what is left is the batch's.
func latest(changes []change, held map[record.TopicPartition]connect.Position) []change {
	last := make(map[string]int, len(changes))
	for i := range changes {
		if c := &changes[i]; c.offset >= held[c.tp].Offset {
			last[c.id] = i
		}
	}
	kept := make([]change, 0, len(last))
	for i := range changes {
		if j, ok := last[changes[i].id]; ok && j == i {
			kept = append(kept, changes[i])
		}
	}
	return kept
}
