package engine

import "sync/atomic"

// A valve lets the loop take records, or not. Closing it stops neither a commit nor a round of the group, and keeps what is read ahead.
type valve struct {
	closed atomic.Bool
	turned chan struct{} // capacity 1: that it turned is told once, which way is looked up
}

func newValve() *valve { return &valve{turned: make(chan struct{}, 1)} }

func (g *valve) turn(closed bool) {
	if g.closed.Swap(closed) == closed {
		return
	}
	select {
	case g.turned <- struct{}{}:
	default:
	}
}

// through returns c, or a channel that never gives anything while the valve is closed.
func through[T any](g *valve, c <-chan T) <-chan T {
	if g.closed.Load() {
		return nil
	}
	return c
}

// Pause has the engine take no more records and make no scheduled calls until Resume. What was taken is committed. It may be called at any
// time from any goroutine, also before Run, and lasts until the process ends. Records that were read ahead wait in memory.
func (e *Engine) Pause() { e.valve.turn(true) }

// Resume ends Pause.
func (e *Engine) Resume() { e.valve.turn(false) }

// Paused tells whether Pause is in force; a record that was being processed then may still be.
func (e *Engine) Paused() bool { return e.valve.closed.Load() }
