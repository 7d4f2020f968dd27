package traces

import (
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// overSessions tells whether a step aggregates in sessions.
func (n *node) overSessions() bool {
	w := n.object("windows")
	return w != nil && w.text("type") == "session"
}

// sessions adds an aggregation in sessions. Those of windowed keys have keys that no case can name.
func sessions[K any](s *side[K], n *node) {
	plain, ok := any(s).(*side[val])
	if !ok {
		panic(notBuilt("sessions of windowed keys"))
	}
	addSessions(plain, n)
}

func addSessions(s *side[val], n *node) {
	to, w := s.g.windowed, n.sessionWindows()
	g := stream.WindowedBySessions(s.group(n.input()), w)
	value, opts := serdeOf(n.vt), append(named(n, "store"), emitted(n)...)
	switch n.op {
	case "count":
		s.g.skipForCount(n)
		count := func(a, _ val) val { return number(a.i + 1) }
		sum := func(a, b val) val { return number(a.i + b.i) }
		to.tables[n.id] = stream.AggregateSessions(g, number(0), count, sum, value, opts...)
	case "reduce":
		to.tables[n.id] = stream.ReduceSessions(g, reducer(n.function("fn")), value, opts...)
	case "aggregate":
		add, merge := aggregator(n.function("fn")), reducer(n.function("merge"))
		to.tables[n.id] = stream.AggregateSessions(g, fromJSON(n.get("init")), add, merge, value, opts...)
	default:
		panic(notBuilt(n.op + " over sessions"))
	}
}

// sessionWindows returns the windows of a step over sessions.
func (n *node) sessionWindows() stream.SessionWindows {
	in := n.object("windows")
	w := stream.Sessions(milliseconds(in, "gap"), milliseconds(in, "grace"))
	if n.has("retention") {
		w = w.Retention(milliseconds(n, "retention"))
	}
	return w
}

func milliseconds(n *node, parameter string) time.Duration {
	return time.Duration(n.number(parameter)) * time.Millisecond
}

func emitted(n *node) []stream.Option {
	if n.text("emit") == "close" {
		return []stream.Option{stream.EmitOnClose()}
	}
	return nil
}

// sessionRows reads a store of sessions.
func (r *run) sessionRows(name string) ([]string, error) {
	view, err := streamtest.ViewOf[windowed, val](r.d, name)
	if err != nil {
		return nil, err
	}
	var rows []string
	err = view.Scan(func(k windowed, v val) bool {
		if strings.Contains(k.Key.s, "@") {
			return true // session stores were only asked for keys as they stand in inputs, not for texts of windowed ones
		}
		cells := []string{k.Key.exact(), strconv.FormatInt(int64(k.Start), 10), strconv.FormatInt(int64(k.End), 10), v.exact()}
		rows = append(rows, strings.Join(cells, " "))
		return true
	})
	return rows, err
}
