package state_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
)

// memory is a table for tests.
type memory struct {
	rows   map[string]string
	times  map[string]record.Timestamp
	marks  [1]record.Timestamp
	now    record.Timestamp
	drops  int
	failed error
}

func newMemory() *memory {
	return &memory{rows: map[string]string{}, times: map[string]record.Timestamp{}, marks: [1]record.Timestamp{record.NoTimestamp}}
}

func (m *memory) Get(key []byte) ([]byte, record.Timestamp, bool) {
	v, ok := m.rows[string(key)]
	return []byte(v), m.times[string(key)], ok
}

func (m *memory) Put(key, value []byte, ts record.Timestamp) {
	if value == nil {
		m.Delete(key)
		return
	}
	m.rows[string(key)], m.times[string(key)] = string(value), ts
}

func (m *memory) Delete(key []byte) { delete(m.rows, string(key)) }

func (m *memory) Scan(from, to []byte, o state.Order, fn func(key, value []byte, ts record.Timestamp) bool) {
	var keys []string
	for k := range m.rows {
		if bytes.Compare([]byte(k), from) >= 0 && (to == nil || k < string(to)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if o == state.Descending {
		slices.Reverse(keys)
	}
	for _, k := range keys {
		if !fn([]byte(k), []byte(m.rows[k]), m.times[k]) {
			return
		}
	}
}

func (m *memory) Len() int                           { return len(m.rows) }
func (m *memory) Mark(i int) record.Timestamp        { return m.marks[i] }
func (m *memory) SetMark(i int, ts record.Timestamp) { m.marks[i] = ts }
func (m *memory) Now() record.Timestamp              { return m.now }
func (m *memory) Drop()                              { m.drops++ }
func (m *memory) Fail(err error)                     { m.failed = err }

func texts[K, V any](rows func(func(K, V) bool)) (all []string) {
	for k, v := range rows {
		all = append(all, fmt.Sprint(k, "=", v))
	}
	return all
}

func same(t *testing.T, got []string, want string) {
	t.Helper()
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestKeyValue(t *testing.T) {
	m := newMemory()
	st := state.KeyValue("st", serde.String, serde.Bytes).Over(m)
	for _, k := range []string{"b", "", "a", "ab", "a\x00", "c"} {
		m.now++
		st.Put(k, []byte(strings.ToUpper(k)))
	}
	st.Put("c", nil)
	same(t, texts(st.All(state.Ascending)), "=[] a=[65] a\x00=[65 0] ab=[65 66] b=[66]")
	same(t, texts(st.Range("a", "ab", state.Descending)), "ab=[65 66] a\x00=[65 0] a=[65]")
	same(t, texts(st.From("ab", state.Ascending)), "ab=[65 66] b=[66]")
	same(t, texts(st.UpTo("a", state.Descending)), "a=[65] =[]")
	same(t, texts(st.Prefix([]byte("a"), state.Ascending)), "a=[65] a\x00=[65 0] ab=[65 66]")
	same(t, texts(st.Prefix([]byte{255}, state.Ascending)), "")
	if v, ts, ok := st.GetTimed("ab"); string(v) != "AB" || ts != 4 || !ok {
		t.Errorf("ab is %q at %d, %v", v, ts, ok)
	}
	if v, ok := st.PutIfAbsent("ab", nil); string(v) != "AB" || !ok {
		t.Errorf("ab was %q, %v", v, ok)
	}
	if v, ok := st.Delete("ab"); string(v) != "AB" || !ok || st.Len() != 4 {
		t.Errorf("ab was %q, %v; %d rows", v, ok, st.Len())
	}
	if _, ok := st.Delete("ab"); ok || m.failed != nil {
		t.Errorf("deleted twice, error %v", m.failed)
	}
}

func TestALoopMayChangeTheStore(t *testing.T) {
	m := newMemory()
	st := state.KeyValue("st", serde.Int64, serde.Int64).Over(m)
	for i := range int64(1000) {
		st.Put(i, i)
	}
	for _, order := range []state.Order{state.Ascending, state.Descending} {
		seen := int64(0)
		for k := range st.All(order) {
			seen++
			if k%2 == 0 {
				st.Delete(k)
			}
		}
		if want := map[state.Order]int64{state.Ascending: 1000, state.Descending: 500}[order]; seen != want {
			t.Errorf("%d rows seen, want %d", seen, want)
		}
	}
}

func TestErrorsAreRemembered(t *testing.T) {
	m := newMemory()
	st := state.KeyValue("st", serde.Bytes, serde.Int64).Over(m)
	if _, ok := st.Get(nil); ok || m.failed == nil {
		t.Errorf("null key: %v", m.failed)
	}
	m.failed = nil
	m.rows["x"] = "no int64"[:5]
	if _, ok := st.Get([]byte("x")); ok || m.failed == nil || len(texts(st.All(state.Ascending))) != 0 {
		t.Errorf("undecodable value: %v", m.failed)
	}
}

func TestWindows(t *testing.T) {
	m := newMemory()
	st := state.Windows("st", serde.String, serde.Int64, 100*time.Millisecond).Over(m)
	for i, k := range []string{"a", "a\x00", "b", "a"} {
		for start := record.Timestamp(0); start <= 40; start += 20 {
			st.Put(k, int64(i)*100+int64(start), start)
		}
	}
	same(t, texts(st.FetchRange("a", 10, 40, state.Descending)), "40=340 20=320")
	same(t, texts(st.FetchKeys("a", "a\x00", 20, 20, state.Ascending)), "{a 20}=320 {a\x00 20}=120")
	same(t, texts(st.FetchAll(40, 99, state.Ascending)), "{a 40}=340 {a\x00 40}=140 {b 40}=240")
	st.Put("b", 1, 120)
	st.Put("b", 2, 20)
	st.Delete("b", 40)
	if _, ok := st.Fetch("a", 20); ok || m.drops != 1 {
		t.Errorf("a window that is gone is found; %d drops", m.drops)
	}
	same(t, texts(st.All(state.Ascending)), "{a 40}=340 {a\x00 40}=140 {b 120}=1")
}

func TestSessions(t *testing.T) {
	m := newMemory()
	st := state.Sessions("st", serde.String, serde.Int64, 100*time.Millisecond).Over(m)
	for i, s := range []state.Session[string]{{"a", 0, 10}, {"a", 20, 30}, {"a", 5, 30}, {"b", 25, 50}} {
		st.Put(s, int64(i))
	}
	same(t, texts(st.Find("a", 11, 20, state.Ascending)), "{a 5 30}=2 {a 20 30}=1")
	same(t, texts(st.Find("a", 0, 4, state.Descending)), "{a 0 10}=0")
	if v, ok := st.Fetch(state.Session[string]{"a", 5, 30}); v != 2 || !ok {
		t.Errorf("fetched %d, %v", v, ok)
	}
	st.Remove(state.Session[string]{"a", 20, 30})
	st.Put(state.Session[string]{"c", 100, 120}, 4)
	st.Put(state.Session[string]{"c", 0, 20}, 5)
	same(t, texts(st.FetchKeys("a", "b", state.Ascending)), "{a 5 30}=2 {b 25 50}=3")
	same(t, texts(st.All(state.Descending)), "{c 100 120}=4 {b 25 50}=3 {a 5 30}=2")
	if m.drops != 1 {
		t.Errorf("%d drops", m.drops)
	}
}

// TestVersionsAreThoseOfAList compares with a list of all puts.
func TestVersionsAreThoseOfAList(t *testing.T) {
	const history = 20
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory()
		st := state.Versions("st", serde.String, serde.Bytes, history*time.Millisecond).Over(m)
		versions := map[record.Timestamp][]byte{}
		highest := record.Timestamp(0)
		at := func(ts record.Timestamp) (v []byte, from record.Timestamp) {
			from = -1
			for x, y := range versions {
				if x <= ts && x > from {
					v, from = y, x
				}
			}
			return v, from
		}
		for range rapid.IntRange(0, 30).Draw(t, "puts") {
			ts := record.Timestamp(rapid.IntRange(0, 60).Draw(t, "time"))
			value := rapid.SampledFrom([][]byte{nil, []byte("x"), []byte("y"), {}}).Draw(t, "value")
			kept := st.Put("k", value, ts)
			if kept != (ts >= highest-history) {
				t.Fatalf("put at %d, highest %d: kept %v", ts, highest, kept)
			}
			if kept {
				versions[ts] = value
			}
			highest = max(highest, ts)
			newest, newestFrom := at(100)
			for asOf := record.Timestamp(rapid.IntRange(-1, 2).Draw(t, "first")); asOf < 62; asOf += 3 {
				want, from := at(asOf)
				if asOf < highest-history && (from != newestFrom || newest == nil) {
					want = nil
				}
				got, gotFrom, ok := st.GetAsOf("k", asOf)
				if ok != (want != nil) || ok && (!bytes.Equal(got, want) || gotFrom != from) {
					t.Fatalf("as of %d: %q from %d, %v; want %q from %d", asOf, got, gotFrom, ok, want, from)
				}
			}
			if got, _, ok := st.Get("k"); ok != (newest != nil) || !bytes.Equal(got, newest) {
				t.Fatalf("newest: %q, %v; want %q", got, ok, newest)
			}
		}
		if n := m.Len(); n > history+2 {
			t.Fatalf("%d versions are kept", n)
		}
	})
}

func TestVersionsOfDeletedKeysGo(t *testing.T) {
	m := newMemory()
	st := state.Versions("st", serde.Int64, serde.Int64, 100*time.Millisecond).Over(m)
	for i := range int64(2000) {
		ts := record.Timestamp(i)
		st.Put(i, i, ts)
		st.Put(i, i+1, ts+1)
		if i%2 == 0 {
			st.Delete(i, ts+2)
		}
		if i >= 50 {
			if v, _, ok := st.GetAsOf(i-50, ts-49); v != i-49 || !ok {
				t.Fatalf("key %d was %d, %v", i-50, v, ok)
			}
		}
	}
	if n := m.Len(); n < 1000 || n > 2000 {
		t.Errorf("%d rows", n)
	}
}

func TestHistory(t *testing.T) {
	st := state.Versions("st", serde.String, serde.String, time.Second).Over(newMemory())
	st.Put("k", "a", 10)
	st.Put("k", "b", 20)
	if had, from, ok := st.Delete("k", 25); had != "b" || from != 20 || !ok {
		t.Errorf("deleted %q from %d, %v", had, from, ok)
	}
	st.Put("k", "c", 30)
	same(t, texts(st.History("k", 0, 100, state.Ascending)), "{10 20}=a {20 25}=b {30 -1}=c")
	same(t, texts(st.History("k", 20, 29, state.Descending)), "{20 25}=b")
	same(t, texts(st.History("k", 24, 30, state.Descending)), "{30 -1}=c {20 25}=b")
}

// ExampleKeyValue describes a store. A processor gets it in its Init with In, here it lies in a table for tests.
func ExampleKeyValue() {
	stock := state.KeyValue("stock", serde.String, serde.Int64)
	st := stock.Over(newMemory())
	st.Put("pears", 3)
	st.Put("apples", 5)
	for fruit, n := range st.All(state.Ascending) {
		fmt.Println(fruit, n)
	}
	// Output:
	// apples 5
	// pears 3
}
