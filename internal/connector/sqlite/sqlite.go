// Package sqlite keeps a table of an SQLite database equal to topics, exactly once.
//
// Purpose. A record's value becomes the rows of one group of the table, named by the record's key: for payments, the rows of one
// customer. Rows and positions are written in one transaction, so that what the database holds is always the exact effect of
// all records below its positions, after kill -9 as well as after power loss (WAL with synchronous=FULL).
//
// Callers. internal/connector drives it through connect.Sink; connect/sqlite is its public face. It calls modernc.org/sqlite
// through database/sql and reads serdes. No other part of Mainstem touches the database; anybody may read it meanwhile.
//
// Owner. One goroutine drives a Sink, which holds one connection. There are no locks besides the database's own.
//
// Format. Table mainstem_positions holds the next offset to apply of each partition, and in a row without topic the epoch of the
// sink's latest writer (docs/format/positions.md). Opening raises that epoch in an immediate transaction; every write begins by
// comparing it with the writer's own, so an older writer stops before it changes anything.
//
// Not here: reading topics and retrying (internal/connector), SQL expressions, other databases.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// DefaultBusyTimeout is how long a statement waits for another program's lock before the write fails with a retryable error.
const DefaultBusyTimeout = 2 * time.Second

// A Record is a decoded record as Rows sees it.
type Record[K, V any] struct {
	record.TopicPartition
	Offset    record.Offset
	Timestamp record.Timestamp
	Key       K
	Value     V
}

// A Row holds the values of one row in the order of the table's columns: nil, bool, int, int32, int64, float64, string or []byte.
type Row []any

// A Config describes a sink. All fields but BusyTimeout are required.
type Config[K, V any] struct {
	// Name identifies the sink in the database: positions and epoch are kept under it.
	Name string
	// Path is the database file. It is created when missing, its directory is not.
	Path string
	// Table is created when missing; an existing one must have exactly these columns and this primary key.
	Table Table
	Key   serde.Serde[K]
	Value serde.Serde[V]
	// Group returns the values of the table's Group columns that a key stands for. They must not be nil.
	Group func(key K) []any
	// Rows returns the rows that a record's group consists of from now on: its other rows are deleted. None empties the group. A
	// record with a null value (a tombstone) empties its group without Rows being called. Errors must not quote payload.
	Rows func(r Record[K, V]) ([]Row, error)
	// BusyTimeout is how long to wait for another program's lock; 0 means DefaultBusyTimeout.
	BusyTimeout time.Duration
}

// A Sink implements connect.Sink.
type Sink[K, V any] struct {
	cfg   Config[K, V]
	stmts statements // SQL texts

	// Set while open.
	db    *sql.DB
	conn  *sql.Conn
	epoch int64
	held  map[record.TopicPartition]connect.Position // positions in the database, as of the last commit seen
	exec  prepared
}

// New checks the configuration and returns a sink that is not yet open.
func New[K, V any](cfg Config[K, V]) (*Sink[K, V], error) {
	switch {
	case cfg.Name == "":
		return nil, errors.New("sqlite sink: needs a name")
	case cfg.Path == "" || strings.Contains(cfg.Path, "\x00"):
		return nil, fmt.Errorf("sqlite sink %s: needs the path of a database file", cfg.Name)
	case cfg.Key == nil || cfg.Value == nil || cfg.Group == nil || cfg.Rows == nil:
		return nil, fmt.Errorf("sqlite sink %s: needs Key, Value, Group and Rows", cfg.Name)
	case cfg.BusyTimeout < 0:
		return nil, fmt.Errorf("sqlite sink %s: busy timeout %s is negative", cfg.Name, cfg.BusyTimeout)
	}
	if err := cfg.Table.validate(); err != nil {
		return nil, fmt.Errorf("sqlite sink %s: %w", cfg.Name, err)
	}
	if cfg.BusyTimeout == 0 {
		cfg.BusyTimeout = DefaultBusyTimeout
	}
	return &Sink[K, V]{cfg: cfg, stmts: cfg.Table.statements()}, nil
}

// Name implements connect.Sink.
func (s *Sink[K, V]) Name() string { return s.cfg.Name }

// Open implements connect.Sink.
func (s *Sink[K, V]) Open(ctx context.Context) (map[record.TopicPartition]connect.Position, error) {
	if s.db != nil {
		return nil, fmt.Errorf("sqlite sink %s: is open", s.cfg.Name)
	}
	if err := s.open(ctx); err != nil {
		_ = s.Close() // the first error tells more
		return nil, s.explain("open", err)
	}
	held := make(map[record.TopicPartition]connect.Position, len(s.held))
	for tp, p := range s.held {
		held[tp] = p
	}
	return held, nil
}

func (s *Sink[K, V]) open(ctx context.Context) error {
	db, err := sql.Open("sqlite", dsn(s.cfg.Path, s.cfg.BusyTimeout))
	if err != nil {
		return err
	}
	s.db = db
	if s.conn, err = db.Conn(ctx); err != nil {
		return err
	}
	// A context that can be cancelled costs the driver a goroutine a statement; transactions here are short, so they run to their end.
	ctx = context.WithoutCancel(ctx)
	if err := checkPragmas(ctx, s.conn); err != nil {
		return err
	}
	err = s.transact(ctx, func() error {
		if err := ensureTable(ctx, s.conn, positionsTable); err != nil {
			return err
		}
		if err := ensureTable(ctx, s.conn, s.cfg.Table); err != nil {
			return err
		}
		s.epoch, err = raiseEpoch(ctx, s.conn, s.cfg.Name)
		return err
	})
	if err != nil {
		return err
	}
	if s.exec, err = s.stmts.prepare(ctx, s.conn); err != nil {
		return err
	}
	_, s.held, err = s.readPositions(ctx)
	return err
}

// Write implements connect.Sink.
func (s *Sink[K, V]) Write(ctx context.Context, b connect.Batch) error {
	if s.conn == nil {
		return fmt.Errorf("sqlite sink %s: is not open", s.cfg.Name)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.stillThere(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	var first *badRecord
	for n := len(b.Records); first == nil || n > 0; n = first.index {
		bad, err := s.applyFirst(ctx, b, n)
		if err != nil {
			return s.explain("write", err)
		}
		if bad == nil {
			break
		}
		first = bad // everything before it is still to be applied, where another bad one may be found
	}
	if first != nil {
		return s.explain("write", first.err)
	}
	return nil
}

// applyFirst applies the first n records of a batch, or none of them and returns one that cannot be applied.
func (s *Sink[K, V]) applyFirst(ctx context.Context, b connect.Batch, n int) (*badRecord, error) {
	changes, bad := s.decode(b.Records[:n])
	if bad != nil {
		return bad, nil
	}
	return s.apply(ctx, changes, reached(b, n))
}

// A badRecord is a record of a batch that cannot be applied.
type badRecord struct {
	index int // in the batch
	err   *connect.RecordError
}

// apply writes the changes and positions in one transaction. A change that the database refuses rolls all of it back and is
// returned as a badRecord, so that the caller can apply what lies before it.
func (s *Sink[K, V]) apply(ctx context.Context, changes []change, goal map[record.TopicPartition]connect.Position) (*badRecord, error) {
	var bad *badRecord
	var now map[record.TopicPartition]connect.Position
	err := s.transact(ctx, func() error {
		epoch, held, err := s.readPositions(ctx)
		if err != nil {
			return err
		}
		if epoch != s.epoch {
			return fmt.Errorf("%w: this writer has epoch %d, the database %d", connect.ErrFenced, s.epoch, epoch)
		}
		for _, c := range latest(changes, held) {
			if err := s.applyChange(ctx, c); err != nil {
				if refusesRecord(err) {
					bad = &badRecord{c.index, &connect.RecordError{TopicPartition: c.tp, Offset: c.offset, Err: s.describe(err)}}
				}
				return err
			}
		}
		now, err = s.savePositions(ctx, held, goal)
		return err
	})
	if bad != nil {
		return bad, nil
	}
	if err != nil {
		return nil, err
	}
	s.held = now
	return nil, nil
}

// applyChange makes the rows of one group what the change says.
func (s *Sink[K, V]) applyChange(ctx context.Context, c change) error {
	if !s.cfg.Table.groupIsKey() || len(c.rows) == 0 {
		if _, err := s.exec.remove.ExecContext(ctx, c.group...); err != nil {
			return err
		}
	}
	for _, row := range c.rows {
		if _, err := s.exec.put.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

// transact runs f in an immediate transaction: it holds the write lock from its first statement on.
func (s *Sink[K, V]) transact(ctx context.Context, f func() error) error {
	if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// Fails when SQLite has rolled back by itself (disk full, I/O error); the connection is clean either way.
		_, _ = s.conn.ExecContext(ctx, "ROLLBACK")
	}
	return err
}

// stillThere notices a database file that was deleted under the open connection: SQLite would go on writing into the void.
func (s *Sink[K, V]) stillThere() error {
	_, err := vfs.Default.Stat(s.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sqlite sink %s: database file %s was removed while in use; start again to build it anew", s.cfg.Name, s.cfg.Path)
	}
	if err != nil {
		return fmt.Errorf("sqlite sink %s: look at database file: %w", s.cfg.Name, err)
	}
	return nil
}

// Close implements connect.Sink.
func (s *Sink[K, V]) Close() error {
	if s.db == nil {
		return nil
	}
	err := s.exec.close()
	if s.conn != nil {
		err = errors.Join(err, s.conn.Close())
	}
	err = errors.Join(err, s.db.Close())
	s.db, s.conn, s.exec, s.held = nil, nil, prepared{}, nil
	if err != nil {
		return s.explain("close", err)
	}
	return nil
}

// dsn names the file and the settings of every connection to it. The path is escaped, so that ? # % in it mean themselves.
func dsn(path string, busy time.Duration) string {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	q := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds()),
		"journal_mode(WAL)",            // readers go on while the sink writes
		"synchronous(FULL)",            // a commit is on disk before it is reported
		"foreign_keys(ON)",             // a schema's own rules hold for the sink too
		"journal_size_limit(64000000)", // bytes: the WAL shrinks again after a long reader
	}}
	return "file:" + escaped + "?" + q.Encode()
}

func checkPragmas(ctx context.Context, c *sql.Conn) error {
	var mode string
	if err := c.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	var sync int
	if err := c.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
		return err
	}
	if mode != "wal" || sync < 2 {
		return fmt.Errorf("the database runs in journal mode %s with synchronous=%d, wanted wal and 2: is the file read-only or on a network file system?", mode, sync)
	}
	return nil
}
