package clienttest

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

var epochTests = map[string]func(*testing.T, *world){
	"AnEpochIsInvisibleBeforeItsCommitAndWholeAfterIt": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 3)
		p := w.producer(t, w.Door, w.app)
		r := w.reader(t, at(0, tps...))
		e := p.NewEpoch()
		want := log{}
		for _, tp := range tps {
			fill(t, e, tp, "a", "b")
			want[tp] = []string{"a", "b"}
		}
		if e.Count() != 6 || e.Size() < 6 {
			t.Errorf("Count %d, Size %d", e.Count(), e.Size())
		}
		w.expectNothing(t, r)
		in := record.TopicPartition{Topic: tps[0].Topic, Partition: 1}
		must(t, p.Commit(w.ctx, e, positions{in: 17}))
		equal(t, "records", want, w.readToEnd(t, r, tps...))
		got, err := w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "positions", positions{in: 17}, got)
	},

	"PositionsRoundTripAndKeepTheirLastValue": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 3)
		got, err := w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "before the first commit", positions{}, got)
		p := w.producer(t, w.Door, w.app)
		for _, m := range []positions{{tps[0]: 1, tps[1]: 2}, {tps[0]: 5}, {tps[2]: 0}} {
			must(t, p.Commit(w.ctx, p.NewEpoch(), m)) // nothing but positions
		}
		want := positions{tps[0]: 5, tps[1]: 2, tps[2]: 0}
		got, err = w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "positions", want, got)
		got, err = w.Second(t).Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "through another door", want, got)
		w.commit(t, p, tps[0], "x") // no positions at all
		got, err = w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "after an epoch without positions", want, got)
	},

	"AnEmptyCommitDoesNothing": func(t *testing.T, w *world) {
		p := w.producer(t, w.Door, w.app)
		must(t, p.Commit(w.ctx, p.NewEpoch(), nil))
		got, err := w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "positions", positions{}, got)
	},

	"EpochsFillWhileAnotherCommits": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		done := make(chan error, 1)
		var want []string
		next := p.NewEpoch()
		for i, v := range numbered(20) {
			e := next
			fill(t, e, tp, v)
			want = append(want, v)
			if i > 0 {
				must(t, <-done)
			}
			go func() { done <- p.Commit(w.ctx, e, positions{tp: record.Offset(i)}) }()
			next = p.NewEpoch()
		}
		must(t, <-done)
		equal(t, "order", log{tp: want}, w.readToEnd(t, w.reader(t, at(0, tp)), tp))
	},

	"AnEpochIsCommittedOnceAndByItsOwnProducer": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p, q := w.producer(t, w.Door, w.app), w.producer(t, w.Door, w.app+"-q")
		e := p.NewEpoch()
		fill(t, e, tp, "x")
		if err := q.Commit(w.ctx, e, nil); err == nil {
			t.Error("another producer's epoch was committed")
		}
		must(t, p.Commit(w.ctx, e, nil))
		if err := p.Commit(w.ctx, e, nil); err == nil {
			t.Error("an epoch was committed twice")
		}
		equal(t, "records", log{tp: {"x"}}, w.readToEnd(t, w.reader(t, at(0, tp)), tp))
	},

	"ALargeEpochIsCutAndKeepsItsOrder": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 2)
		p := w.producer(t, w.Door, w.app)
		e := p.NewEpoch()
		want := log{}
		filler := strings.Repeat("x", 2000)
		for _, v := range numbered(3000) {
			fill(t, e, tps[0], v+filler)
			want[tps[0]] = append(want[tps[0]], v+filler)
		}
		fill(t, e, tps[1], "beside")
		want[tps[1]] = []string{"beside"}
		must(t, p.Commit(w.ctx, e, nil))
		equal(t, "records", want, w.readToEnd(t, w.reader(t, at(0, tps...)), tps...))
	},

	"KeysValuesHeadersAndTimesComeBackAsTheyWere": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		p := w.producer(t, w.Door, w.app)
		big := bytes.Repeat([]byte("0123456789"), 90_000)
		type rec struct {
			TS         record.Timestamp
			Key, Value []byte
			Headers    []record.Header
		}
		want := []rec{
			{1, []byte("k"), []byte("v"), nil},
			{0, nil, []byte("v"), nil},
			{1_700_000_000_000, []byte("k"), nil, nil},
			{5, []byte{}, []byte{}, nil},
			{4, nil, nil, []record.Header{{Key: "null"}, {Key: "empty", Value: []byte{}}, {Key: "", Value: []byte("no name")}, {Key: "null", Value: []byte("again")}}},
			{7, []byte("big"), big, nil},
			{8, []byte("after"), []byte("v"), []record.Header{{Key: "h", Value: []byte("x")}}},
		}
		e := p.NewEpoch()
		for _, r := range want {
			key, value := bytes.Clone(r.Key), bytes.Clone(r.Value)
			must(t, e.Append(tp, r.TS, key, value, r.Headers))
			scribble(key, value) // Append copies
		}
		must(t, p.Commit(w.ctx, e, nil))
		r := w.reader(t, at(0, tp))
		var got []rec
		for len(got) < len(want) {
			chunks, err := r.Poll(w.ctx, 1<<20)
			must(t, err)
			for _, c := range chunks {
				for i := range c.Offsets {
					g := rec{c.Timestamps[i], c.Keys[i], c.Values[i], nil}
					if c.Headers != nil {
						g.Headers = c.Headers[i]
					}
					if bytes.Equal(g.Value, big) {
						g.Value = []byte("as big as it was") // the comparison below would take seconds
					}
					got = append(got, g)
				}
			}
		}
		want[5].Value = []byte("as big as it was")
		equal(t, "records", want, got)
	},

	"ATooLargeRecordIsRefusedByNameAndNothingOfTheEpochIsSeen": func(t *testing.T, w *world) {
		tp := w.topic(t, "large", 1)[0]
		small := client.TopicSpec{Name: w.name("small"), Partitions: 1, Configs: map[string]string{"max.message.bytes": "2000", "retention.ms": "-1"}}
		_, err := w.Door.EnsureTopics(w.ctx, small)
		must(t, err)
		smallTP := record.TopicPartition{Topic: small.Name}
		p := w.producer(t, w.Door, w.app)
		e := p.NewEpoch()
		fill(t, e, tp, "with it")
		err = e.Append(smallTP, 1, nil, bytes.Repeat([]byte("x"), 5000), nil)
		if err == nil {
			err = p.Commit(w.ctx, e, nil)
		}
		if !errors.Is(err, client.ErrTooLarge) || !strings.Contains(err.Error(), small.Name) {
			t.Errorf("got %v", err)
		}
		w.expectNothing(t, w.reader(t, at(0, tp, smallTP)))

		p = w.producer(t, w.Door, w.app)
		e = p.NewEpoch()
		var want []string
		for _, v := range numbered(200) { // together larger than one batch may be
			v += strings.Repeat("y", 100)
			fill(t, e, smallTP, v)
			want = append(want, v)
		}
		must(t, p.Commit(w.ctx, e, nil))
		equal(t, "records that fit", log{smallTP: want}, w.readToEnd(t, w.reader(t, at(0, smallTP)), smallTP))
	},

	"AnUnknownTopicFailsTheEpochAsAWhole": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		for _, missing := range []record.TopicPartition{{Topic: w.name("missing")}, {Topic: tp.Topic, Partition: 9}} {
			p := w.producer(t, w.Door, w.app)
			e := p.NewEpoch()
			fill(t, e, tp, "x")
			err := e.Append(missing, 1, nil, []byte("x"), nil)
			if err == nil {
				err = p.Commit(w.ctx, e, positions{tp: 3})
			}
			if !errors.Is(err, client.ErrUnknownTopic) || !strings.Contains(err.Error(), missing.Topic) {
				t.Errorf("%s: %v", missing, err)
			}
		}
		w.producer(t, w.Door, w.app) // discards what the last one left unfinished
		w.expectNothing(t, w.reader(t, at(0, tp)))
		got, err := w.Door.Committed(w.ctx, w.app)
		must(t, err)
		equal(t, "positions", positions{}, got)
	},
}

func scribble(bs ...[]byte) {
	for _, b := range bs {
		for i := range b {
			b[i] = '!'
		}
	}
}
