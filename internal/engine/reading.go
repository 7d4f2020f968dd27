package engine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// A reading is a reader and the goroutine that polls it: once for every grant, so that what is read ahead stays bounded. Where the reader
// tells of news the goroutine ends while nothing comes: it begins again with
//
//	polling → nothing at its first look, or told to rest → answers with nothing, ends → news → polling
type reading struct {
	reader client.Reader
	stop   context.CancelFunc
	joined sync.WaitGroup
	grants chan struct{}                  // capacity 1: one grant,
	polled chan pollResult                // one answer
	held   map[record.TopicPartition]bool // nothing is to be read of them for now; of the loop

	watcher client.Watcher  // nil: the goroutine stays
	again   func()          // begins to poll again
	news    <-chan struct{} // nil: the goroutine is there; of the loop
	resting chan struct{}   // capacity 1: the goroutine may end
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
	s.reading = newReading(reader)
	return nil
}

func newReading(reader client.Reader) *reading {
	return &reading{reader: reader, grants: make(chan struct{}, 1), polled: make(chan pollResult, 1), held: map[record.TopicPartition]bool{}}
}

// watch has the goroutine end while nothing comes, where the reader allows that.
func (r *reading) watch() {
	if w, ok := r.reader.(client.Watcher); ok {
		r.watcher, r.resting = w, make(chan struct{}, 1)
	}
}

// begin starts to poll, when something is granted.
func (r *reading) begin(ctx context.Context, maxBytes int) {
	ctx, r.stop = context.WithCancel(ctx)
	r.again = func() { r.joined.Go(func() { r.poll(ctx, maxBytes) }) }
	r.again()
}

// rest lets the goroutine end if there is nothing to read.
func (r *reading) rest() {
	if r == nil || r.watcher == nil || r.news != nil {
		return
	}
	select {
	case r.resting <- struct{}{}:
	default:
	}
}

// next waits for what was granted last.
func (r *reading) next(ctx context.Context) ([]client.Chunk, error) {
	select {
	case p := <-r.polled:
		return p.chunks, p.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// end ends polling.
func (r *reading) end() {
	if r.stop != nil {
		r.stop()
	}
	r.joined.Wait()
	r.reader.Close()
}

// startReading begins to poll.
func (s *session) startReading(ctx context.Context) {
	r := s.reading
	if r == nil {
		return
	}
	r.watch()
	r.begin(ctx, s.o.PollBytes)
	s.grant()
}

// nothingRead notes that the goroutine has ended, and waits for news.
func (s *session) nothingRead() { s.reading.news = s.reading.watcher.News() }

// newsToRead has something when there may be something to read, and nobody polls.
func (s *session) newsToRead() <-chan struct{} {
	if s.reading == nil {
		return nil
	}
	return s.reading.news
}

// pollAgain begins to poll again.
func (s *session) pollAgain() {
	s.reading.news = nil
	s.reading.again()
	s.grant()
}

// grant lets the reader poll once more.
func (s *session) grant() {
	s.hold()
	s.reading.grants <- struct{}{}
}

// hold has nothing read of partitions of which much waits, until it has been processed: see readAhead.
func (s *session) hold() {
	if s.reading == nil {
		return
	}
	var full []record.TopicPartition
	for _, sh := range s.shards {
		full = append(full, sh.set.Full(readAhead)...)
	}
	s.reading.hold(full)
}

// stopReading ends polling. What was read and not taken yet is read again.
func (s *session) stopReading() {
	r := s.reading
	if r == nil {
		return
	}
	r.end()
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
	for first := true; ; first = false {
		select {
		case <-r.grants:
		case <-ctx.Done():
			return
		}
		chunks, err := r.read(ctx, maxBytes, first)
		r.polled <- pollResult{chunks, err} // capacity 1 and one grant: never blocks
		if err != nil || len(chunks) == 0 {
			return
		}
	}
}

// read waits for chunks; none: the goroutine is to end, for there is nothing at its first look or while it may rest.
func (r *reading) read(ctx context.Context, maxBytes int, first bool) ([]client.Chunk, error) {
	if r.watcher == nil {
		return r.reader.Poll(ctx, maxBytes)
	}
	for {
		chunks, err := r.watcher.Look(maxBytes)
		if err != nil || len(chunks) > 0 || first {
			return chunks, err
		}
		select {
		case <-r.watcher.News():
		case <-r.resting: // news that come now are left for the loop
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// hold pauses the partitions that are full, and resumes those that are not any more.
func (r *reading) hold(full []record.TopicPartition) {
	for tp := range r.held {
		if !slices.Contains(full, tp) {
			delete(r.held, tp)
			r.reader.Resume(tp)
		}
	}
	for _, tp := range full {
		if !r.held[tp] {
			r.held[tp] = true
			r.reader.Pause(tp)
		}
	}
}
