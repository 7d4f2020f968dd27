package cleanup

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

// A modelLog appends at random and remembers everything, as if nothing were ever cleaned.
type modelLog struct {
	*memLog
	rng     *rand.Rand
	all     []rec // committed or plain
	future  map[int64][]rec
	first   map[int64]record.Offset
	aborted []AbortedTxn
	now     record.Timestamp
	born    map[record.Offset]record.Timestamp // when a record was first below a cleaned offset
}

func (m *modelLog) step() {
	pid := m.rng.Int64N(4)
	switch n := m.rng.IntN(20); {
	case n < 9:
		m.append(m.batch(-1, false))
	case n < 15:
		if _, open := m.first[pid]; !open {
			m.first[pid] = m.end()
		}
		m.append(m.batch(pid, true))
	case n < 17:
		m.endTxn(pid, m.rng.IntN(2) == 0)
	default:
		m.roll()
	}
}

func (m *modelLog) batch(pid int64, txn bool) batch.View {
	var b batch.Builder
	b.Reset(batch.Params{ProducerID: pid, Transactional: txn, Codec: batch.Codec(m.rng.IntN(5))})
	base := m.end()
	for i := range 1 + m.rng.IntN(4) {
		key, value := fmt.Sprint("k", m.rng.IntN(12)), fmt.Sprint("v", base, ".", i)
		if m.rng.IntN(4) == 0 {
			value = "-"
		}
		b.Append(record.Timestamp(base), toNull(key), toNull(value), nil)
		r := rec{base + record.Offset(i), key, value, pid}
		if txn {
			m.future[pid] = append(m.future[pid], r)
		} else {
			m.all = append(m.all, r)
		}
	}
	return b.AppendTo(nil)
}

func (m *modelLog) endTxn(pid int64, commit bool) {
	first, open := m.first[pid]
	if commit {
		m.all = append(m.all, m.future[pid]...)
	} else if open {
		m.aborted = append(m.aborted, AbortedTxn{pid, first, m.end()})
	}
	delete(m.first, pid)
	m.future[pid] = nil
	m.append(batch.EndMarker(pid, 0, commit, 0, 1))
}

// stable is the last stable offset.
func (m *modelLog) stable() record.Offset {
	o := m.end()
	for _, first := range m.first {
		o = min(o, first)
	}
	return o
}

const modelKeep = 40

func (m *modelLog) compact() {
	m.now += record.Timestamp(m.rng.IntN(30))
	plan, err := Compactable(m.Segments(), Policy{DirtyRatio: m.rng.Float64() * 0.6, MaxLag: math.MaxInt64}, Progress{m.cleaned, m.stable(), m.now}, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	if !plan.Due {
		return
	}
	r, err := Compact(m.memLog, Job{SegmentBytes: 2000, Options: Options{Plan: plan, Aborted: m.aborted, Now: m.now, DeleteRetention: modelKeep}})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, a := range m.all {
		if _, known := m.born[a.offset]; !known && a.offset < m.cleaned {
			m.born[a.offset] = m.now
		}
	}
	for _, marker := range r.EmptyAborts {
		m.aborted = forget(m.aborted, marker)
	}
	m.checkClean(plan)
}

// checkClean: a key has one record in what was cleaned.
func (m *modelLog) checkClean(plan Plan) {
	seen := map[string]record.Offset{}
	for _, r := range m.consume(m.aborted) {
		if r.offset >= plan.End {
			continue
		}
		if before, twice := seen[r.key]; twice {
			m.t.Fatalf("%s stands at %d and at %d below %d", r.key, before, r.offset, plan.End)
		}
		seen[r.key] = r.offset
	}
}

// check compares what a committed reader finds with what was written.
func (m *modelLog) check() {
	stable := m.stable()
	original, last := map[record.Offset]rec{}, map[string]rec{}
	var tail []rec
	slices.SortFunc(m.all, func(a, b rec) int { return int(a.offset - b.offset) })
	for _, r := range m.all {
		original[r.offset] = r
		if r.offset < stable {
			last[r.key] = r
			if r.offset >= m.cleaned {
				tail = append(tail, r)
			}
		}
	}
	found, at := map[string]rec{}, record.Offset(-1)
	var gotTail []rec
	for _, r := range m.consume(m.aborted) {
		if r.offset >= stable {
			continue
		}
		if r.offset <= at || original[r.offset] != r {
			m.t.Fatalf("record %+v behind %d, written was %+v", r, at, original[r.offset])
		}
		if at = r.offset; r.offset >= m.cleaned {
			gotTail = append(gotTail, r)
		}
		found[r.key] = r
	}
	if !slices.Equal(tail, gotTail) {
		m.t.Fatalf("behind the cleaned part are %v, expected %v", gotTail, tail)
	}
	for key, want := range last {
		cleanedAt, cleaned := m.born[want.offset]
		if want.value == "-" && cleaned && m.now >= cleanedAt+modelKeep {
			if r, ok := found[key]; ok && r.value != "-" {
				m.t.Fatalf("%s came back: %+v", key, r)
			}
			continue
		}
		if found[key] != want {
			m.t.Fatalf("%s is %+v, expected %+v (clean up to %d, stable %d)", key, found[key], want, m.cleaned, stable)
		}
	}
	for key, r := range found {
		if last[key] != r {
			m.t.Fatalf("%s is %+v, last written %+v", key, r, last[key])
		}
	}
}

func TestCompactionKeepsTheTableAndWhatReadersSee(t *testing.T) {
	rewrites := 0
	for seed := range uint64(16) {
		m := &modelLog{
			memLog: newMemLog(t), rng: rand.New(rand.NewPCG(seed, 3)), future: map[int64][]rec{}, first: map[int64]record.Offset{},
			born: map[record.Offset]record.Timestamp{}, now: 1000,
		}
		for range 150 {
			for range 1 + m.rng.IntN(6) {
				m.step()
			}
			if m.rng.IntN(3) == 0 {
				m.compact()
			}
			m.check()
			if m.rng.IntN(15) == 0 { // the next pass gets further
				for pid := range m.first {
					m.endTxn(pid, m.rng.IntN(2) == 0)
				}
			}
		}
		rewrites += m.rewrites
		if n := len(m.segments[0].batches); m.cleaned < m.end()/4 || n > 80 {
			t.Errorf("seed %d: clean up to %d of %d, %d batches in the first segment", seed, m.cleaned, m.end(), n)
		}
	}
	if rewrites < 150 {
		t.Errorf("%d rewrites", rewrites)
	}
}

// More keys than the map takes: several passes come to what one pass comes to.
func TestManyKeysTakeSeveralPasses(t *testing.T) {
	build := func() *memLog {
		l := newMemLog(t)
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range 400 {
			var b batch.Builder
			for j := range 20 {
				b.Append(1, fmt.Appendf(nil, "key %d", rng.IntN(5000)), fmt.Appendf(nil, "value %d.%d", i, j), nil)
			}
			l.append(b.AppendTo(nil))
			if i%40 == 39 {
				l.roll()
			}
		}
		return l
	}
	run := func(l *memLog, bytes int64) (Result, []rec) {
		segments := l.Segments()
		r, err := Compact(l, Job{SegmentBytes: 1 << 30, Options: Options{Plan: Plan{End: segments[len(segments)-1].Base}, MapBytes: bytes}})
		if err != nil {
			t.Fatal(err)
		}
		return r, l.consume(nil)
	}
	one, want := run(build(), 1<<20)
	many, got := run(build(), 0)
	if one.Passes != 1 || many.Passes < 4 {
		t.Errorf("%d and %d passes", one.Passes, many.Passes)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d records after %d passes, %d after one", len(got), many.Passes, len(want))
	}
}

// A tombstone whose time has come stays if this pass does not know its key: what it deletes is not removed by this pass either.
func TestATombstoneBehindWhatWasLearntStays(t *testing.T) {
	var b batch.Builder
	b.Append(1, []byte("a"), []byte("old"), nil)
	value := batch.View(b.AppendTo(nil))
	b.Append(1, []byte("a"), nil, nil)
	tombstone := batch.View(b.AppendTo(nil))
	tombstone.SetBaseOffset(1)
	var r batch.Reader
	var w batch.Rewriter
	if err := r.Reset(tombstone, math.MaxInt32); err != nil || !r.Next() {
		t.Fatal(err)
	}
	w.Reset(tombstone, 50)
	w.Append(&r)
	tombstone = w.AppendTo(nil)
	for _, learnt := range []int{1, 2} {
		p := NewPass(Options{Plan: Plan{End: 2}, Now: 100})
		for _, v := range []batch.View{value, tombstone}[:learnt] {
			if err := p.Learn(v); err != nil {
				t.Fatal(err)
			}
		}
		transform := p.Transform(3) // neither batch is the last one
		got, err := transform(nil, value)
		if err == nil {
			got, err = transform(got, tombstone)
		}
		if err != nil || learnt == 1 && len(got) != len(value)+len(tombstone) || learnt == 2 && len(got) > 0 {
			t.Errorf("%d learnt: %d bytes are left: %v", learnt, len(got), err)
		}
	}
}

func TestStopEndsACompaction(t *testing.T) {
	l := newMemLog(t)
	var b batch.Builder
	b.Append(1, []byte("k"), []byte("v"), nil)
	l.append(b.AppendTo(nil))
	l.roll()
	stop := make(chan struct{})
	close(stop)
	if _, err := Compact(l, Job{Stop: stop, Options: Options{Plan: Plan{End: 1}}}); err == nil || l.cleaned > 0 {
		t.Errorf("clean up to %d: %v", l.cleaned, err)
	}
}

// Stored bytes that passed their CRC may still be wrong.
func FuzzPass(f *testing.F) {
	var b batch.Builder
	b.Reset(batch.Params{ProducerID: 3, Transactional: true})
	b.Append(1, []byte("k"), nil, nil)
	b.Append(2, []byte("k"), []byte("v"), []record.Header{{Key: "h"}})
	f.Add(b.AppendTo(nil), int64(3))
	f.Add([]byte(batch.EndMarker(3, 0, false, 0, 9)), int64(3))
	f.Fuzz(func(t *testing.T, bytes []byte, pid int64) {
		v, _, err := batch.Next(bytes)
		if err != nil || v.LastOffset() < v.BaseOffset() || v.BaseOffset() < 0 || v.LastOffset() > 1<<40 {
			return
		}
		end := v.LastOffset() + 1
		p := NewPass(Options{Plan: Plan{End: end}, Aborted: []AbortedTxn{{pid, 0, 5}}, Now: 100})
		if p.Learn(slices.Clone(v)) != nil {
			return
		}
		out, err := p.Transform(end)(nil, slices.Clone(v))
		if err != nil {
			return
		}
		made, rest, err := batch.Next(out)
		if err != nil || len(rest) > 0 || made.BaseOffset() != v.BaseOffset() || made.LastOffset() != v.LastOffset() {
			t.Fatalf("% x became % x: %v", v, out, err)
		}
	})
}

// What is noted beside the keys is bounded, too: a far record ends a pass, with a key or without.
func TestAFarRecordEndsTheLearning(t *testing.T) {
	for _, key := range []string{"k", "-"} {
		p := NewPass(Options{MapBytes: 1})
		l := looked{key: p.offsets.hash([]byte(key)), null: key == "-", tombstone: true}
		for l.offset = range record.Offset(20_000) {
			if !p.note(&l) {
				break
			}
		}
		if l.offset != minSlots*slotBytes {
			t.Errorf("key %s: noted up to %d", key, l.offset)
		}
		if l.offset = 1 << 50; p.note(&l) {
			t.Errorf("key %s: a record at %d was noted", key, l.offset)
		}
	}
}
