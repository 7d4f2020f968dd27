package clienttest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

var producerTests = map[string]func(*testing.T, *world){
	"ANewerInstanceFencesTheOlderOne": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		old := w.producer(t, w.Door, w.app)
		w.commit(t, old, tp, "of the old one")
		open := old.NewEpoch()
		fill(t, open, tp, "never seen")
		young := w.producer(t, w.Second(t), w.app)
		if err := old.Commit(w.ctx, open, positions{tp: 99}); !errors.Is(err, client.ErrFenced) {
			t.Errorf("records and positions of the old instance: %v", err)
		}
		w.commit(t, young, tp, "of the young one")
		got, err := w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "positions", positions{}, got)
		equal(t, "records", log{tp: {"of the old one", "of the young one"}}, w.readToEnd(t, w.reader(t, at(0, tp)), tp))
	},

	"AFencedInstanceCannotCommitPositionsAlone": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		old := w.producer(t, w.Door, w.app)
		must(t, old.Commit(w.ctx, old.NewEpoch(), positions{tp: 1}))
		young := w.producer(t, w.Second(t), w.app)
		if err := old.Commit(w.ctx, old.NewEpoch(), positions{tp: 2}); !errors.Is(err, client.ErrFenced) {
			t.Errorf("positions of the old instance: %v", err)
		}
		must(t, young.Commit(w.ctx, young.NewEpoch(), positions{tp: 3}))
		if err := old.Commit(w.ctx, old.NewEpoch(), positions{tp: 4}); !errors.Is(err, client.ErrFenced) {
			t.Errorf("once more: %v", err)
		}
		got, err := w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "positions", positions{tp: 3}, got)
	},

	"ApplicationsDoNotFenceOneAnother": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		a, b := w.producer(t, w.Door, w.app), w.producer(t, w.Door, w.app+"-b")
		must(t, a.Commit(w.ctx, a.NewEpoch(), positions{tp: 1}))
		must(t, b.Commit(w.ctx, b.NewEpoch(), positions{tp: 2}))
		got, err := w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "positions", positions{tp: 1}, got)
	},

	// Two instances race: whatever is durable is a run of whole epochs, and the positions say how long it is.
	"ATakeOverInFullFlightLeavesWholeEpochsOnly": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 2)
		old := w.producer(t, w.Door, w.app)
		stopped := make(chan error, 1)
		started := make(chan struct{})
		go func() {
			for i := 0; ; i++ {
				if i == 5 {
					close(started)
				}
				if err := commitNumber(w, old, tps, i); err != nil {
					stopped <- err
					return
				}
			}
		}()
		select {
		case <-started:
		case err := <-stopped:
			t.Fatalf("the old instance ended with %v before it was replaced", err)
		}
		young := w.producer(t, w.Second(t), w.app)
		done, err := w.Door.Committed(w.ctx, w.app)
		must(t, err)
		n := int(done[tps[0]])
		if n < 5 {
			t.Errorf("%d epochs committed", n)
		}
		for i := range 5 {
			must(t, commitNumber(w, young, tps, n+i))
		}
		if err := <-stopped; !errors.Is(err, client.ErrFenced) {
			t.Errorf("the old instance ended with %v", err)
		}
		var want []string
		for i := range n + 5 {
			want = append(want, fmt.Sprint(i))
		}
		equal(t, "records", log{tps[0]: want, tps[1]: want}, w.readToEnd(t, w.reader(t, at(0, tps...)), tps...))
	},

	"ACommitAfterCloseIsAnError": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		e := p.NewEpoch()
		fill(t, e, tp, "x")
		p.Close()
		if err := p.Commit(w.ctx, e, nil); err == nil {
			t.Error("no error")
		}
		w.expectNothing(t, w.reader(t, at(0, tp)))
	},
}

// commitNumber makes epoch i durable: the number in both partitions and as the position.
func commitNumber(w *world, p client.Producer, tps []record.TopicPartition, i int) error {
	e := p.NewEpoch()
	for _, tp := range tps {
		if err := e.Append(tp, 1, nil, []byte(fmt.Sprint(i)), nil); err != nil {
			return err
		}
	}
	return p.Commit(w.ctx, e, positions{tps[0]: record.Offset(i + 1)})
}
