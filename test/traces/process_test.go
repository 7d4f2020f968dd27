package traces

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// process adds a step with one of the cases' processors.
func (s *side[K]) process(n *node) {
	var opts []stream.Option
	if s.g.c.Config.Processing == "continue" {
		opts = append(opts, stream.SkipFailed())
	}
	proc := n.function("proc")
	h := &hand[K]{see: s.see, back: s.back, f: proc}
	if st := n.object("store"); st != nil {
		opts = append(opts, stream.Connect(s.connected(h, st)))
	}
	in := s.stream(n.input())
	if n.op == "processValues" {
		s.streams[n.id] = stream.ProcessValues(in, func() processor.FixedKey[K, val, val] { return &fixedHand[K]{hand: *h} }, opts...)
		return
	}
	s.streams[n.id] = stream.Process(in, func() processor.Processor[K, val, K, val] {
		fresh := *h
		return &fresh
	}, opts...)
}

// processTable adds a table that a processor computes from another, kept or not.
func (s *side[K]) processTable(n *node) {
	h, opts := &hand[K]{see: s.see, back: s.back, f: n.function("proc")}, named(n, "kept")
	if st := n.object("store"); st != nil {
		opts = append(opts, stream.Connect(s.connected(h, st)))
	}
	s.tables[n.id] = stream.ProcessTable(s.table(n.input()), func() processor.Table[K, val, val] { return &tableHand[K]{hand: *h} }, serdeOf(n.vt), opts...)
}

// connected describes the store of a step: in h, and as what connects it.
func (s *side[K]) connected(h *hand[K], st *node) state.Connectable {
	name, key, value := st.text("name"), s.serde(st.kt), serdeOf(st.vt)
	switch st.text("type") {
	case "kv":
		h.rows = state.KeyValue(name, key, value)
		return h.rows
	case "window":
		h.windows = state.Windows(name, key, value, ms(st.number("retention")))
		return h.windows
	case "session":
		h.sessions = state.Sessions(name, key, value, ms(st.number("retention")))
		return h.sessions
	case "versioned":
		h.versions = state.Versions(name, key, value, ms(st.number("history")))
		return h.versions
	}
	panic(notBuilt("store of type " + st.text("type")))
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// A hand is one of the cases' processors.
type hand[K any] struct {
	see  func(K) key
	back func(key) K
	f    function

	rows     *state.Builder[state.KeyValueStore[K, val]]
	windows  *state.Builder[state.WindowStore[K, val]]
	sessions *state.Builder[state.SessionStore[K, val]]
	versions *state.Builder[state.VersionedStore[K, val]]

	st  state.KeyValueStore[K, val]
	win state.WindowStore[K, val]
	ses state.SessionStore[K, val]
	ver state.VersionedStore[K, val]

	count, ticks int64
}

type handRecord[K any] = processor.Record[K, val]

func (h *hand[K]) arg(i int) int64             { return integer(h.f[i]) }
func (h *hand[K]) time(i int) record.Timestamp { return record.Timestamp(h.arg(i)) }

// clock is the clock that an argument names.
func (h *hand[K]) clock(i int) processor.Clock {
	if h.f[i] == "wall" {
		return processor.WallClock
	}
	return processor.StreamClock
}

func (h *hand[K]) Close() error { return nil }

func (h *hand[K]) Init(ctx processor.Context[K, val]) error {
	switch {
	case h.rows != nil:
		h.st = h.rows.In(ctx)
	case h.windows != nil:
		h.win = h.windows.In(ctx)
	case h.sessions != nil:
		h.ses = h.sessions.In(ctx)
	case h.versions != nil:
		h.ver = h.versions.In(ctx)
	}
	switch h.f[0] {
	case "ttl":
		ctx.Schedule(ms(h.arg(2)), h.clock(3), func(now record.Timestamp) error { return h.expire(ctx, now) })
	case "tick":
		var s processor.Schedule
		s = ctx.Schedule(ms(h.arg(1)), h.clock(2), func(now record.Timestamp) error {
			ctx.Forward(handRecord[K]{Key: h.back(key{val: text("tick")}), Value: text(fmt.Sprint("n=", h.count)), Time: now})
			h.count = 0
			if h.ticks++; h.ticks == h.arg(3) {
				s.Cancel()
			}
			return nil
		})
	}
	return nil
}

func (h *hand[K]) Process(ctx processor.Context[K, val], r handRecord[K]) error {
	keyed := h.see(r.Key).set
	switch h.f[0] {
	case "dedup":
		h.dedup(ctx, r, keyed)
	case "runningMax":
		h.highest(ctx, r, keyed)
	case "ttl":
		h.touch(ctx, r, keyed)
	case "tick":
		h.count++
	case "winSum":
		h.sum(ctx, r, keyed)
	case "sessCount":
		h.merge(ctx, r, keyed)
	case "versionedGet":
		h.lookBack(ctx, r, keyed)
	case "clock":
		r.Value = text(fmt.Sprintf("st=%d,wt=%d", ctx.StreamTime(), ctx.WallTime()))
		ctx.Forward(r)
	case "reTs":
		r.Time = max(0, r.Time+h.time(1))
		ctx.Forward(r)
	case "count":
		h.number(ctx, r, keyed)
	case "failOn":
		if strings.Contains(r.Value.str(), h.f[1].(string)) {
			return errors.New("it fails on this")
		}
		ctx.Forward(r)
	default:
		return notBuilt(fmt.Sprint("processor ", h.f[0]))
	}
	return nil
}

func (h *hand[K]) dedup(ctx processor.Context[K, val], r handRecord[K], keyed bool) {
	if keyed {
		if last, ok := h.st.Get(r.Key); ok && int64(r.Time)-last.i < h.arg(1) {
			return
		}
		h.st.Put(r.Key, number(int64(r.Time)))
	}
	ctx.Forward(r)
}

func (h *hand[K]) highest(ctx processor.Context[K, val], r handRecord[K], keyed bool) {
	if !keyed || !r.Value.set {
		return
	}
	if last, ok := h.st.Get(r.Key); !ok || r.Value.i > last.i {
		h.st.Put(r.Key, r.Value)
		ctx.Forward(r)
	}
}

func (h *hand[K]) number(ctx processor.Context[K, val], r handRecord[K], keyed bool) {
	if keyed {
		n, _ := h.st.Get(r.Key)
		h.st.Put(r.Key, number(n.i+1))
		r.Value = text(fmt.Sprintf("%s#%d", r.Value.str(), n.i+1))
		ctx.Forward(r)
	}
}

func (h *hand[K]) touch(ctx processor.Context[K, val], r handRecord[K], keyed bool) {
	switch {
	case !keyed:
	case !r.Value.set:
		h.st.Delete(r.Key)
	default:
		now := r.Time
		if h.clock(3) == processor.WallClock {
			now = ctx.WallTime()
		}
		h.st.Put(r.Key, number(int64(now)))
		r.Value = text(r.Value.str())
		ctx.Forward(r)
	}
}

func (h *hand[K]) expire(ctx processor.Context[K, val], now record.Timestamp) error {
	for k, v := range h.st.All(state.Ascending) {
		if int64(now)-v.i >= h.arg(1) {
			h.st.Delete(k)
			ctx.Forward(handRecord[K]{Key: k, Value: text("expired"), Time: now})
		}
	}
	return nil
}

func (h *hand[K]) sum(ctx processor.Context[K, val], r handRecord[K], keyed bool) {
	if !keyed {
		return
	}
	start := r.Time - r.Time%h.time(1)
	old, _ := h.win.Fetch(r.Key, start)
	h.win.Put(r.Key, number(old.i+1), start)
	var sum, n int64
	for _, v := range h.win.FetchRange(r.Key, max(0, start-h.time(2)), start, state.Ascending) {
		sum, n = sum+v.i, n+1
	}
	r.Value = text(fmt.Sprintf("%d/%d", sum, n))
	ctx.Forward(r)
}

func (h *hand[K]) merge(ctx processor.Context[K, val], r handRecord[K], keyed bool) {
	if !keyed {
		return
	}
	all, count := state.Session[K]{Key: r.Key, Start: r.Time, End: r.Time}, int64(1)
	for s, v := range h.ses.Find(r.Key, max(0, r.Time-h.time(1)), r.Time+h.time(1), state.Ascending) {
		all.Start, all.End, count = min(all.Start, s.Start), max(all.End, s.End), count+v.i
		h.ses.Remove(s)
	}
	h.ses.Put(all, number(count))
	r.Value = text(fmt.Sprintf("%d-%d:%d", all.Start, all.End, count))
	ctx.Forward(r)
}

func (h *hand[K]) lookBack(ctx processor.Context[K, val], r handRecord[K], keyed bool) {
	if !keyed {
		return
	}
	show := func(v val, from record.Timestamp, ok bool) string {
		if !ok {
			return "null"
		}
		return fmt.Sprintf("%s@%d", v.str(), from)
	}
	h.ver.Put(r.Key, r.Value, r.Time)
	r.Value = text(show(h.ver.GetAsOf(r.Key, r.Time-h.time(1))) + "/" + show(h.ver.Get(r.Key)))
	ctx.Forward(r)
}

// A fixedHand is a hand that keeps the key.
type fixedHand[K any] struct{ hand[K] }

func (h *fixedHand[K]) Init(ctx processor.FixedKeyContext[val]) error {
	return h.hand.Init(fixedContext[K]{ctx})
}

func (h *fixedHand[K]) Process(ctx processor.FixedKeyContext[val], r handRecord[K]) error {
	return h.hand.Process(fixedContext[K]{ctx}, r)
}

// A fixedContext forwards values and times only.
type fixedContext[K any] struct{ processor.FixedKeyContext[val] }

func (c fixedContext[K]) Forward(r handRecord[K])             { c.ForwardAt(r.Value, r.Time) }
func (c fixedContext[K]) ForwardTo(_ string, r handRecord[K]) { c.Forward(r) }

// A tableHand computes the rows of a table.
type tableHand[K any] struct{ hand[K] }

func (h *tableHand[K]) Init(ctx processor.Task) error {
	if h.rows != nil {
		h.st = h.rows.In(ctx)
	}
	return nil
}

func (h *tableHand[K]) Process(_ processor.Task, r handRecord[K]) (row val, ok bool, err error) {
	switch h.f.name() {
	case "mark":
		row = r.Value
		if row.set {
			row = text(row.str() + "!")
		}
	case "undelete":
		row = text(r.Value.str())
	case "countUpdates", "everySecond":
		n, _ := h.st.Get(r.Key)
		h.st.Put(r.Key, number(n.i+1))
		if h.f.name() == "countUpdates" || n.i%2 == 0 {
			row = text(fmt.Sprintf("%s#%d", r.Value.str(), n.i+1))
		}
	default:
		err = notBuilt("processor of a table " + h.f.name())
	}
	return row, row.set, err
}

// handStore returns the description of a processor's store, nil when the case has none of this name.
func (r *run) handStore(name string) *node {
	for _, parameters := range r.c.Topology {
		if st := newNode(parameters).object("store"); st != nil && st.text("name") == name {
			return st
		}
	}
	return nil
}

// handRows reads a processor's store.
func (r *run) handRows(st *node, want storeRows) (rows []string) {
	add := func(cells ...any) {
		var texts []string
		for _, cell := range cells {
			switch cell := cell.(type) {
			case val:
				texts = append(texts, cell.exact())
			default:
				texts = append(texts, fmt.Sprint(cell))
			}
		}
		rows = append(rows, strings.Join(texts, " "))
	}
	name, key, value := st.text("name"), serdeOf(st.kt), serdeOf(st.vt)
	switch want.Kind {
	case "kv":
		for k, v := range streamtest.Store(r.d, state.KeyValue(name, key, value)).All(state.Ascending) {
			add(k, v)
		}
	case "window":
		for w, v := range streamtest.Store(r.d, state.Windows(name, key, value, ms(st.number("retention")))).All(state.Ascending) {
			add(w.Key, w.Start, v)
		}
	case "session":
		for s, v := range streamtest.Store(r.d, state.Sessions(name, key, value, ms(st.number("retention")))).All(state.Ascending) {
			if !strings.Contains(s.Key.s, "@") { // as in sessionRows
				add(s.Key, s.Start, s.End, v)
			}
		}
	case "versioned":
		versions := streamtest.Store(r.d, state.Versions(name, key, value, ms(st.number("history"))))
		for _, x := range want.Rows {
			k, at := fromJSON(x[0]), fromJSON(x[1])
			v, from, ok := versions.Get(k)
			if at.set {
				v, from, ok = versions.GetAsOf(k, record.Timestamp(at.i))
			}
			if !ok {
				add(k, at, val{}, val{})
				continue
			}
			add(k, at, v, from)
		}
	}
	return rows
}
