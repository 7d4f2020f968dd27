package clienttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

var readerTests = map[string]func(*testing.T, *world){
	"PollWaitsForTheNextCommit": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		r := w.reader(t, at(0, tp))
		for _, v := range numbered(5) {
			got := make(chan log, 1)
			go func() {
				defer close(got) // also where Poll fails
				got <- w.readUntil(t, r, 1<<20, func(l log, _ positions) bool { return len(l[tp]) > 0 })
			}()
			w.commit(t, p, tp, v)
			equal(t, "record", log{tp: {v}}, <-got)
		}
	},

	"ReadingStartsAtThePosition": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		w.commit(t, p, tp, numbered(10)...) // one batch: the position lies inside it
		equal(t, "records", log{tp: numbered(10)[7:]}, w.readToEnd(t, w.reader(t, at(7, tp)), tp))
		ends := w.ends(t, tp)
		r := w.reader(t, ends)
		w.expectNothing(t, r)
		w.commit(t, p, tp, "later")
		equal(t, "from the end", log{tp: {"later"}}, w.read(t, r, 1))
	},

	"AllOfManyPartitionsAreRead": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 24)
		p := w.producer(t, w.Door, w.app)
		want := log{}
		for round := range 3 {
			e := p.NewEpoch()
			for _, tp := range tps {
				v := fmt.Sprintf("%d-%d", tp.Partition, round)
				fill(t, e, tp, v)
				want[tp] = append(want[tp], v)
			}
			must(t, p.Commit(w.ctx, e, nil))
		}
		equal(t, "records", want, w.readToEnd(t, w.reader(t, at(0, tps...)), tps...))
	},

	"ABusyPartitionDoesNotStarveOthers": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 3)
		p := w.producer(t, w.Door, w.app)
		filler := strings.Repeat("x", 10_000)
		const epochs = 24 // fetches, too, of small ones: in which partition each begins is a matter of chance where kgo decides it
		for range epochs {
			e := p.NewEpoch()
			for range 30 {
				fill(t, e, tps[1], filler)
			}
			must(t, p.Commit(w.ctx, e, nil))
		}
		e := p.NewEpoch()
		fill(t, e, tps[0], "a")
		fill(t, e, tps[2], "c")
		must(t, p.Commit(w.ctx, e, nil))
		busy := 0
		w.readUntil(t, w.reader(t, at(0, tps...)), 64<<10, func(l log, _ positions) bool {
			busy = len(l[tps[1]])
			return len(l[tps[0]]) > 0 && len(l[tps[2]]) > 0 || busy == 30*epochs
		})
		if busy == 30*epochs {
			t.Error("the small partitions came last")
		}
	},

	"MaxBytesBoundsAPoll": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 8)
		p := w.producer(t, w.Door, w.app)
		filler := strings.Repeat("x", 1000)
		for range 10 { // batches of about 10 KB
			e := p.NewEpoch()
			for range 10 {
				for _, tp := range tps {
					fill(t, e, tp, filler)
				}
			}
			must(t, p.Commit(w.ctx, e, nil))
		}
		r := w.reader(t, at(0, tps...))
		for total := 0; total < 800; {
			chunks, err := r.Poll(w.ctx, 20_000)
			must(t, err)
			n := 0
			for _, c := range chunks {
				n += len(c.Values)
			}
			if n > 50 { // 20 records are 20,000 bytes; some batches more are "about"
				t.Fatalf("a Poll of 20,000 bytes returned %d records of 1,000 bytes", n)
			}
			total += n
		}
	},

	// Changelogs are written compressed where that pays; others, and older versions, write them plain.
	"AChangelogIsReadAsItWasWritten": func(t *testing.T, w *world) {
		tp := w.topic(t, "store-changelog", 1)[0]
		own, other := w.producer(t, w.Door, w.app), w.producer(t, w.Door, w.app+"-other")
		var want []string
		for i := range 6 {
			p, size := own, 3000
			if i%3 == 2 {
				p = other
			}
			if i > 2 {
				size = 30 // too small to be worth it
			}
			var values []string
			for j := range 10 {
				values = append(values, fmt.Sprint(i, j, strings.Repeat(`{"customerId":17}`, size/17)))
			}
			w.commit(t, p, tp, values...)
			want = append(want, values...)
		}
		equal(t, "records", log{tp: want}, w.readToEnd(t, w.reader(t, at(0, tp)), tp))
		equal(t, "records from the middle of a batch", log{tp: want[5:]}, w.readToEnd(t, w.reader(t, at(5, tp)), tp))
	},

	"APausedPartitionIsSilentUntilItIsResumed": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 2)
		p := w.producer(t, w.Door, w.app)
		r := w.reader(t, at(0, tps...))
		r.Pause(tps[0])
		e := p.NewEpoch()
		fill(t, e, tps[0], "a")
		fill(t, e, tps[1], "b")
		must(t, p.Commit(w.ctx, e, nil))
		equal(t, "while paused", log{tps[1]: {"b"}}, w.readToEnd(t, r, tps[1]))
		w.expectNothing(t, r)
		r.Resume(tps[0])
		equal(t, "resumed", log{tps[0]: {"a"}}, w.readToEnd(t, r, tps[0]))
		r.Pause(tps[1])
		r.Resume(tps[1])
		w.commit(t, p, tps[1], "c")
		equal(t, "paused and resumed", log{tps[1]: {"c"}}, w.readToEnd(t, r, tps[1]))
	},

	"ResumeEndsThePollThatWaits": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		w.commit(t, p, tp, numbered(1000)...)
		w.commit(t, p, tp, numbered(1000)...)
		r := w.reader(t, at(0, tp))
		got := w.readUntil(t, r, 1, func(l log, _ positions) bool { return len(l[tp]) > 0 }) // more may have been fetched than was asked for
		r.Pause(tp)
		time.AfterFunc(50*time.Millisecond, func() { r.Resume(tp) }) // most likely Poll waits by then
		rest := w.readToEnd(t, r, tp)
		equal(t, "records", 2000, len(got[tp])+len(rest[tp]))
	},

	"AReaderOutlivesACancelledPoll": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		r := w.reader(t, at(0, tp))
		for range 3 {
			ctx, cancel := context.WithCancel(w.ctx)
			ended := make(chan error, 1)
			go func() {
				for {
					if _, err := r.Poll(ctx, 1<<20); err != nil {
						ended <- err
						return
					}
				}
			}()
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled Poll: %v", err)
			}
		}
		deadline, cancel := context.WithTimeout(w.ctx, time.Millisecond)
		defer cancel()
		<-deadline.Done()
		if _, err := r.Poll(deadline, 1<<20); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a Poll too late: %v", err)
		}
		w.commit(t, p, tp, "x")
		equal(t, "afterwards", log{tp: {"x"}}, w.readToEnd(t, r, tp))
	},

	"ChunksMayBeKept": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		foreign := w.Foreign(t, ForeignOptions{Compress: true})
		defer foreign.Close()
		var want []string
		for i := range 20 {
			a, b := fmt.Sprintf("plain %d", i), strings.Repeat(fmt.Sprintf("compressed %d ", i), 20)
			w.commit(t, p, tp, a)
			foreign.Produce(t, tp, b)
			want = append(want, a, b)
		}
		r := w.reader(t, at(0, tp))
		var kept []client.Chunk
		for n := 0; n < len(want); {
			chunks, err := r.Poll(w.ctx, 100)
			must(t, err)
			for _, c := range chunks {
				n += len(c.Values)
			}
			kept = append(kept, chunks...)
		}
		var got []string
		for _, c := range kept {
			for i, v := range c.Values {
				got = append(got, string(v))
				if i > 0 && c.Offsets[i] <= c.Offsets[i-1] {
					t.Errorf("offsets %d, %d", c.Offsets[i-1], c.Offsets[i])
				}
			}
		}
		equal(t, "values of all chunks together", want, got)
	},

	"EndTellsTheLag": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		for _, v := range numbered(50) {
			w.commit(t, p, tp, v)
		}
		ends := w.ends(t, tp)
		r := w.reader(t, at(0, tp))
		var lags []record.Offset
		for next := record.Offset(0); next < ends[tp]; {
			chunks, err := r.Poll(w.ctx, 500)
			must(t, err)
			for _, c := range chunks {
				equal(t, "End", ends[tp], c.End)
				next = c.Next
				lags = append(lags, c.End-c.Next)
			}
		}
		if !slices.IsSortedFunc(lags, func(a, b record.Offset) int { return int(b - a) }) || lags[len(lags)-1] != 0 {
			t.Errorf("lags %v", lags)
		}
	},

	"TwoReadersDoNotDisturbEachOther": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		w.commit(t, p, tp, "a", "b")
		r1, r2 := w.reader(t, at(0, tp)), w.reader(t, at(1, tp))
		equal(t, "first", log{tp: {"a", "b"}}, w.readToEnd(t, r1, tp))
		r1.Close()
		equal(t, "second", log{tp: {"b"}}, w.readToEnd(t, r2, tp))
	},
}
