package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/cleanup"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/test/checker"
)

// A past is one simulated node with its clients, through crashes and restarts, and what they did and saw. At a crash the node goes on in
// a file system that lost what was not synced; nobody heard anything that the old one said after that moment.
type past struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	clk  *clock.Manual

	broker *broker.Broker
	door   client.Door
	stop   context.CancelFunc
	ended  chan error
	rests  chan struct{} // of the node's cleaner

	mu      sync.Mutex
	mem     *vfs.MemFS
	fuse    int        // writing operations until the crash
	crashed *vfs.MemFS // what is left, once it came
	time    int64
	ops     []checker.Op

	counts map[string]int
}

// TestHistoriesOfASimulatedNode lets clients of every kind work on a node that crashes, and judges what they saw by the rules of Jepsen's
// Kafka workload. MAINSTEM_HISTORY_SEEDS is how many histories (default 20), MAINSTEM_HISTORY_SEED the first.
func TestHistoriesOfASimulatedNode(t *testing.T) {
	seeds, first := number64("MAINSTEM_HISTORY_SEEDS", 20), number64("MAINSTEM_HISTORY_SEED", 1)
	counts := map[string]int{}
	for i := range seeds {
		p := newPast(t, first+i, counts)
		p.live()
		if t.Failed() {
			t.Fatalf("MAINSTEM_HISTORY_SEED=%d", p.seed)
		}
	}
	t.Logf("%d histories: %v", seeds, counts)
	for _, what := range []string{"crash", "restart", "sent", "committed", "aborted", "timed out", "read", "read by members", "compacted", "re-created", "expired"} {
		if counts[what] == 0 && seeds >= 20 {
			t.Errorf("no history has: %s", what)
		}
	}
}

func number64(env string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(env), 10, 64); err == nil && n > 0 {
		return n
	}
	return otherwise
}

func newPast(t *testing.T, seed uint64, counts map[string]int) *past {
	return &past{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 11)), clk: clock.NewManual(simTime), mem: vfs.NewCrashable(), counts: counts,
	}
}

// live plays the whole history.
func (p *past) live() {
	p.fuse = -1 // the topics are there when the first crash comes
	if err := p.open(); err != nil {
		p.t.Errorf("open: %v", err)
		return
	}
	c := newClients(p)
	p.setFuse(p.rng.IntN(600))
	for range 120 {
		c.step()
		if p.isCrashed() {
			p.crash()
			c.afterCrash()
		}
		if p.t.Failed() {
			break
		}
	}
	p.setFuse(-1) // no more crashes
	if p.isCrashed() {
		p.crash()
		c.afterCrash()
	}
	c.finish()
	p.close()
	for _, f := range checker.Check(p.ops) {
		p.t.Errorf("%v", f)
	}
}

// open starts the node on what there is.
func (p *past) open() error {
	p.rests = make(chan struct{}, 1)
	b, err := broker.Open(broker.Options{
		FS: vfs.OnOp(p.mem, p.operation), Dir: "broker", Clock: cleanersClock{p.clk, p.rests}, JournalFileSize: 32 << 10, SegmentBytes: 4 << 10,
		Cleanup: cleanup.CleanerOptions{Backoff: cleanerBackoff},
		Events: func(e broker.Event) {
			if e.Kind == "compacted" {
				p.count("compacted")
			}
		},
	})
	if err != nil {
		p.broker = nil
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.broker, p.door, p.stop, p.ended = b, local.New(b, p.clk), cancel, make(chan error, 1)
	go func() { p.ended <- b.Run(ctx) }()
	return nil
}

// cleanerBackoff is less than anybody but the cleaner waits for: so it comes by whenever time passes, and is known to have done so.
const cleanerBackoff = time.Millisecond

// A cleanersClock tells when the cleaner waits for time to pass.
type cleanersClock struct {
	*clock.Manual
	rests chan struct{} // capacity 1: the cleaner only wakes when pass has taken what it said before
}

func (c cleanersClock) After(d time.Duration) <-chan time.Time {
	after := c.Manual.After(d)
	if d == cleanerBackoff {
		c.rests <- struct{}{}
	}
	return after
}

// pass lets time go by. The cleaner then looks at what there is, beside the clients, or before they go on.
func (p *past) pass(d time.Duration, before bool) {
	p.cleanerRests()
	p.clk.Advance(d)
	if before {
		p.cleanerRests()
		p.rests <- struct{}{} // it still does
	}
}

func (p *past) cleanerRests() {
	select {
	case <-p.rests:
	case <-time.After(patience):
		p.t.Fatalf("the cleaner does not come to an end within %s", patience)
	}
}

func (p *past) close() {
	if p.broker == nil {
		return // it did not start
	}
	p.stop()
	if err := errors.Join(<-p.ended, p.broker.Close()); err != nil {
		p.t.Errorf("close: %v", err)
	}
}

// operation is called before every file operation: one of them is the last before a crash.
func (p *past) operation(op, _ string) {
	if !vfs.IsWriteOp(op) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.crashed != nil || p.fuse < 0 {
		return
	}
	if p.fuse--; p.fuse < 0 {
		rng := rand.New(rand.NewPCG(p.seed, uint64(p.time)))
		p.crashed = p.mem.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[rng.IntN(3)], RNG: rng})
	}
}

func (p *past) setFuse(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fuse = n
}

func (p *past) isCrashed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crashed != nil
}

// crash ends the old node, whose word counts no more, and starts a new one on what is left. Some crashes come while it starts.
func (p *past) crash() {
	for p.isCrashed() {
		p.count("crash")
		if p.broker != nil {
			p.stop()
			_ = errors.Join(<-p.ended, p.broker.Close()) // it works on a file system that nobody will see again
		}
		p.mu.Lock()
		p.mem, p.crashed = p.crashed, nil
		if p.fuse = p.rng.IntN(800); p.rng.IntN(6) == 0 {
			p.fuse = p.rng.IntN(30)
		}
		p.mu.Unlock()
		if err := p.open(); err != nil {
			p.t.Errorf("start after a crash: %v", err)
			return
		}
	}
}

// restart is an orderly one.
func (p *past) restart() {
	p.count("restart")
	p.close()
	if p.isCrashed() {
		p.broker = nil
		p.crash()
		return
	}
	if err := p.open(); err != nil {
		p.t.Errorf("restart: %v", err)
	}
}

func (p *past) count(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[what]++
}

// tick is the next moment of the history.
func (p *past) tick() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.time++
	return p.time
}

// heard does something with what the node said, unless that was after the crash.
func (p *past) heard(what func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.crashed != nil {
		return false
	}
	p.time++
	what()
	return true
}

// begin notes an operation before it is asked for; nobody knows yet how it ends.
func (p *past) begin(process int) (at int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.time++
	p.ops = append(p.ops, checker.Op{Process: process, Begin: p.time, Commit: p.time, End: p.time, Outcome: checker.Info})
	return len(p.ops) - 1
}

// wait is a future's outcome; a node that never answers is an error.
func wait[T any](p *past, f *broker.Future[T]) T {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := f.Wait(ctx)
	if err != nil && !p.isCrashed() {
		p.t.Errorf("no answer: %v", err)
	}
	return v
}

// wrong reports what an outcome must not be on a node that lives.
func (p *past) wrong(what string, err error) {
	if !p.isCrashed() {
		p.t.Errorf("%s: %v", what, err)
	}
}

func valueOf(n int) string { return fmt.Sprintf("%d %s", n, strings.Repeat("v", 40+n*37%200)) }
