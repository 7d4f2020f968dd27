// Package crash kills the real programs with SIGKILL under load from outside producers and then checks, with a recomputation of
// its own, that nothing acknowledged was lost and nothing counted twice.
//
// It builds the programs once, runs them on loopback ports, and speaks to them as any outsider would: with a Kafka client, over
// HTTP, and by reading customer.db.
//
// Environment: MAINSTEM_CRASH_KILLS kills of a node (default 5), MAINSTEM_KAFKA_KILLS kills of a worker on Apache Kafka (default 3),
// MAINSTEM_SOURCE_KILLS kills of a node that reads a database (default 6),
// MAINSTEM_SMOKE_KILLS and MAINSTEM_SMOKE_KAFKA_KILLS the same with every kind of step of the engine (defaults 3 and 2),
// MAINSTEM_SMOKE_SHARED and MAINSTEM_SMOKE_KAFKA_SHARED troubles of workers that share it (defaults 3 and 2),
// MAINSTEM_TRANSFERS bank transfers in consistent mode (default 30,000) under MAINSTEM_TRANSFER_KILLS kills (default 3),
// MAINSTEM_HISTORY_SECONDS the time of faults under the checker (default 3),
// MAINSTEM_CRASH_PATIENCE multiplies what a test waits for before it fails, and the pauses of what publishes and commits (default 1; more on a
// machine with other work),
// MAINSTEM_CRASH_SEED repeats a run's choices, MAINSTEM_CRASH_DIR keeps what a failed test leaves there.
//
// Not here: crashes at every file operation (the tests of internal/broker and internal/engine on the in-memory file system).
package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// programs are built once, each when the first test needs it; without debug information, since linking it takes most of the time.
var programs = map[string]func() error{
	"mainstem": build("cmd/mainstem"),
	"pipeline": build("examples/payments/cmd/pipeline"),
	"customer": build("examples/payments/cmd/customer"),
	"ewallet":  build("examples/payments/cmd/ewallet"),
	"smoke":    build("test/crash/smoke"),
}

func build(dir string) func() error {
	return sync.OnceValue(func() error {
		out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", binDir+string(filepath.Separator), "github.com/mainstemio/mainstem/"+dir).CombinedOutput()
		if err != nil {
			return fmt.Errorf("go build %s: %w\n%s", dir, err, out)
		}
		return nil
	})
}

// binDir is where TestMain has the programs built.
var binDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mainstem-crash-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir) // the system's temporary folder
	os.Exit(code)
}

// program returns the path of a built program by name.
func program(t *testing.T, name string) string {
	t.Helper()
	if err := programs[name](); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(binDir, name)
}

// A trial is one test run: its choices, its time and its folder.
type trial struct {
	*testing.T
	ctx  context.Context
	rand *rand.Rand
	seed uint64
	dir  string
}

// newTrial skips with -short, and ends before the test binary's own deadline, so that the programs are ended in any case.
func newTrial(t *testing.T) *trial {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MAINSTEM_CRASH_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("MAINSTEM_CRASH_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("MAINSTEM_CRASH_SEED=%d", seed)
	ctx := t.Context()
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-20*time.Second))
		t.Cleanup(cancel)
	}
	return &trial{T: t, ctx: ctx, rand: rand.New(rand.NewPCG(seed, 1)), seed: seed, dir: workDir(t)}
}

// workDir is a folder that ends with the test, except for a failed one where MAINSTEM_CRASH_DIR says to keep it.
func workDir(t *testing.T) string {
	keep := os.Getenv("MAINSTEM_CRASH_DIR")
	if keep == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(keep, strings.ReplaceAll(t.Name(), "/", "-")+"-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("kept: %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// count reads a number, of kills above all, from the environment.
func (t *trial) count(env string, def int) int {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number from 1 on", env, text)
	}
	return n
}

// patience is how many times slower than usual the machine may be.
func (t *trial) patience() time.Duration {
	t.Helper()
	return time.Duration(t.count("MAINSTEM_CRASH_PATIENCE", 1))
}

// between draws a duration.
func (t *trial) between(from, to time.Duration) time.Duration {
	return from + time.Duration(t.rand.Int64N(int64(to-from)))
}

// pause lets d pass, the random time after which something is killed.
func (t *trial) pause(d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
		t.Fatal("out of time")
	}
}

// await polls until done returns nil, and fails with what it last said when the limit is over.
func (t *trial) await(what string, limit time.Duration, done func() error) {
	t.Helper()
	limit *= t.patience()
	ctx, cancel := context.WithTimeout(t.ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		}
	}
}
