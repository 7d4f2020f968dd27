package crash

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// smokeRun makes inputs, and outputs as they come when every record is processed as soon as it is sent.
func smokeRun(t *testing.T) (smokeInputs, outputs) {
	t.Helper()
	f := &feeder{rand: rand.New(rand.NewPCG(1, 1)), clock: smokeStart()}
	in := smokeInputs{}
	var all []input
	var topics []string
	for range 2000 {
		id, r := f.record()
		i, err := parseInput(r)
		if err != nil || i.id != id {
			t.Fatal(id, err)
		}
		if in[r.Topic] == nil {
			in[r.Topic] = map[int32][]input{}
		}
		p := partitionOf(r)
		in[r.Topic][p] = append(in[r.Topic][p], i)
		all, topics = append(all, i), append(topics, r.Topic)
	}
	out := sequences(in)
	out["joined"] = pairs(in)
	joinInOrder(out, all, topics)
	return in, out
}

func partitionOf(r *kgo.Record) int32 {
	h := fnv.New32()
	_, _ = h.Write(r.Key) // never fails
	return int32(h.Sum32() % uint32(smokeTopics[r.Topic]))
}

// joinInOrder adds what the joins with tables make of the records in this order.
func joinInOrder(out outputs, all []input, topics []string) {
	tables := map[string]map[string]input{"accounts": {}, "limits": {}, "owners": {}}
	row := func(table, key string) (input, bool) {
		i, ok := tables[table][key]
		return i, ok && !i.null
	}
	joined := func(topic, key string, a input, okA bool, b input, okB bool) {
		if okA && okB {
			out.add(topic, key, pairOf(a, b))
		} else {
			out.add(topic, key, none)
		}
	}
	for n, i := range all {
		if t := tables[topics[n]]; t != nil {
			t[i.key] = i
		}
		a, okA := row("accounts", i.key)
		l, okL := row("limits", i.key)
		switch o, okO := row("owners", a.owner); topics[n] {
		case "clicks":
			if okA {
				out.add("enriched", i.key, pairOf(i, a))
			} else {
				out.add("enriched", i.key, fmt.Sprintf("%d/-", i.id))
			}
		case "limits":
			if okA {
				joined("limited", i.key, a, okA, l, okL)
			}
		case "accounts":
			if okL {
				joined("limited", i.key, a, okA, l, okL)
			}
			joined("owned", i.key, a, okA, o, okO)
		case "owners":
			for key, a := range tables["accounts"] {
				if !a.null && a.owner == i.key {
					joined("owned", key, a, true, i, !i.null)
				}
			}
		}
	}
}

func TestJudgeFindsWhatIsWrongInSmoke(t *testing.T) {
	in, out := smokeRun(t)
	if err := judge(in, out); err != nil {
		t.Fatal(err)
	}
	lose := func(vs []string, at int) []string { return slices.Delete(vs, at, at+1) }
	repeat := func(vs []string, at int) []string { return slices.Insert(vs, at, vs[at]) }
	swap := func(vs []string, at int) []string { vs[at], vs[at+1] = vs[at+1], vs[at]; return vs }
	for name, change := range map[string]func([]string, int) []string{"lost": lose, "repeated": repeat, "swapped": swap} {
		for _, topic := range smokeOutputs {
			if topic == "joined" && name == "swapped" || topic == "owned" && name == "lost" {
				continue // no order is demanded; a result that was replaced before it was made is none
			}
			if topic == "final" && name == "swapped" {
				continue // there is one of each
			}
			key, at := place(out[topic], name == "swapped")
			if key == "" {
				t.Fatalf("%s: no value can be %s", topic, name)
			}
			right := out[topic][key]
			out[topic][key] = change(slices.Clone(right), at)
			if judge(in, out) == nil {
				t.Errorf("%s: not found that %s of %s was %s: number %d of %v", topic, right[at], key, name, at, right)
			}
			out[topic][key] = right
		}
	}
	for _, topic := range smokeOutputs {
		out.add(topic, "key-that-nobody-sent", "1/1")
		if judge(in, out) == nil {
			t.Errorf("%s: not found that a key was made up", topic)
		}
		delete(out[topic], "key-that-nobody-sent")
	}
}

// place finds a value with different ones around it; or one that is all there is, if another one need not stand behind it.
func place(values map[string][]string, pair bool) (key string, at int) {
	for key, vs := range values {
		for at := 1; at+2 < len(vs); at++ {
			around := vs[at-1 : at+3]
			if !slices.Contains(around, none) && len(slices.Compact(slices.Sorted(slices.Values(around)))) == 4 {
				return key, at
			}
		}
	}
	for key, vs := range values {
		if len(vs) > 1 && vs[0] != vs[1] || !pair && len(vs) > 0 && vs[0] != none {
			return key, 0
		}
	}
	return "", 0
}
