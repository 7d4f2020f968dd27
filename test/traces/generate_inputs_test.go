//go:build suites

package traces

import (
	"fmt"
	"strings"
)

// inputs makes records for all topics: mostly rising times, some out of order, some nulls, some jumps.
func (g *generator) inputs() []any {
	n := 10 + g.IntN(25)
	step := pick(g, int64(2), 5, 10, 20)
	var now int64
	keys := pick(g, []string{"a", "b"}, []string{"a", "b", "c"}, []string{"a", "ab", "b", "ba"})
	var inputs []any
	for i := range n {
		now += g.Int64N(step + 1)
		if g.one(25) {
			now += pick(g, int64(60), 150, 400)
		}
		at := now
		switch {
		case g.one(4):
			at = max(0, now-g.Int64N(4*step))
		case g.one(15):
			at = max(0, now-g.Int64N(200))
		}
		if g.cached && g.one(5) {
			inputs = append(inputs, map[string]any{"commit": true})
		}
		if g.family == "processor" && g.one(6) {
			inputs = append(inputs, map[string]any{"advance": pick(g, 3, 10, 25)})
		}
		t := g.topics[pick(g, g.order...)]
		var key any = pick(g, keys...)
		if t.shape == "piped" && g.one(3) {
			key = pick(g, "p", "q", "r")
		}
		if g.one(20) {
			key = nil
		}
		row := []any{t.name, key, g.value(t, i, now), at}
		if g.family == "headers" && g.one(2) {
			row = append(row, []any{[]any{pick(g, "h", "i"), fmt.Sprint("v", i)}})
		}
		inputs = append(inputs, row)
	}
	if g.one(2) {
		now += pick(g, int64(100), 1000, 5000)
		inputs = append(inputs, []any{g.order[0], "z", g.value(g.topics[g.order[0]], n, now), now})
	}
	if g.cached && g.one(2) {
		inputs = append(inputs, map[string]any{"commit": true})
	}
	return inputs
}

// value makes a value of the topic's shape.
func (g *generator) value(t *topic, i int, now int64) any {
	if g.one(10) {
		return nil
	}
	letters := pick(g, "x", "y", "z", "xy")
	switch t.shape {
	case "int":
		return g.IntN(13) - 2
	case "piped":
		return fmt.Sprintf("%s|%d|%s", pick(g, "p", "q", "r", "p", "q", ""), g.IntN(9), letters)
	case "pairs":
		var parts []string
		for range 1 + g.IntN(3) {
			parts = append(parts, pick(g, "a=", "b=", "c=", "", "~=")+pick(g, "v0", "v1", "v2", "~"))
		}
		return strings.Join(parts, ";")
	case "commas":
		return pick(g, "x", "y") + "," + pick(g, "x1", "", "z2")
	case "timed":
		return fmt.Sprintf("%s%d|%s", letters, i, pick(g, fmt.Sprint(now+g.Int64N(9)), fmt.Sprint(max(0, now-g.Int64N(30))), fmt.Sprint(now), "", "-5", "n"))
	}
	if g.one(3) {
		return letters // again, so that values are the same twice
	}
	return fmt.Sprintf("%s%d", letters, i)
}
