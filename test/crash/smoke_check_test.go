package crash

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// smokeOutputs are the smoke program's output topics.
var smokeOutputs = []string{
	"count", "sum", "min", "max", "average", "distinct", "groups", "windows", "final", "sessions", "joined", "enriched", "limited", "owned",
}

// judge compares outputs with the inputs they must come from. Of a topic that depends on one input, each key's values must be the
// expected ones, one after the other. Where two inputs meet, their order is nobody's, but every result must be there exactly once and
// some order must explain all of a key's results.
func judge(in smokeInputs, got outputs) error {
	var wrong findings
	want := sequences(in)
	for _, topic := range []string{"count", "sum", "min", "max", "average", "distinct", "groups", "windows", "final", "sessions"} {
		compare(&wrong, topic, got[topic], want[topic])
	}
	joined := pairs(in)
	for _, values := range joined {
		slices.Sort(values)
	}
	sorted := map[string][]string{}
	for key, values := range got["joined"] {
		sorted[key] = slices.Sorted(slices.Values(values))
	}
	compare(&wrong, "joined", sorted, joined)

	accounts, clicks, limits := byKey(in["accounts"]), byKey(in["clicks"]), byKey(in["limits"])
	keys := map[string]bool{}
	for _, m := range []map[string][]input{accounts, clicks, limits} {
		for key := range m {
			keys[key] = true
		}
	}
	for _, topic := range []string{"enriched", "limited", "owned"} {
		for key := range got[topic] {
			keys[key] = true
		}
	}
	owners := byKey(in["owners"])
	for key := range keys {
		e := enrichment{clicks[key], accounts[key]}
		wrong.judged("enriched", key, explained(e.sizes(), e.results, got["enriched"][key]))
		l := tableJoin{accounts[key], limits[key]}
		wrong.judged("limited", key, explained(l.sizes(), l.results, got["limited"][key]))
		wrong.judged("owned", key, owned(accounts[key], owners, got["owned"][key]))
	}
	return wrong.err()
}

func (f *findings) judged(topic, key string, err error) {
	if err != nil {
		f.add("%s: %s: %w", topic, key, err)
	}
}

// compare demands the same values for each key, and tells the first difference of each.
func compare(wrong *findings, topic string, got, want map[string][]string) {
	for key := range got {
		if want[key] == nil {
			wrong.add("%s: %s: %d values, none is expected: %s", topic, key, len(got[key]), excerpt(got[key], 0))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		g, w := got[key], want[key]
		if slices.Equal(g, w) {
			continue
		}
		at := 0
		for at < len(g) && at < len(w) && g[at] == w[at] {
			at++
		}
		wrong.add("%s: %s: %d values where %d are expected; from the first difference, number %d:\n got %s\nwant %s", topic, key, len(g), len(w), at, excerpt(g, at), excerpt(w, at))
	}
}

func excerpt(values []string, from int) string {
	return strings.Join(values[min(len(values), from):min(len(values), from+6)], " ")
}

// explained looks for an order of two sequences of inputs that gives exactly the results that were found. results says what the last
// of i inputs on the left and j on the right gives, when it came from the left, or else from the right, after all others.
func explained(sizes [2]int, results func(i, j int, fromLeft bool) []string, found []string) error {
	type place struct{ i, j, found int }
	seen := map[place]bool{}
	open := []place{{}}
	furthest := 0
	for len(open) > 0 {
		p := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[p] {
			continue
		}
		seen[p] = true
		furthest = max(furthest, p.found)
		if p.i == sizes[0] && p.j == sizes[1] && p.found == len(found) {
			return nil
		}
		for _, fromLeft := range []bool{true, false} {
			next := place{p.i + 1, p.j, p.found}
			if !fromLeft {
				next = place{p.i, p.j + 1, p.found}
			}
			if next.i > sizes[0] || next.j > sizes[1] {
				continue
			}
			made := results(next.i, next.j, fromLeft)
			if next.found += len(made); next.found <= len(found) && slices.Equal(made, found[p.found:next.found]) {
				open = append(open, next)
			}
		}
	}
	return fmt.Errorf("no order of %d and %d inputs explains the %d results; the first %d at most, then: %s",
		sizes[0], sizes[1], len(found), furthest, excerpt(found, furthest))
}

// An enrichment joins each click with the account of the moment.
type enrichment struct{ clicks, accounts []input }

func (e enrichment) sizes() [2]int { return [2]int{len(e.clicks), len(e.accounts)} }

func (e enrichment) results(i, j int, fromLeft bool) []string {
	switch {
	case !fromLeft:
		return nil
	case j == 0 || e.accounts[j-1].null:
		return []string{fmt.Sprintf("%d/-", e.clicks[i-1].id)}
	}
	return []string{pairOf(e.clicks[i-1], e.accounts[j-1])}
}

// A tableJoin gives a result for each update on a side whose other side has a row.
type tableJoin struct{ left, right []input }

func (t tableJoin) sizes() [2]int { return [2]int{len(t.left), len(t.right)} }

func (t tableJoin) results(i, j int, fromLeft bool) []string {
	if i == 0 || j == 0 {
		return nil
	}
	l, r := t.left[i-1], t.right[j-1]
	if fromLeft && r.null || !fromLeft && l.null {
		return nil
	}
	if l.null || r.null {
		return []string{none}
	}
	return []string{pairOf(l, r)}
}

// owned checks the results of a foreign-key join for one row on the left: they are pairs of the row and its owner, each at most once
// and in the order of both, and the last one is that of the last values.
func owned(accounts []input, owners map[string][]input, found []string) error {
	type version struct{ account, owner int }
	versions := map[string]version{}
	last := none
	for i, a := range accounts {
		last = none
		for j, o := range owners[a.owner] {
			if a.null || o.null {
				last = none
				continue
			}
			last = pairOf(a, o)
			versions[last] = version{i, j}
		}
	}
	before := version{-1, -1}
	for _, result := range found {
		if result == none {
			continue
		}
		v, ok := versions[result]
		if !ok {
			return fmt.Errorf("%s is no row and its owner", result)
		}
		if v.account < before.account || v.account == before.account && v.owner <= before.owner {
			return fmt.Errorf("%s is there twice or out of order", result)
		}
		before = v
	}
	if len(found) == 0 && last != none {
		return fmt.Errorf("nothing is there where the last result is %s", last)
	}
	if len(found) > 0 && found[len(found)-1] != last {
		return fmt.Errorf("the last result is %s, not %s", found[len(found)-1], last)
	}
	return nil
}
