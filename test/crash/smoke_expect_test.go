package crash

import (
	"fmt"
	"slices"
	"strconv"
)

// Outputs are the values of topics by topic and key, in order; a null is none.
type outputs map[string]map[string][]string

const none = "null"

func (o outputs) add(topic, key, value string) {
	if o[topic] == nil {
		o[topic] = map[string][]string{}
	}
	o[topic][key] = append(o[topic][key], value)
}

// The smoke program's windows in ms: size and grace, gap and grace, and how far joined records may lie apart.
const (
	windowSize, windowGrace  = 20_000, 10_000
	sessionGap, sessionGrace = 4_000, 10_000
	joinApart                = 10_000
	residues                 = 20
	groups                   = 7
)

// sequences are the outputs that depend on one input only: all of them follow from the order of its log.
func sequences(in smokeInputs) outputs {
	out := outputs{}
	for _, log := range in["numbers"] {
		aggregates(out, log)
		tumbling(out, log)
		sessions(out, log)
	}
	grouped := map[int64]int{}
	for _, log := range in["numbers"] {
		for _, i := range log {
			g := i.id % groups
			grouped[g]++
			out.add("groups", fmt.Sprintf("group-%d", g), strconv.Itoa(grouped[g]))
		}
	}
	return out
}

func aggregates(out outputs, log []input) {
	type state struct {
		count, sum, min, max int64
		distinct             map[int64]bool
	}
	states := map[string]*state{}
	average := func(key string, sum, count int64) {
		out.add("average", key, strconv.FormatFloat(float64(sum)/float64(count), 'f', 3, 64))
	}
	for _, i := range log {
		s := states[i.key]
		if s == nil {
			s = &state{min: i.number, max: i.number, distinct: map[int64]bool{}}
			states[i.key] = s
		}
		s.sum += i.number
		if s.count > 0 {
			average(i.key, s.sum, s.count) // the table of sums moves first
		}
		s.count++
		average(i.key, s.sum, s.count)
		s.min, s.max = min(s.min, i.number), max(s.max, i.number)
		s.distinct[i.number%residues] = true
		for topic, n := range map[string]int64{"count": s.count, "sum": s.sum, "min": s.min, "max": s.max, "distinct": int64(len(s.distinct))} {
			out.add(topic, i.key, strconv.FormatInt(n, 10))
		}
	}
}

// tumbling counts by window: every update, and one final result of each window that was closed.
func tumbling(out outputs, log []input) {
	type window struct {
		key   string
		start int64
	}
	counts := map[window]int{}
	now := int64(0)
	name := func(w window) string { return fmt.Sprintf("%s@%d-%d", w.key, w.start, w.start+windowSize) }
	for _, i := range log {
		now = max(now, i.at)
		w := window{i.key, i.at - i.at%windowSize}
		if w.start+windowSize+windowGrace <= now {
			continue // late
		}
		counts[w]++
		out.add("windows", name(w), strconv.Itoa(counts[w]))
	}
	for w, n := range counts {
		if w.start+windowSize+windowGrace <= now {
			out.add("final", name(w), strconv.Itoa(n))
		}
	}
}

type session struct{ start, end, count int64 }

func sessions(out outputs, log []input) {
	open := map[string][]session{} // in order of time
	now := int64(0)
	for _, i := range log {
		now = max(now, i.at)
		name := func(s session) string { return fmt.Sprintf("%s@%d-%d", i.key, s.start, s.end) }
		merged := session{i.at, i.at, 1}
		var near, far []session
		for _, s := range open[i.key] {
			if s.end < i.at-sessionGap || s.start > i.at+sessionGap {
				far = append(far, s)
				continue
			}
			near = append(near, s)
			merged = session{min(merged.start, s.start), max(merged.end, s.end), merged.count + s.count}
		}
		if merged.end < now-sessionGap-sessionGrace {
			continue // late
		}
		for _, s := range near {
			if merged.start != merged.end {
				out.add("sessions", name(s), none)
			}
		}
		out.add("sessions", name(merged), strconv.FormatInt(merged.count, 10))
		open[i.key] = append(far, merged)
		slices.SortFunc(open[i.key], func(a, b session) int { return int(a.start - b.start) })
	}
}

// pairs are the results of the join of two streams by key, in no order.
func pairs(in smokeInputs) map[string][]string {
	out := map[string][]string{}
	clicks := byKey(in["clicks"])
	for key, numbers := range byKey(in["numbers"]) {
		for _, n := range numbers {
			for _, c := range clicks[key] {
				if c.at-n.at <= joinApart && n.at-c.at <= joinApart {
					out[key] = append(out[key], pairOf(n, c))
				}
			}
		}
	}
	return out
}

func pairOf(a, b input) string { return fmt.Sprintf("%d/%d", a.id, b.id) }

// byKey splits the partitions of a topic into the keys' sequences.
func byKey(partitions map[int32][]input) map[string][]input {
	out := map[string][]input{}
	for _, log := range partitions {
		for _, i := range log {
			out[i.key] = append(out[i.key], i)
		}
	}
	return out
}
