package engine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// A reading is a reader and the goroutine that polls it: once for every grant, so that what is read ahead stays bounded.
type reading struct {
	reader client.Reader
	stop   context.CancelFunc
	joined sync.WaitGroup
	grants chan []record.TopicPartition // capacity 1: one grant, with the partitions that nothing is to be read of for now,
	polled chan pollResult              // one answer
}

// readAhead is how many bytes of a partition may wait for another one's, which its task must see first.
const readAhead = 8 << 20

type pollResult struct {
	chunks []client.Chunk
	err    error
}

// openReader opens a reader of all that the shards read, at where each has come to; there may be nothing to read.
func (s *session) openReader(ctx context.Context) error {
	if len(s.next) == 0 {
		return nil
	}
	reader, err := s.o.Door.OpenReader(ctx, maps.Clone(s.next))
	if err != nil {
		return starting(err)
	}
	s.reading = &reading{reader: reader, grants: make(chan []record.TopicPartition, 1), polled: make(chan pollResult, 1)}
	return nil
}

// startReading begins to poll.
func (s *session) startReading(ctx context.Context) {
	r := s.reading
	if r == nil {
		return
	}
	ctx, r.stop = context.WithCancel(ctx)
	r.joined.Go(func() { r.poll(ctx, s.o.PollBytes) })
	s.grant()
}

// grant lets the reader poll once more.
func (s *session) grant() {
	var full []record.TopicPartition
	for _, sh := range s.shards {
		full = append(full, sh.set.Full(readAhead)...)
	}
	s.reading.grants <- full
}

// stopReading ends polling. What was read and not taken yet is read again.
func (s *session) stopReading() {
	r := s.reading
	if r == nil {
		return
	}
	if r.stop != nil {
		r.stop()
	}
	r.joined.Wait()
	r.reader.Close()
	s.reading = nil
}

// readAgain reads what the shards read now.
func (s *session) readAgain(ctx context.Context) error {
	s.stopReading()
	if err := s.openReader(ctx); err != nil {
		return err
	}
	s.startReading(ctx)
	return nil
}

// polled is where the next chunks come from; nil while nothing is read.
func (s *session) polled() <-chan pollResult {
	if s.reading == nil {
		return nil
	}
	return s.reading.polled
}

func (r *reading) poll(ctx context.Context, maxBytes int) {
	held := map[record.TopicPartition]bool{}
	for {
		select {
		case full := <-r.grants:
			r.hold(held, full)
		case <-ctx.Done():
			return
		}
		chunks, err := r.reader.Poll(ctx, maxBytes)
		r.polled <- pollResult{chunks, err} // capacity 1 and one grant: never blocks
		if err != nil {
			return
		}
	}
}

// hold pauses the partitions that are full, and resumes those that are not any more.
func (r *reading) hold(held map[record.TopicPartition]bool, full []record.TopicPartition) {
	for tp := range held {
		if !slices.Contains(full, tp) {
			delete(held, tp)
			r.reader.Resume(tp)
		}
	}
	for _, tp := range full {
		if !held[tp] {
			held[tp] = true
			r.reader.Pause(tp)
		}
	}
}
