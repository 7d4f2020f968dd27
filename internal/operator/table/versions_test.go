package table

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A plainVersions is a store of versions as one would write it down: all updates, kept or not.
type plainVersions struct {
	history, now record.Timestamp
	rows         map[string]map[record.Timestamp]string // by key and time; "" deletes
}

func (p *plainVersions) put(key, value string, ts record.Timestamp) {
	if ts < p.now-p.history {
		return
	}
	p.now = max(p.now, ts)
	if p.rows[key] == nil {
		p.rows[key] = map[record.Timestamp]string{}
	}
	p.rows[key][ts] = value
}

func (p *plainVersions) asOf(key string, asOf record.Timestamp) string {
	best, newest := record.NoTimestamp, record.NoTimestamp
	for ts := range p.rows[key] {
		newest = max(newest, ts)
		if ts <= asOf {
			best = max(best, ts)
		}
	}
	if best < 0 || asOf < p.now-p.history && best != newest {
		return ""
	}
	return p.rows[key][best]
}

func newTestVersions(history record.Timestamp) (*Versions[string, string], *operator.Env) {
	env := &operator.Env{MaxRecordBytes: 1000}
	site := &operator.Site{Env: env, Task: operator.NewTask(), Node: "versions"}
	return NewVersions(site, VersionsOptions[string, string]{Name: "v", Key: serde.String, Value: serde.String, History: history}), env
}

func TestVersionsAreThoseOfAllUpdatesWithinTheHistory(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		history := []record.Timestamp{0, 50, 5000}[seed%3]
		v, env := newTestVersions(history)
		plain := &plainVersions{history: history, now: record.NoTimestamp, rows: map[string]map[record.Timestamp]string{}}
		rows := &operator.Rows{Origins: make([]operator.Origin, 1)}
		clock := record.Timestamp(0)
		for step := range 600 {
			clock += record.Timestamp(random.IntN(40))
			undone := random.IntN(4) == 0
			for range 1 + random.IntN(3) {
				key, ts := fmt.Sprint("k", random.IntN(3)), max(0, clock-record.Timestamp(random.IntN(200)))
				value := fmt.Sprint(step)
				if random.IntN(4) == 0 {
					value = ""
				}
				if from, ok := newestAt(v, key); ok && value == "" && ts == from {
					continue // taken out as if it had never been: see Versions
				}
				if _, err := v.Put(VersionPut[string]{Key: []byte(key), Value: value, Delete: value == "", Time: ts}, rows, 0); err != nil {
					t.Fatal(err)
				}
				if !undone {
					plain.put(key, value, ts)
				}
			}
			for _, u := range env.Undoers {
				if undone {
					u.Undo()
				} else {
					u.Keep()
				}
			}
			env.Arena.Reset()
			key, asOf := fmt.Sprint("k", random.IntN(3)), max(0, clock-record.Timestamp(random.IntN(300)))
			if got, _, _ := v.AsOf([]byte(key), asOf); got != plain.asOf(key, asOf) {
				t.Fatalf("seed %d, step %d: %s as of %d is %q, want %q", seed, step, key, asOf, got, plain.asOf(key, asOf))
			}
		}
	}
}

func newestAt(v *Versions[string, string], key string) (record.Timestamp, bool) {
	_, from, ok := v.Newest([]byte(key))
	return from, ok
}

func TestVersionsThatLeaveTheHistoryAreRemovedAndOthersComeBackFromTheChangelog(t *testing.T) {
	const history = 10_000
	v, env := newTestVersions(history)
	rows := &operator.Rows{Origins: make([]operator.Origin, 1)}
	restored, _ := newTestVersions(history)
	for ts := record.Timestamp(0); ts < 200_000; ts += 100 {
		if _, err := v.Put(VersionPut[string]{Key: []byte("k"), Value: fmt.Sprint(ts), Time: ts}, rows, 0); err != nil {
			t.Fatal(err)
		}
		for _, u := range env.Undoers {
			u.Keep()
		}
		env.Arena.Reset()
		if err := v.rows.Table.Seal(restored.rows.Table.Restore); err != nil {
			t.Fatal(err)
		}
		v.rows.Table.Commit()
	}
	if n := v.rows.Table.Len(); n < history/100 || n > 2*history/100 {
		t.Errorf("%d rows are kept, %d are in the history", n, history/100)
	}
	if v.rows.Table.Len() != restored.rows.Table.Len() {
		t.Errorf("restored %d rows of %d", restored.rows.Table.Len(), v.rows.Table.Len())
	}
	for asOf := record.Timestamp(0); asOf < 200_000; asOf += 777 {
		got, _, ok := restored.AsOf([]byte("k"), asOf)
		want, _, is := v.AsOf([]byte("k"), asOf)
		if got != want || ok != is {
			t.Fatalf("restored, as of %d: %q %v, want %q %v", asOf, got, ok, want, is)
		}
	}
}
