package traces

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// joinStreams adds a join of two streams.
func (s *side[K]) joinStreams(n *node) {
	left, right := s.stream(n.text("left")), s.stream(n.text("right"))
	of := joiner(n.function("fn"))
	within := stream.Within(milliseconds(n, "before"), milliseconds(n, "after")).Grace(milliseconds(n, "grace"))
	opts := named(n, "name")
	if store := n.text("store"); store != "" {
		opts = append(opts, stream.StoresNamed(store))
	}
	switch kind := n.text("type"); kind {
	case "inner":
		s.streams[n.id] = stream.JoinWithKey(left, right, within, func(k K, l, r val) val { return of(s.see(k), l, r) }, opts...)
	case "left":
		s.streams[n.id] = stream.LeftJoinWithKey(left, right, within, func(k K, l val, r *val) val { return of(s.see(k), l, orNull(r)) }, opts...)
	case "outer":
		s.streams[n.id] = stream.OuterJoinWithKey(left, right, within, func(k K, l, r *val) val { return of(s.see(k), orNull(l), orNull(r)) }, opts...)
	default:
		panic(notBuilt("ssJoin " + kind))
	}
}

// joinTable adds a join of a stream with a table.
func (s *side[K]) joinTable(n *node) {
	left, right := s.stream(n.text("left")), s.table(n.text("right"))
	of := joiner(n.function("fn"))
	opts := named(n, "name")
	if n.has("grace") {
		opts = append(opts, stream.Grace(milliseconds(n, "grace")))
	}
	switch kind := n.text("type"); kind {
	case "inner":
		s.streams[n.id] = stream.JoinTableWithKey(left, right, func(k K, l, r val) val { return of(s.see(k), l, r) }, opts...)
	case "left":
		s.streams[n.id] = stream.LeftJoinTableWithKey(left, right, func(k K, l val, r *val) val { return of(s.see(k), l, orNull(r)) }, opts...)
	default:
		panic(notBuilt("stJoin " + kind))
	}
}

// waits tells whether a store is that of the rows that wait for a match in a left or outer join. Cases list it when it is empty.
func (r *run) waits(name string) bool {
	return strings.Contains(name, "-shared-join-store") || strings.HasPrefix(name, "KSTREAM-OUTERSHARED-")
}

func (r *run) waitingRows(name string) ([]string, error) {
	view, err := streamtest.ViewOf[[]byte, []byte](r.d, name)
	if err != nil {
		return nil, err
	}
	var rows []string
	err = view.Scan(func(k, v []byte) bool {
		rows = append(rows, fmt.Sprintf("%x %x", k, v))
		return true
	})
	return rows, err
}
