// Package clock is the only door to time. Code that needs the time takes a Clock, so that tests decide what time it is.
package clock

import (
	"sync"
	"time"
)

// A Clock tells the time and wakes sleepers.
type Clock interface {
	// Now returns the wall-clock time; it may jump. Use Since for durations.
	Now() time.Time
	// Mono returns a time that never goes backwards, counted from an arbitrary start: timeouts are measured with it.
	Mono() time.Duration
	// After returns a channel that receives once when d has passed on the monotonic clock. Its timer is collected when dropped.
	After(d time.Duration) <-chan time.Time
}

// System is the clock of the machine.
var System Clock = system{start: time.Now()}

type system struct{ start time.Time }

func (system) Now() time.Time                         { return time.Now() }
func (s system) Mono() time.Duration                  { return time.Since(s.start) }
func (system) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Manual is a clock that stands still until Advance moves it. Safe for concurrent use.
type Manual struct {
	mu struct {
		sync.Mutex
		now     time.Time
		mono    time.Duration
		waiters []waiter
	}
}

type waiter struct {
	at time.Duration
	c  chan time.Time
}

// NewManual returns a clock that shows now.
func NewManual(now time.Time) *Manual {
	m := &Manual{}
	m.mu.now = now
	return m
}

// Now implements Clock.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.now
}

// Mono implements Clock.
func (m *Manual) Mono() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.mono
}

// After implements Clock.
func (m *Manual) After(d time.Duration) <-chan time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan time.Time, 1) // one value, so that Advance never waits for a sleeper that left
	if d <= 0 {
		c <- m.mu.now
		return c
	}
	m.mu.waiters = append(m.mu.waiters, waiter{m.mu.mono + d, c})
	return c
}

// Advance moves both clocks by d and wakes whoever waited for a time that has come.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.now = m.mu.now.Add(d)
	m.mu.mono += d
	keep := m.mu.waiters[:0]
	for _, w := range m.mu.waiters {
		if w.at <= m.mu.mono {
			w.c <- m.mu.now
		} else {
			keep = append(keep, w)
		}
	}
	m.mu.waiters = keep
}
