package checker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/record"
)

// parse reads a history, an operation a line: process, outcome, then s:partition:value:offset and r:partition:value:offset, or
// assigned, or subscribed. The place in the text is the time of the end; begin=, commit= set the others.
func parse(t *testing.T, text string) (h []Op) {
	t.Helper()
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		return n
	}
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		op := Op{Process: int(number(f[0])), End: int64(i), Outcome: map[string]Outcome{"ok": OK, "fail": Fail, "info": Info}[f[1]]}
		for _, w := range f[2:] {
			p := strings.Split(w, ":")
			switch p[0] {
			case "assigned":
				op.Assigned = true
			case "toend":
				op.ToEnd = true
			case "subscribed":
				op.Subscribed = true
			case "commit":
				op.Commit = number(p[1])
			case "s", "r":
				tp := record.TopicPartition{Topic: "t", Partition: int32(number(p[1]))}
				if p[0] == "s" {
					op.Sends = append(op.Sends, Send{tp, p[2], record.Offset(number(p[3]))})
				} else {
					op.Reads = append(op.Reads, Read{tp, p[2], record.Offset(number(p[3]))})
				}
			}
		}
		h = append(h, op)
	}
	return h
}

func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name, history string
		want          []Kind
	}{
		{"a good history", `
			1 ok s:0:a:0
			1 ok s:0:b:1 s:1:c:0
			2 ok r:0:a:0
			2 ok r:0:b:1 r:1:c:0`, nil},
		{"two values at one offset", `
			1 ok s:0:a:0
			1 info s:0:b:-1
			2 ok r:0:b:0`, []Kind{InconsistentOffset, Lost}},
		{"one value twice", `
			1 ok s:0:a:0
			2 ok r:0:a:0 r:0:a:1`, []Kind{Duplicate, Duplicate}},
		{"a retry that was stored again", `
			1 info s:0:a:-1
			2 ok r:0:a:0
			3 ok r:0:a:1`, []Kind{Duplicate}},
		{"acknowledged at another offset", `
			1 ok s:0:a:3
			2 ok r:0:a:4`, []Kind{Duplicate}},
		{"an aborted value", `
			1 fail s:0:a:-1
			2 ok r:0:a:0`, []Kind{AbortedRead}},
		{"a value before its commit", `
			2 ok r:0:a:0
			1 ok s:0:a:0 commit:1`, []Kind{PrecommittedRead}},
		{"a value between the commit and its answer", `
			2 ok r:0:a:0
			1 ok s:0:a:0 commit:0`, nil},
		{"a value of nobody", `2 ok r:0:a:0`, []Kind{Unasked}},
		{"a value in another partition", `
			1 info s:0:a:-1
			2 ok r:1:a:0`, []Kind{Unasked}},
		{"a lost value", `
			1 ok s:0:a:0
			1 ok s:0:b:1
			2 ok r:0:b:1`, []Kind{Lost}},
		{"a value that nobody came to", `
			1 ok s:0:a:0
			1 ok s:0:b:1
			2 ok r:0:a:0`, nil},
		{"the end is lost", `
			1 ok s:0:a:0
			1 ok s:0:b:1
			2 ok r:0:a:0 toend`, []Kind{Lost}},
		{"all of a partition is lost", `
			1 ok s:0:a:0
			2 ok toend`, []Kind{Lost}},
		{"nothing was read", `1 ok s:0:a:0`, nil},
		{"an unknown end that nobody saw", `
			1 info s:0:a:-1
			1 ok s:0:b:0
			2 ok r:0:b:0`, nil},
		{"half a transaction", `
			1 info s:0:a:-1 s:1:b:-1
			2 ok r:0:a:0`, []Kind{Torn}},
		{"half a committed transaction", `
			1 ok s:0:a:0 s:1:b:0
			1 ok s:1:c:1
			2 ok r:0:a:0 r:1:c:1`, []Kind{Lost}},
		{"a consumer that goes back", `
			1 ok s:0:a:0 s:0:b:1
			2 ok r:0:a:0 r:0:b:1
			2 ok r:0:a:0`, []Kind{NonmonotonicPoll}},
		{"a consumer that is told to go back", `
			1 ok s:0:a:0 s:0:b:1
			2 ok r:0:a:0 r:0:b:1
			2 ok assigned r:0:a:0`, nil},
		{"a consumer that leaves something out", `
			1 ok s:0:a:0 s:0:b:1 s:0:c:2
			2 ok r:0:a:0 r:0:c:2
			3 ok r:0:b:1`, []Kind{Skipped}},
		{"a group that moves partitions", `
			1 ok s:0:a:0 s:0:b:1 s:0:c:2
			2 ok r:0:a:0
			2 ok subscribed r:0:c:2
			3 ok r:0:b:1`, nil},
		{"offsets that hold nothing", `
			1 ok s:0:a:0 s:0:c:7
			2 ok r:0:a:0 r:0:c:7`, nil},
		{"a producer whose sends change places", `
			1 ok s:0:a:1
			1 ok s:0:b:0
			2 ok r:0:b:0 r:0:a:1`, []Kind{NonmonotonicSend}},
		{"two transactions that read each other", `
			1 ok s:0:a:0 r:0:b:1
			2 ok s:0:b:1 r:0:a:0`, []Kind{CyclicRead}},
		{"a chain of transactions", `
			1 ok s:0:a:0
			2 ok s:1:b:0 r:0:a:0
			3 ok r:1:b:0`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []Kind
			for _, f := range Check(parse(t, c.history)) {
				got = append(got, f.Kind)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, expected %v", got, c.want)
			}
		})
	}
}

// A long history of a log that works is clean whatever the mixture, and each of its records matters: without the read of any one of
// them something is found.
func TestALongGoodHistoryIsCleanAndEveryReadCounts(t *testing.T) {
	const n = 200
	var h []Op
	var reads []Read
	for i := range n {
		tp := record.TopicPartition{Topic: "t", Partition: int32(i % 3)}
		at := record.Offset(i / 3)
		h = append(h, Op{Process: i % 3, End: int64(i), Sends: []Send{{tp, fmt.Sprint(i), at}}})
		reads = append(reads, Read{tp, fmt.Sprint(i), at})
	}
	h = append(h, Op{Process: 9, End: n, Reads: reads})
	if fs := Check(h); len(fs) > 0 {
		t.Fatal(fs)
	}
	for drop := range n - 3 {
		h[n].Reads = slices.Delete(slices.Clone(reads), drop, drop+1)
		if fs := Check(h); len(fs) != 1 || fs[0].Kind != Lost {
			t.Fatalf("without the read of %d: %v", drop, fs)
		}
	}
}
