package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/until"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/host"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/query/steps"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/stream"
)

// A living host runs its queries on engines.
type living struct {
	*host.Host
	t    *testing.T
	door client.Door
	mu   sync.Mutex
	apps map[string]*application
	work sync.WaitGroup // what runs in the background
	stop context.CancelFunc
}

// An application is an engine that runs.
type application struct {
	*engine.Engine
	app    string
	topics []string
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

func (a *application) Stop() error {
	a.cancel()
	<-a.ended
	return a.err
}

func (a *application) Err() error {
	select {
	case <-a.ended:
		return a.err
	default:
		return nil
	}
}

// hasty is a clock on which waiting takes a fiftieth of its time.
type hasty struct{ clock.Clock }

func (h hasty) After(d time.Duration) <-chan time.Time { return h.Clock.After(d / 50) }

// live opens SQL whose queries run; state keeps what they know over restarts.
func (w *world) live(t *testing.T, state kv.Store) *living { return w.liveOn(t, w.door, state) }

// liveOn is live with a door of the host's own.
func (w *world) liveOn(t *testing.T, door client.Door, state kv.Store) *living {
	t.Helper()
	l := &living{t: t, door: w.door, apps: map[string]*application{}}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	var err error
	l.Host, err = host.Open(t.Context(), host.Options{
		Door: door, Clock: hasty{clock.System}, Background: func(f func(context.Context)) { l.work.Go(func() { f(ctx) }) }, Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}),
		Now: func() record.Timestamp { return 42 },
		Run: func(p *stream.Topology, o host.RunOptions) (host.Running, error) { return l.run(p, o, state) },
		Tables: func(_ context.Context, app string) (*engine.Engine, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.apps[app] == nil {
				return nil, fmt.Errorf("%s does not run", app)
			}
			return l.apps[app].Engine, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.end)
	return l
}

func (l *living) run(p *stream.Topology, o host.RunOptions, state kv.Store) (host.Running, error) {
	e, err := engine.New(engine.Options{Topology: p, Door: until.Door(l.door, o.Until), Checkpoints: state, OnFailure: o.OnFailure})
	if err != nil {
		return nil, err
	}
	if o.Paused {
		e.Pause()
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &application{Engine: e, app: p.Name, topics: p.SourceTopics(), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(a.ended)
		a.err = e.Keep(ctx)
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apps[p.Name] = a
	return a, nil
}

func (l *living) end() {
	l.stop()
	l.work.Wait()
	l.Close()
	for name, a := range l.apps {
		if err := a.Stop(); err != nil {
			l.t.Errorf("%s: %v", name, err)
		}
	}
	l.apps = nil
}

// exec executes a script, and returns when the queries have taken all that is there.
func (l *living) exec(script string) {
	l.t.Helper()
	if _, err := l.Exec(l.t.Context(), script, map[string]string{"auto.offset.reset": "earliest"}); err != nil {
		l.t.Fatal(err)
	}
	for _, a := range l.apps {
		for still := l.within(); !l.settled(a); still("%s has not taken all that is there", a.app) {
			if err := a.Err(); err != nil {
				l.t.Fatalf("%s: %v", a.app, err)
			}
		}
	}
}

// settled tells whether an application has taken all that its topics hold and can be read.
func (l *living) settled(a *application) bool {
	l.t.Helper()
	infos, err := l.door.Topics(l.t.Context(), a.topics...)
	if err != nil {
		l.t.Fatal(err)
	}
	var tps []record.TopicPartition
	for topic, info := range infos {
		for p := range info.Partitions {
			tps = append(tps, record.TopicPartition{Topic: topic, Partition: p})
		}
	}
	ends, err := l.door.Ends(l.t.Context(), tps...)
	if err != nil {
		l.t.Fatal(err)
	}
	committed, err := l.door.Committed(l.t.Context(), a.app)
	if err != nil {
		l.t.Fatal(err)
	}
	for tp, end := range ends {
		if committed[tp] < end {
			return false
		}
	}
	_, err = engine.StoresOf(a.Engine)
	return err == nil && !a.Committing() // positions are durable a moment before the rows of their epoch are shown
}

// query begins a query.
func (l *living) query(statement string, settings map[string]string) query.Rows {
	l.t.Helper()
	rows, err := l.Query(l.t.Context(), statement, host.QueryOptions{Settings: settings})
	if err != nil {
		l.t.Fatalf("%s\n%v", statement, err)
	}
	return rows
}

// text is a row for comparing.
func text(r query.Row) string {
	var parts []string
	for _, v := range r.Values.Values() {
		switch {
		case v.IsNull():
			parts = append(parts, "null")
		case v.Kind() == row.KindString:
			parts = append(parts, v.Text())
		default:
			parts = append(parts, fmt.Sprint(v.Int64()))
		}
	}
	out := strings.Join(parts, " ")
	if r.Tombstone {
		out += " gone"
	}
	return out
}

// all reads a query that ends, without an order.
func (l *living) all(statement string) []string {
	l.t.Helper()
	rows := l.query(statement, nil)
	defer rows.Close()
	var out []string
	for {
		batch, err := rows.Next(l.t.Context())
		if errors.Is(err, io.EOF) {
			slices.Sort(out)
			return out
		}
		if err != nil {
			l.t.Fatalf("%s\n%v", statement, err)
		}
		for _, r := range batch {
			out = append(out, text(r))
		}
	}
}

func (l *living) want(statement string, want ...string) {
	l.t.Helper()
	if got := l.all(statement); !slices.Equal(got, want) {
		l.t.Errorf("%s\n got %q\nwant %q", statement, got, want)
	}
}

// read takes so many rows of a push query.
func (l *living) read(rows query.Rows, n int) (out []string) {
	l.t.Helper()
	for len(out) < n {
		batch, err := rows.Next(l.t.Context())
		if err != nil {
			l.t.Fatalf("after %q: %v", out, err)
		}
		for _, r := range batch {
			out = append(out, text(r))
		}
	}
	return out
}

const shop = `
CREATE STREAM sales (shop VARCHAR KEY, item VARCHAR, n INT) WITH (kafka_topic='sales', value_format='JSON', partitions=3);
CREATE TABLE items (item VARCHAR PRIMARY KEY, price INT) WITH (kafka_topic='items', value_format='JSON', partitions=3);
CREATE TABLE sold AS SELECT item, SUM(n) AS n, COUNT(*) AS times FROM sales GROUP BY item HAVING SUM(n) > 1;
CREATE TABLE by_shop WITH (key_format='JSON') AS SELECT shop, item, SUM(n) AS n FROM sales GROUP BY shop, item;
CREATE TABLE cheap AS SELECT item, price * 2 AS two FROM items WHERE price < 10;
CREATE TABLE worth AS SELECT s.item AS item, s.n * i.price AS v FROM sold s JOIN items i ON s.item = i.item;
CREATE TABLE per_minute AS SELECT item, SUM(n) AS n FROM sales WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY item;
CREATE TABLE hops AS SELECT item, SUM(n) AS n FROM sales WINDOW HOPPING (SIZE 2 MINUTES, ADVANCE BY 1 MINUTE) GROUP BY item;
CREATE TABLE visits AS SELECT item, SUM(n) AS n FROM sales WINDOW SESSION (30 SECONDS) GROUP BY item;
CREATE SOURCE TABLE kept (item VARCHAR PRIMARY KEY, price INT) WITH (kafka_topic='items', value_format='JSON');
INSERT INTO items (rowtime, item, price) VALUES (0, 'tea', 5);
INSERT INTO items (rowtime, item, price) VALUES (0, 'cup', 12);
INSERT INTO sales (rowtime, shop, item, n) VALUES (1000, 'a', 'tea', 1);
INSERT INTO sales (rowtime, shop, item, n) VALUES (2000, 'b', 'cup', 3);
INSERT INTO sales (rowtime, shop, item, n) VALUES (61000, 'a', 'tea', 4);
`

func TestPullQueriesSeeCommittedRows(t *testing.T) {
	w, state := newWorld(t), kv.NewMemory()
	check := func(l *living) {
		t.Helper()
		l.want("SELECT * FROM sold WHERE item = 'tea';", "tea 5 2")
		l.want("SELECT * FROM sold WHERE item = 'none';")
		l.want("SELECT item, n FROM sold;", "cup 3", "tea 5")
		l.want("SELECT n + times AS x FROM sold WHERE item IN ('cup', 'none', 'tea') AND n > 3;", "7")
		l.want("SELECT rowtime, n FROM sold WHERE item = 'tea';", "61000 5")
		l.want("SELECT * FROM by_shop WHERE shop = 'a' AND item = 'tea';", "a tea 5")
		l.want("SELECT * FROM by_shop WHERE shop > 'a';", "b cup 3")
		l.want("SELECT * FROM cheap;", "tea 10")
		l.want("SELECT v FROM worth WHERE item = 'cup';", "36")
		l.want("SELECT * FROM per_minute WHERE item = 'tea';", "tea 0 60000 1", "tea 60000 120000 4")
		l.want("SELECT * FROM per_minute WHERE item = 'tea' AND windowstart >= '1970-01-01T00:01';", "tea 60000 120000 4")
		l.want("SELECT n FROM per_minute WHERE windowend = 60000;", "1", "3")
		l.want("SELECT windowstart, n FROM hops WHERE item = 'tea' AND windowend <= 120000;", "0 5")
		l.want("SELECT windowstart, n FROM hops WHERE item = 'tea';", "0 5", "60000 4")
		l.want("SELECT * FROM visits WHERE item = 'tea';", "tea 1000 1000 1", "tea 61000 61000 4")
		l.want("SELECT n FROM visits WHERE item = 'tea' AND windowstart > 5000;", "4")
		l.want("SELECT * FROM kept WHERE item = 'cup';", "cup 12")
		l.want("SELECT price FROM kept WHERE price < 12;", "5")
		l.want("SELECT shop, n FROM sales WHERE n >= 3;", "a 4", "b 3")
	}
	l := w.live(t, state)
	l.exec(shop)
	check(l)
	l.end()

	l = w.live(t, state)
	l.exec("")
	check(l)
	l.exec("INSERT INTO items (rowtime, item, price) VALUES (9, 'tea', 50);")
	l.want("SELECT * FROM cheap;")
	l.want("SELECT v FROM worth;", "250", "36")
	l.want("SELECT price FROM kept WHERE item = 'tea';", "50")
}

func TestALimitTakesTheFirstKeys(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	var script strings.Builder
	script.WriteString("CREATE SOURCE TABLE k (k VARCHAR PRIMARY KEY, v INT) WITH (kafka_topic='k', value_format='JSON', partitions=3);" +
		"CREATE TABLE t (k VARCHAR PRIMARY KEY, v INT) WITH (kafka_topic='k', value_format='JSON');")
	for i := range 30 {
		fmt.Fprintf(&script, "INSERT INTO t VALUES ('%02d', %d);", (i*7)%30, i%3)
	}
	l.exec(script.String())
	l.want("SELECT k FROM k LIMIT 3;", "00", "01", "02")
	l.want("SELECT k FROM k WHERE k > '11' LIMIT 3;", "12", "13", "14")
	l.want("SELECT k FROM k LIMIT 0;")
	if n := len(l.all("SELECT k FROM k LIMIT 99;")); n != 30 {
		t.Errorf("%d rows", n)
	}
	if n := len(l.all("SELECT k FROM k LIMIT 20000;")); n != 30 {
		t.Errorf("%d rows", n)
	}
}

func TestPullQueriesThatCannotBe(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	for text, want := range map[string]string{
		"SELECT * FROM items WHERE item = 'tea';":      "isn't queryable",
		"SELECT * FROM nowhere;":                       "does not exist",
		"SELECT * FROM sold WHERE":                     "Syntax",
		"LIST STREAMS;":                                "Only SELECT",
		"SELECT nothing FROM sold WHERE item = 'x';":   "cannot be resolved",
		"SELECT '${x}' AS x FROM sold EMIT EVERYTHING": "Syntax",
	} {
		_, err := l.Query(t.Context(), text, host.QueryOptions{})
		var failed *session.StatementError
		if !errors.As(err, &failed) || failed.Phase == session.Run || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

func TestVariablesAndSettingsOfARequest(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	rows, err := l.Query(t.Context(), "SELECT n FROM sold WHERE item = '${which}'", host.QueryOptions{
		Variables: map[string]string{"which": "tea"}, Settings: map[string]string{"ksql.query.pull.table.scan.enabled": "false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := l.read(rows, 1); got[0] != "5" {
		t.Errorf("rows %q", got)
	}
	rows.Close()
	_, err = l.Query(t.Context(), "SELECT n FROM sold", host.QueryOptions{Settings: map[string]string{"ksql.query.pull.table.scan.enabled": "false"}})
	if err == nil || !strings.Contains(err.Error(), "Missing WHERE") {
		t.Errorf("error %v", err)
	}
}

var earliest = map[string]string{"auto.offset.reset": "earliest"}

func TestPushQueriesGoOn(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	late := l.query("SELECT shop, n FROM sales WHERE n > 1 EMIT CHANGES;", nil)
	defer late.Close()
	early := l.query("SELECT shop, n FROM sales WHERE shop = 'a' EMIT CHANGES LIMIT 3;", earliest)
	if h := early.Header(); !h.Push || h.Table || len(h.Columns) != 2 || h.Columns[0].Key || h.ID == late.Header().ID {
		t.Errorf("header %+v", h)
	}
	if got := l.read(early, 2); !slices.Equal(got, []string{"a 1", "a 4"}) {
		t.Errorf("rows %q", got)
	}
	l.exec("INSERT INTO sales VALUES ('a', 'pot', 1); INSERT INTO sales VALUES ('a', 'pot', 8);")
	if got := l.read(early, 1); got[0] != "a 1" {
		t.Errorf("rows %q", got)
	}
	if _, err := early.Next(t.Context()); !errors.Is(err, io.EOF) || early.Final() != query.LimitReached {
		t.Errorf("error %v, final %q", err, early.Final())
	}
	if got := l.read(late, 1); got[0] != "a 8" {
		t.Errorf("rows %q", got)
	}
}

func TestPushQueriesOnTables(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	rows := l.query("SELECT item, price FROM items WHERE price < 10 EMIT CHANGES;", earliest)
	defer rows.Close()
	windows := l.query("SELECT n, item, windowstart FROM per_minute WHERE item = 'tea' EMIT CHANGES;", earliest)
	defer windows.Close()
	if got := l.read(rows, 1); got[0] != "tea 5" {
		t.Errorf("rows %q", got)
	}
	l.exec("INSERT INTO items VALUES ('cup', 15); INSERT INTO items VALUES ('tea', 11); INSERT INTO items VALUES ('cup', 9);")
	got := l.read(rows, 2)
	slices.Sort(got)
	if !slices.Equal(got, []string{"cup 9", "tea null gone"}) {
		t.Errorf("rows %q: tea went away, and cup was never there", got)
	}
	if got := l.read(windows, 2); !slices.Equal(got, []string{"1 tea 0", "4 tea 60000"}) {
		t.Errorf("windows %q", got)
	}
	if !rows.Header().Table {
		t.Error("the rows are not of a table")
	}
}

func TestPushQueriesWithStateOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	before, err := w.door.Topics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"SELECT item, SUM(n) AS n FROM sales GROUP BY item EMIT CHANGES LIMIT 3;": {"cup 3", "tea 1", "tea 5"},
		"SELECT COUNT(*) AS n FROM sales EMIT CHANGES LIMIT 3;":                   {"1", "2", "3"},
		"SELECT windowstart, item, SUM(n) AS n FROM sales WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY item EMIT CHANGES LIMIT 3;": {
			"0 cup 3", "0 tea 1", "60000 tea 4",
		},
		"SELECT s.shop, i.price * s.n AS v FROM sales s JOIN items i ON s.item = i.item EMIT CHANGES LIMIT 3;":                                    {"a 20", "a 5", "b 36"},
		"SELECT item, n FROM sales PARTITION BY item EMIT CHANGES LIMIT 3;":                                                                       {"cup 3", "tea 1", "tea 4"},
		"SELECT EXPLODE(ARRAY[STRUCT(a := n, b := 'x'), NULL])->*, EXPLODE(ARRAY[7, 8]) AS c FROM sales WHERE item = 'cup' EMIT CHANGES LIMIT 2;": {"3 x 7", "null null 8"},
		"SELECT EXPLODE(ARRAY[n, 0]) AS x FROM sales WHERE item = 'cup' EMIT CHANGES LIMIT 2;":                                                    {"0", "3"},
		"SELECT item, SUM(n) AS n FROM sales GROUP BY item HAVING SUM(n) > 4 EMIT CHANGES LIMIT 1;":                                               {"tea 5"},
	} {
		rows := l.query(text, earliest)
		got := l.read(rows, len(want))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", text, got, want)
		}
		if _, err := rows.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if after, err := w.door.Topics(t.Context()); err != nil || len(after) != len(before) {
		t.Errorf("%d topics before, %d after: %v", len(before), len(after), err)
	}
	if n := l.PushQueries(); n != 0 {
		t.Errorf("%d push queries run", n)
	}
}

func TestTheStateOfAPushQueryIsBounded(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	rows := l.query("SELECT item, COLLECT_LIST(n) AS n FROM sales GROUP BY item EMIT CHANGES;", map[string]string{
		"auto.offset.reset": "earliest", "mainstem.query.max.state.bytes": "10",
	})
	if _, err := rows.Next(t.Context()); !errors.Is(err, steps.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	if n := l.PushQueries(); n != 0 {
		t.Errorf("%d push queries run", n)
	}
}

func TestClosingEndsANextThatWaits(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	for _, text := range []string{
		"SELECT * FROM sales EMIT CHANGES;", "SELECT item, COUNT(*) AS n FROM sales GROUP BY item EMIT CHANGES;",
	} {
		rows := l.query(text, nil)
		ended := make(chan error)
		go func() {
			_, err := rows.Next(context.Background())
			ended <- err
		}()
		rows.Close()
		if err := <-ended; !errors.Is(err, query.ErrClosed) {
			t.Errorf("error %v", err)
		}
		rows.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rows := l.query("SELECT * FROM sales EMIT CHANGES;", earliest)
	defer rows.Close()
	if _, err := rows.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if got := l.read(rows, 1); len(got) == 0 {
		t.Error("a query is over when the context of a Next is")
	}
}

// heap is what is in use, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A thousand push queries on one stream cost no goroutines, and leave nothing behind.
func TestAThousandTaps(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	goroutines, held := runtime.NumGoroutine(), heap()
	const n = 1000
	taps := make([]query.Rows, n)
	for i := range taps {
		taps[i] = l.query(fmt.Sprintf("SELECT n FROM sales WHERE n %% %d = 0 EMIT CHANGES;", i+1), nil)
	}
	still := l.within() // the queries beside have one more for a moment, now and then
	for got := runtime.NumGoroutine(); got > goroutines; got = runtime.NumGoroutine() {
		still("%d goroutines, %d before", got, goroutines)
	}
	if got := l.PushQueries(); got != n {
		t.Errorf("%d push queries run", got)
	}
	each := (heap() - held) / n
	if t.Logf("%d bytes for each query", each); each > 64<<10 {
		t.Error("that is much")
	}
	_, err := l.Query(t.Context(), "SELECT n FROM sales EMIT CHANGES;", host.QueryOptions{Settings: map[string]string{"ksql.max.push.queries": "1000"}})
	if err == nil || !strings.Contains(err.Error(), "ksql.max.push.queries") {
		t.Errorf("one too many: %v", err)
	}
	l.exec("INSERT INTO sales VALUES ('a', 'jar', 720720);")
	for i, rows := range taps {
		if 720720%(i+1) == 0 {
			if got := l.read(rows, 1); got[0] != "720720" {
				t.Errorf("tap %d: %q", i, got)
			}
		}
		rows.Close()
	}
	if got := l.PushQueries(); got != 0 {
		t.Errorf("%d push queries run", got)
	}
}

// A slow client of a push query slows nobody: it reads from the log at its own pace, and learns of it when the log has gone on without it.
func TestASlowClientFindsTheLogGone(t *testing.T) {
	w := newWorld(t)
	l := w.live(t, kv.NewMemory())
	l.exec(shop)
	rows := l.query("SELECT n FROM sales EMIT CHANGES;", earliest)
	before := map[record.TopicPartition]record.Offset{}
	for p := range int32(3) {
		tp := record.TopicPartition{Topic: "sales", Partition: p}
		ends, err := w.door.Ends(t.Context(), tp)
		if err != nil {
			t.Fatal(err)
		}
		before[tp] = ends[tp]
	}
	if err := w.door.Trim(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(t.Context()); !errors.Is(err, client.ErrGap) {
		t.Errorf("error %v", err)
	}
	if n := l.PushQueries(); n != 0 {
		t.Errorf("%d push queries run", n)
	}
}
