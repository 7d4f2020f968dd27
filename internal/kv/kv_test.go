package kv

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mainstemio/mainstem/internal/vfs"
	"pgregory.net/rapid"
)

// stores lists the implementers: all pass the same tests.
var stores = []struct {
	name string
	open func(t testing.TB) Store
}{
	{"memory", func(testing.TB) Store { return NewMemory() }},
	{"pebble", func(t testing.TB) Store {
		s, err := OpenPebble("db", PebbleOptions{FS: vfs.NewCrashable(), MemTableBytes: 64 << 10})
		must(t, err)
		return s
	}},
}

func each(t *testing.T, fn func(t *testing.T, s Store)) {
	for _, st := range stores {
		t.Run(st.name, func(t *testing.T) {
			s := st.open(t)
			defer func() { must(t, s.Close()) }()
			fn(t, s)
		})
	}
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func must(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func commit(t failer, s Store, fill func(w Writer)) {
	t.Helper()
	b := s.NewBatch()
	fill(b)
	must(t, b.Commit(true))
	must(t, b.Close())
}

func put(t failer, s Store, pairs ...string) {
	t.Helper()
	commit(t, s, func(w Writer) {
		for i := 0; i < len(pairs); i += 2 {
			must(t, w.Put([]byte(pairs[i]), []byte(pairs[i+1])))
		}
	})
}

func dump(t failer, r Reader, from, to []byte) []string {
	t.Helper()
	out := []string{}
	must(t, r.Scan(from, to, func(k, v []byte) error {
		out = append(out, fmt.Sprintf("%s=%s", k, v))
		return nil
	}))
	return out
}

func TestGetReturnsACopyAndTellsMissingFromEmpty(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		put(t, s, "a", "1", "e", "")
		v, err := s.Get([]byte("a"))
		must(t, err)
		v[0] = 'x'
		if v, _ = s.Get([]byte("a")); string(v) != "1" {
			t.Errorf("value changed through the copy: %q", v)
		}
		if v, err := s.Get([]byte("e")); err != nil || v == nil || len(v) != 0 {
			t.Errorf("empty value: %v, %v", v, err)
		}
		if _, err := s.Get([]byte("b")); !errors.Is(err, ErrNotFound) {
			t.Errorf("missing key: %v", err)
		}
	})
}

func TestScanIsOrderedHalfOpenAndStopsAtAnError(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		put(t, s, "b", "2", "a", "1", "d", "4", "c", "3")
		for _, c := range []struct {
			from, to []byte
			want     []string
		}{
			{nil, nil, []string{"a=1", "b=2", "c=3", "d=4"}},
			{[]byte("b"), []byte("d"), []string{"b=2", "c=3"}},
			{[]byte("bb"), nil, []string{"c=3", "d=4"}},
			{nil, []byte{}, []string{}},
			{[]byte("x"), nil, []string{}},
		} {
			if diff := cmp.Diff(c.want, dump(t, s, c.from, c.to)); diff != "" {
				t.Errorf("scan [%q, %q): %s", c.from, c.to, diff)
			}
		}
		stop, n := errors.New("stop"), 0
		err := s.Scan(nil, nil, func(_, _ []byte) error { n++; return stop })
		if !errors.Is(err, stop) || n != 1 {
			t.Errorf("%d calls, error %v", n, err)
		}
	})
}

func TestGetAllTellsOfEachKeyAndStopsAtAnError(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		put(t, s, "a", "1", "b", "2", "d", "", "f", "6")
		keys := [][]byte{[]byte("a"), []byte("aa"), []byte("d"), []byte("e"), []byte("f"), []byte("g")}
		var got []string
		must(t, s.GetAll(keys, func(i int, v []byte) error {
			got = append(got, fmt.Sprintf("%s=%s %v", keys[i], v, v == nil))
			return nil
		}))
		if diff := cmp.Diff([]string{"a=1 false", "aa= true", "d= false", "e= true", "f=6 false", "g= true"}, got); diff != "" {
			t.Error(diff)
		}
		stop, n := errors.New("stop"), 0
		if err := s.GetAll(keys, func(int, []byte) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Errorf("%d calls, error %v", n, err)
		}
	})
}

func TestBatchIsAppliedAsAWholeOrForgotten(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		put(t, s, "a", "1", "b", "2")
		b := s.NewBatch()
		key := []byte("a")
		must(t, b.Put(key, []byte("9")))
		must(t, b.Put(key, []byte("10")))
		key[0] = 'b' // the batch has its own copy
		must(t, b.Delete(key))
		if b.Len() != 3 {
			t.Errorf("Len is %d", b.Len())
		}
		if diff := cmp.Diff([]string{"a=1", "b=2"}, dump(t, s, nil, nil)); diff != "" {
			t.Error("before the commit", diff)
		}
		must(t, b.Commit(false))
		must(t, b.Close())
		if diff := cmp.Diff([]string{"a=10"}, dump(t, s, nil, nil)); diff != "" {
			t.Error("after the commit", diff)
		}
		b = s.NewBatch()
		must(t, b.Put([]byte("z"), nil))
		must(t, b.Close())
		if diff := cmp.Diff([]string{"a=10"}, dump(t, s, nil, nil)); diff != "" {
			t.Error("after Close without Commit", diff)
		}
	})
}

func TestSnapshotStandsStill(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		put(t, s, "a", "1")
		snap, err := s.Snapshot()
		must(t, err)
		put(t, s, "a", "2", "b", "3")
		if diff := cmp.Diff([]string{"a=1"}, dump(t, snap, nil, nil)); diff != "" {
			t.Error(diff)
		}
		if _, err := snap.Get([]byte("b")); !errors.Is(err, ErrNotFound) {
			t.Errorf("the snapshot sees a later key: %v", err)
		}
		must(t, snap.Close())
	})
}

// Whoever reads a snapshot may come to a range after a run has taken its place.
func TestSnapshotStandsStillWhenARunTakesThePlaceOfARange(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		r := s.NewRun()
		must(t, r.Put([]byte("a"), []byte("1")))
		must(t, r.Put([]byte("b"), []byte("1")))
		must(t, r.Commit())
		must(t, r.Close())
		snap, err := s.Snapshot()
		must(t, err)
		r = s.NewRun()
		must(t, r.Put([]byte("b"), []byte("2")))
		must(t, r.Replace([]byte("a"), []byte("z")))
		must(t, r.Close())
		if diff := cmp.Diff([]string{"b=2"}, dump(t, s, nil, nil)); diff != "" {
			t.Error(diff)
		}
		for range 2 {
			if diff := cmp.Diff([]string{"a=1", "b=1"}, dump(t, snap, nil, nil)); diff != "" {
				t.Error(diff)
			}
			for key, want := range map[string]string{"a": "1", "b": "1"} {
				if v, err := snap.Get([]byte(key)); err != nil || string(v) != want {
					t.Errorf("%s is %q, %v", key, v, err)
				}
			}
		}
		must(t, snap.Close())
	})
}

func TestRandomBatchesEqualAModel(t *testing.T) {
	for _, st := range stores {
		t.Run(st.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				s, model := st.open(t), map[string]string{}
				defer func() { must(rt, s.Close()) }()
				for range rapid.IntRange(1, 8).Draw(rt, "batches") {
					commit(rt, s, func(w Writer) {
						for range rapid.IntRange(0, 12).Draw(rt, "changes") {
							k := rapid.StringMatching(`[a-d]{0,2}`).Draw(rt, "key")
							if rapid.Bool().Draw(rt, "delete") {
								must(rt, w.Delete([]byte(k)))
								delete(model, k)
							} else {
								model[k] = rapid.StringMatching(`[0-9]{0,3}`).Draw(rt, "value")
								must(rt, w.Put([]byte(k), []byte(model[k])))
							}
						}
					})
				}
				got := map[string]string{}
				must(rt, s.Scan(nil, nil, func(k, v []byte) error { got[string(k)] = string(v); return nil }))
				if diff := cmp.Diff(model, got); diff != "" {
					rt.Fatalf("%s", diff)
				}
			})
		})
	}
}

func TestARunIsSeenAsAWholeAndBeforeWhatComesLater(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		put(t, s, "a", "old", "b", "old", "c", "old")
		r := s.NewRun()
		must(t, r.Put([]byte("a"), []byte("run")))
		must(t, r.Delete([]byte("b")))
		must(t, r.Put([]byte("d"), []byte{}))
		if diff := cmp.Diff([]string{"a=old", "b=old", "c=old"}, dump(t, s, nil, nil)); diff != "" {
			t.Error(diff)
		}
		must(t, r.Commit())
		must(t, r.Close())
		put(t, s, "c", "later")
		if diff := cmp.Diff([]string{"a=run", "c=later", "d="}, dump(t, s, nil, nil)); diff != "" {
			t.Error(diff)
		}
		forgotten := s.NewRun()
		must(t, forgotten.Put([]byte("a"), []byte("forgotten")))
		must(t, forgotten.Close())
		must(t, s.NewRun().Commit())
		if diff := cmp.Diff([]string{"a=run", "c=later", "d="}, dump(t, s, nil, nil)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARunTakesThePlaceOfARange(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		put(t, s, "a", "1", "b", "1", "b2", "1", "c", "1", "d", "1")
		for round := range 3 { // on what stands in memory, in tables, in a table that was cut
			value := []byte(fmt.Sprint(round))
			r := s.NewRun()
			must(t, r.Put([]byte("b"), value))
			must(t, r.Put([]byte("c2"), value))
			must(t, r.Replace([]byte("b"), []byte("d")))
			must(t, r.Close())
			want := []string{"a=1", fmt.Sprint("b=", round), fmt.Sprint("c2=", round), "d=1"}
			if diff := cmp.Diff(want, dump(t, s, nil, nil)); diff != "" {
				t.Error(diff)
			}
			put(t, s, "c", "1", "d", "1")
		}
	})
}

// Each of the tables of a large run is one of the database.
func TestARunOfSeveralTables(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		r := s.NewRun()
		value := make([]byte, 1<<20)
		const rows = 40
		for i := range rows {
			must(t, r.Put(fmt.Appendf(nil, "k%02d", i), value))
		}
		must(t, r.Commit())
		must(t, r.Close())
		if n := len(dump(t, s, nil, nil)); n != rows {
			t.Errorf("%d rows", n)
		}
	})
}
