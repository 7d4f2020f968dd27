package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// ErrClosed: the query was closed.
var ErrClosed = errors.New("the query is closed")

// Why queries end, in ksqlDB's words.
const (
	LimitReached = "Limit Reached"
	Completed    = "Query Completed"
)

// pollBytes is how much a query reads of its topics at once.
const pollBytes = 64 << 10

// A Computation makes rows of records. One goroutine uses it.
type Computation interface {
	// Add takes a chunk of a source's topic.
	Add(c client.Chunk) error
	// Rows returns some of the rows that follow from what was added, none when all were returned.
	Rows() ([]Row, error)
	Close()
}

// A Log is where a query reads records.
type Log struct {
	Door   client.Door
	Topics []string
	// FromStart: all that the topics hold; otherwise what comes from now on.
	FromStart bool
	// ToEnd: the query is complete when it has read what is there now.
	ToEnd bool
}

// Live is a query on records. It reads at the pace of its Next, in the goroutine that calls it: one that nobody reads costs nothing but
// memory, and a slow one slows nobody.
type Live struct {
	header Header
	limit  int64 // rows left, below 0: all
	compute
	until map[record.TopicPartition]record.Offset // nil: it goes on; otherwise what is still to be read
	final string

	mu struct {
		sync.Mutex
		closed bool
		cancel context.CancelCauseFunc // of the Next that runs
		end    func()                  // called once, when nothing is held any more
	}
}

// compute is what belongs to the goroutine of Next.
type compute struct {
	Computation
	reader client.Reader
}

// Open begins a query. limit is the number of rows after which it ends, below 0: none. end is called when it is over.
func Open(ctx context.Context, h Header, l Log, c Computation, limit int64, end func()) (*Live, error) {
	q := &Live{header: h, limit: limit, compute: compute{Computation: c}}
	q.mu.end = end
	if err := q.open(ctx, l); err != nil {
		q.release()
		return nil, err
	}
	return q, nil
}

func (q *Live) open(ctx context.Context, l Log) error {
	infos, err := l.Door.Topics(ctx, l.Topics...)
	if err != nil {
		return fmt.Errorf("topics of the query: %w", err)
	}
	var tps []record.TopicPartition
	for _, topic := range l.Topics {
		info, there := infos[topic]
		if !there {
			return fmt.Errorf("topic %s of the query: %w", topic, client.ErrUnknownTopic)
		}
		for p := range info.Partitions {
			tps = append(tps, record.TopicPartition{Topic: topic, Partition: p})
		}
	}
	ends, err := l.Door.Ends(ctx, tps...)
	if err != nil {
		return fmt.Errorf("ends of the query's topics: %w", err)
	}
	positions := ends
	if l.FromStart {
		if positions, err = l.Door.Starts(ctx, tps...); err != nil {
			return fmt.Errorf("starts of the query's topics: %w", err)
		}
	}
	if l.ToEnd {
		q.until = map[record.TopicPartition]record.Offset{}
		for tp, end := range ends {
			if positions[tp] < end {
				q.until[tp] = end
			}
		}
	}
	q.reader, err = l.Door.OpenReader(ctx, positions)
	if err != nil {
		return fmt.Errorf("read the query's topics: %w", err)
	}
	return nil
}

// Header implements Rows.
func (q *Live) Header() Header { return q.header }

// Final implements Rows.
func (q *Live) Final() string { return q.final }

// Next implements Rows.
func (q *Live) Next(ctx context.Context) ([]Row, error) {
	ctx, err := q.begin(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := q.next(ctx)
	interrupted := err != nil && ctx.Err() != nil
	if interrupted {
		err = context.Cause(ctx)
	}
	q.done(err != nil && !interrupted)
	return rows, err
}

func (q *Live) next(ctx context.Context) ([]Row, error) {
	for {
		if q.limit == 0 {
			q.final = LimitReached
			return nil, io.EOF
		}
		rows, err := q.Rows()
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			return q.take(rows), nil
		}
		if q.until != nil && len(q.until) == 0 {
			q.final = Completed
			return nil, io.EOF
		}
		chunks, err := q.reader.Poll(ctx, pollBytes)
		if err != nil {
			return nil, err
		}
		for _, c := range chunks {
			if c, ok := q.cut(c); ok {
				if err := q.Add(c); err != nil {
					return nil, err
				}
			}
		}
	}
}

// take counts rows down to the limit.
func (q *Live) take(rows []Row) []Row {
	if q.limit < 0 {
		return rows
	}
	rows = rows[:min(int64(len(rows)), q.limit)]
	q.limit -= int64(len(rows))
	return rows
}

// cut takes off what is behind the end of a query that reads to an end; false: nothing of the chunk belongs to it.
func (q *Live) cut(c client.Chunk) (client.Chunk, bool) {
	if q.until == nil {
		return c, true
	}
	end, left := q.until[c.TopicPartition]
	if !left {
		return c, false
	}
	if c.Next >= end {
		delete(q.until, c.TopicPartition)
		q.reader.Pause(c.TopicPartition)
	}
	n := 0
	for n < len(c.Offsets) && c.Offsets[n] < end {
		n++
	}
	c.Offsets, c.Timestamps, c.Keys, c.Values = c.Offsets[:n], c.Timestamps[:n], c.Keys[:n], c.Values[:n]
	if c.Headers != nil {
		c.Headers = c.Headers[:n]
	}
	c.Next, c.End = min(c.Next, end), end
	return c, n > 0
}

// begin registers a Next, whose context ends with Close.
func (q *Live) begin(ctx context.Context) (context.Context, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.mu.closed && q.final != "":
		return nil, io.EOF
	case q.mu.closed:
		return nil, ErrClosed
	case q.mu.cancel != nil:
		return nil, errors.New("the query's rows are read by somebody else")
	}
	ctx, q.mu.cancel = context.WithCancelCause(ctx)
	return ctx, nil
}

// done ends a Next, and the query if that is over.
func (q *Live) done(over bool) {
	q.mu.Lock()
	cancel := q.mu.cancel
	over = over || q.mu.closed
	q.mu.cancel, q.mu.closed = nil, over
	q.mu.Unlock()
	cancel(nil)
	if over {
		q.release()
	}
}

// Close implements Rows. What a Next that runs needs is freed when it has ended.
func (q *Live) Close() {
	q.mu.Lock()
	was, cancel := q.mu.closed, q.mu.cancel
	q.mu.closed = true
	q.mu.Unlock()
	switch {
	case cancel != nil:
		cancel(ErrClosed)
	case !was:
		q.release()
	}
}

// release frees what the query holds.
func (q *Live) release() {
	if q.reader != nil {
		q.reader.Close()
	}
	q.Computation.Close()
	q.mu.Lock()
	end := q.mu.end
	q.mu.end = nil
	q.mu.Unlock()
	if end != nil {
		end()
	}
}
