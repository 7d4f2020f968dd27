package traces

import (
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// overWindows tells whether a step aggregates over windows of time, sessions apart.
func (n *node) overWindows() bool { return n.object("windows") != nil && !n.overSessions() }

// windows adds an aggregation over windows. Those of windowed keys have keys that no case can name.
func windows[K any](s *side[K], n *node) {
	plain, ok := any(s).(*side[val])
	if !ok {
		panic(notBuilt("windows of windowed keys"))
	}
	addWindows(plain, n)
}

func addWindows(s *side[val], n *node) {
	w := n.timeWindows()
	g := stream.WindowedBy(s.group(n.input()), w)
	value, opts := serdeOf(n.vt), append(named(n, "store"), emitted(n)...)
	to := s.g.windowed.tables
	switch n.op {
	case "count":
		if n.object("windows").text("type") != "sliding" {
			s.g.skipForCount(n)
		}
		to[n.id] = stream.AggregateWindows(g, number(0), func(a, _ val) val { return number(a.i + 1) }, value, opts...)
	case "reduce":
		to[n.id] = stream.ReduceWindows(g, reducer(n.function("fn")), value, opts...)
	case "aggregate":
		to[n.id] = stream.AggregateWindows(g, fromJSON(n.get("init")), aggregator(n.function("fn")), value, opts...)
	default:
		panic(notBuilt(n.op + " over windows"))
	}
}

// timeWindows returns the windows of a step, sessions apart.
func (n *node) timeWindows() stream.Windows {
	in := n.object("windows")
	var w stream.Windows
	switch kind, grace := in.text("type"), milliseconds(in, "grace"); kind {
	case "tumbling":
		w = stream.Tumbling(milliseconds(in, "size"), grace)
	case "hopping":
		w = stream.Hopping(milliseconds(in, "size"), milliseconds(in, "advance"), grace)
	case "sliding":
		w = stream.Sliding(milliseconds(in, "diff"), grace)
	default:
		panic(notBuilt(kind + " windows"))
	}
	if n.has("retention") {
		w = w.Retention(milliseconds(n, "retention"))
	}
	return w
}

// windowRows reads a store of windows.
func (r *run) windowRows(name string, timed bool) ([]string, error) {
	view, err := streamtest.ViewOf[windowed, val](r.d, name)
	if err != nil {
		return nil, err
	}
	var rows []string
	err = view.ScanTimed(func(k windowed, v val, ts record.Timestamp) bool {
		cells := []string{k.Key.exact(), strconv.FormatInt(int64(k.Start), 10), v.exact()}
		if timed {
			cells = append(cells, strconv.FormatInt(int64(ts), 10))
		}
		rows = append(rows, strings.Join(cells, " "))
		return true
	})
	return rows, err
}
