// Package queue holds what the sequencer has not taken yet and bounds what is in flight.
//
// Callers: package broker. It calls nothing.
//
// Owner and locks: one mutex; any goroutine pushes, one takes. A full queue makes pushers wait.
//
// What is pushed holds its cost from then until its round is durable (Release): so neither the queue nor the journal's forming block
// grows when the disk is slower than the callers.
//
// Not here: what commands do.
package queue

import "sync"

// A Queue hands commands C to one taker, until it is stopped for a reason W.
type Queue[C, W any] struct {
	ready chan struct{} // capacity 1: "there is something", never lost
	limit int64

	mu struct {
		sync.Mutex
		room     *sync.Cond // inFlight fell or stopped was set
		commands []C
		inFlight int64
		stopped  *W
	}
}

// New returns an empty queue that lets limit bytes be in flight.
func New[C, W any](limit int64) *Queue[C, W] {
	q := &Queue[C, W]{ready: make(chan struct{}, 1), limit: limit}
	q.mu.room = sync.NewCond(&q.mu)
	return q
}

// Ready gets a value when there is something to take.
func (q *Queue[C, W]) Ready() <-chan struct{} { return q.ready }

// Push queues c, or waits until the budget has room for it; one that is larger than the whole budget travels alone, one without cost
// never waits. After Stop it returns the reason and does not queue c.
func (q *Queue[C, W]) Push(c C, cost int64) *W {
	q.mu.Lock()
	for cost > 0 && q.mu.inFlight > 0 && q.mu.inFlight+cost > q.limit && q.mu.stopped == nil {
		q.mu.room.Wait()
	}
	if why := q.mu.stopped; why != nil {
		q.mu.Unlock()
		return why
	}
	q.mu.inFlight += cost
	q.mu.commands = append(q.mu.commands, c)
	first := len(q.mu.commands) == 1
	q.mu.Unlock()
	if first {
		select {
		case q.ready <- struct{}{}:
		default: // it is signalled already
		}
	}
	return nil
}

// Take returns all commands; the queue goes on in buf.
func (q *Queue[C, W]) Take(buf []C) []C {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.mu.commands
	q.mu.commands = buf[:0]
	return out
}

// Release gives n bytes back.
func (q *Queue[C, W]) Release(n int64) {
	if n == 0 {
		return
	}
	q.mu.Lock()
	q.mu.inFlight -= n
	q.mu.Unlock()
	q.mu.room.Broadcast()
}

// Stop refuses every later Push; commands already queued stay for Take.
func (q *Queue[C, W]) Stop(why *W) {
	q.mu.Lock()
	if q.mu.stopped == nil {
		q.mu.stopped = why
	}
	q.mu.Unlock()
	q.mu.room.Broadcast()
}
