package poll_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local/localtest"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/connector/poll"
	"github.com/mainstemio/mainstem/record"
)

func door(t *testing.T) client.Door {
	t.Helper()
	return localtest.Door(t)
}

// database makes one with statements.
func database(t *testing.T, statements ...string) (path string, exec func(string)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "orders #1.db")
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(path, "#", "%23"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	exec = func(s string) {
		t.Helper()
		if _, err := db.Exec(s); err != nil {
			t.Fatal(s, err)
		}
	}
	for _, s := range statements {
		exec(s)
	}
	return path, exec
}

// values are those of a topic.
func values(t *testing.T, d client.Door, topic string) []string {
	t.Helper()
	var out []string
	err := client.ReadAll(t.Context(), d, record.TopicPartition{Topic: topic}, func(c client.Chunk) error {
		for _, v := range c.Values {
			out = append(out, string(v))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run polls so many times; between two polls it calls the next of the steps.
func run(t *testing.T, d client.Door, c poll.Config, steps ...func()) (*poll.Poller, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	c.Interval = time.Microsecond
	if c.BatchRows == 0 {
		c.BatchRows = 100
	}
	c.Idle = func() {
		if len(steps) == 0 {
			stop()
			return
		}
		steps[0]()
		steps = steps[1:]
	}
	p, err := poll.New(c)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Run(ctx, d, clock.System)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatal("polling did not end")
	}
	return p, err
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestValuesOfEveryType(t *testing.T) {
	path, _ := database(t, `CREATE TABLE x (id INTEGER PRIMARY KEY, "a ""b" TEXT, r REAL, b BLOB, ok BOOLEAN, d DATE, at TIMESTAMP, n)`,
		`INSERT INTO x VALUES (1, 'é"', 2.5, x'0102', 1, '1970-01-03', '1970-01-01 00:00:01.500', NULL)`,
		`INSERT INTO x (id, n) VALUES (2, 'free')`, `INSERT INTO x (id, r, n) VALUES (3, 9e999, 4)`)
	d := door(t)
	p, err := run(t, d, poll.Config{Name: "c", Path: path, Tables: []string{"x"}, Prefix: "db-", Mode: poll.Incrementing, Number: "id"})
	if err != nil || p.Rows() != 3 {
		t.Fatal(p.Rows(), err)
	}
	equal(t, "rows", values(t, d, "db-x"), `{"id":1,"a \"b":"é\"","r":2.5,"b":"AQI=","ok":true,"d":2,"at":1500,"n":null}`,
		`{"id":2,"a \"b":null,"r":null,"b":null,"ok":null,"d":null,"at":null,"n":"free"}`,
		`{"id":3,"a \"b":null,"r":null,"b":null,"ok":null,"d":null,"at":null,"n":4}`)
}

func TestModes(t *testing.T) {
	rows := []string{
		`CREATE TABLE o (id INTEGER, at TEXT)`, `INSERT INTO o VALUES (1, '2020-01-01'), (2, '2020-01-02'), (3, '2020-01-02'), (NULL, '2020-01-09'), (9, NULL)`,
	}
	change := []string{
		`INSERT INTO o VALUES (4, '2020-01-02')`, // a time that was read, a higher number
		`INSERT INTO o VALUES (0, '2020-01-03')`, // a later time, a lower number
		`UPDATE o SET at = '2020-01-04' WHERE id = 1`,
	}
	row := func(id, at string) string { return fmt.Sprintf(`{"id":%s,"at":%s}`, id, at) }
	d1, d2, d3, d4, d9 := `"2020-01-01"`, `"2020-01-02"`, `"2020-01-03"`, `"2020-01-04"`, `"2020-01-09"`
	for _, c := range []struct {
		cfg   poll.Config
		first []string
		then  []string
	}{
		{
			poll.Config{Mode: poll.Incrementing, Number: "id"}, []string{row("1", d1), row("2", d2), row("3", d2), row("9", "null")}, nil,
		},
		{
			poll.Config{Mode: poll.Incrementing, Number: "id", BatchRows: 1}, []string{row("1", d1), row("2", d2), row("3", d2), row("9", "null")}, nil,
		},
		{
			poll.Config{Mode: poll.Timestamp, Time: "at"}, []string{row("1", d1), row("2", d2), row("3", d2), row("null", d9)}, nil,
		},
		{
			poll.Config{Mode: poll.Both, Number: "id", Time: "at", Query: "SELECT * FROM o WHERE id < 9;"},
			[]string{row("1", d1), row("2", d2), row("3", d2)},
			[]string{row("4", d2), row("0", d3), row("1", d4)},
		},
		{
			poll.Config{Mode: poll.Timestamp, Time: "at", Query: "SELECT * FROM o WHERE id < 9", BatchRows: 1},
			[]string{row("1", d1), row("2", d2), row("3", d2)},
			[]string{row("0", d3), row("1", d4)},
		},
	} {
		path, exec := database(t, rows...)
		d := door(t)
		c.cfg.Name, c.cfg.Path, c.cfg.Prefix = "c", path, "o"
		if c.cfg.Query == "" {
			c.cfg.Tables, c.cfg.Prefix = []string{"o"}, ""
		}
		_, err := run(t, d, c.cfg, func() {
			equal(t, string(c.cfg.Mode), values(t, d, "o"), c.first...)
			for _, s := range change {
				exec(s)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, string(c.cfg.Mode)+" changed", values(t, d, "o"), slices.Concat(c.first, c.then)...)
		if _, err := run(t, d, c.cfg); err != nil { // anew, from its positions
			t.Fatal(err)
		}
		equal(t, string(c.cfg.Mode)+" again", values(t, d, "o"), slices.Concat(c.first, c.then)...)
	}
}

func TestBulkReadsEverythingEachTime(t *testing.T) {
	path, _ := database(t, `CREATE TABLE o (id INTEGER)`, `INSERT INTO o VALUES (1), (2)`)
	d := door(t)
	if _, err := run(t, d, poll.Config{Name: "c", Path: path, Tables: []string{"o"}, Mode: poll.Bulk, BatchRows: 1}, func() {}); err != nil {
		t.Fatal(err)
	}
	equal(t, "two polls", values(t, d, "o"), `{"id":1}`, `{"id":2}`, `{"id":1}`, `{"id":2}`)
}

// A dying door ends at one of its commits: before it is durable, or after.
type dying struct {
	client.Door
	left  int
	after bool
}

func (d *dying) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	p, err := d.Door.OpenProducer(ctx, app)
	return &dyingProducer{p, d}, err
}

type dyingProducer struct {
	client.Producer
	of *dying
}

var errDied = errors.New("the process died")

func (p *dyingProducer) Commit(ctx context.Context, e client.Epoch, at map[record.TopicPartition]record.Offset) error {
	p.of.left--
	if p.of.left == 0 && !p.of.after {
		return errDied
	}
	err := p.Producer.Commit(ctx, e, at)
	if err == nil && p.of.left == 0 {
		return errDied
	}
	return err
}

func TestEachRowCountsOnceWhereverThePollerDies(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, death := range []int{1, 2, 4, 7} {
			path, exec := database(t, `CREATE TABLE a (id INTEGER, at TEXT)`, `CREATE TABLE b (id INTEGER, at TEXT)`)
			var want []string
			for i := range 7 {
				exec(fmt.Sprintf(`INSERT INTO a VALUES (%d, '%d')`, i, i/3))
				exec(fmt.Sprintf(`INSERT INTO b VALUES (%d, '%d')`, i, i/3))
				want = append(want, fmt.Sprintf(`{"id":%d,"at":"%d"}`, i, i/3))
			}
			d := door(t)
			cfg := poll.Config{Name: "c", Path: path, Tables: []string{"a", "b"}, Mode: poll.Both, Number: "id", Time: "at", BatchRows: 2}
			if _, err := run(t, &dying{d, death, after}, cfg); !errors.Is(err, errDied) {
				t.Fatal(death, err)
			}
			if _, err := run(t, d, cfg); err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprint("a after ", death, after), values(t, d, "a"), want...)
			equal(t, fmt.Sprint("b after ", death, after), values(t, d, "b"), want...)
		}
	}
}

func TestWhatEndsAPoller(t *testing.T) {
	path, _ := database(t, `CREATE TABLE o (id TEXT)`, `INSERT INTO o VALUES (1)`)
	for what, c := range map[string]poll.Config{
		"no such table":           {Tables: []string{"nowhere"}, Mode: poll.Bulk, Path: path},
		"no such column":          {Tables: []string{"o"}, Mode: poll.Incrementing, Number: "nowhere", Path: path},
		"unable to open":          {Tables: []string{"o"}, Mode: poll.Bulk, Path: path + "x"},
		"no such table: NONSENSE": {Query: "NONSENSE", Mode: poll.Bulk, Path: path, Prefix: "q"},
	} {
		c.Name = "c"
		if _, err := run(t, door(t), c); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, c := range []poll.Config{
		{Tables: []string{"o"}, Mode: poll.Incrementing},
		{Tables: []string{"o"}, Mode: poll.Timestamp, Number: "id"},
		{Mode: poll.Bulk},
		{Tables: []string{"o"}, Query: "SELECT 1", Mode: poll.Bulk},
	} {
		if _, err := poll.New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestANewerPollerFencesAnOlderOne(t *testing.T) {
	path, exec := database(t, `CREATE TABLE o (id INTEGER)`, `INSERT INTO o VALUES (1)`)
	d := door(t)
	cfg := poll.Config{Name: "c", Path: path, Tables: []string{"o"}, Mode: poll.Incrementing, Number: "id"}
	_, err := run(t, d, cfg, func() {
		if _, err := run(t, d, cfg); err != nil {
			t.Error(err)
		}
		exec(`INSERT INTO o VALUES (2)`)
	})
	if !errors.Is(err, client.ErrFenced) {
		t.Error(err)
	}
	equal(t, "rows", values(t, d, "o"), `{"id":1}`)
}
