// Package deadline orders the times at which a state machine has to act by itself.
//
// Packages group and txn keep a Timer in each thing that can expire and one Queue for all of them.
// The machine owns both; there is no lock, no goroutine and no clock: the time is an argument.
// The queue is a binary heap that knows each timer's place, so that moving one of thousands (a heartbeat) costs a few swaps
// and asking for the next costs nothing. Timers due at the same time come in the order in which they were set.
// It does not run anything when a time comes: the owner asks for what is due.
package deadline

import "time"

// A Timer is one deadline and what it is about. The zero Timer is not set.
type Timer[T any] struct {
	Of    T
	at    time.Duration
	order uint64
	place int // 1 + index in the heap, 0 when not set
}

// Pending reports whether the timer is set.
func (t *Timer[T]) Pending() bool { return t.place > 0 }

// A Queue holds the timers that are set. The zero Queue is empty.
type Queue[T any] struct {
	heap []*Timer[T]
	sets uint64
}

// Set moves t to the time at, whether it was set or not.
func (q *Queue[T]) Set(t *Timer[T], at time.Duration) {
	q.sets++
	t.at, t.order = at, q.sets
	if t.place == 0 {
		q.heap = append(q.heap, t)
		t.place = len(q.heap)
	}
	q.settle(t)
}

// Clear unsets t.
func (q *Queue[T]) Clear(t *Timer[T]) {
	if t.place == 0 {
		return
	}
	i, last := t.place-1, len(q.heap)-1
	q.swap(i, last)
	q.heap[last] = nil
	q.heap = q.heap[:last]
	t.place = 0
	if i < last {
		q.settle(q.heap[i])
	}
}

// Next is the earliest time set; ok is false when there is none.
func (q *Queue[T]) Next() (at time.Duration, ok bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at, true
}

// Due unsets and returns the earliest timer if its time has come, else nil.
func (q *Queue[T]) Due(now time.Duration) *Timer[T] {
	if len(q.heap) == 0 || q.heap[0].at > now {
		return nil
	}
	t := q.heap[0]
	q.Clear(t)
	return t
}

func (q *Queue[T]) settle(t *Timer[T]) {
	i := t.place - 1
	for i > 0 && q.less(i, (i-1)/2) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < len(q.heap) && q.less(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

func (q *Queue[T]) less(i, j int) bool {
	a, b := q.heap[i], q.heap[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}

func (q *Queue[T]) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].place, q.heap[j].place = i+1, j+1
}
