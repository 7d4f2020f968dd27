package query

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
)

// A Pull is a pull query on a table.
type Pull struct {
	Header Header
	Access plan.Access
	Limit  int64 // below 0: none
	// Row makes a row of the result; false: the condition is not true.
	Row func(Found) (row.Row, bool)
}

// maxLimit bounds the rows that a LIMIT keeps in order.
const maxLimit = 10_000

// Run looks a table's rows up. A LIMIT takes the rows with the first keys, in the order of their bytes, so that it gives the same as long as
// the table does; one above maxLimit takes any.
func (p Pull) Run(t Table) Rows {
	out := &pulled{header: p.Header, left: p.Limit}
	found := out.interrupting(t.Find(p.Access))
	rows := p.matching(found)
	if p.Limit >= 0 && p.Limit <= maxLimit {
		rows = p.first(found)
	}
	out.next, out.stop = iter.Pull2(rows)
	return out
}

// matching yields the rows of the result.
func (p Pull) matching(found iter.Seq2[Found, error]) iter.Seq2[row.Row, error] {
	return func(yield func(row.Row, error) bool) {
		for f, err := range found {
			if err != nil {
				if !yield("", err) {
					return
				}
				continue
			}
			if values, ok := p.Row(f); ok && !yield(values, nil) {
				return
			}
		}
	}
}

// first yields the rows with the first keys.
func (p Pull) first(found iter.Seq2[Found, error]) iter.Seq2[row.Row, error] {
	return func(yield func(row.Row, error) bool) {
		if p.Limit == 0 {
			return
		}
		var best lastFirst
		for f, err := range found {
			if err != nil {
				if !yield("", err) {
					return
				}
				continue
			}
			if int64(len(best)) == p.Limit && bytes.Compare(f.Bytes, best[0].key) >= 0 {
				continue
			}
			values, ok := p.Row(f)
			if !ok {
				continue
			}
			if heap.Push(&best, keyed{bytes.Clone(f.Bytes), values}); int64(len(best)) > p.Limit {
				heap.Pop(&best)
			}
		}
		sorted := make([]keyed, len(best))
		for i := len(best) - 1; i >= 0; i-- {
			sorted[i] = heap.Pop(&best).(keyed)
		}
		for _, k := range sorted {
			if !yield(k.values, nil) {
				return
			}
		}
	}
}

type keyed struct {
	key    []byte
	values row.Row
}

// lastFirst is a heap with the last key on top.
type lastFirst []keyed

func (h lastFirst) Len() int           { return len(h) }
func (h lastFirst) Less(i, j int) bool { return bytes.Compare(h[i].key, h[j].key) > 0 }
func (h lastFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lastFirst) Push(x any)        { *h = append(*h, x.(keyed)) }
func (h *lastFirst) Pop() any {
	n := len(*h) - 1
	last := (*h)[n]
	(*h)[n] = keyed{}
	*h = (*h)[:n]
	return last
}

// pulled are the rows of a pull query on a table.
type pulled struct {
	header Header

	ended  atomic.Bool // the context of the Next that runs
	closed atomic.Bool // Close was called

	mu   sync.Mutex // one batch at a time; Close waits for it
	left int64
	next func() (row.Row, error, bool)
	stop func()
	over error
}

// errInterrupted stands between rows where a Next is to end. The next one goes on behind it.
var errInterrupted = errors.New("interrupted")

// interrupting puts errInterrupted between what is found, when that is wanted.
func (p *pulled) interrupting(found iter.Seq2[Found, error]) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		for f, err := range found {
			if (p.ended.Load() || p.closed.Load()) && !yield(Found{}, errInterrupted) || !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// Header implements Rows.
func (p *pulled) Header() Header { return p.header }

// Final implements Rows. ksqlDB says nothing at the end of these queries.
func (p *pulled) Final() string { return "" }

// Next implements Rows.
func (p *pulled) Next(ctx context.Context) ([]Row, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != nil {
		return nil, p.over
	}
	p.ended.Store(false)
	defer context.AfterFunc(ctx, func() { p.ended.Store(true) })()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for {
		rows, err := p.batch()
		switch {
		case err != nil && !errors.Is(err, errInterrupted):
			return nil, p.end(err)
		case len(rows) > 0:
			return rows, nil
		case err == nil:
			return nil, p.end(io.EOF)
		case p.closed.Load():
			return nil, p.end(ErrClosed)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		p.ended.Store(false) // it was told of a context that ended before
	}
}

// batch takes some rows.
func (p *pulled) batch() (rows []Row, err error) {
	for len(rows) < batchRows && p.left != 0 {
		values, err, ok := p.next()
		if err != nil {
			return rows, err
		}
		if !ok {
			break
		}
		rows = append(rows, Row{Values: values})
		p.left--
	}
	return rows, nil
}

func (p *pulled) end(err error) error {
	p.stop()
	p.over = err
	return err
}

// Close implements Rows.
func (p *pulled) Close() {
	p.closed.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil || errors.Is(p.over, io.EOF) {
		p.stop()
		p.over = ErrClosed
	}
}
