package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A boxed value has no flat form.
type boxed struct{ in any }

type boxes struct{}

func (boxes) Append(dst []byte, v boxed) ([]byte, error) { return append(dst, v.in.(string)...), nil }
func (boxes) Decode(b []byte) (boxed, error)             { return boxed{string(b)}, nil }
func (boxes) HoldsNull() bool                            { return false }

// A spillWorld is a table that keeps to a budget, all that survives a crash, and a model of what there should be. Keys end with their time.
type spillWorld[V any] struct {
	t    *testing.T
	rng  *rand.Rand
	o    Options[string, V]
	wrap func(string) V
	open func(V) string

	budget    int64
	db        kv.Store
	ckpt      *Checkpoints
	changelog []logged
	epoch     []logged // sealed, not yet durable
	table     *Table[string, V]

	newest, sealed, committed map[string]cell
	inSeal                    bool
	taken                     *CheckpointPart // collected, not yet written
	over                      int64           // rows of days before it are expired, in the running epoch
	overSealed, overCommitted int64
	evictions                 int
	portions                  portions
}

func (w *spillWorld[V]) key() string {
	return string(timedKey(fmt.Sprint("k", w.rng.IntN(6)), w.over+w.rng.Int64N(4)*5))
}

func (w *spillWorld[V]) expect(ok bool, format string, args ...any) {
	w.t.Helper()
	if !ok {
		w.t.Fatalf(format, args...)
	}
}

func (w *spillWorld[V]) put() {
	k, v, ts := w.key(), fmt.Sprint("value ", w.rng.IntN(1000)), record.Timestamp(w.rng.IntN(100))
	switch w.rng.IntN(3) {
	case 0: // as operators do: look, then change
		w.get(k)
		fallthrough
	case 1:
		w.table.PutEncoded([]byte(k), w.wrap(v), ts, []byte(v))
	default:
		w.table.Put([]byte(k), w.wrap(v), ts)
	}
	w.newest[k] = cell{v, ts}
}

func (w *spillWorld[V]) remove() {
	k := w.key()
	w.table.Delete([]byte(k))
	delete(w.newest, k)
}

// undone is a unit that is taken back: what it changed is put back.
func (w *spillWorld[V]) undone() {
	k := w.key()
	v, ts, had := w.table.Get([]byte(k))
	w.table.Put([]byte(k), w.wrap("never"), 99)
	if had {
		w.table.Put([]byte(k), v, ts)
	} else {
		w.table.Delete([]byte(k))
	}
}

func (w *spillWorld[V]) get(k string) {
	w.t.Helper()
	v, ts, ok := w.table.Get([]byte(k))
	want, there := w.newest[k]
	w.expect(ok == there, "Get %q is there: %v, want %v", k, ok, there)
	if ok {
		w.expect(w.open(v) == want.v && ts == want.ts, "Get %q is %q @%d, want %v", k, w.open(v), ts, want)
		at, _ := w.table.Stamp([]byte(k))
		w.expect(at == want.ts, "Stamp %q is %d, want %d", k, at, want.ts)
	}
}

// ahead tells the table of some keys, in vain or before they are read and changed.
func (w *spillWorld[V]) ahead() {
	keys := [][]byte{nil}
	for range 2 + w.rng.IntN(6) {
		keys = append(keys, []byte(w.key()))
	}
	w.table.Ahead(keys)
	for range w.rng.IntN(3) {
		w.get(string(keys[1+w.rng.IntN(len(keys)-1)]))
	}
}

// scanRows reads all rows in order, and by time.
func (w *spillWorld[V]) scanRows() {
	if w.table.order == nil {
		return
	}
	want := slices.Sorted(maps.Keys(w.newest))
	var got []string
	stopped := false
	see := func(key []byte, v V, ts record.Timestamp) bool {
		w.expect(cell{w.open(v), ts} == w.newest[string(key)], "the scan has %q = %q @%d, want %v", key, w.open(v), ts, w.newest[string(key)])
		got = append(got, string(key))
		stopped = w.rng.IntN(20) == 0
		return !stopped
	}
	if w.rng.IntN(2) == 0 {
		w.table.Range(nil, nil, see)
	} else {
		w.table.RangeBack(nil, nil, see)
		slices.Reverse(want)
	}
	w.expect(stopped || len(got) == len(want), "the scan has %d rows, want %d", len(got), len(want))
	w.expect(slices.Equal(want[:min(len(got), len(want))], got), "the scan has %q, want %q", got, want)
	timed := map[string]bool{}
	w.table.Timed(0, Never-1, func(key []byte) bool { timed[string(key)] = true; return true })
	w.expect(len(timed) == len(w.newest), "Timed has %d rows, want %d", len(timed), len(w.newest))
}

func (w *spillWorld[V]) expire() {
	if w.table.calendar == nil {
		return
	}
	w.over += w.rng.Int64N(3) * 5
	w.table.Marks()[0] = w.over
	w.expireNow()
}

func (w *spillWorld[V]) expireNow() {
	w.table.ExpireBefore(record.Timestamp(w.over))
	for k := range w.newest {
		if int64(timeOf([]byte(k)))/10 < w.over/10 {
			delete(w.newest, k)
		}
	}
}

func (w *spillWorld[V]) seal() {
	if w.inSeal {
		return
	}
	must(w.t, w.table.Seal(func(k, v []byte, ts record.Timestamp) error {
		w.epoch = append(w.epoch, logged{slices.Clone(k), slices.Clone(v), ts})
		return nil
	}))
	w.sealed, w.overSealed, w.inSeal = maps.Clone(w.newest), w.over, true
}

func (w *spillWorld[V]) durable() {
	w.changelog = append(w.changelog, w.epoch...)
	w.epoch, w.inSeal, w.committed, w.overCommitted = nil, false, w.sealed, w.overSealed
}

func (w *spillWorld[V]) commit() {
	if w.inSeal {
		w.durable()
	}
	w.table.Commit()
	if w.table.mu.some || w.table.cold.away > 0 {
		w.evictions++
	}
}

func (w *spillWorld[V]) collect() {
	if w.taken == nil {
		w.taken = &CheckpointPart{
			Name: w.o.Name, Next: record.Offset(len(w.changelog)), Rows: w.table.Dirty(), Done: w.table.Done(),
		}
	}
}

func (w *spillWorld[V]) write() {
	if w.taken != nil {
		must(w.t, w.ckpt.Write([]CheckpointPart{*w.taken}))
		w.taken = nil
	}
}

// crash drops the table, maybe after the sealed epoch became durable and before Commit, maybe with half of a checkpoint written.
func (w *spillWorld[V]) crash() {
	if w.inSeal && w.rng.IntN(2) == 0 {
		w.durable()
	}
	if w.taken != nil && w.taken.Rows != nil && w.rng.IntN(2) == 0 {
		b := w.db.NewBatch()
		must(w.t, w.taken.Rows(&prefixWriter{b, tableKey(spaceRow, "app", w.o.Name, 0), nil}))
		must(w.t, b.Commit(false))
	}
	w.epoch, w.inSeal, w.taken = nil, false, nil
	w.newest, w.over = maps.Clone(w.committed), w.overCommitted
	w.start()
}

func (w *spillWorld[V]) start() {
	var err error
	w.ckpt, err = OpenCheckpoints(w.db, "app")
	must(w.t, err)
	w.ckpt = w.ckpt.Within(NewBudget(w.budget).Share())
	w.table = NewTable(w.o)
	w.table.cold.portions = w.portions
	next, _, err := w.ckpt.Load(w.table)
	must(w.t, err)
	for _, l := range w.changelog[next:] {
		must(w.t, w.table.Restore(l.key, l.value, l.ts))
	}
	if w.table.calendar != nil {
		w.expect(w.over == 0 || w.table.Marks()[0] == w.over, "the mark is %d, want %d", w.table.Marks()[0], w.over)
		w.expireNow() // what was expired may be back
		w.seal()
		w.commit()
	}
}

// check compares what views see; it brings nothing back.
func (w *spillWorld[V]) check() {
	got, want := map[string]cell{}, map[string]cell{}
	view := NewView(w.table)
	must(w.t, view.ScanTimed(func(k string, v V, ts record.Timestamp) bool {
		_, twice := got[k]
		w.expect(!twice, "the view has %q twice", k)
		got[k] = cell{w.open(v), ts}
		return true
	}))
	for k, c := range w.committed {
		want[k] = c
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Fatalf("view: %v, want %v", got, want)
	}
	k := w.key()
	v, ok, err := view.Get(k)
	must(w.t, err)
	c, there := w.committed[k]
	w.expect(ok == there && (!ok || w.open(v) == c.v), "the view's %q is %v %v, want %v %v", k, ok, v, there, c)
	if w.table.order != nil {
		w.checkEnds()
	}
}

func (w *spillWorld[V]) checkEnds() {
	keys := slices.Sorted(maps.Keys(w.committed))
	from := w.key()
	at, _ := slices.BinarySearch(keys, from)
	v, ts, key, ok := w.table.First([]byte(from), nil)
	w.expect(ok == (at < len(keys)), "First is there: %v, want %v", ok, at < len(keys))
	if ok {
		w.expect(string(key) == keys[at] && cell{w.open(v), ts} == w.committed[keys[at]], "First is %q %q @%d, want %q %v", key, w.open(v), ts, keys[at], w.committed[keys[at]])
	}
	_, _, key, ok = w.table.Last(nil, []byte(from))
	w.expect(ok == (at > 0) && (!ok || string(key) == keys[at-1]), "Last is %q %v", key, ok)
}

func runSpill[V any](t *testing.T, seed uint64, w *spillWorld[V]) int {
	w.t, w.rng = t, rand.New(rand.NewPCG(seed, 7))
	w.db = kv.NewMemory()
	w.newest, w.committed = map[string]cell{}, map[string]cell{}
	w.budget = []int64{1, 1, 30 << 10, 1 << 40, 1 << 40}[seed%5]
	w.portions = []portions{usualPortions, {1, 1, 1 << 20}, {3, 2, 0}, {100, 100, 0}}[seed%4]
	w.start()
	steps := []func(){
		w.put, w.put, w.put, w.remove, w.undone, w.seal, w.seal, w.seal, w.commit, w.commit, w.commit, w.commit, w.collect, w.collect, w.write, w.write,
		w.scanRows, w.expire, w.ahead, w.ahead, func() { w.get(w.key()) }, func() { w.get(w.key()) },
	}
	for step := range 150 {
		if step%50 == 49 {
			w.crash()
		}
		steps[w.rng.IntN(len(steps))]()
		if w.rng.IntN(3) == 0 {
			w.check()
		}
	}
	for k := range w.newest {
		w.get(k)
	}
	return w.evictions
}

// Whatever the budget, a table holds what it should, for its owner and for views, between any two steps.
func TestATableOverItsBudgetHoldsWhatItShould(t *testing.T) {
	const schedules = 150
	texts := func() *spillWorld[string] {
		same := func(s string) string { return s }
		return &spillWorld[string]{o: Options[string, string]{Name: "texts", Key: serde.String, Value: serde.String}, wrap: same, open: same}
	}
	evictions := map[string]int{}
	for seed := range uint64(schedules) {
		evictions["by key"] += runSpill(t, seed, texts())
		timed := texts()
		timed.o.Ordered, timed.o.Time, timed.o.Day, timed.o.Marks = true, timeOf, 10, 1
		evictions["in order"] += runSpill(t, seed, timed)
		evictions["boxed"] += runSpill(t, seed, &spillWorld[boxed]{
			o:    Options[string, boxed]{Name: "boxed", Key: serde.String, Value: boxes{}},
			wrap: func(s string) boxed { return boxed{s} }, open: func(v boxed) string { return v.in.(string) },
		})
	}
	for kind, n := range evictions {
		if n < schedules {
			t.Errorf("%s: %d commits with rows in the checkpoint only", kind, n)
		}
	}
	t.Log(evictions)
}

// A table that is larger than what is loaded at once is whole again after some commits, also when rows change meanwhile.
func TestALargeTableComesBackByAndBy(t *testing.T) {
	w := &spillWorld[string]{
		t: t, rng: rand.New(rand.NewPCG(1, 7)), db: kv.NewMemory(), budget: 1 << 40, portions: portions{10, 7, 0},
		o:    Options[string, string]{Name: "texts", Key: serde.String, Value: serde.String},
		wrap: func(s string) string { return s }, open: func(s string) string { return s },
		newest: map[string]cell{}, committed: map[string]cell{},
	}
	w.start()
	const rows = 100
	key := func(i int) string { return fmt.Sprintf("k%03d", i) }
	for i := range rows {
		w.table.Put([]byte(key(i)), "old", 1)
		w.newest[key(i)] = cell{"old", 1}
	}
	w.seal()
	w.commit()
	w.collect()
	w.write()
	w.crash()
	if n := w.table.Len(); n != 10 {
		t.Fatalf("%d rows are loaded at once", n)
	}
	w.table.Put([]byte(key(50)), "new", 2)
	w.newest[key(50)] = cell{"new", 2}
	w.table.Delete([]byte(key(60)))
	delete(w.newest, key(60))
	commits := 0
	for ; w.table.mu.some && commits < rows; commits++ {
		w.seal()
		w.commit()
		w.check()
	}
	if n := w.table.Len(); n != rows-1 || commits > rows/7+1 {
		t.Errorf("%d rows after %d commits", n, commits)
	}
	for k := range w.newest {
		w.get(k)
	}
}

// The tail is what a restart would replay.
func TestTail(t *testing.T) {
	table := NewTable(Options[string, string]{Name: "texts", Key: serde.String, Value: serde.String})
	must(t, table.Restore([]byte("a"), []byte("1"), 1))
	for _, k := range []string{"a", "b", "b"} {
		table.Put([]byte(k), "2", 2)
	}
	must(t, table.Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }))
	table.Commit()
	if n := table.Tail(); n != 3 {
		t.Errorf("the tail has %d records, want one restored and two changes", n)
	}
	table.Dirty()
	if n := table.Tail(); n != 0 {
		t.Errorf("the tail has %d records behind a checkpoint", n)
	}
}
