package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// A sessionModel says what an aggregation in sessions gives, in the plainest way: one list of sessions. The aggregate of a session
// is its values in the order in which they were added, in brackets for each merge.
type sessionModel struct {
	gap, grace, retention int64
	final                 bool
	now, highest, emitted int64
	sessions              []modelSession
	out                   []string
	dropped               int64
}

type modelSession struct {
	key        string
	start, end int64
	value      string
}

func newSessionModel(gap, grace, retention int64, final bool) *sessionModel {
	return &sessionModel{gap: gap, grace: grace, retention: max(retention, gap+grace), final: final, now: -1, highest: -1, emitted: -1}
}

// take adds a record. A value "bad" is one that the aggregation refuses: nothing follows from it.
func (m *sessionModel) take(key, value string, at int64) {
	now := max(m.now, at)
	closed := now - m.gap - m.grace
	merged := modelSession{key: key, start: at, end: at, value: "0"}
	var found []modelSession
	for _, s := range m.sessions {
		if s.key == key && s.end >= at-m.gap && s.start <= at+m.gap && s.end > m.highest-m.retention {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b modelSession) int { return int(a.end - b.end) })
	for _, s := range found {
		merged.start, merged.end, merged.value = min(merged.start, s.start), max(merged.end, s.end), "("+merged.value+"&"+s.value+")"
	}
	late := merged.end < closed
	if !late && value == "bad" {
		return
	}
	m.now = now
	if late {
		m.dropped++
	} else {
		m.replace(found, merged, merged.value+value, at)
	}
	if m.final && closed > max(m.emitted, 0) {
		m.close(closed)
	}
}

func (m *sessionModel) replace(found []modelSession, merged modelSession, value string, at int64) {
	for _, s := range found {
		if merged.start == at && merged.end == at {
			m.remove(s)
			continue
		}
		m.remove(s)
		m.emit(s, "~")
	}
	merged.value = value
	m.highest = max(m.highest, merged.end)
	m.remove(merged)
	m.sessions = append(m.sessions, merged)
	m.emit(merged, value)
}

func (m *sessionModel) remove(s modelSession) {
	m.sessions = slices.DeleteFunc(m.sessions, func(o modelSession) bool { return o.key == s.key && o.start == s.start && o.end == s.end })
}

func (m *sessionModel) emit(s modelSession, value string) {
	if !m.final {
		m.out = append(m.out, fmt.Sprintf("%s[%d,%d]=%s@%d", s.key, s.start, s.end, value, s.end))
	}
}

func (m *sessionModel) close(closed int64) {
	var over []modelSession
	for _, s := range m.sessions {
		if s.end >= max(m.emitted, 0) && s.end < closed {
			over = append(over, s)
		}
	}
	slices.SortFunc(over, func(a, b modelSession) int {
		return int(a.end-b.end)*1_000_000 + int(a.start-b.start)*1000 + strings.Compare(a.key, b.key)
	})
	for _, s := range over {
		m.out = append(m.out, fmt.Sprintf("%s[%d,%d]=%s@%d", s.key, s.start, s.end, s.value, s.end))
	}
	m.emitted = closed
}

// rows are the sessions that the store still shows.
func (m *sessionModel) rows() []string {
	var rows []string
	for _, s := range m.sessions {
		if s.end > m.highest-m.retention {
			rows = append(rows, fmt.Sprintf("%s[%d,%d]=%s", s.key, s.start, s.end, s.value))
		}
	}
	slices.Sort(rows)
	return rows
}

// sessionTopology aggregates topic in into topic out.
func sessionTopology(t *testing.T, m *sessionModel) *stream.Topology {
	b := stream.New("app")
	w := stream.Sessions(time.Duration(m.gap)*time.Millisecond, time.Duration(m.grace)*time.Millisecond)
	opts := []stream.Option{stream.Named("sessions")}
	if m.retention > m.gap+m.grace {
		w = w.Retention(time.Duration(m.retention) * time.Millisecond)
	}
	if m.final {
		opts = append(opts, stream.EmitOnClose())
	}
	g := stream.WindowedBySessions(stream.GroupByKey(stream.From(b, "in", serde.String, serde.String)), w)
	add := func(a, v string) string {
		if v == "bad" {
			panic(v)
		}
		return a + v
	}
	merge := func(a, b string) string { return "(" + a + "&" + b + ")" }
	stream.AggregateSessions(g, "0", add, merge, serde.String, opts...).
		Updates().To("out", stream.SessionWindowedSerde(serde.String), serde.String)
	return build(t, b)
}

func TestSessionsAgainstModel(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		gap, grace := r.Int64N(30), r.Int64N(100)
		retention := int64(0)
		final := seed%3 == 0
		if final || seed%2 == 0 {
			retention = 1_000_000
		}
		for _, mode := range []struct {
			batch   int
			restart int
		}{{batch: 1}, {batch: 300}, {batch: 7, restart: 11}} {
			t.Run(fmt.Sprintf("seed %d, gap %d, grace %d, batch %d", seed, gap, grace, mode.batch), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 2))
				m := newSessionModel(gap, grace, retention, final)
				d := streamtest.New(t, sessionTopology(t, m), streamtest.Batch(mode.batch), streamtest.DeadLetter())
				in := streamtest.NewInput(d, "in", serde.String, serde.String)
				for i := range 300 {
					key, value, at := string(rune('a'+r.IntN(3))), fmt.Sprint(".", i), max(0, int64(i)*3+r.Int64N(80)-60)
					if r.IntN(20) == 0 {
						value = "bad"
					}
					in.Pipe(key, value, record.Timestamp(at))
					m.take(key, value, at)
					if mode.restart > 0 && i%mode.restart == 0 {
						d.Restart()
					}
				}
				checkSessions(t, d, m)
				if n := d.Dropped()["late"]; mode.restart == 0 && n != m.dropped {
					t.Errorf("%d late, want %d", n, m.dropped)
				}
			})
		}
	}
}

// checkSessions compares outputs and the store.
func checkSessions(t *testing.T, d *streamtest.Driver, m *sessionModel) {
	t.Helper()
	var out []string
	for _, r := range streamtest.NewOutput(d, "out", stream.SessionWindowedSerde(serde.String), serde.String).ReadAll() {
		if r.ValueNull {
			r.Value = "~"
		}
		out = append(out, fmt.Sprintf("%s[%d,%d]=%s@%d", r.Key.Key, r.Key.Start, r.Key.End, r.Value, r.Timestamp))
	}
	if diff := cmp.Diff(m.out, out); diff != "" {
		t.Fatalf("outputs (-want +got):\n%s", diff)
	}
	view, err := streamtest.ViewOf[stream.Windowed[string], string](d, "sessions")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	if err := view.Scan(func(k stream.Windowed[string], v string) bool {
		rows = append(rows, fmt.Sprintf("%s[%d,%d]=%s", k.Key, k.Start, k.End, v))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	if diff := cmp.Diff(m.rows(), rows); diff != "" {
		t.Fatalf("store (-want +got):\n%s", diff)
	}
}
