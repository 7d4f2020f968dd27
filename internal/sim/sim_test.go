// Package sim runs the whole node, broker, door, engine and checkpoints, on a file system that loses what was not synced.
//
// It holds tests only. A seeded workload of outside services runs beside the pipeline; before every writing file operation a
// crash clone of the file system is taken, with unsynced data lost wholly, partly or not at all. Each clone is opened again
// as its owner would, and judged: every acknowledged input is there once, what is derived follows from the inputs once, and the
// table is what the inputs add up to. MAINSTEM_SIM_RUNS asks for that many workloads with all their states.
//
// Beside it stand histories of a broker alone (past_test.go): producers, transactions of both protocols, readers, members of a consumer
// group and an administrator work on through crashes, compaction, re-created topics and the expiry of offsets, and package checker judges
// what they saw.
package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/mainstemio/mainstem/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simRuns is the number of workloads and how many file operations lie between two states: a plain go test looks at few.
func simRuns() (runs, stride int) {
	n, err := strconv.Atoi(os.Getenv("MAINSTEM_SIM_RUNS"))
	if err != nil || n < 1 {
		return 1, 8
	}
	return n, 1
}

func TestCrashAtEveryFileOperation(t *testing.T) {
	runs, stride := simRuns()
	began := time.Now()
	s := newStates(t)
	for seed := range uint64(runs) {
		mem := vfs.NewCrashable()
		var w *workload
		record := &recorder{states: s, mem: mem, seed: seed + 1, stride: stride}
		fs := vfs.OnOp(mem, func(op, path string) { record.operation(w, op, path) })
		w = newWorkload(seed+1, func() (*node, error) { return open(fs, nil) })
		if err := w.run(); err != nil {
			t.Errorf("seed %d: %v", seed+1, err)
		}
		if t.Failed() {
			break
		}
	}
	n := s.wait()
	took := time.Since(began)
	t.Logf("%d crash states in %s, %.0f a second", n, took.Round(time.Millisecond), float64(n)/took.Seconds())
	if n < 150*int64(runs) && !t.Failed() {
		t.Errorf("only %d states were visited", n)
	}
}

// A state is a crash to be judged.
type state struct {
	name  string
	clone *vfs.MemFS
	facts []fact
	again bool // crash the recovery, too
	seed  uint64
}

// states judges crash states on all processors, beside the workload that makes them.
type states struct {
	t    *testing.T
	todo chan state // no capacity: a clone is large, and the workload can wait
	done sync.WaitGroup
	n    atomic.Int64
}

func newStates(t *testing.T) *states {
	s := &states{t: t, todo: make(chan state)}
	for range runtime.GOMAXPROCS(0) {
		s.done.Go(func() {
			for st := range s.todo {
				s.judge(st)
			}
		})
	}
	return s
}

func (s *states) wait() int64 {
	close(s.todo)
	s.done.Wait()
	return s.n.Load()
}

func (s *states) judge(st state) {
	if s.t.Failed() {
		return // one state is enough to look at
	}
	if st.again {
		s.judgeRecovery(st)
	}
	s.n.Add(1)
	if err := check(st.clone, append([]fact(nil), st.facts...)); err != nil {
		s.t.Errorf("%s:\n%v", st.name, err)
	}
}

// judgeRecovery crashes the recovery of a state at every 29th of its writing operations.
func (s *states) judgeRecovery(st state) {
	first := st.clone.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	var ops atomic.Int64
	fs := vfs.OnOp(first, func(op, path string) {
		if !vfs.IsWriteOp(op) || s.t.Failed() {
			return
		}
		n := ops.Add(1)
		if n%29 != 0 {
			return
		}
		rng := rand.New(rand.NewPCG(st.seed, uint64(n)))
		second := first.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: 50 * int(n%3), RNG: rng})
		s.n.Add(1)
		if err := check(second, append([]fact(nil), st.facts...)); err != nil {
			s.t.Errorf("%s, recovery before %s %s:\n%v", st.name, op, path, err)
		}
	})
	n, err := recover(fs, st.facts)
	if err == nil {
		err = n.close()
	}
	if err != nil {
		s.t.Errorf("%s: %v", st.name, err)
	}
}

// A recorder takes the crash states of one workload.
type recorder struct {
	states *states
	mem    *vfs.MemFS
	seed   uint64
	stride int

	mu  sync.Mutex
	ops int
	n   int
}

// operation is called before every file operation of the workload.
func (r *recorder) operation(w *workload, op, path string) {
	if !vfs.IsWriteOp(op) || r.states.t.Failed() {
		return
	}
	if st, ok := r.take(w, op, path); ok {
		r.states.todo <- st
	}
}

// take clones the file system while the facts stand still: what is asked for or acknowledged comes before the clone or behind it.
func (r *recorder) take(w *workload, op, path string) (state, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.ops++; r.ops%r.stride != 0 {
		return state{}, false
	}
	r.n++
	rng := rand.New(rand.NewPCG(r.seed, uint64(r.n)))
	return state{
		name:  fmt.Sprintf("seed %d operation %d before %s %s", r.seed, r.ops, op, path),
		clone: r.mem.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 0, 100}[r.n%4], RNG: rng}),
		facts: append([]fact(nil), w.facts...),
		again: r.n%13 == 0,
		seed:  r.seed<<32 | uint64(r.n),
	}, true
}
