package traces

import (
	"time"

	"github.com/mainstemio/mainstem/stream"
)

func (s *side[K]) suppress(n *node) {
	opts := named(n, "name")
	if n.has("maxRecords") {
		opts = append(opts, stream.MaxRecords(n.number("maxRecords")))
	}
	t := s.table(n.input())
	if n.text("until") == "timeLimit" {
		if n.text("full") == "shutdown" {
			opts = append(opts, stream.StopWhenFull())
		}
		s.tables[n.id] = t.SuppressFor(time.Duration(n.number("limit"))*time.Millisecond, opts...)
		return
	}
	n.has("full") // final results can only stop
	overWindows, ok := any(s).(*side[windowed])
	if !ok {
		panic(notBuilt("suppress of a table without windows"))
	}
	overWindows.tables[n.id] = stream.SuppressUntilClose(any(t).(stream.Table[windowed, val]), opts...)
}
