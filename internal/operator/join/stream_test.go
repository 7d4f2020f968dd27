package join

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A bench is a stream-stream join of texts on its own.
type bench struct {
	env         *operator.Env
	left, right operator.Receiver[string, string]
	results     []string
}

// results of a join, as its child.
func (b *bench) Receive(rows *operator.Batch[string, string]) error {
	for _, i := range rows.Sel {
		b.results = append(b.results, fmt.Sprintf("%s=%s@%d", rows.Keys[i], rows.Values[i], rows.Timestamps[i]))
	}
	return nil
}

func newBench(t *testing.T, o Streams[string, string, string, string]) *bench {
	t.Helper()
	o.Key, o.Left, o.Right = serde.String, serde.String, serde.String
	o.LeftStore, o.RightStore, o.WaitingStore = "left", "right", "waiting"
	o.Pair = func(_, l, r string) string {
		if l == "bad" {
			panic("bad")
		}
		return l + "+" + r
	}
	b := &bench{env: &operator.Env{MaxRecordBytes: 1 << 20}}
	made, err := o.Instance(&operator.Site{Env: b.env, Task: operator.NewTask(), Node: "join", Children: []any{b}})
	if err != nil {
		t.Fatal(err)
	}
	slots := made.(operator.Slots)
	b.left, b.right = slots[0].(operator.Receiver[string, string]), slots[1].(operator.Receiver[string, string])
	return b
}

func leftJoin(before, after, grace record.Timestamp) Streams[string, string, string, string] {
	return Streams[string, string, string, string]{
		Before: before, After: after, Grace: grace, LeftAlone: func(_, l string) string { return l + "+" },
	}
}

// A textRow is a row of one side.
type textRow struct {
	right      bool
	key, value string
	time       record.Timestamp
}

func batchOf(rows []textRow) *operator.Batch[string, string] {
	b := &operator.Batch[string, string]{}
	b.Sel, b.Origins = operator.FirstRows(len(rows)), make([]operator.Origin, len(rows))
	for _, r := range rows {
		b.Keys, b.Values, b.Timestamps = append(b.Keys, r.key), append(b.Values, r.value), append(b.Timestamps, r.time)
	}
	return b
}

// feed gives rows to the join, those of one side that follow each other together, and ends the unit.
func (b *bench) feed(rows ...textRow) error {
	for from := 0; from < len(rows); {
		to := from + 1
		for to < len(rows) && rows[to].right == rows[from].right && to-from < operator.MaxRows {
			to++
		}
		side := b.left
		if rows[from].right {
			side = b.right
		}
		if err := side.Receive(batchOf(rows[from:to])); err != nil {
			for _, u := range b.env.Undoers {
				u.Undo()
			}
			b.env.Arena.Reset()
			return err
		}
		from = to
	}
	for _, u := range b.env.Undoers {
		u.Keep()
	}
	b.env.Arena.Reset()
	return nil
}

// commit ends the epoch and returns its changelog by store.
func (b *bench) commit(t *testing.T, changelog map[string][]textRow) {
	t.Helper()
	for _, st := range b.env.Stores {
		err := st.Seal(func(key, value []byte, ts record.Timestamp) error {
			changelog[st.Name()] = append(changelog[st.Name()], textRow{right: value == nil, key: string(key), value: string(value), time: ts})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		st.Commit()
		st.Dirty()
	}
}

// restored returns a join with the state of a changelog.
func restored(t *testing.T, o Streams[string, string, string, string], changelog map[string][]textRow) *bench {
	t.Helper()
	b := newBench(t, o)
	for _, st := range b.env.Stores {
		for _, r := range changelog[st.Name()] {
			value := []byte(r.value)
			if r.right {
				value = nil
			}
			if err := st.Restore([]byte(r.key), value, r.time); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

func (b *bench) store(name string) store.Store {
	return b.env.Stores[slices.IndexFunc(b.env.Stores, func(st store.Store) bool { return st.Name() == name })]
}

// randomRows are rows of few keys whose times rise with some disorder.
func randomRows(seed uint64, n int) []textRow {
	r := rand.New(rand.NewPCG(seed, 1))
	rows := make([]textRow, n)
	for i := range rows {
		rows[i] = textRow{
			right: r.IntN(3) == 0, key: string(rune('a' + r.IntN(4))), value: fmt.Sprint(i),
			time: max(0, record.Timestamp(i*2+r.IntN(40)-20)),
		}
	}
	return rows
}

// model computes what rows give by comparing all with all. It leaves out rows that wait.
func model(o Streams[string, string, string, string], rows []textRow) (pairs []string) {
	high := [2]record.Timestamp{-1, -1}
	var kept []textRow
	side := func(r textRow) int {
		if r.right {
			return 1
		}
		return 0
	}
	retention := o.Before + o.After + o.Grace
	for _, r := range rows {
		before, after := o.Before, o.After
		if r.right {
			before, after = after, before
		}
		var found []textRow
		for _, k := range kept {
			if k.right != r.right && k.key == r.key && k.time >= r.time-before && k.time <= r.time+after && k.time > high[side(k)]-retention {
				found = append(found, k)
			}
		}
		slices.SortStableFunc(found, func(a, b textRow) int { return int(a.time - b.time) })
		for _, k := range found {
			l, w := r, k
			if r.right {
				l, w = k, r
			}
			pairs = append(pairs, fmt.Sprintf("%s=%s+%s@%d", r.key, l.value, w.value, max(r.time, k.time)))
		}
		high[side(r)] = max(high[side(r)], r.time)
		if r.time > high[side(r)]-retention {
			kept = append(kept, r)
		}
	}
	return pairs
}

func TestStreamJoinIsThatOfAllPairs(t *testing.T) {
	for seed := range uint64(20) {
		o := Streams[string, string, string, string]{
			Before: record.Timestamp(seed % 7 * 5), After: record.Timestamp(seed % 5 * 9), Grace: record.Timestamp(seed % 3 * 10),
		}
		rows := randomRows(seed, 1500)
		b := newBench(t, o)
		if err := b.feed(rows...); err != nil {
			t.Fatal(err)
		}
		if want := model(o, rows); !slices.Equal(b.results, want) {
			t.Errorf("seed %d: %d results, want %d", seed, len(b.results), len(want))
		}
	}
}

func TestStreamJoinIsTheSameInPartsAndAfterRestarts(t *testing.T) {
	o := leftJoin(10, 25, 15)
	rows := randomRows(7, 3000)
	whole := newBench(t, o)
	if err := whole.feed(rows...); err != nil {
		t.Fatal(err)
	}
	changelog := map[string][]textRow{}
	parts, results := newBench(t, o), []string(nil)
	for i, r := range rows {
		if err := parts.feed(r); err != nil {
			t.Fatal(err)
		}
		if i%100 == 50 {
			parts.commit(t, changelog)
			results = append(results, parts.results...)
			parts = restored(t, o, changelog)
		}
	}
	results = append(results, parts.results...)
	if !slices.Equal(whole.results, results) {
		t.Errorf("%d results at once, %d in parts", len(whole.results), len(results))
	}
	if !slices.ContainsFunc(results, func(r string) bool { return strings.Contains(r, "+@") }) {
		t.Error("no result without a match")
	}
}

func TestStreamJoinKeepsDuplicates(t *testing.T) {
	b := newBench(t, Streams[string, string, string, string]{Before: 5, After: 5})
	var rows []textRow
	for i := range 900 {
		rows = append(rows, textRow{key: "a", value: fmt.Sprint(i), time: 7})
	}
	if err := b.feed(rows...); err != nil {
		t.Fatal(err)
	}
	if err := b.feed(textRow{right: true, key: "a", value: "r", time: 9}, textRow{right: true, key: "a", value: "s", time: 13}); err != nil {
		t.Fatal(err)
	}
	if len(b.results) != 900 || b.results[0] != "a=0+r@9" || b.results[899] != "a=899+r@9" {
		t.Errorf("%d results, the first %s", len(b.results), b.results[0])
	}
}

func TestStreamJoinUndoesFailedUnit(t *testing.T) {
	o := leftJoin(10, 10, 10)
	rows := randomRows(3, 600)
	want := newBench(t, o)
	if err := want.feed(rows...); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, o)
	for i := 0; i < len(rows); i += 20 {
		part := rows[i : i+20]
		before := len(b.results)
		bad := append(slices.Clone(part), textRow{right: true, key: "z", value: "x", time: part[19].time + 5}, textRow{key: "z", value: "bad", time: part[19].time + 5})
		if err := b.feed(bad...); err == nil {
			t.Fatal("the unit did not fail")
		}
		b.results = b.results[:before]
		if err := b.feed(part...); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(want.results, b.results) {
		t.Errorf("%d results, want %d", len(b.results), len(want.results))
	}
}

func TestStreamJoinForgets(t *testing.T) {
	b := newBench(t, leftJoin(50, 50, 0))
	changelog := map[string][]textRow{}
	for i := range 5000 {
		ts := record.Timestamp(i)
		if err := b.feed(textRow{key: fmt.Sprint(i), value: "l", time: ts}, textRow{right: true, key: fmt.Sprint(i), value: "r", time: ts}); err != nil {
			t.Fatal(err)
		}
		if i%500 == 0 {
			b.commit(t, changelog)
		}
	}
	b.commit(t, changelog)
	for _, name := range []string{"left", "right"} {
		if n := b.store(name).Len(); n < 100 || n > 400 {
			t.Errorf("store %s keeps %d rows", name, n)
		}
	}
	if n := b.store("waiting").Len(); n > 0 {
		t.Errorf("%d rows wait", n)
	}
	if len(b.results) != 5000 {
		t.Errorf("%d results", len(b.results))
	}
}

func TestSelfJoinIsStreamsWithItself(t *testing.T) {
	for seed := range uint64(10) {
		before, after, grace := record.Timestamp(seed%4*7), record.Timestamp(seed%3*11), record.Timestamp(100) // no row is too late
		two := newBench(t, Streams[string, string, string, string]{Before: before, After: after, Grace: grace})
		one := &bench{env: &operator.Env{MaxRecordBytes: 1 << 20}}
		made, err := SelfJoin[string, string, string]{
			Store: "one", Key: serde.String, Value: serde.String, Before: before, After: after, Grace: grace,
			Pair: func(_, l, r string) string { return l + "+" + r },
		}.Instance(&operator.Site{Env: one.env, Task: operator.NewTask(), Node: "join", Children: []any{one}})
		if err != nil {
			t.Fatal(err)
		}
		one.left = made.(operator.Receiver[string, string])
		for _, r := range randomRows(seed, 1000) {
			r.right = false
			again := r
			again.right = true
			if err := two.feed(r, again); err != nil {
				t.Fatal(err)
			}
			if err := one.feed(r); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(one.results, two.results) {
			t.Errorf("seed %d: %d results with one store, %d with two", seed, len(one.results), len(two.results))
		}
	}
}
