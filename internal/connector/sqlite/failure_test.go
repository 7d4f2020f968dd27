package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/record"
)

func wantError(t *testing.T, err error, retryable bool, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("missing %q in: %v", w, err)
		}
	}
	if connect.Retryable(err) != retryable {
		t.Errorf("retryable must be %v: %v", retryable, err)
	}
}

func TestALockedDatabaseIsRetryableAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	other := openPlain(t, path)
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Write(context.Background(), batch(0, "1=a")), true, "locked by another program", "shelf-sink", path)
	second, err := New(config(path))
	if err != nil {
		t.Fatal(err)
	}
	_, err = second.Open(context.Background())
	wantError(t, err, true, "locked by another program")
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, batch(0, "1=a"))
	wantContents(t, path, "1/1=a", "next 1")
}

func TestATransactionHoldsTheLockFromItsBeginning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	other := openPlain(t, path)
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	err := s.transact(context.Background(), func() error {
		if _, err := other.Exec("BEGIN IMMEDIATE"); err == nil {
			t.Error("another writer came between")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAReaderDoesNotHinderTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	mustWrite(t, s, batch(0, "1=a"))
	reader := openPlain(t, path)
	tx, err := reader.Begin()
	if err != nil {
		t.Fatal(err)
	}
	read := func() string {
		var thing string
		if err := tx.QueryRow("SELECT thing FROM shelves").Scan(&thing); err != nil {
			t.Fatal(err)
		}
		return thing
	}
	before := read()
	mustWrite(t, s, batch(1, "1=b"))
	if after := read(); before != "a" || after != "a" {
		t.Errorf("a reader's snapshot moved: %q, %q", before, after)
	}
	_ = tx.Rollback()
}

func TestAFullDiskWritesNothingOfTheBatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	mustWrite(t, s, batch(0, "1=a"))
	if _, err := s.conn.ExecContext(context.Background(), "PRAGMA max_page_count = 10"); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 30_000)
	wantError(t, s.Write(context.Background(), batch(1, "1=b", "2="+big, "3="+big)), false, "is full", "nothing of the batch")
	wantContents(t, path, "1/1=a", "next 1")
	if _, err := s.conn.ExecContext(context.Background(), "PRAGMA max_page_count = 10000"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, batch(1, "1=b", "2=c"))
	wantContents(t, path, "1/1=b", "2/1=c", "next 3")
}

func TestAFileThatIsNoDatabaseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	junk := []byte(strings.Repeat("this is a letter, not a database. ", 300))
	if err := os.WriteFile(path, junk, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(config(path))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(context.Background())
	wantError(t, err, false, "no SQLite database", path)
	if after, _ := os.ReadFile(path); string(after) != string(junk) {
		t.Error("the file was changed")
	}
}

func TestADamagedDatabaseStopsTheSink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	for i := range 50 {
		mustWrite(t, s, batch(record.Offset(i), fmt.Sprintf("%d=%s", i, strings.Repeat("y", 2000))))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(b); i++ { // all pages but the first
		b[i] = 0xa5
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(context.Background())
	wantError(t, err, false, "damaged")
}

func TestAMissingDirectoryIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nowhere", "a.db")
	s, err := New(config(path))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(context.Background())
	wantError(t, err, false, "does its directory exist", path)
}

func TestAnotherTableUnderTheNameIsAnError(t *testing.T) {
	for name, ddl := range map[string]string{
		"missing column":    `CREATE TABLE shelves (shelf INTEGER, place INTEGER, PRIMARY KEY (shelf, place))`,
		"more columns":      `CREATE TABLE shelves (shelf INTEGER, place INTEGER, thing TEXT, more TEXT, PRIMARY KEY (shelf, place))`,
		"other type":        `CREATE TABLE shelves (shelf INTEGER, place INTEGER, thing BLOB, PRIMARY KEY (shelf, place))`,
		"other primary key": `CREATE TABLE shelves (shelf INTEGER, place INTEGER, thing TEXT, PRIMARY KEY (place, shelf))`,
		"no primary key":    `CREATE TABLE shelves (shelf INTEGER, place INTEGER, thing TEXT)`,
		"positions":         `CREATE TABLE mainstem_positions (id INTEGER PRIMARY KEY)`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.db")
			if _, err := openPlain(t, path).Exec(ddl); err != nil {
				t.Fatal(err)
			}
			s, err := New(config(path))
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Open(context.Background())
			wantError(t, err, false, "exists with other columns", "rename or drop it")
		})
	}
}

func TestAnEqualTableOfTheUserIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if _, err := openPlain(t, path).Exec(`CREATE TABLE shelves (shelf integer, place INTEGER, thing TEXT CHECK (thing <> 'no'), PRIMARY KEY (shelf, place))`); err != nil {
		t.Fatal(err)
	}
	s, _ := mustOpen(t, config(path))
	err := s.Write(context.Background(), batch(0, "1=a", "2=no"))
	var re *connect.RecordError
	if !errors.As(err, &re) || re.Offset != 1 || !strings.Contains(err.Error(), "the table refuses the row") {
		t.Errorf("a check of the user's own table: %v", err)
	}
	wantContents(t, path, "1/1=a", "next 1")
}

func TestARemovedFileIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	mustWrite(t, s, batch(0, "1=a"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Write(context.Background(), batch(1, "1=b")), false, "removed while in use")
}

func TestCommitsAreDurable(t *testing.T) {
	s, _ := mustOpen(t, config(filepath.Join(t.TempDir(), "a.db")))
	var mode string
	var sync int
	if err := s.conn.QueryRowContext(context.Background(), "PRAGMA journal_mode").Scan(&mode); err != nil {
		t.Fatal(err)
	}
	if err := s.conn.QueryRowContext(context.Background(), "PRAGMA synchronous").Scan(&sync); err != nil {
		t.Fatal(err)
	}
	if mode != "wal" || sync != 2 {
		t.Errorf("journal_mode %s, synchronous %d", mode, sync)
	}
}

// code stands for an error of the driver.
type code int

func (c code) Error() string { return "sqlite words" }
func (c code) Code() int     { return int(c) }

func TestEveryOutcomeHasItsWords(t *testing.T) {
	s, err := New(config("/x/a.db"))
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range map[code]string{
		sqlite3.SQLITE_BUSY_SNAPSHOT: "locked by another program", sqlite3.SQLITE_LOCKED: "locked by another connection",
		sqlite3.SQLITE_FULL: "full", sqlite3.SQLITE_IOERR_FSYNC: "the disk failed", sqlite3.SQLITE_READONLY_DIRECTORY: "read-only",
		sqlite3.SQLITE_PERM: "no permission", sqlite3.SQLITE_CORRUPT_INDEX: "damaged", sqlite3.SQLITE_CONSTRAINT_UNIQUE: "refuses the row",
	} {
		err := s.explain("write", fmt.Errorf("save position: %w", c))
		busy := c&0xff == sqlite3.SQLITE_BUSY || c&0xff == sqlite3.SQLITE_LOCKED
		wantError(t, err, busy, want, "sqlite words", "/x/a.db")
		if refusesRecord(err) != (c == sqlite3.SQLITE_CONSTRAINT_UNIQUE) {
			t.Errorf("%d: wrong culprit", c)
		}
	}
}
