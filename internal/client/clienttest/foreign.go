package clienttest

import (
	"testing"

	"github.com/mainstemio/mainstem/record"
)

var foreignTests = map[string]func(*testing.T, *world){
	"AbortedRecordsAreSkippedAndCommittedOnesReadInOrder": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		tx := w.Foreign(t, ForeignOptions{ID: w.name("tx")})
		defer tx.Close()
		plain := w.Foreign(t, ForeignOptions{})
		defer plain.Close()
		var want []string
		for i, v := range numbered(12) {
			switch i % 3 {
			case 0:
				tx.Produce(t, tp, v, v+"'")
				tx.End(t, true)
				want = append(want, v, v+"'")
			case 1:
				tx.Produce(t, tp, v)
				plain.Produce(t, tp, v+" beside")
				tx.Produce(t, tp, v)
				tx.End(t, false)
				want = append(want, v+" beside")
			case 2:
				plain.Produce(t, tp, v)
				want = append(want, v)
			}
		}
		equal(t, "in one go", log{tp: want}, w.readToEnd(t, w.reader(t, at(0, tp)), tp))
		r := w.reader(t, at(0, tp))
		got := w.readUntil(t, r, 1, func(l log, next positions) bool { return len(l[tp]) == len(want) })
		equal(t, "batch by batch", log{tp: want}, got)
	},

	"AnOpenTransactionHidesItselfAndWhatFollowsInItsPartition": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 2)
		tx := w.Foreign(t, ForeignOptions{ID: w.name("tx")})
		defer tx.Close()
		plain := w.Foreign(t, ForeignOptions{})
		defer plain.Close()
		plain.Produce(t, tps[0], "before")
		tx.Produce(t, tps[0], "open")
		plain.Produce(t, tps[0], "behind")
		plain.Produce(t, tps[1], "elsewhere")
		ends, err := w.Door.Ends(w.ctx, tps...)
		must(t, err)
		equal(t, "committed ends", positions{tps[0]: 1, tps[1]: 1}, ends)
		r := w.reader(t, at(0, tps...))
		equal(t, "before the end", log{tps[0]: {"before"}, tps[1]: {"elsewhere"}}, w.read(t, r, 2))
		w.expectNothing(t, r)
		tx.End(t, true)
		equal(t, "after the end", log{tps[0]: {"open", "behind"}}, w.read(t, r, 2))
	},

	"NextMovesBehindMarkersAndAbortedRecords": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		tx := w.Foreign(t, ForeignOptions{ID: w.name("tx")})
		defer tx.Close()
		tx.Produce(t, tp, "a")
		tx.End(t, true)
		tx.Produce(t, tp, "b", "c")
		tx.End(t, false)
		r := w.reader(t, at(0, tp))
		var next, end record.Offset
		got := w.readUntil(t, r, 1<<20, func(_ log, n positions) bool { next = n[tp]; return next == 5 })
		equal(t, "records", log{tp: {"a"}}, got)
		if end = w.ends(t, tp)[tp]; end != next {
			t.Errorf("read up to %d, the log ends at %d", next, end)
		}
		tx.Produce(t, tp, "d")
		tx.End(t, true)
		again := w.reader(t, positions{tp: next})
		equal(t, "from there", log{tp: {"d"}}, w.readToEnd(t, again, tp))
		inside := w.reader(t, positions{tp: 3}) // between the aborted records
		equal(t, "from inside the aborted transaction", log{tp: {"d"}}, w.readToEnd(t, inside, tp))
	},

	"CompressedBatchesAreRead": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		for _, id := range []string{"", w.name("tx")} {
			f := w.Foreign(t, ForeignOptions{ID: id, Compress: true})
			f.Produce(t, tp, numbered(300)...)
			if id != "" {
				f.End(t, true)
			}
			f.Close()
		}
		want := append(numbered(300), numbered(300)...)
		equal(t, "records", log{tp: want}, w.readToEnd(t, w.reader(t, at(0, tp)), tp))
	},

	// An instance that died in the middle of a transaction under the application's id, on whatever door it ran.
	"OpenProducerAbortsWhatAnOlderInstanceLeftOpen": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		tx := w.Foreign(t, ForeignOptions{ID: w.app})
		tx.Produce(t, tp, "unfinished")
		tx.Close()
		p := w.producer(t, w.Door, w.app)
		w.commit(t, p, tp, "finished")
		equal(t, "records", log{tp: {"finished"}}, w.readToEnd(t, w.reader(t, at(0, tp)), tp))
	},
}
