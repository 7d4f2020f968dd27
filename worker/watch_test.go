package worker_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/view"
	"github.com/mainstemio/mainstem/worker"
)

func TestAWorkerIsWatchedReadAndPaused(t *testing.T) {
	c := newCluster(t)
	states := make(chan worker.State, 100)
	w, err := worker.Open(within(t), counting(t), worker.Config{
		Brokers: []string{c.addr}, EpochInterval: time.Millisecond,
		Listen: func(e worker.Event) {
			if change, ok := e.(worker.StateChange); ok {
				states <- change.To
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	reach := func(want worker.State) {
		t.Helper()
		for got := worker.State(-1); got != want; {
			select {
			case got = <-states:
			case <-within(t).Done():
				t.Fatalf("the worker did not become %s", want)
			}
		}
	}
	reach(worker.Running)
	c.publish("a", "a", "b")
	c.read("counted", 3)
	counts := view.Named[string, int64](w.Tables(), "counts")
	for n, late := int64(0), within(t); n != 2; { // what is visible is committed a moment before the table shows it
		if n, _, err = counts.Get("a"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-late.Done():
			t.Fatalf("the table shows %d", n)
		case <-time.After(5 * time.Millisecond):
		}
	}
	w.Pause()
	reach(worker.Paused)
	c.publish("c")
	w.Resume()
	reach(worker.Running)
	if out := c.read("counted", 4); !slices.Contains(out, "c=1") {
		t.Errorf("counted holds %v", out)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stopped with %v", err)
	}
	reach(worker.Stopped)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
