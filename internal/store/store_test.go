package store

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// text is a serde of strings in which "bad" cannot be encoded, "null" encodes to null and "?" cannot be decoded.
type text struct{}

var errBad = errors.New("bad text")

func (text) Append(dst []byte, v string) ([]byte, error) {
	switch v {
	case "bad":
		return nil, errBad
	case "null":
		return nil, nil
	}
	return append(dst, v...), nil
}

func (text) Decode(b []byte) (string, error) {
	switch {
	case b == nil:
		return "", serde.ErrNull
	case string(b) == "?":
		return "", errBad
	}
	return string(b), nil
}

func (text) HoldsNull() bool { return false }

func newTable() *Table[string, string] {
	return NewTable(Options[string, string]{Name: "last", Partition: 2, Key: text{}, Value: text{}})
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

// seal returns the changelog of the epoch as text.
func seal(t failer, s Store) []string {
	t.Helper()
	out := []string{}
	must(t, s.Seal(func(k, v []byte, ts record.Timestamp) error {
		if v == nil {
			out = append(out, fmt.Sprintf("%s deleted @%d", k, ts))
		} else {
			out = append(out, fmt.Sprintf("%s=%s @%d", k, v, ts))
		}
		return nil
	}))
	return out
}

func get(tb *Table[string, string], key string) string {
	v, ts, ok := tb.Get([]byte(key))
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%s @%d", v, ts)
}

func (t *Table[K, V]) puts(key string, k K, v V, ts record.Timestamp) { t.Put([]byte(key), v, ts) }

func TestSealHandsOutTheLastChangeOfEachKeyInOrderOfFirstChange(t *testing.T) {
	tb := newTable()
	tb.puts("b", "b", "1", 10)
	tb.puts("a", "a", "2", 30)
	tb.PutEncoded([]byte("b"), "3", 20, []byte("three"))
	tb.PutEncoded([]byte("c"), "4", 20, []byte("a longer value"))
	tb.PutEncoded([]byte("c"), "5", 21, []byte("short"))
	tb.PutEncoded([]byte("d"), "", 22, []byte{})
	tb.puts("e", "e", "6", 23)
	tb.Delete([]byte("e"))
	tb.Delete([]byte("never"))
	want := []string{"b=three @20", "a=2 @30", "c=short @21", "d= @22", "e deleted @30"}
	if diff := cmp.Diff(want, seal(t, tb)); diff != "" {
		t.Error(diff)
	}
	tb.Commit()
	if diff := cmp.Diff([]string{}, seal(t, tb)); diff != "" {
		t.Error("an epoch without changes", diff)
	}
}

func TestGetSeesTheNewestGenerationAndViewsTheCommittedOne(t *testing.T) {
	tb := newTable()
	view := NewView(newTable(), tb)
	expect := func(step, newest, committed string) {
		t.Helper()
		if got := get(tb, "k"); got != newest {
			t.Errorf("%s: Get is %s, want %s", step, got, newest)
		}
		v, ok, err := view.Get("k")
		must(t, err)
		if !ok {
			v = "none"
		}
		if v != committed {
			t.Errorf("%s: the view shows %s, want %s", step, v, committed)
		}
	}
	expect("empty", "none", "none")
	tb.puts("k", "k", "1", 1)
	expect("put", "1 @1", "none")
	seal(t, tb)
	expect("sealed", "1 @1", "none")
	tb.puts("k", "k", "2", 2)
	expect("put behind the seal", "2 @2", "none")
	tb.Commit()
	expect("committed", "2 @2", "1")
	seal(t, tb)
	tb.Delete([]byte("k"))
	expect("deleted", "none", "1")
	tb.Commit()
	expect("second commit", "none", "2")
	seal(t, tb)
	expect("deletion sealed", "none", "2")
	tb.puts("k", "k", "3", 3)
	tb.Commit()
	expect("deletion committed under a new put", "3 @3", "none")
	seal(t, tb)
	tb.Commit()
	expect("put again", "3 @3", "3")
	if tb.Len() != 1 || tb.Bytes() <= 0 {
		t.Errorf("%d rows, %d bytes", tb.Len(), tb.Bytes())
	}
	tb.Delete([]byte("k"))
	seal(t, tb)
	tb.Commit()
	tb.Dirty() // until then deleted keys are remembered
	if tb.Len() != 0 || tb.Bytes() != 0 || tb.mu.rows.count != 0 {
		t.Errorf("after the last deletion %d rows, %d bytes, %d slots", tb.Len(), tb.Bytes(), tb.mu.rows.count)
	}
}

func TestSealTwiceWithoutCommitIsAnError(t *testing.T) {
	tb := newTable()
	seal(t, tb)
	if err := tb.Seal(nil); !errors.Is(err, errUncommitted) {
		t.Errorf("second Seal: %v", err)
	}
}

func TestErrorsNameTheStoreAndThePartition(t *testing.T) {
	discard := func(_, _ []byte, _ record.Timestamp) error { return nil }
	full := errors.New("changelog is full")
	for name, c := range map[string]struct {
		run  func(tb *Table[string, string]) error
		want error
	}{
		"value that does not encode": {func(tb *Table[string, string]) error {
			tb.puts("k", "k", "bad", 1)
			return tb.Seal(discard)
		}, errBad},
		"value that encodes to null": {func(tb *Table[string, string]) error {
			tb.puts("k", "k", "null", 1)
			return tb.Seal(discard)
		}, errNullValue},
		"changelog that refuses": {func(tb *Table[string, string]) error {
			tb.puts("k", "k", "v", 1)
			return tb.Seal(func(_, _ []byte, _ record.Timestamp) error { return full })
		}, full},
		"restored value":  {func(tb *Table[string, string]) error { return tb.Restore([]byte("k"), []byte("?"), 1) }, errBad},
		"restored key":    {func(tb *Table[string, string]) error { return tb.Restore([]byte("?"), []byte("v"), 1) }, errBad},
		"checkpoint row":  {func(tb *Table[string, string]) error { return tb.Load(oneRow{value: nil}) }, errShortRow},
		"checkpoint text": {func(tb *Table[string, string]) error { return tb.Load(oneRow{value: []byte("\x02?")}) }, errBad},
	} {
		if err := c.run(newTable()); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "last/2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type oneRow struct{ value []byte }

func (r oneRow) Get([]byte) ([]byte, error) { return r.value, nil }
func (r oneRow) Scan(_, _ []byte, fn func(k, v []byte) error) error {
	return fn([]byte("k"), r.value)
}

// A number is a serde of int64 in one byte each.
type number struct{}

func (number) Append(dst []byte, v int64) ([]byte, error) { return append(dst, byte(v)), nil }
func (number) Decode(b []byte) (int64, error)             { return int64(b[0]), nil }
func (number) HoldsNull() bool                            { return false }

func TestLookupsOfNumbersDoNotAllocate(t *testing.T) {
	tb := NewTable(Options[string, int64]{Name: "t", Key: text{}, Value: number{}})
	for i := range 100 {
		tb.Put([]byte(fmt.Sprint(i)), 7, 1)
	}
	seal(t, tb)
	tb.Commit()
	key, value, sum := []byte("42"), []byte("encoded"), int64(0)
	allocs := testing.AllocsPerRun(100, func() {
		for _, c := range "23" {
			key[1] = byte(c)
			v, _, _ := tb.Get(key)
			sum += v
		}
		tb.PutEncoded(key, 7, 2, value)
	})
	if allocs != 0 || sum != 101*14 {
		t.Errorf("%v allocations, sum %d", allocs, sum)
	}
}

// A labelled value has a map, and so no flat form.
type labelled struct {
	Labels map[string]string
}

func TestValuesWithoutAFlatFormAreKeptAsTheyAre(t *testing.T) {
	tb := NewTable(Options[string, labelled]{Name: "t", Key: text{}, Value: serde.JSON[labelled]()})
	view := NewView(tb)
	for round := range 3 {
		for i := range 5 {
			tb.Put([]byte(fmt.Sprint(i)), labelled{map[string]string{"round": fmt.Sprint(round)}}, 1)
		}
		tb.Delete([]byte(fmt.Sprint(round)))
		seal(t, tb)
		tb.Commit()
		n := 0
		must(t, view.Scan(func(k string, v labelled) bool {
			n++
			return v.Labels["round"] == fmt.Sprint(round) && k != fmt.Sprint(round)
		}))
		if n != 4 || tb.Len() != 4 {
			t.Errorf("round %d: %d rows seen, %d counted", round, n, tb.Len())
		}
	}
	v, _, ok := tb.Get([]byte("0"))
	if _, _, gone := tb.Get([]byte("2")); !ok || v.Labels["round"] != "2" || gone {
		t.Errorf("%v %v %v", v, ok, gone)
	}
}

// Places behind 4 GiB would wrap around.
func TestAUnitThatChangesTooMuchIsAnError(t *testing.T) {
	tb := newTable()
	tb.overlay.encoded = make([]byte, math.MaxUint32, math.MaxUint32+100) // never touched: it takes no memory
	tb.Put([]byte("a"), "x", 1)
	err := tb.Seal(func([]byte, []byte, record.Timestamp) error { return errors.New("a record was written") })
	if err == nil || !strings.Contains(err.Error(), "1 rows in 4294967296 bytes; at most 67108863 rows and 4294967295 bytes") {
		t.Errorf("Seal returned %v", err)
	}
}

func TestAPublishedTableTellsNoChangelog(t *testing.T) {
	tb := NewTable(Options[string, string]{Name: "last", Key: text{}, Value: text{}, Published: true})
	must(t, tb.Restore([]byte("a"), []byte("1"), 5))
	tb.PutEncoded([]byte("a"), "2", 6, []byte("2"))
	tb.Put([]byte("b"), "bad", 7) // whoever wrote it to the topic has encoded it
	tb.Delete([]byte("b"))
	tb.PutEncoded([]byte("c"), "3", 8, []byte("3"))
	if got := seal(t, tb); len(got) != 0 {
		t.Errorf("the changelog got %v", got)
	}
	if n := tb.Tail(); n != 4 {
		t.Errorf("a restart replays %d records", n)
	}
	tb.Commit()
	if got, want := [3]string{get(tb, "a"), get(tb, "b"), get(tb, "c")}, [3]string{"2 @6", "none", "3 @8"}; got != want {
		t.Errorf("the table has %v, expected %v", got, want)
	}
}
