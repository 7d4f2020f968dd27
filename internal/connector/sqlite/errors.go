package sqlite

import (
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mainstemio/mainstem/connect"
)

// coder is what the driver's errors are known by: SQLite's extended result code.
type coder interface{ Code() int }

// An outcome says what a primary result code means to the sink.
type outcome struct {
	says      string // the sentence a person reads
	retryable bool   // may pass by itself
	record    bool   // the record is to blame, not the database
}

// outcomes is the one table from SQLite's primary result codes (https://www.sqlite.org/rescode.html) to what the sink does.
// I/O errors are final: after a failed fsync nobody knows what is on disk, so the sink must start again from what it can read.
var outcomes = map[int]outcome{
	sqlite3.SQLITE_BUSY:       {says: "the database is locked by another program", retryable: true},
	sqlite3.SQLITE_LOCKED:     {says: "the database is locked by another connection", retryable: true},
	sqlite3.SQLITE_FULL:       {says: "the disk (or the database's page limit) is full; nothing of the batch was written"},
	sqlite3.SQLITE_IOERR:      {says: "the disk failed"},
	sqlite3.SQLITE_READONLY:   {says: "the database file or its directory is read-only"},
	sqlite3.SQLITE_PERM:       {says: "no permission for the database file"},
	sqlite3.SQLITE_CANTOPEN:   {says: "the database file cannot be opened: does its directory exist, and may this user write there?"},
	sqlite3.SQLITE_CORRUPT:    {says: "the database file is damaged; nothing was repaired"},
	sqlite3.SQLITE_NOTADB:     {says: "the file is no SQLite database, or is damaged"},
	sqlite3.SQLITE_CONSTRAINT: {says: "the table refuses the row", record: true},
	sqlite3.SQLITE_MISMATCH:   {says: "a value has the wrong type for its column", record: true},
	sqlite3.SQLITE_TOOBIG:     {says: "a value is larger than SQLite stores", record: true},
}

// outcomeOf returns what err means, when it comes from SQLite.
func outcomeOf(err error) (outcome, bool) {
	var c coder
	if !errors.As(err, &c) {
		return outcome{}, false
	}
	o, ok := outcomes[c.Code()&0xff]
	return o, ok
}

// refusesRecord reports whether the database is well and the record at fault.
func refusesRecord(err error) bool {
	o, ok := outcomeOf(err)
	return ok && o.record
}

// describe puts the sentence before SQLite's own words, which name columns and constraints but never values.
func (s *Sink[K, V]) describe(err error) error {
	if o, ok := outcomeOf(err); ok {
		return fmt.Errorf("%s: %w", o.says, err)
	}
	return err
}

// explain wraps an error with the sink, the file and what it means, and marks what may be tried again.
func (s *Sink[K, V]) explain(op string, err error) error {
	if o, ok := outcomeOf(err); ok && !isRecordError(err) {
		err = fmt.Errorf("%s: %w", o.says, err)
		if o.retryable {
			err = connect.Retry(err)
		}
	}
	return fmt.Errorf("%s sqlite sink %s (%s): %w", op, s.cfg.Name, s.cfg.Path, err)
}

func isRecordError(err error) bool {
	var r *connect.RecordError
	return errors.As(err, &r)
}
