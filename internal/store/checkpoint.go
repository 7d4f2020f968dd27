package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
)

// ErrFormat: the database is no checkpoint store of a known version. Nothing in it was changed.
var ErrFormat = errors.New("unknown checkpoint format")

// formatVersion is the only version so far; docs/format/checkpoint.md describes it.
const formatVersion = 1

// Key spaces of the database.
const (
	spaceFormat   = 0x00
	spacePosition = 0x01
	spaceRow      = 0x02
	spaceWorker   = 0x03
)

var formatKey = []byte("\x00mainstem-checkpoints")

// Checkpoints is the durable side: one ordered store per process holds the checkpoints of all tables, each with the changelog
// position up to which it is complete.
type Checkpoints struct {
	db    kv.Store
	app   string
	share *Share // nil: whatever is loaded stays in memory
}

// OpenCheckpoints uses db for application app; db stays the caller's. A database of another format is an error (ErrFormat),
// never wiped.
func OpenCheckpoints(db kv.Store, app string) (*Checkpoints, error) {
	if err := checkFormat(db); err != nil {
		return nil, fmt.Errorf("open checkpoints of %s: %w", app, err)
	}
	return &Checkpoints{db: db, app: app}, nil
}

// Within returns the same checkpoints for tables that keep to a budget: those that Load is called for, with or without a checkpoint.
// Their rows leave memory for the database, which must stay open for as long as the tables, or views of them, are in use.
func (c *Checkpoints) Within(share *Share) *Checkpoints {
	return &Checkpoints{db: c.db, app: c.app, share: share}
}

// Leave ends what Load began within a budget: the table is given up, though views may still read it.
func (c *Checkpoints) Leave(s Store) {
	if c.share != nil {
		c.share.close(string(tableKey(spaceRow, c.app, s.Name(), s.Partition())))
	}
}

// checkFormat compares the version; an empty database becomes one of formatVersion. The version's key is the first of all keys, so one look
// tells it from foreign contents, also while other applications of the process open the same database.
func checkFormat(db kv.Store) error {
	errFound := errors.New("a row")
	err := db.Scan(nil, nil, func(key, value []byte) error {
		if !bytes.Equal(key, formatKey) {
			return fmt.Errorf("%w: the database has contents but no version", ErrFormat)
		}
		v, n := binary.Uvarint(value)
		if n <= 0 || n != len(value) || v != formatVersion {
			return fmt.Errorf("%w: version bytes %x, this program knows version %d; use the release that wrote it", ErrFormat, value, formatVersion)
		}
		return errFound
	})
	if errors.Is(err, errFound) {
		return nil
	}
	if err != nil {
		return err
	}
	w := db.NewBatch()
	defer w.Close()
	if err := w.Put(formatKey, binary.AppendUvarint(nil, formatVersion)); err != nil {
		return err
	}
	return w.Commit(true)
}

// Worker returns the name under which the process that has these checkpoints shares the application with others: fresh, the first time.
func (c *Checkpoints) Worker(fresh string) (string, error) {
	key := append([]byte{spaceWorker}, c.app...)
	b, err := c.db.Get(key)
	if err == nil {
		return string(b), nil
	}
	if !errors.Is(err, kv.ErrNotFound) {
		return "", fmt.Errorf("read the worker's name for %s: %w", c.app, err)
	}
	w := c.db.NewBatch()
	defer w.Close()
	if err = w.Put(key, []byte(fresh)); err == nil {
		err = w.Commit(true)
	}
	if err != nil {
		return "", fmt.Errorf("note the worker's name for %s: %w", c.app, err)
	}
	return fresh, nil
}

// Load fills s from its checkpoint and returns the changelog position to replay from; ok is false when there is none (replay from the start).
func (c *Checkpoints) Load(s Store) (next record.Offset, ok bool, err error) {
	snap, err := c.db.Snapshot()
	if err != nil {
		return 0, false, fmt.Errorf("load checkpoint of store %s/%d: %w", s.Name(), s.Partition(), err)
	}
	defer snap.Close()
	prefix := tableKey(spaceRow, c.app, s.Name(), s.Partition())
	if c.share != nil {
		s.spill(&spilled{c.db, prefix}, c.share)
	}
	b, err := snap.Get(tableKey(spacePosition, c.app, s.Name(), s.Partition()))
	if errors.Is(err, kv.ErrNotFound) {
		return 0, false, c.removeRows(snap, prefix)
	}
	var at position
	if err == nil {
		at, err = parsePosition(b)
	}
	if err != nil {
		return 0, false, fmt.Errorf("load checkpoint of store %s/%d: %w", s.Name(), s.Partition(), err)
	}
	if err := s.Load(prefixReader{snap, prefix}); err != nil {
		return 0, false, err
	}
	return at.next, true, nil
}

// Position returns where a table's changelog goes on behind its checkpoint; ok is false when there is none.
func (c *Checkpoints) Position(name string, partition int32) (next record.Offset, ok bool, err error) {
	at, ok, err := c.position(name, partition)
	return at.next, ok, err
}

// Changelog returns the id of the topic that a table's position counts in; zero when it is not known.
func (c *Checkpoints) Changelog(name string, partition int32) (topic [16]byte, err error) {
	at, _, err := c.position(name, partition)
	return at.topic, err
}

// Written returns when a table's checkpoint was written, by the clock of who wrote it; zero when it is not known.
func (c *Checkpoints) Written(name string, partition int32) (record.Timestamp, error) {
	at, _, err := c.position(name, partition)
	return at.written, err
}

// Forget drops a table's position, durably: the table has no checkpoint any more, and Load removes its rows.
func (c *Checkpoints) Forget(name string, partition int32) error {
	w := c.db.NewBatch()
	defer w.Close()
	err := w.Delete(tableKey(spacePosition, c.app, name, partition))
	if err == nil {
		err = w.Commit(true)
	}
	if err != nil {
		return fmt.Errorf("forget the checkpoint of store %s/%d: %w", name, partition, err)
	}
	return nil
}

func (c *Checkpoints) position(name string, partition int32) (at position, ok bool, err error) {
	b, err := c.db.Get(tableKey(spacePosition, c.app, name, partition))
	if errors.Is(err, kv.ErrNotFound) {
		return at, false, nil
	}
	if err == nil {
		at, err = parsePosition(b)
	}
	if err != nil {
		return at, false, fmt.Errorf("read the position of store %s/%d: %w", name, partition, err)
	}
	return at, true, nil
}

// A position says what a checkpoint holds: everything before next of the topic with that id, as it was when it was written. Older
// programs did not keep the id, or not the time.
type position struct {
	next    record.Offset
	topic   [16]byte
	written record.Timestamp
}

func (p position) append(dst []byte) []byte {
	dst = append(binary.BigEndian.AppendUint64(dst, uint64(p.next)), p.topic[:]...)
	if p.written == 0 {
		return dst
	}
	return binary.BigEndian.AppendUint64(dst, uint64(p.written))
}

func parsePosition(b []byte) (p position, err error) {
	const plain, known, timed = 8, 8 + len(p.topic), 16 + len(p.topic)
	if len(b) != plain && len(b) != known && len(b) != timed {
		return p, fmt.Errorf("%w: position of %d bytes", ErrFormat, len(b))
	}
	p.next = record.Offset(binary.BigEndian.Uint64(b))
	copy(p.topic[:], b[plain:])
	if len(b) == timed {
		p.written = record.Timestamp(binary.BigEndian.Uint64(b[known:]))
	}
	return p, nil
}

// removeRows removes what a first checkpoint has left that did not come to its position. A key that was deleted since may be
// among the rows: the table, which starts empty, would not know that there is anything to delete, and a later checkpoint's
// position would make it come back.
func (c *Checkpoints) removeRows(snap kv.Snapshot, prefix []byte) error {
	w := newPieces(c.db)
	defer w.close()
	err := snap.Scan(prefix, prefixEnd(prefix), func(key, _ []byte) error { return w.Delete(key) })
	if err == nil {
		err = w.endTable()
	}
	if err == nil && w.b.Len() > 0 {
		err = w.b.Commit(true)
	}
	if err != nil {
		return fmt.Errorf("remove the rows of an unfinished checkpoint of %s: %w", c.app, err)
	}
	return nil
}

// Room tells whether the disk takes a checkpoint now; kv.ErrFull may pass.
func (c *Checkpoints) Room() error { return c.db.Room() }

// CheckpointPart is one table's share: every changelog record before Next is reflected in the rows written so far and by Rows. Topic
// is the changelog's id, zero when the broker does not tell. Written is when Next was the changelog's end, zero when nobody knows.
type CheckpointPart struct {
	Name      string
	Partition int32
	Next      record.Offset
	Rows      func(w kv.Writer) error // nil: nothing changed, only the position moves
	Topic     [16]byte
	Written   record.Timestamp
	Done      func() // called when the checkpoint is in the database; nil: nobody needs to know
}

// Write makes a checkpoint of the given tables: their dirty rows (functions from Dirty) and positions. It is durable when Write
// returns, and may run in the background.
//
// Rows are written in pieces, the positions with the last one. A crash between pieces leaves rows that are newer than their
// position: replaying the changelog from there writes each of them again, up to its newest value, so nothing older stays.
func (c *Checkpoints) Write(parts []CheckpointPart) error {
	w := newPieces(c.db)
	defer w.close()
	for _, p := range parts {
		if p.Rows == nil {
			continue
		}
		err := p.Rows(&prefixWriter{w, tableKey(spaceRow, c.app, p.Name, p.Partition), nil})
		if err == nil {
			err = w.endTable()
		}
		if err != nil {
			return err
		}
	}
	for _, p := range parts {
		key := tableKey(spacePosition, c.app, p.Name, p.Partition)
		if err := w.b.Put(key, position{p.Next, p.Topic, p.Written}.append(nil)); err != nil {
			return fmt.Errorf("checkpoint store %s/%d: %w", p.Name, p.Partition, err)
		}
	}
	if err := w.b.Commit(true); err != nil {
		return fmt.Errorf("commit checkpoint of %s: %w", c.app, err)
	}
	for _, p := range parts {
		if p.Done != nil {
			p.Done()
		}
	}
	return nil
}

// tableKey is the prefix of a table's rows, or the key of its position. Lengths before the names keep the prefix of one table
// from being a prefix of another's.
func tableKey(space byte, app, name string, partition int32) []byte {
	b := []byte{space}
	b = binary.AppendUvarint(b, uint64(len(app)))
	b = append(b, app...)
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	return binary.BigEndian.AppendUint32(b, uint32(partition))
}

// A prefixWriter shows the part of a batch below prefix.
type prefixWriter struct {
	w      kv.Writer
	prefix []byte
	buf    []byte
}

func (p *prefixWriter) full(key []byte) []byte {
	p.buf = append(append(p.buf[:0], p.prefix...), key...)
	return p.buf
}

// replace implements replacer.
func (p *prefixWriter) replace() {
	if w, ok := p.w.(*pieces); ok {
		w.replace(p.prefix)
	}
}

func (p *prefixWriter) Put(key, value []byte) error { return p.w.Put(p.full(key), value) }
func (p *prefixWriter) Delete(key []byte) error     { return p.w.Delete(p.full(key)) }

// A prefixReader shows the keys below prefix without it.
type prefixReader struct {
	r      kv.Reader
	prefix []byte
}

func (p prefixReader) full(key []byte) []byte {
	return append(append(make([]byte, 0, len(p.prefix)+len(key)), p.prefix...), key...)
}

func (p prefixReader) Get(key []byte) ([]byte, error) { return p.r.Get(p.full(key)) }

func (p prefixReader) Scan(from, to []byte, fn func(key, value []byte) error) error {
	end := prefixEnd(p.prefix)
	if to != nil {
		end = p.full(to)
	}
	return p.r.Scan(p.full(from), end, func(k, v []byte) error { return fn(k[len(p.prefix):], v) })
}

// prefixEnd is the first key behind all keys that start with prefix, which has a byte below 0xff: its first.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	end[len(end)-1]++
	return end
}
