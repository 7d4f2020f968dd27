package clienttest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

var topicTests = map[string]func(*testing.T, *world){
	"EnsureCreatesWhatIsMissingAndLeavesTheRest": func(t *testing.T, w *world) {
		a, b := w.name("a"), w.name("b")
		first, err := w.Door.EnsureTopics(w.ctx, client.TopicSpec{Name: a, Partitions: 3, Configs: map[string]string{"cleanup.policy": "compact"}})
		must(t, err)
		all, err := w.Door.EnsureTopics(w.ctx, client.TopicSpec{Name: a, Partitions: 5}, client.TopicSpec{Name: b})
		must(t, err)
		if len(all) != 2 || all[a].Partitions != 3 || all[a].ID != first[a].ID || all[b].Partitions < 1 || all[b].Name != b {
			t.Errorf("got %+v", all)
		}
		if all[a].ID == all[b].ID && !w.NoTopicIDs {
			t.Error("two topics with one id")
		}
		got, err := w.Door.Topics(w.ctx, a, b, w.name("missing"))
		must(t, err)
		if len(got) != 2 || got[a].ID != first[a].ID || got[a].Partitions != 3 {
			t.Errorf("Topics returned %+v", got)
		}
		equal(t, "cleanup.policy", "compact", got[a].Configs["cleanup.policy"])
	},

	"FitTopicAddsPartitionsAndSetsSettings": func(t *testing.T, w *world) {
		name := w.name("t")
		spec := client.TopicSpec{Name: name, Partitions: 1, Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": "100000"}}
		made, err := w.Door.EnsureTopics(w.ctx, spec)
		must(t, err)
		for _, partitions := range []int32{3, 3, 2} { // the second and the third time it is so already
			fit, err := w.Door.FitTopic(w.ctx, client.TopicSpec{Name: name, Partitions: partitions, Configs: map[string]string{"cleanup.policy": "compact"}})
			must(t, err)
			if fit.ID != made[name].ID || fit.Partitions != 3 || fit.Configs["cleanup.policy"] != "compact" || fit.Configs["retention.ms"] != "100000" {
				t.Errorf("got %+v", fit)
			}
		}
		tp := record.TopicPartition{Topic: name, Partition: 2}
		p := w.producer(t, w.Door, w.app)
		e := p.NewEpoch()
		fill(t, e, tp, numbered(1)...)
		must(t, p.Commit(w.ctx, e, nil))
		if ends := w.ends(t, tp); ends[tp] < 1 {
			t.Errorf("ends are %v", ends)
		}
		if _, err := w.Door.FitTopic(w.ctx, client.TopicSpec{Name: w.name("missing"), Partitions: 1}); err == nil {
			t.Error("a topic that is not there was changed")
		}
	},

	"DeletedTopicsAreGone": func(t *testing.T, w *world) {
		name := w.name("gone")
		_, err := w.Door.EnsureTopics(w.ctx, client.TopicSpec{Name: name, Partitions: 1})
		must(t, err)
		must(t, w.Door.DeleteTopics(w.ctx, name, w.name("missing")))
		got, err := w.Door.Topics(w.ctx, name)
		must(t, err)
		equal(t, "topics", map[string]client.TopicInfo{}, got)
	},

	"StartsAndEndsFollowTheLog": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 2)
		p := w.producer(t, w.Door, w.app)
		e := p.NewEpoch()
		fill(t, e, tps[0], numbered(5)...)
		must(t, p.Commit(w.ctx, e, nil))
		w.DeleteRecords(t, tps[0], 2)
		starts, err := w.Door.Starts(w.ctx, tps...)
		must(t, err)
		equal(t, "starts", positions{tps[0]: 2, tps[1]: 0}, starts)
		ends := w.ends(t, tps...)
		if ends[tps[0]] < 5 || ends[tps[1]] != 0 { // a transaction's marker has an offset of its own
			t.Errorf("ends are %v", ends)
		}
	},

	"NamesAreThoseOfAllTopics": func(t *testing.T, w *world) {
		w.topic(t, "a", 1)
		w.topic(t, "b", 2)
		names, err := w.Door.Names(w.ctx)
		must(t, err)
		if !slices.Contains(names, w.name("a")) || !slices.Contains(names, w.name("b")) || slices.Contains(names, w.name("missing")) {
			t.Errorf("got %v", names)
		}
	},

	"SinceFindsTheFirstRecordOfATime": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 3)
		p := w.producer(t, w.Door, w.app)
		e := p.NewEpoch()
		for _, at := range []record.Timestamp{1000, 3000, 2000, 4000} {
			must(t, e.Append(tps[0], at, nil, []byte("v"), nil))
		}
		must(t, e.Append(tps[1], 1500, nil, []byte("v"), nil))
		must(t, p.Commit(w.ctx, e, nil))
		w.ends(t, tps...)                                    // waits until all of it shows
		behind := positions{tps[0]: 4, tps[1]: 1, tps[2]: 0} // all records: there may be a transaction's marker
		for at, want := range map[record.Timestamp]positions{
			-5:   {tps[0]: 0, tps[1]: 0, tps[2]: 0},
			1000: {tps[0]: 0, tps[1]: 0, tps[2]: 0},
			1001: {tps[0]: 1, tps[1]: 0, tps[2]: 0},
			3000: {tps[0]: 1, tps[1]: 1, tps[2]: 0},
			3001: {tps[0]: 3, tps[1]: 1, tps[2]: 0},
			4001: behind,
		} {
			got, err := w.Door.Since(w.ctx, at, tps...)
			must(t, err)
			for tp, last := range behind {
				got[tp] = min(got[tp], last)
			}
			equal(t, fmt.Sprintf("since %d", at), want, got)
		}
		if _, err := w.Door.Since(w.ctx, 0, record.TopicPartition{Topic: w.name("missing")}); !errors.Is(err, client.ErrUnknownTopic) {
			t.Errorf("Since in an unknown topic: %v", err)
		}
	},

	"UnknownTopicsAndPartitionsAreErrors": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		for _, missing := range []record.TopicPartition{{Topic: w.name("missing")}, {Topic: tp.Topic, Partition: 7}} {
			if _, err := w.Door.Ends(w.ctx, tp, missing); !errors.Is(err, client.ErrUnknownTopic) {
				t.Errorf("Ends of %s: %v", missing, err)
			}
			if _, err := w.Door.Starts(w.ctx, missing); !errors.Is(err, client.ErrUnknownTopic) {
				t.Errorf("Starts of %s: %v", missing, err)
			}
			if _, err := w.Door.OpenReader(w.ctx, at(0, tp, missing)); !errors.Is(err, client.ErrUnknownTopic) {
				t.Errorf("OpenReader of %s: %v", missing, err)
			}
		}
		got, err := w.Door.Topics(w.ctx, w.name("missing"))
		must(t, err)
		equal(t, "nothing was created by asking", map[string]client.TopicInfo{}, got)
	},
}
