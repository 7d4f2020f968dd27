// Package poll reads rows of an SQLite database again and again and writes those that are new to topics: a source connector.
//
// Purpose: each row of a table (or of a query) becomes a record with a JSON object of its columns, once.
//
// Callers and callees: the node runs a Poller that SQL's connectors made; it calls a client.Door, and the database.
//
// Owner and locks: a Poller belongs to the goroutine of Run; Rows may be called from any.
//
// Format: the compacted topic _mainstem_connect has the positions: key "connector/table", value {"incrementing":12,"timestamp":"…"}. Rows and the
// position behind them are one epoch: both are durable or neither. A second Poller of the same name fences the first. Columns keep their
// names; INTEGER and REAL are numbers, TEXT text, BLOB base64, columns declared BOOLEAN true and false, those declared DATETIME or TIMESTAMP
// milliseconds and those declared DATE days since 1970-01-01. Records have no key and lie in partition 0, in the order of reading.
//
// Not here: deleted rows, which no query finds; properties of connectors (internal/sql/connectors).
package poll

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
)

// Positions is the topic of positions.
const Positions = "_mainstem_connect"

// A Mode says which rows are new.
type Mode string

// The modes, by the names of Confluent's JDBC source.
const (
	Bulk         Mode = "bulk"         // all, at each poll
	Incrementing Mode = "incrementing" // those with a higher number
	// Timestamp: those with a later time. A row that gets a time that was read already is missed.
	Timestamp Mode = "timestamp"
	// Both: those with a later time, and of the last time those with a higher number.
	Both Mode = "timestamp+incrementing"
)

// numbered and timed tell which columns a mode needs.
func (m Mode) numbered() bool { return m == Incrementing || m == Both }
func (m Mode) timed() bool    { return m == Timestamp || m == Both }

// Config says what is read and where it goes.
type Config struct {
	Name   string // of the connector
	Path   string // of the database, which must exist
	Tables []string
	Query  string // instead of Tables
	Prefix string // of the topics: the table's name follows, a query's topic is the prefix alone
	Mode   Mode
	// Number and Time are the columns that the mode looks at.
	Number, Time string
	Interval     time.Duration // between two polls
	BatchRows    int           // of one epoch, about
	Busy         time.Duration // how long another program's lock is waited for
	Idle         func()        // called when a poll has found everything; may be nil
}

// A Poller reads and writes.
type Poller struct {
	cfg  Config
	rows atomic.Int64
}

// New returns a Poller; it does not look at the database yet.
func New(c Config) (*Poller, error) {
	switch {
	case c.Mode.numbered() != (c.Number != ""):
		return nil, fmt.Errorf("mode %s and a column of numbers %q do not go together", c.Mode, c.Number)
	case c.Mode.timed() != (c.Time != ""):
		return nil, fmt.Errorf("mode %s and a column of times %q do not go together", c.Mode, c.Time)
	case (len(c.Tables) == 0) == (c.Query == ""):
		return nil, errors.New("there must be tables or a query, not both")
	}
	return &Poller{cfg: c}, nil
}

// Rows is how many were written since New.
func (p *Poller) Rows() int64 { return p.rows.Load() }

// Run reads until ctx ends. Any other end is an error; whoever runs it again goes on behind what is durable.
func (p *Poller) Run(ctx context.Context, door client.Door, clk clock.Clock) error {
	r, err := p.open(ctx, door)
	if err != nil {
		return p.ended(ctx, err)
	}
	defer r.close()
	r.clock = clk
	for {
		err := r.all(ctx)
		if err != nil && !busy(err) {
			return p.ended(ctx, err)
		}
		if err == nil && p.cfg.Idle != nil {
			p.cfg.Idle()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-clk.After(p.cfg.Interval):
		}
	}
}

func (p *Poller) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("source connector %s (%s): %w", p.cfg.Name, p.cfg.Path, err)
}

// busy tells errors that pass when another program gives back its lock.
func busy(err error) bool {
	const sqliteBusy, sqliteLocked = 5, 6
	var c interface{ Code() int }
	return errors.As(err, &c) && (c.Code()&0xff == sqliteBusy || c.Code()&0xff == sqliteLocked)
}

// A reading is a Poller with what it has open.
type reading struct {
	*Poller
	db       *sql.DB
	producer client.Producer
	at       map[string]position // by table
	clock    clock.Clock
}

func (p *Poller) open(ctx context.Context, door client.Door) (*reading, error) {
	specs := []client.TopicSpec{{Name: Positions, Partitions: 1, Configs: map[string]string{"cleanup.policy": "compact"}}}
	for _, t := range p.targets() {
		specs = append(specs, client.TopicSpec{Name: p.cfg.Prefix + t, Partitions: 1})
	}
	if _, err := door.EnsureTopics(ctx, specs...); err != nil {
		return nil, err
	}
	producer, err := door.OpenProducer(ctx, "connect-"+p.cfg.Name)
	if err != nil {
		return nil, err
	}
	r := &reading{Poller: p, producer: producer, at: map[string]position{}}
	if err := r.load(ctx, door); err != nil {
		producer.Close()
		return nil, err
	}
	options := url.Values{"mode": {"ro"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", p.cfg.Busy.Milliseconds())}}
	r.db, err = sql.Open("sqlite", "file:"+escaped(p.cfg.Path)+"?"+options.Encode())
	if err == nil {
		err = r.db.PingContext(ctx)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// escaped is a path in a URL: ? # % in it mean themselves.
func escaped(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

func (r *reading) close() {
	r.producer.Close()
	if r.db != nil {
		_ = r.db.Close() // nothing was written
	}
}

// targets are the tables, "" for the query.
func (p *Poller) targets() []string {
	if p.cfg.Query != "" {
		return []string{""}
	}
	return p.cfg.Tables
}

// all reads what is new everywhere.
func (r *reading) all(ctx context.Context) error {
	for _, t := range r.targets() {
		for more := true; more; {
			var err error
			if more, err = r.some(ctx, t); err != nil {
				if t != "" {
					err = fmt.Errorf("table %s: %w", t, err)
				}
				return err
			}
		}
	}
	return nil
}

// some reads up to a batch of new rows of a table, or in modes that cannot cut everywhere all of them. more: there may be others.
func (r *reading) some(ctx context.Context, table string) (more bool, err error) {
	text, args := r.query(table)
	rows, err := r.db.QueryContext(ctx, text, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	row, err := r.newRow(rows)
	if err != nil {
		return false, err
	}
	out, count := r.producer.NewEpoch(), 0
	at := r.at[table]
	for rows.Next() {
		next, value, err := row.scan(rows)
		if err != nil {
			return false, err
		}
		if out.Count() >= r.cfg.BatchRows && r.cuts(at, next) {
			if err := r.commit(ctx, table, out, at); err != nil {
				return false, err
			}
			out = r.producer.NewEpoch()
		}
		if err := out.Append(record.TopicPartition{Topic: r.cfg.Prefix + table}, r.now(), nil, value, nil); err != nil {
			return false, err
		}
		at = next
		count++
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	return r.limited() && count == r.cfg.BatchRows, r.commit(ctx, table, out, at)
}

// cuts tells whether a position may be durable before the next row is: of rows with one time, in the mode that has only that, it may not.
func (r *reading) cuts(at, next position) bool {
	return r.cfg.Mode != Timestamp || at.Time != next.Time
}

func (r *reading) now() record.Timestamp { return record.Timestamp(r.clock.Now().UnixMilli()) }

// commit makes rows durable with the position behind them.
func (r *reading) commit(ctx context.Context, table string, e client.Epoch, at position) error {
	count := e.Count()
	if count == 0 {
		return nil
	}
	if r.cfg.Mode != Bulk {
		if err := e.Append(record.TopicPartition{Topic: Positions}, r.now(), r.key(table), at.bytes(), nil); err != nil {
			return err
		}
	}
	if err := r.producer.Commit(ctx, e, nil); err != nil {
		return err
	}
	r.at[table] = at
	r.rows.Add(int64(count))
	return nil
}
