package remote

import (
	"context"
	"errors"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
)

// Backoff between tries of a first connection.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// Await is Open for a service that may start before its brokers: it tries again, however long they are away, and tells about
// each failure. It returns ctx's error when ctx ends first.
func Await(ctx context.Context, o Options, failed func(err error, wait time.Duration)) (*Door, error) {
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		door, err := Open(ctx, o)
		if err == nil || errors.Is(err, ErrTooOld) {
			return door, err
		}
		if ctx.Err() == nil {
			failed(err, wait)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-clock.System.After(wait):
		}
	}
}
