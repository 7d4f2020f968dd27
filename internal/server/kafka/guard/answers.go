package guard

import (
	"container/list"
	"sync"
)

// answers are the large responses that clients are taking in, the oldest first. A client that reads has its response in
// no time; so when there are too many bytes in all, the oldest are those of clients that do not read.
type answers struct {
	mu struct {
		sync.Mutex
		held  list.List // of *heldAnswer
		bytes int64
	}
}

type heldAnswer struct {
	bytes  int64
	giveUp func()
}

// SmallAnswer is the largest response that need not be held.
const SmallAnswer = 64 << 10

// HoldAnswer counts the n bytes of a response that is being written, until release is called. If that is more than Limits.InFlight in
// all, the writers that have been at it the longest are given up: giveUp is called once, must not block, and release is still due.
func (b *Budget) HoldAnswer(n int, giveUp func()) (release func()) {
	a := &b.answers
	a.mu.Lock()
	mine := a.mu.held.PushBack(&heldAnswer{bytes: int64(n), giveUp: giveUp})
	a.mu.bytes += int64(n)
	var given []func()
	for a.mu.bytes > b.limits.InFlight && a.mu.held.Front() != mine {
		given = append(given, a.removeLocked(a.mu.held.Front()).giveUp)
	}
	a.mu.Unlock()
	for _, giveUp := range given {
		giveUp()
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.removeLocked(mine)
	}
}

// removeLocked takes an answer out, if it is in.
func (a *answers) removeLocked(e *list.Element) *heldAnswer {
	h := e.Value.(*heldAnswer)
	if h.bytes > 0 {
		a.mu.held.Remove(e)
		a.mu.bytes -= h.bytes
		h.bytes = 0
	}
	return h
}
