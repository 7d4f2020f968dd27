package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// number is a serde of decimal integers, words one of comma separated words.
type number struct{}

func (number) Append(dst []byte, v int64) ([]byte, error) { return strconv.AppendInt(dst, v, 10), nil }
func (number) HoldsNull() bool                            { return false }
func (number) Decode(b []byte) (int64, error) {
	if b == nil {
		return 0, serde.ErrNull
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0, errors.New("no number")
	}
	return n, nil
}

type words struct{}

func (words) Append(dst []byte, v []string) ([]byte, error) {
	return append(dst, strings.Join(v, ",")...), nil
}
func (words) HoldsNull() bool { return false }
func (words) Decode(b []byte) ([]string, error) {
	if b == nil {
		return nil, serde.ErrNull
	}
	if strings.HasPrefix(string(b), "!") {
		return nil, errors.New("no words at byte 0")
	}
	if len(b) == 0 {
		return nil, nil
	}
	return strings.Split(string(b), ","), nil
}

// shelves is a table in which key 7 with value "a,b" becomes the rows (7, 1, a) and (7, 2, b).
var shelves = Table{
	Name:       "shelves",
	Columns:    []Column{{Name: "shelf", Type: "INTEGER"}, {Name: "place", Type: "INTEGER"}, {Name: "thing", Type: "TEXT", NotNull: true}},
	PrimaryKey: []string{"shelf", "place"},
	Group:      []string{"shelf"},
}

func shelfRows(r Record[int64, []string]) ([]Row, error) {
	var rows []Row
	for i, w := range r.Value {
		var thing any = w
		if w == "NULL" {
			thing = nil
		}
		rows = append(rows, Row{r.Key, i + 1, thing})
	}
	return rows, nil
}

func config(path string) Config[int64, []string] {
	return Config[int64, []string]{
		Name: "shelf-sink", Path: path, Table: shelves, Key: number{}, Value: words{},
		Group: func(k int64) []any { return []any{k} }, Rows: shelfRows,
		BusyTimeout: 20 * time.Millisecond,
	}
}

func mustOpen(t *testing.T, cfg Config[int64, []string]) (*Sink[int64, []string], map[record.TopicPartition]connect.Position) {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	held, err := s.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, held
}

var p0 = record.TopicPartition{Topic: "things", Partition: 0}

// batch makes consecutive records of p0 from offset on; "7=a,b" is a record, "7" a tombstone.
func batch(offset record.Offset, entries ...string) connect.Batch {
	b := connect.Batch{Positions: map[record.TopicPartition]connect.Position{p0: {Offset: offset + record.Offset(len(entries))}}}
	for i, e := range entries {
		r := record.Record{TopicPartition: p0, Offset: offset + record.Offset(i)}
		k, v, ok := strings.Cut(e, "=")
		r.Key = []byte(k)
		if ok {
			r.Value = []byte(v)
		}
		b.Records = append(b.Records, r)
	}
	return b
}

func mustWrite(t *testing.T, s connect.Sink, b connect.Batch) {
	t.Helper()
	if err := s.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// contents returns the rows of shelves as "7/1=a" and, last, the position of p0.
func contents(t *testing.T, path string) []string {
	t.Helper()
	db := openPlain(t, path)
	rows, err := db.Query(`SELECT shelf || '/' || place || '=' || thing FROM shelves ORDER BY shelf, place`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	var at int64
	err = db.QueryRow(`SELECT "offset" FROM mainstem_positions WHERE sink = 'shelf-sink' AND topic = 'things' AND "partition" = 0`).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return append(out, fmt.Sprintf("next %d", at))
}

func openPlain(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func wantContents(t *testing.T, path string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, contents(t, path)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestGroupsAreReplacedAndTombstonesEmptyThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, held := mustOpen(t, config(path))
	if len(held) != 0 {
		t.Errorf("a new database holds positions: %v", held)
	}
	mustWrite(t, s, batch(0, "1=a,b,c", "2=x"))
	wantContents(t, path, "1/1=a", "1/2=b", "1/3=c", "2/1=x", "next 2")
	mustWrite(t, s, batch(2, "1=z", "3=q", "2"))
	wantContents(t, path, "1/1=z", "3/1=q", "next 5")
}

func TestLastRecordOfAKeyInABatchWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	mustWrite(t, s, batch(0, "1=a,b", "2=x", "1=c", "3", "2", "3=y"))
	wantContents(t, path, "1/1=c", "3/1=y", "next 6")
}

func TestRecordsBelowThePositionAreSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	mustWrite(t, s, batch(0, "1=a", "2=b", "1=c"))
	mustWrite(t, s, batch(1, "2=B", "1=C", "4=d")) // only offset 3 is new
	wantContents(t, path, "1/1=c", "2/1=b", "4/1=d", "next 4")
	mustWrite(t, s, batch(0, "1=old")) // wholly applied: neither rows nor position move back
	wantContents(t, path, "1/1=c", "2/1=b", "4/1=d", "next 4")
}

func TestARecordThatIsSkippedIsNotEvenDecoded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	mustWrite(t, s, batch(0, "1=a"))
	mustWrite(t, s, batch(0, "1=!", "2=b"))
	wantContents(t, path, "1/1=a", "2/1=b", "next 2")
}

func TestTheDatabaseKnowsBetterThanTheWriterWhatItHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	mustWrite(t, s, batch(0, "1=a", "2=b"))
	s.held = map[record.TopicPartition]connect.Position{} // as after a commit that reported an error and took place
	mustWrite(t, s, batch(1, "2=B", "3=c"))
	wantContents(t, path, "1/1=a", "2/1=b", "3/1=c", "next 3")
}

func TestOfSeveralRecordsOfAKeyOnlyTheLastIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	db := openPlain(t, path)
	if _, err := db.Exec(`CREATE TABLE seen (thing TEXT);
CREATE TRIGGER watch AFTER INSERT ON shelves BEGIN INSERT INTO seen VALUES (new.thing); END`); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, batch(0, "1=a", "2=x", "1=b", "1=c"))
	var seen string
	if err := db.QueryRow(`SELECT group_concat(thing) FROM seen`).Scan(&seen); err != nil || seen != "x,c" {
		t.Errorf("written %q, %v", seen, err)
	}
}

func TestPositionsSurviveAndMoveWithoutRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	b := batch(0, "1=a")
	b.Positions[p0] = connect.Position{Offset: 3, TopicID: [16]byte{9}} // control records behind it
	mustWrite(t, s, b)
	p1 := record.TopicPartition{Topic: "things", Partition: 1}
	mustWrite(t, s, connect.Batch{Positions: map[record.TopicPartition]connect.Position{p1: {Offset: 8}}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, held := mustOpen(t, config(path))
	want := map[record.TopicPartition]connect.Position{p0: {Offset: 3, TopicID: [16]byte{9}}, p1: {Offset: 8}}
	if diff := cmp.Diff(want, held); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

func TestAnOlderWriterIsFencedAndChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	older, _ := mustOpen(t, config(path))
	mustWrite(t, older, batch(0, "1=a"))
	newer, held := mustOpen(t, config(path))
	if held[p0].Offset != 1 {
		t.Errorf("the newer writer does not go on where the older was: %v", held)
	}
	for range 2 {
		err := older.Write(context.Background(), batch(1, "1=older"))
		if !errors.Is(err, connect.ErrFenced) || connect.Retryable(err) {
			t.Fatalf("older writer: %v", err)
		}
	}
	wantContents(t, path, "1/1=a", "next 1")
	mustWrite(t, newer, batch(1, "1=newer"))
	wantContents(t, path, "1/1=newer", "next 2")
}

func TestTwoWritersOfAnEmptyDatabaseAreToldApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	older, _ := mustOpen(t, config(path))
	mustOpen(t, config(path))
	if err := older.Write(context.Background(), batch(0, "1=a")); !errors.Is(err, connect.ErrFenced) {
		t.Errorf("no fence before the first position: %v", err)
	}
}

func TestManyWritersOpenAtOnceAndOneStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	cfg := config(path)
	cfg.BusyTimeout = 30 * time.Second
	sinks := make([]*Sink[int64, []string], 8)
	var opening sync.WaitGroup
	for i := range sinks {
		opening.Go(func() {
			var err error
			if sinks[i], err = New(cfg); err == nil {
				_, err = sinks[i].Open(context.Background())
			}
			if err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	opening.Wait()
	alive := 0
	for _, s := range sinks {
		switch err := s.Write(context.Background(), batch(0, "1=a")); {
		case err == nil:
			alive++
		case !errors.Is(err, connect.ErrFenced):
			t.Error(err)
		}
		_ = s.Close()
	}
	if alive != 1 {
		t.Errorf("%d writers may write", alive)
	}
}

func TestSinksOfOtherNamesLiveSideBySide(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	first, _ := mustOpen(t, config(path))
	cfg := config(path)
	cfg.Name, cfg.Table.Name = "other", "other shelves"
	second, held := mustOpen(t, cfg)
	if len(held) != 0 {
		t.Errorf("took the first one's positions: %v", held)
	}
	mustWrite(t, second, batch(0, "5=e"))
	mustWrite(t, first, batch(0, "1=a"))
	wantContents(t, path, "1/1=a", "next 1")
}

func TestABadRecordIsNamedAndEverythingBeforeItApplied(t *testing.T) {
	for name, bad := range map[string]string{
		"undecodable value": "3=!secret", "undecodable key": "secret=a", "refused by the table": "3=ok,NULL", "broken mapping": "666=secret",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.db")
			cfg := config(path)
			cfg.Rows = func(r Record[int64, []string]) ([]Row, error) {
				if r.Key == 666 {
					return []Row{{int64(1), int64(1), "secret"}}, nil // somebody else's group
				}
				return shelfRows(r)
			}
			s, _ := mustOpen(t, cfg)
			for range 2 { // again: nothing before it is applied twice, and it stays the one to blame
				err := s.Write(context.Background(), batch(0, "1=a", "2=b", bad, "4=d", "1=later"))
				var re *connect.RecordError
				if !errors.As(err, &re) || re.TopicPartition != p0 || re.Offset != 2 {
					t.Fatalf("want the record at offset 2, got %v", err)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error quotes payload: %v", err)
				}
				if connect.Retryable(err) {
					t.Error("a bad record is not retryable")
				}
				wantContents(t, path, "1/1=a", "2/1=b", "next 2")
			}
		})
	}
}

func TestTheFirstOfSeveralBadRecordsIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	err := s.Write(context.Background(), batch(0, "1=a", "2=NULL", "3=c", "4=NULL", "5=!"))
	var re *connect.RecordError
	if !errors.As(err, &re) || re.Offset != 1 {
		t.Errorf("got %v", err)
	}
	wantContents(t, path, "1/1=a", "next 1")
}

func TestWhatABadRecordsSuccessorReplacedIsAppliedBeforeIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	// Without offset 1 the last record of shelf 1 would be all that counts; with it, position 1 must hold what offset 0 left.
	err := s.Write(context.Background(), batch(0, "1=a", "2=!", "1=b"))
	var re *connect.RecordError
	if !errors.As(err, &re) || re.Offset != 1 {
		t.Errorf("got %v", err)
	}
	wantContents(t, path, "1/1=a", "next 1")
}

func TestABadRecordThatALaterOneReplacesHasNoEffect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, _ := mustOpen(t, config(path))
	mustWrite(t, s, batch(0, "1=!", "2=b", "1=a"))
	wantContents(t, path, "1/1=a", "2/1=b", "next 3")
}

func TestOneRowPerKeyIsUpserted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	cfg := config(path)
	cfg.Table = Table{
		Name:       "shelves",
		Columns:    []Column{{Name: "shelf", Type: "INTEGER"}, {Name: "place", Type: "INTEGER"}, {Name: "thing", Type: "TEXT"}},
		PrimaryKey: []string{"shelf"}, Group: []string{"shelf"},
	}
	s, _ := mustOpen(t, cfg)
	mustWrite(t, s, batch(0, "1=a", "2=b"))
	mustWrite(t, s, batch(2, "1=c", "2"))
	wantContents(t, path, "1/1=c", "next 4")
	if err := s.Write(context.Background(), batch(4, "1=a,b")); err == nil || !strings.Contains(err.Error(), "2 rows") {
		t.Errorf("two rows for one key: %v", err)
	}
}

func TestHostileNamesAndValuesAreOnlyNamesAndValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?b#c%20.db")
	cfg := config(path)
	cfg.Name = `x'); DROP TABLE shelves; --`
	cfg.Table.Name = `she"l'ves; --`
	cfg.Table.Columns = []Column{{Name: `select`, Type: "INTEGER"}, {Name: `a "b" ]`, Type: "INTEGER"}, {Name: `'`, Type: "TEXT"}}
	cfg.Table.PrimaryKey = []string{"select", `a "b" ]`}
	cfg.Table.Group = []string{"select"}
	s, _ := mustOpen(t, cfg)
	mustWrite(t, s, batch(0, `1='); DROP TABLE "she""l'ves; --";`))
	mustWrite(t, s, batch(1, `1=x'; --`))
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file has another name: %v", err)
	}
	_ = s.Close()
	if _, held := mustOpen(t, cfg); held[p0].Offset != 2 {
		t.Errorf("positions: %v", held)
	}
}

func TestConfigMistakesAreFoundBeforeTheFileIsTouched(t *testing.T) {
	for want, spoil := range map[string]func(*Config[int64, []string]){
		"needs a name":       func(c *Config[int64, []string]) { c.Name = "" },
		"path of a database": func(c *Config[int64, []string]) { c.Path = "" },
		"needs Key, Value":   func(c *Config[int64, []string]) { c.Rows = nil },
		"is reserved":        func(c *Config[int64, []string]) { c.Table.Name = "Mainstem_Positions" },
		"named twice": func(c *Config[int64, []string]) {
			c.Table.Columns = append(c.Table.Columns[:2:2], Column{Name: "SHELF", Type: "TEXT"})
		},
		"none of INTEGER": func(c *Config[int64, []string]) {
			c.Table.Columns = append(c.Table.Columns[:2:2], Column{Name: "x", Type: "TEXT; --"})
		},
		"needs a primary key":   func(c *Config[int64, []string]) { c.Table.PrimaryKey = nil },
		"must be the first":     func(c *Config[int64, []string]) { c.Table.Group = []string{"place"} },
		"is no column or named": func(c *Config[int64, []string]) { c.Table.PrimaryKey = []string{"shelf", "nowhere"} },
	} {
		cfg := config(filepath.Join(t.TempDir(), "a.db"))
		spoil(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestLifeCycle(t *testing.T) {
	s, _ := mustOpen(t, config(filepath.Join(t.TempDir(), "a.db")))
	if _, err := s.Open(context.Background()); err == nil {
		t.Error("opened twice")
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Write(cancelled, batch(0, "1=a")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled write: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Write(context.Background(), batch(0, "1=a")); err == nil {
		t.Error("wrote when closed")
	}
	if _, err := s.Open(context.Background()); err != nil {
		t.Errorf("cannot be opened again: %v", err)
	}
	_ = s.Close()
}
