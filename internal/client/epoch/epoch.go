// Package epoch builds the record batches of one commit: what both doors' producers fill and send.
//
// Packages local and remote call it; it calls package batch.
//
// Owner and locks: a Pool is safe for concurrent use. An Epoch belongs to whoever fills it, then to the producer that takes
// its batches and gives it back.
//
// Format: per partition a run of RecordBatch v2 with base offset 0 and no producer, cut at about 512 KiB or at the topic's
// max.message.bytes, in the order of the records; compressed behind that where the partition's Rules say so and it pays. A batch is
// stamped for a transactional producer by Batch.Stamp.
//
// Not here: durability, transactions, which partition a record goes to.
package epoch

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

const (
	// batchBytes is where a batch is cut: large enough to amortise its header, small enough for a reader to hold one.
	batchBytes = 512 << 10
	// idleEpochs without records after which a partition's buffer is given back.
	idleEpochs = 64
	// maxSpare buffers are kept for batches to come: those of a few epochs.
	maxSpare = 32
	// minCompressed is the least size of a batch that is compressed: a smaller one takes a page of the disk either way.
	minCompressed = 1 << 10
	// plainRun batches of a partition follow untried behind one that was not worth compressing.
	plainRun = 31
)

// ErrForeign: the epoch was made by another producer, or was committed already.
var ErrForeign = errors.New("epoch is not open in this producer")

// A Batch is a whole record batch for a partition. Its bytes belong to whoever took it.
type Batch struct {
	record.TopicPartition
	Bytes batch.View
	Keyed bool // each of its records has a key
}

// Rules are what a partition wants of its batches.
type Rules struct {
	MaxBytes int         // largest batch that it takes, before compression; 0: not known
	Codec    batch.Codec // for batches that it makes Times smaller
	Times    int
}

// A RulesFunc returns the rules of a partition, or why it takes nothing.
type RulesFunc func(tp record.TopicPartition) (Rules, error)

// A Pool makes epochs and keeps their buffers between commits: two epochs in practice, one filling and one committing.
type Pool struct {
	rules RulesFunc
	mu    struct {
		sync.Mutex
		free  []*Epoch
		spare [][]byte
		round int // counts Forget
	}
}

// NewPool returns an empty pool whose epochs ask rules once per partition.
func NewPool(rules RulesFunc) *Pool { return &Pool{rules: rules} }

// Get returns an empty open epoch.
func (p *Pool) Get() *Epoch {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &Epoch{pool: p, round: p.mu.round, parts: map[record.TopicPartition]*part{}}
	if n := len(p.mu.free); n > 0 {
		e = p.mu.free[n-1]
		p.mu.free = p.mu.free[:n-1]
	}
	e.open = true
	return e
}

// Put gives back an epoch whose batches were taken.
func (p *Pool) Put(e *Epoch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.round == p.mu.round {
		p.mu.free = append(p.mu.free, e)
	}
}

// Recycle is Put for a caller that nobody else has the epoch's batches from any more: their memory is used again.
func (p *Pool) Recycle(e *Epoch, batches []Batch) {
	p.Put(e)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range batches {
		p.keepLocked(batches[i].Bytes)
	}
}

// keep takes memory back that buffer may have given.
func (p *Pool) keep(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keepLocked(b)
}

func (p *Pool) keepLocked(b []byte) {
	if cap(b) > 0 && len(p.mu.spare) < maxSpare {
		p.mu.spare = append(p.mu.spare, b)
	}
}

// buffer returns memory for a batch of about size bytes, what was used before if there is any.
func (p *Pool) buffer(size int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.mu.spare)
	if n == 0 {
		return make([]byte, 0, size)
	}
	b := p.mu.spare[n-1]
	p.mu.spare[n-1] = nil
	p.mu.spare = p.mu.spare[:n-1]
	return b
}

// Forget makes the next epochs ask for rules again: topics have changed.
func (p *Pool) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.free, p.mu.spare = nil, nil
	p.mu.round++
}

// Take ends the filling of ce, which must be an open epoch of this pool, and returns its batches: partitions in order of
// first record, batches of a partition in order. Compression and checksums take their time here, not in Append.
func (p *Pool) Take(ce client.Epoch) (*Epoch, []Batch, error) {
	e, ok := ce.(*Epoch)
	if !ok || e.pool != p || !e.open {
		return nil, nil, ErrForeign
	}
	return e, e.take(), nil
}

// An Epoch implements client.Epoch with one batch.Builder per partition.
type Epoch struct {
	pool  *Pool
	round int  // of the pool, when the epoch was made: it knows rules of that time
	open  bool // between Get and Take
	parts map[record.TopicPartition]*part
	used  []*part // those with records, in order of first record
	last  *part   // the part of the last record
	size  int
	count int
}

// A part is the share of one partition.
type part struct {
	Rules
	tp      record.TopicPartition
	builder batch.Builder
	full    []batch.Builder // whole batches before builder's
	plain   int             // batches to come that nobody tries to compress
	idle    int             // epochs since the last record
	used    bool            // stands in Epoch.used
}

// Size implements client.Epoch.
func (e *Epoch) Size() int { return e.size }

// Count implements client.Epoch.
func (e *Epoch) Count() int { return e.count }

// Append implements client.Epoch. A record that is refused leaves the epoch as it was.
func (e *Epoch) Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, headers []record.Header) error {
	pt, err := e.part(tp)
	if err != nil {
		return fmt.Errorf("append to %s: %w", tp, err)
	}
	before := pt.builder.Size()
	if pt.builder.Count() > 0 && before+recordBound(key, value, headers) > pt.cutBytes() {
		pt.full = append(pt.full, pt.builder.Cut(e.pool.buffer(pt.builder.Size())))
		before = pt.builder.Size()
	}
	pt.builder.Append(ts, key, value, headers)
	after := pt.builder.Size()
	if pt.MaxBytes > 0 && after > pt.MaxBytes { // it is alone in its batch, for a batch with others was cut before
		pt.builder.Reset(batch.Params{ProducerID: -1})
		return fmt.Errorf("append to %s: %w: %d bytes as a batch, max.message.bytes is %d", tp, client.ErrTooLarge, after, pt.MaxBytes)
	}
	if !pt.used {
		pt.used = true
		e.used = append(e.used, pt)
	}
	e.size += after - before
	e.count++
	return nil
}

// recordBound is the most a record can take in a batch: its bytes and the longest varints around them.
func recordBound(key, value []byte, headers []record.Header) int {
	n := 32 + len(key) + len(value)
	for i := range headers {
		n += 10 + len(headers[i].Key) + len(headers[i].Value)
	}
	return n
}

func (e *Epoch) part(tp record.TopicPartition) (*part, error) {
	if !e.open {
		return nil, ErrForeign
	}
	if e.last != nil && e.last.tp == tp {
		return e.last, nil
	}
	pt := e.parts[tp]
	if pt == nil {
		rules, err := e.pool.rules(tp)
		if err != nil {
			return nil, err
		}
		pt = &part{Rules: rules, tp: tp}
		e.parts[tp] = pt
	}
	e.last = pt
	return pt, nil
}

func (p *part) cutBytes() int {
	if p.MaxBytes > 0 {
		return min(batchBytes, p.MaxBytes)
	}
	return batchBytes
}

// finish completes the batch of b, one of p's, whose bytes will belong to whoever takes them.
func (e *Epoch) finish(p *part, b *batch.Builder) Batch {
	out := Batch{TopicPartition: p.tp, Keyed: b.Keyed()}
	spare := e.pool.buffer(b.Size())
	if p.compresses(b) {
		bytes, ok := b.Compress(spare[:0], p.Codec, p.Times)
		if ok {
			out.Bytes = bytes
			return out
		}
		spare, p.plain = bytes, plainRun
	}
	out.Bytes = b.Take(spare)
	return out
}

// compresses tells whether the batch of b may be worth it.
func (p *part) compresses(b *batch.Builder) bool {
	switch {
	case p.Codec == batch.None || b.Size() < minCompressed:
		return false
	case p.plain > 0:
		p.plain--
		return false
	}
	return true
}

// take returns all batches and empties the epoch.
func (e *Epoch) take() []Batch {
	var batches []Batch
	for _, pt := range e.used {
		for i := range pt.full {
			batches = append(batches, e.finish(pt, &pt.full[i]))
			e.pool.keep(pt.full[i].Release())
		}
		if pt.builder.Count() > 0 {
			batches = append(batches, e.finish(pt, &pt.builder))
		}
		pt.full, pt.idle = pt.full[:0], 0
	}
	for tp, pt := range e.parts {
		if pt.used {
			pt.used = false
		} else if pt.idle++; pt.idle >= idleEpochs {
			delete(e.parts, tp)
		}
	}
	clear(e.used)
	e.used, e.last, e.size, e.count, e.open = e.used[:0], nil, 0, 0, false
	return batches
}
