package engine

import (
	"context"
	"time"
)

// Backoff between two runs of Keep.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// Keep runs the engine until ctx ends (nil) and starts it again after errors that pass by themselves: a broker that restarts,
// a timeout. It returns the first error that needs a decision.
func (e *Engine) Keep(ctx context.Context) error {
	wait := minBackoff
	for {
		began := e.o.Clock.Mono()
		err := e.Run(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !Retryable(err) {
			return err
		}
		if e.o.Clock.Mono()-began > 10*maxBackoff {
			wait = minBackoff // it had been well for a while
		}
		e.o.Events(Event{"engine-retrying", []any{"app", e.o.App, "error", err, "wait", wait}})
		select {
		case <-ctx.Done():
			return nil
		case <-e.o.Clock.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
}
