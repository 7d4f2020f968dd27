package crash

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/internal/need"
)

// A ledger is what one simple producer was promised about a topic.
type ledger struct {
	topic string
	next  int
	acked map[string]bool
	asked map[string]bool
}

func newLedger(topic string) *ledger {
	return &ledger{topic: topic, acked: map[string]bool{}, asked: map[string]bool{}}
}

// client produces idempotently; closing it is the way to end what nobody answers.
func (l *ledger) client(t *trial, bootstrap string) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(l.topic), kgo.RecordDeliveryTimeout(2*time.Minute),
		kgo.RetryTimeout(2*time.Minute), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }), kgo.ProducerLinger(0), kgo.UnknownTopicRetries(1000), kgo.MetadataMinAge(100*time.Millisecond), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// produce sends a few records of about that many bytes, and returns the first error.
func (l *ledger) produce(ctx context.Context, cl *kgo.Client, n, size int) error {
	var rs []*kgo.Record
	for range n {
		l.next++
		v := fmt.Sprintf("%d %s", l.next, strings.Repeat("v", size))
		l.asked[v] = true
		rs = append(rs, kgo.StringRecord(v))
	}
	var first error
	for _, r := range cl.ProduceSync(ctx, rs...) {
		if r.Err == nil {
			l.acked[string(r.Record.Value)] = true
		} else if first == nil {
			first = r.Err
		}
	}
	return first
}

// check reads the topic: everything acknowledged is there, once, and nothing that was never asked for.
func (l *ledger) check(t *trial, bootstrap string) {
	t.Helper()
	seen := map[string]int{}
	t.readAll(bootstrap, l.topic, func(r *kgo.Record) error {
		seen[string(r.Value)]++
		return nil
	})
	for v := range l.acked {
		if seen[v] != 1 {
			t.Errorf("acknowledged record %.8s… is there %d times", v, seen[v])
		}
	}
	for v, n := range seen {
		if !l.asked[v] || n > 1 {
			t.Errorf("record %.20s… is there %d times, asked for: %t", v, n, l.asked[v])
		}
	}
}

// startUnder is start with a tracer that makes the kernel fail calls. The program stays our child.
func (t *trial) startUnder(tracer []string, name string, args ...string) *process {
	t.Helper()
	return t.startCommand(name, exec.Command(tracer[0], append(append(tracer[1:len(tracer):len(tracer)], program(t.T, name)), args...)...))
}

// The kernel's own error of a sync, at several places of a node's life: it ends with a message, and what was acknowledged is there.
func TestNodeEndsWhenASyncFails(tt *testing.T) {
	strace := need.Program(tt, "strace")
	t := newTrial(tt)
	for _, nth := range []int{1, 6, 25, 150} {
		t.Run(fmt.Sprint(nth), func(tt *testing.T) {
			sub := *t
			sub.T, sub.dir = tt, tt.TempDir()
			sub.syncFails(strace, nth)
		})
	}
}

func (t *trial) syncFails(strace string, nth int) {
	addrs := t.ports(2)
	args := []string{"dev", "--data", t.dir + "/data", "--kafka", addrs[0], "--http", addrs[1]}
	p := t.startUnder([]string{
		strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", fmt.Sprintf("inject=fdatasync,fsync:error=EIO:when=%d", nth),
	}, "mainstem", args...)
	l := newLedger("a")
	cl := l.client(t, addrs[0])
	ctx, cancel := context.WithTimeout(t.ctx, 5*time.Minute)
	defer cancel()
	go func() {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
		cancel()
		cl.Close() // nobody answers any more, and an idempotent producer waits
	}()
	for ctx.Err() == nil {
		_ = l.produce(ctx, cl, 3, 100) // what failed is in the ledger
	}
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		t.Fatalf("the node goes on after a failed sync\n%s", p.tail())
	}
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) || exit.ExitCode() <= 0 {
		t.Errorf("the node ended with %v", p.err)
	}
	if out := p.tail(); !strings.Contains(out, "input/output error") || !strings.Contains(out, "sync") {
		t.Errorf("the node's last words:\n%s", out)
	}
	p.ended.Store(true)
	if nth > 100 && len(l.acked) == 0 {
		t.Errorf("nothing was acknowledged before sync %d", nth)
	}
	again := t.start("mainstem", args...)
	if err := l.produce(t.ctx, l.client(t, addrs[0]), 1, 100); err != nil {
		t.Fatalf("after the restart: %v\n%s", err, again.tail())
	}
	l.check(t, addrs[0])
	again.stop()
}
