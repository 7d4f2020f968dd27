package broker

import "sync"

// A queue holds what the sequencer has not taken yet and bounds what is in flight: a command holds its cost from push until its
// round is durable. So neither the queue nor the journal's forming block grows when the disk is slower than the callers.
type queue struct {
	ready chan struct{} // capacity 1: "there is something", never lost
	limit int64

	mu struct {
		sync.Mutex
		room     *sync.Cond // inFlight fell or stopped was set
		commands []command
		inFlight int64
		stopped  *stop
	}
}

func newQueue(limit int64) *queue {
	q := &queue{ready: make(chan struct{}, 1), limit: limit}
	q.mu.room = sync.NewCond(&q.mu)
	return q
}

// push queues c, or waits until the budget has room for it; one that is larger than the whole budget travels alone. After stop it
// fails c at once. A command without cost never waits.
func (q *queue) push(c command) {
	cost := c.cost()
	q.mu.Lock()
	for cost > 0 && q.mu.inFlight > 0 && q.mu.inFlight+cost > q.limit && q.mu.stopped == nil {
		q.mu.room.Wait()
	}
	if why := q.mu.stopped; why != nil {
		q.mu.Unlock()
		c.fail(why)
		return
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
}

// take moves all commands into buf.
func (q *queue) take(buf []command) []command {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.mu.commands
	q.mu.commands = buf[:0]
	return out
}

// release gives n bytes back.
func (q *queue) release(n int64) {
	if n == 0 {
		return
	}
	q.mu.Lock()
	q.mu.inFlight -= n
	q.mu.Unlock()
	q.mu.room.Broadcast()
}

// stop refuses every later push; commands already queued stay for take.
func (q *queue) stop(why *stop) {
	q.mu.Lock()
	if q.mu.stopped == nil {
		q.mu.stopped = why
	}
	q.mu.Unlock()
	q.mu.room.Broadcast()
}
