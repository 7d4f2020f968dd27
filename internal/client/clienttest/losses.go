package clienttest

import (
	"errors"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

var lossTests = map[string]func(*testing.T, *world){
	"APositionOutsideTheLogIsAGap": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		w.commit(t, p, tp, numbered(10)...)
		w.DeleteRecords(t, tp, 4)
		for _, o := range []record.Offset{0, 3, 1000} {
			_, err := w.Door.OpenReader(w.ctx, positions{tp: o})
			if !errors.Is(err, client.ErrGap) || !strings.Contains(err.Error(), tp.Topic) {
				t.Errorf("position %d: %v", o, err)
			}
		}
		equal(t, "from the new start", log{tp: numbered(10)[4:]}, w.readToEnd(t, w.reader(t, positions{tp: 4}), tp))
	},

	"RecordsDeletedUnderAReaderAreAGapAndNeverSkipped": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		r := w.reader(t, at(0, tp))
		r.Pause(tp)
		filler := strings.Repeat("x", 900_000)
		for range 16 { // more than any reader has in hand
			w.commit(t, p, tp, filler)
		}
		ends := w.ends(t, tp)
		w.DeleteRecords(t, tp, ends[tp]-1)
		r.Resume(tp)
		want := record.Offset(0)
		for {
			chunks, err := r.Poll(w.ctx, 1<<20)
			if err != nil {
				if !errors.Is(err, client.ErrGap) {
					t.Errorf("got %v", err)
				}
				return
			}
			for _, c := range chunks {
				for _, o := range c.Offsets {
					if o > want+1 { // offsets between records are markers'
						t.Fatalf("record %d follows %d", o, want)
					}
					want = o + 1
				}
				if c.Next == ends[tp] {
					t.Fatal("everything was read: nothing was deleted")
				}
			}
		}
	},

	"ADeletedTopicEndsTheReaderByName": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 2)
		p := w.producer(t, w.Door, w.app)
		w.commit(t, p, tps[0], "x")
		r := w.reader(t, at(0, tps...))
		w.readToEnd(t, r, tps[0])
		w.DeleteTopic(t, tps[0].Topic)
		w.expectLoss(t, r, client.ErrUnknownTopic, tps[0].Topic)
		if _, err := w.Door.Ends(w.ctx, tps[0]); !errors.Is(err, client.ErrUnknownTopic) {
			t.Errorf("Ends: %v", err)
		}
	},

	"ATopicMadeAnewEndsTheReaderByName": func(t *testing.T, w *world) {
		if w.NoTopicIDs {
			return
		}
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		w.commit(t, p, tp, "of the old topic")
		r := w.reader(t, at(0, tp))
		w.readToEnd(t, r, tp)
		w.DeleteTopic(t, tp.Topic)
		w.topic(t, "t", 1)
		plain := w.Foreign(t, ForeignOptions{})
		defer plain.Close()
		plain.Produce(t, tp, numbered(20)...)
		w.expectLoss(t, r, client.ErrRecreated, tp.Topic)
	},
}

// expectLoss polls until the reader ends with want; records must not come.
func (w *world) expectLoss(t *testing.T, r client.Reader, want error, topic string) {
	t.Helper()
	for {
		chunks, err := r.Poll(w.ctx, 1<<20)
		if err != nil {
			if !errors.Is(err, want) || !strings.Contains(err.Error(), topic) {
				t.Errorf("got %v, want %v", err, want)
			}
			return
		}
		for _, c := range chunks {
			if len(c.Values) > 0 {
				t.Fatalf("%s: %q at %d", c.TopicPartition, c.Values[0], c.Offsets[0])
			}
		}
	}
}
