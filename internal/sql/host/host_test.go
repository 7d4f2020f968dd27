package host_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local/localtest"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/host"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
)

// A world is a broker with the applications that run on it.
type world struct {
	door    client.Door
	running []*runs
}

// A runs is an application that runs, as far as SQL can see.
type runs struct {
	w       *world
	name    string
	options host.RunOptions
	paused  bool
	err     error
}

func (r *runs) Stop() error {
	r.w.running = slices.DeleteFunc(r.w.running, func(o *runs) bool { return o == r })
	return r.err
}
func (r *runs) Pause()                { r.paused = true }
func (r *runs) Resume()               { r.paused = false }
func (r *runs) Err() error            { return r.err }
func (r *runs) Status() engine.Status { return engine.Status{Processed: 7} }

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{door: localtest.Door(t)}
}

// open opens SQL as a node that starts would; applications of the one before are gone.
func (w *world) open(t *testing.T, door client.Door) *host.Host {
	t.Helper()
	return w.openWith(t, door, func(*host.Options) {})
}

// openWith is open with other options.
func (w *world) openWith(t *testing.T, door client.Door, adjust func(*host.Options)) *host.Host {
	t.Helper()
	w.running = nil
	o := host.Options{
		Door: door, Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}),
		Now: func() record.Timestamp { return 42 },
		Run: func(p *stream.Topology, o host.RunOptions) (host.Running, error) {
			r := &runs{w: w, name: p.Name, options: o, paused: o.Paused}
			w.running = append(w.running, r)
			return r, nil
		},
	}
	adjust(&o)
	h, err := host.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func (w *world) wantRunning(t *testing.T, ids ...string) {
	t.Helper()
	var want []string
	for _, id := range ids {
		want = append(want, host.Service("").App(id))
	}
	var have []string
	for _, r := range w.running {
		have = append(have, r.name)
	}
	if !slices.Equal(have, want) {
		t.Errorf("running %q, want %q", have, want)
	}
}

const script = `
CREATE STREAM rides (id VARCHAR KEY, km INT) WITH (kafka_topic='rides', value_format='JSON', partitions=2);
CREATE STREAM far AS SELECT * FROM rides WHERE km > 100;
CREATE TABLE per_id AS SELECT id, COUNT(*) AS n FROM rides GROUP BY id;
INSERT INTO rides VALUES ('a', 120);
TERMINATE CSAS_FAR_0;`

func (w *world) end(t *testing.T, topic string) (sum record.Offset) {
	t.Helper()
	for p := range int32(2) {
		tp := record.TopicPartition{Topic: topic, Partition: p}
		ends, err := w.door.Ends(t.Context(), tp)
		if err != nil {
			t.Fatal(err)
		}
		sum += ends[tp]
	}
	return sum
}

func TestStatementsAreThereAgain(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	if _, err := h.Exec(t.Context(), script, nil); err != nil {
		t.Fatal(err)
	}
	w.wantRunning(t, "CTAS_PER_ID_1")
	h.Close()
	if _, err := h.Exec(t.Context(), "LIST STREAMS;", nil); !errors.Is(err, host.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}

	h = w.open(t, w.door)
	w.wantRunning(t, "CTAS_PER_ID_1")
	var names []string
	for _, s := range h.Sources() {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"FAR", "PER_ID", "RIDES"}) {
		t.Errorf("sources %q", names)
	}
	if n := w.end(t, "rides"); n != 1 {
		t.Errorf("%d rides: INSERT VALUES was executed again", n)
	}
	if _, err := h.Exec(t.Context(), "DROP STREAM far; CREATE STREAM far AS SELECT * FROM rides;", nil); err != nil {
		t.Fatal(err)
	}
	w.wantRunning(t, "CTAS_PER_ID_1", "CSAS_FAR_2")
}

// errLost is what a door says whose broker is gone.
var errLost = errors.New("the broker is gone")

// A losing door loses commits to the catalog: effects happen, and nothing of them is logged.
type losing struct{ client.Door }

func (l losing) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	p, err := l.Door.OpenProducer(ctx, app)
	return lost{p}, err
}

type lost struct{ client.Producer }

func (lost) Commit(context.Context, client.Epoch, map[record.TopicPartition]record.Offset) error {
	return errLost
}

func TestAStatementThatWasNotLoggedIsGivenAgain(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, losing{w.door})
	const create = "CREATE STREAM rides (id VARCHAR KEY, km INT) WITH (kafka_topic='rides', value_format='JSON', partitions=2);"
	_, err := h.Exec(t.Context(), create+" CREATE TYPE never AS INT;", nil)
	var at *session.StatementError
	if !errors.As(err, &at) || at.Phase != session.Run || at.Index != 0 || !errors.Is(err, errLost) {
		t.Fatalf("error %v", err)
	}
	h.Close()

	h = w.open(t, w.door)
	if n := len(h.Sources()); n != 0 {
		t.Fatalf("%d sources of a statement that was not acknowledged", n)
	}
	if n, err := h.Partitions(t.Context(), "rides"); err != nil || n != 2 {
		t.Fatalf("topic rides has %d partitions: %v", n, err)
	}
	if _, err := h.Exec(t.Context(), create, nil); err != nil {
		t.Fatalf("given again: %v", err)
	}
}

func TestErrorsHaveTheirPlaceInTheScript(t *testing.T) {
	w := newWorld(t)
	_, err := w.open(t, w.door).Exec(t.Context(), script+"\nCREATE STREAM f2 AS\n  SELECT id, kilometres FROM rides;", nil)
	var at *session.StatementError
	if !errors.As(err, &at) || at.Index != 5 || at.Phase != session.Plan || !strings.HasPrefix(err.Error(), "Line: 8, Col: 14: ") {
		t.Fatalf("error %v", err)
	}
}

// A keeping door deletes nothing.
type keeping struct{ client.Door }

func (keeping) DeleteTopics(context.Context, ...string) error { return errLost }

func TestAFailedDropLeavesEverything(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, keeping{w.door})
	if _, err := h.Exec(t.Context(), script, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Exec(t.Context(), "DROP TABLE per_id DELETE TOPIC;", nil); !errors.Is(err, errLost) {
		t.Fatalf("error %v", err)
	}
	w.wantRunning(t, "CTAS_PER_ID_1")
	if n := len(h.Sources()); n != 3 {
		t.Errorf("%d sources", n)
	}
}
