package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/sql/host"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
)

var rebuild = map[string]string{"mainstem.create.or.replace": "rebuild"}

// A brittle door lets so many commits of the host through, once it is armed; the next one fails, done or not.
type brittle struct {
	client.Door
	armed  atomic.Bool
	left   atomic.Int64
	done   bool // the commit that fails takes effect
	failed chan struct{}
}

type brittleProducer struct {
	client.Producer
	b *brittle
}

var errBrittle = errors.New("the broker is away")

func (b *brittle) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	p, err := b.Door.OpenProducer(ctx, app)
	return &brittleProducer{p, b}, err
}

func (p *brittleProducer) Commit(ctx context.Context, e client.Epoch, at map[record.TopicPartition]record.Offset) error {
	if !p.b.armed.Load() || p.b.left.Add(-1) >= 0 {
		return p.Producer.Commit(ctx, e, at)
	}
	if p.b.left.Load() != -1 {
		return errBrittle // it stays away
	}
	defer close(p.b.failed)
	if p.b.done {
		if err := p.Producer.Commit(ctx, e, at); err != nil {
			return err
		}
	}
	return errBrittle
}

// pauseABit leaves the processor to what is waited for.
func pauseABit() { <-clock.System.After(time.Millisecond) }

// patience bounds what a test waits for.
const patience = time.Minute

// within tells, in a loop that waits for something, when it has waited too long.
func (l *living) within() (still func(missing string, args ...any)) {
	began := clock.System.Mono()
	return func(missing string, args ...any) {
		l.t.Helper()
		if clock.System.Mono()-began > patience {
			l.t.Fatalf("after %s "+missing, append([]any{patience}, args...)...)
		}
		pauseABit()
	}
}

// rebuilt waits until no query is built beside another one, or ended says so.
func (l *living) rebuilt(ended <-chan struct{}) (switched bool) {
	l.t.Helper()
	for still := l.within(); ; {
		beside := false
		for _, q := range l.Queries() {
			beside = beside || q.Beside != ""
		}
		names, err := l.door.Names(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		staged := slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "-rebuild") })
		if !beside && !staged {
			return true
		}
		select {
		case <-ended:
			return false
		default:
			still("a query is built, or its topic is there: %q", names)
		}
	}
}

// pull reads a table, again while its query is not up yet.
func (l *living) pull(statement string) []string {
	l.t.Helper()
	for still := l.within(); ; {
		rows, err := l.Query(l.t.Context(), statement, host.QueryOptions{})
		if err == nil {
			var out []string
			if out, err = drain(l.t.Context(), rows); err == nil {
				return out
			}
		} else if !strings.Contains(err.Error(), "not run") && !strings.Contains(err.Error(), "not restored yet") {
			l.t.Fatal(err)
		}
		still("%s: %v", statement, err)
	}
}

func drain(ctx context.Context, rows query.Rows) (out []string, err error) {
	defer rows.Close()
	for {
		batch, err := rows.Next(ctx)
		if err != nil {
			slices.Sort(out)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return out, err
		}
		for _, r := range batch {
			out = append(out, text(r))
		}
	}
}

// eventually reads a table until it is as wanted.
func (l *living) eventually(statement string, want ...string) {
	l.t.Helper()
	for still := l.within(); ; {
		got := l.pull(statement)
		if slices.Equal(got, want) {
			return
		}
		still("%s gives %q, want %q", statement, got, want)
	}
}

// latest are the last values of a topic by their keys.
func (l *living) latest(topic string) map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for p := range int32(2) {
		err := client.ReadAll(l.t.Context(), l.door, record.TopicPartition{Topic: topic, Partition: p}, func(c client.Chunk) error {
			for i, key := range c.Keys {
				if out[string(key)] = string(c.Values[i]); c.Values[i] == nil {
					delete(out, string(key))
				}
			}
			return nil
		})
		if err != nil {
			l.t.Fatal(err)
		}
	}
	return out
}

const pages = `
CREATE STREAM visits (who VARCHAR KEY, page VARCHAR, ms INT) WITH (kafka_topic='visits', value_format='JSON', partitions=2);
CREATE TABLE pages AS SELECT page, COUNT(*) AS n FROM visits GROUP BY page;
CREATE TABLE popularity AS SELECT n, COUNT(*) AS pages FROM pages GROUP BY n;
INSERT INTO visits VALUES ('a', '/', 1);
INSERT INTO visits VALUES ('robot', '/', 1);
INSERT INTO visits VALUES ('robot', '/robots.txt', 1);
INSERT INTO visits VALUES ('b', '/x', 5);
INSERT INTO visits VALUES ('b', '/x', 7);
`

const betterPages = "CREATE OR REPLACE TABLE pages AS SELECT page, COUNT(*) AS n, SUM(ms) AS ms FROM visits WHERE who <> 'robot' GROUP BY page;"

func TestATableIsRebuiltWholeWhereverItIsCutShort(t *testing.T) {
	for _, done := range []bool{false, true} {
		for commits := int64(0); ; commits++ {
			if !cutShort(t, commits, done) {
				if commits < 3 {
					t.Errorf("a rebuild took %d commits: nothing was cut short", commits)
				}
				break
			}
		}
	}
}

// cutShort rebuilds a table, and fails after so many commits; the next start must come to the same end. It tells whether it failed.
func cutShort(t *testing.T, commits int64, done bool) bool {
	t.Helper()
	w, state := newWorld(t), kv.NewMemory()
	b := &brittle{Door: w.door, done: done, failed: make(chan struct{})}
	l := w.liveOn(t, b, state)
	l.exec(pages)
	l.want("SELECT page, n FROM pages;", "/ 2", "/robots.txt 1", "/x 2")
	b.left.Store(1 + commits) // the first is the statement's own; what follows may come before this goroutine goes on
	b.armed.Store(true)
	if _, err := l.Exec(t.Context(), betterPages, rebuild); err != nil {
		t.Fatal(err)
	}
	switched := l.rebuilt(b.failed)
	l.end()

	l = w.live(t, state)
	defer l.end()
	was, is := []string{"/ 2", "/robots.txt 1", "/x 2"}, []string{"/ 1", "/x 2"}
	if got := l.pull("SELECT page, n FROM pages;"); !slices.Equal(got, was) && !slices.Equal(got, is) {
		t.Errorf("after %d commits (%t): neither old nor new: %q", commits, done, got)
	}
	l.rebuilt(nil)
	l.eventually("SELECT page, n, ms FROM pages;", "/ 1 1", "/x 2 12")
	l.eventually("SELECT n, pages FROM popularity WHERE pages > 0;", "1 1", "2 1")
	if got, want := l.latest("PAGES"), map[string]string{"/": `{"N":1,"MS":1}`, "/x": `{"N":2,"MS":12}`}; !maps.Equal(got, want) {
		t.Errorf("after %d commits (%t): the topic has %q", commits, done, got)
	}
	if _, err := l.Exec(t.Context(), "INSERT INTO visits VALUES ('c', '/', 9);", nil); err != nil {
		t.Fatal(err)
	}
	l.eventually("SELECT page, n, ms FROM pages;", "/ 2 10", "/x 2 12")
	l.eventually("SELECT n, pages FROM popularity WHERE pages > 0;", "2 2")
	return !switched
}

func TestAStreamIsRebuiltWithoutALossOrARepetition(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(`
CREATE STREAM orders (id VARCHAR KEY, item VARCHAR) WITH (kafka_topic='orders', value_format='JSON', partitions=2);
CREATE TABLE items (item VARCHAR PRIMARY KEY, price INT) WITH (kafka_topic='items', value_format='JSON', partitions=2);
INSERT INTO items VALUES ('tea', 5);
CREATE STREAM priced AS SELECT o.item AS item, o.id AS id, i.price AS price FROM orders o JOIN items i ON o.item = i.item;`)
	insert := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if _, err := l.Exec(t.Context(), fmt.Sprintf("INSERT INTO orders VALUES ('%d', 'tea'); INSERT INTO orders VALUES ('%d', 'cup');", i, -i), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	insert(1, 20)
	l.mu.Lock()
	l.apps[host.Service("").App("CSAS_PRICED_0")].Pause() // the old query is behind when the new one meets it
	l.mu.Unlock()
	insert(20, 40)
	_, err := l.Exec(t.Context(), "CREATE OR REPLACE STREAM priced AS SELECT o.item AS item, o.id AS id, i.price AS price FROM orders o LEFT JOIN items i ON o.item = i.item;", rebuild)
	if err != nil {
		t.Fatal(err)
	}
	insert(40, 60)
	l.rebuilt(nil)
	insert(60, 80)
	priced := func(i int) string { return fmt.Sprintf(`{"ID":"%d","PRICE":5}`, i) }
	without := func(i int) string { return fmt.Sprintf(`{"ID":"-%d","PRICE":null}`, i) }
	seen := map[string]int{}
	for still := l.within(); ; still("not all rows are there: %v", seen) {
		clear(seen)
		for p := range int32(2) {
			err := client.ReadAll(t.Context(), l.door, record.TopicPartition{Topic: "PRICED", Partition: p}, func(c client.Chunk) error {
				for _, v := range c.Values {
					seen[string(v)]++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		there := true
		for i := 1; i < 80; i++ {
			there = there && seen[priced(i)] > 0 && (i < 60 || seen[without(i)] > 0)
		}
		if there {
			break
		}
	}
	for i := 1; i < 80; i++ {
		if seen[priced(i)] != 1 || seen[without(i)] > 1 {
			t.Errorf("order %d is there %d times, order -%d %d times", i, seen[priced(i)], i, seen[without(i)])
		}
	}
}

func TestWhatCannotBeDoneWhileAQueryIsBuiltBeside(t *testing.T) {
	w := newWorld(t)
	o := func(o *host.Options) { o.Background = func(func(context.Context)) {} } // it is built for ever
	h := w.openWith(t, w.door, o)
	if _, err := h.Exec(t.Context(), pages+"CREATE TABLE per_minute AS SELECT page, COUNT(*) AS n FROM visits WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY page;", nil); err != nil {
		t.Fatal(err)
	}
	try := func(statement, want string) {
		t.Helper()
		if _, err := h.Exec(t.Context(), statement, rebuild); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", statement, err, want)
		}
	}
	if _, err := h.Exec(t.Context(), betterPages, nil); err == nil || !strings.Contains(err.Error(), "mainstem.create.or.replace") {
		t.Errorf("without the setting: %v", err)
	}
	try("CREATE OR REPLACE TABLE per_minute AS SELECT page, COUNT(*) AS n FROM visits WINDOW TUMBLING (SIZE 5 MINUTES) GROUP BY page;", "windows of `PER_MINUTE` would change")
	done, err := h.Exec(t.Context(), betterPages, rebuild)
	if err != nil || done[0].Query != "CTAS_PAGES_3" || !strings.Contains(done[0].Message, "takes the place of CTAS_PAGES_0") {
		t.Fatal(done, err)
	}
	states := func(h *host.Host) string {
		t.Helper()
		done, err := h.Exec(t.Context(), "LIST QUERIES; EXPLAIN CTAS_PAGES_3;", nil)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, q := range done[0].Shows.(session.QueryList).Queries {
			out += string(q.Status.State) + q.Beside + " "
		}
		return out + string(done[1].Shows.(session.QueryDescription).Status.State)
	}
	check := func() {
		t.Helper()
		w.wantRunning(t, "CTAS_PAGES_0", "CTAS_POPULARITY_1", "CTAS_PER_MINUTE_2", "CTAS_PAGES_3")
		if got := states(h); got != "RUNNING RUNNING RUNNING BUILDINGCTAS_PAGES_0 BUILDING" {
			t.Error("states: " + got)
		}
		try(betterPages, "is being built")
		try("TERMINATE CTAS_PAGES_0;", "is being built")
		try("DROP TABLE pages;", "terminate them")
		if s := h.Snapshot(); s.Maker("PAGES").ID != "CTAS_PAGES_0" || len(s.Catalog.Source("PAGES").Value) != 1 {
			t.Error("the table is the new one's already")
		}
	}
	check()
	h.Close()
	h = w.openWith(t, w.door, o)
	check()
	if _, err := h.Exec(t.Context(), "PAUSE CTAS_PAGES_3;", nil); err != nil || !strings.HasSuffix(states(h), "PAUSED") {
		t.Error("a query that is built does not show that it is paused:", states(h), err)
	}
	if _, err := h.Exec(t.Context(), "TERMINATE CTAS_PAGES_3; DROP TABLE per_minute;", nil); err != nil {
		t.Fatal(err)
	}
	w.wantRunning(t, "CTAS_PAGES_0", "CTAS_POPULARITY_1")
	if names, err := w.door.Names(t.Context()); err != nil || slices.Contains(names, host.Service("").App("CTAS_PAGES_3")+"-rebuild") {
		t.Errorf("its topic is left: %q, %v", names, err)
	}
	if _, err := h.Exec(t.Context(), "TERMINATE ALL;", nil); err != nil {
		t.Fatal(err)
	}
}

func TestASourceThatWasReplacedIsNotDroppedUnderItsReaders(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	if _, err := h.Exec(t.Context(), pages+"CREATE OR REPLACE TABLE pages AS SELECT page, COUNT(*) AS n FROM visits WHERE page <> '' GROUP BY page;", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Exec(t.Context(), "DROP TABLE pages;", nil); err == nil || !strings.Contains(err.Error(), "CTAS_POPULARITY_1") {
		t.Errorf("the table was dropped: %v", err)
	}
}
