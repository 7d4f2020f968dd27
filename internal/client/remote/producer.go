package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/epoch"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Versions of requests: Produce up to 12 names topics, from 13 on it wants ids; 12 and TxnOffsetCommit and EndTxn 5 are the
// second transaction protocol (KIP-890, "TV2"), which the cluster must have finalized.
const (
	produceTV1, produceTV2       = 11, 12
	txnOffsetsTV1, txnOffsetsTV2 = 4, 5
	endTxnTV1, endTxnTV2         = 4, 5
	addPartitionsClient          = 3 // from 4 on it is for brokers
)

// abortTimeout bounds the courtesy of aborting after a failed commit.
const abortTimeout = 5 * time.Second

var (
	errClosed        = errors.New("producer is closed")
	errCommitTimeout = errors.New("the cluster did not answer in time")
	errExpired       = errors.New("the transaction took longer than its timeout and was aborted by the cluster")
	errOvertaken     = errors.New("the cluster ended the transaction, but nobody else has taken over")
	errNoPosition    = errors.New("an epoch of a worker has no position, which is what the group checks")
)

// A producer commits epochs as transactions. It sends Produce requests itself: batches go out as they were built, and what a
// lost answer means is decided here, not by a client library's retries.
type producer struct {
	o     Options
	d     *Door
	app   string // names the group
	txnID string
	seat  *seat // nil: it works alone
	cl    *kgo.Client
	pool  *epoch.Pool
	tv2   bool
	// timeout is after how long the cluster aborts a transaction. A worker's does not outlive its session by much: those who get its work
	// wait for it.
	timeout time.Duration
	ended   context.Context // ends with Close: a Commit under way gives up
	cancel  context.CancelFunc
	// unanswered: a request of this transaction got no answer and may still take effect.
	unanswered atomic.Bool

	mu struct {
		sync.Mutex // held by Commit and Close for as long as they take
		closed     bool
		failed     error // the first error: nothing is committed after it
		identity
		sequences    map[record.TopicPartition]int32 // of the next record, per partition written by this identity
		leaders      map[record.TopicPartition]int32 // broker ids
		coordinators coordinators
		term         identity      // that it holds when it works alone; noTerm: none
		open         bool          // the cluster may know of a transaction that has not ended
		began        time.Duration // when it was opened, on Options.Clock.Mono
	}
}

// An identity is the producer id with the epoch that fences older ones.
type identity struct {
	id    int64
	epoch int16
}

// OpenProducer implements client.Door.
func (d *Door) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	p, err := d.newProducer(ctx, app, app)
	if err != nil {
		return nil, fmt.Errorf("open producer of %s: %w", app, err)
	}
	p.mu.term = d.terms.take(app)
	if err := p.start(ctx); err != nil {
		p.Close()
		return nil, fmt.Errorf("open producer of %s: %w", app, err)
	}
	return p, nil
}

// start takes the transactional id over. Somebody else with the right to do so may come in between: then it is his.
func (p *producer) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.o.CommitTimeout, errCommitTimeout)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.claimLocked(ctx); err != nil {
		return err
	}
	if err := p.initLocked(ctx); err != nil {
		return explain(err)
	}
	return p.confirmLocked(ctx)
}

func (d *Door) newProducer(ctx context.Context, app, txnID string) (*producer, error) {
	versions, err := d.apiVersions(ctx)
	if err != nil {
		return nil, err
	}
	p := &producer{o: d.o, d: d, app: app, txnID: txnID, tv2: finalizedTV2(versions), timeout: d.o.TransactionTimeout}
	caps := kversion.Stable()
	caps.SetMaxKeyVersion(int16(kmsg.Produce), produceTV1)
	caps.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), txnOffsetsTV1)
	caps.SetMaxKeyVersion(int16(kmsg.EndTxn), endTxnTV1)
	caps.SetMaxKeyVersion(int16(kmsg.AddPartitionsToTxn), addPartitionsClient)
	if p.tv2 {
		caps.SetMaxKeyVersion(int16(kmsg.Produce), produceTV2)
		caps.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), txnOffsetsTV2)
		caps.SetMaxKeyVersion(int16(kmsg.EndTxn), endTxnTV2)
	}
	if p.cl, err = d.o.newClient(caps, kgo.RequiredAcks(kgo.AllISRAcks())); err != nil {
		return nil, err
	}
	p.pool = epoch.NewPool(p.rules)
	p.ended, p.cancel = context.WithCancel(context.Background())
	p.mu.sequences = map[record.TopicPartition]int32{}
	p.mu.leaders = map[record.TopicPartition]int32{}
	p.mu.coordinators = newCoordinators(p.cl)
	p.mu.term = noTerm
	return p, nil
}

// rules know no limit: the cluster tells when a batch is too large. The application's own topics get LZ4, which brokers of all kinds can check
// without libraries outside of the JVM; Snappy, which is cheaper here, and Zstandard fail where those cannot be loaded.
func (p *producer) rules(tp record.TopicPartition) (r epoch.Rules, err error) {
	if topology.Internal(p.app, tp.Topic) {
		r.Codec, r.Times = batch.LZ4, 2 // what the network and the brokers save is more than what it costs here
	}
	return r, nil
}

func finalizedTV2(r *kmsg.ApiVersionsResponse) bool {
	for _, f := range r.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel >= 2
		}
	}
	return false
}

// NewEpoch implements client.Producer.
func (p *producer) NewEpoch() client.Epoch { return p.pool.Get() }

// Rest implements client.Producer.
func (p *producer) Rest() { p.pool.Forget() }

// Commit implements client.Producer.
func (p *producer) Commit(ctx context.Context, ce client.Epoch, positions map[record.TopicPartition]record.Offset) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return fmt.Errorf("commit of %s: %w", p.app, errClosed)
	}
	if p.mu.failed != nil {
		return p.mu.failed
	}
	e, batches, err := p.pool.Take(ce)
	if err != nil {
		return fmt.Errorf("commit of %s: %w", p.app, err)
	}
	if p.seat != nil && len(batches) > 0 && len(positions) == 0 {
		return fmt.Errorf("commit of %s: %w", p.app, errNoPosition)
	}
	if len(batches) > 0 || len(positions) > 0 {
		if err := p.transactLocked(ctx, batches, positions); err != nil {
			p.mu.failed = fmt.Errorf("commit of %s: %w", p.app, err)
			return p.mu.failed
		}
	}
	p.pool.Put(e)
	return nil
}

// transactLocked bounds the transaction and names its failure.
func (p *producer) transactLocked(ctx context.Context, batches []epoch.Batch, positions map[record.TopicPartition]record.Offset) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.o.CommitTimeout, errCommitTimeout)
	defer cancel()
	stop := context.AfterFunc(p.ended, cancel)
	defer stop()
	p.mu.began = p.o.Clock.Mono()
	p.unanswered.Store(false)
	err := p.runLocked(ctx, batches, positions)
	if err == nil {
		return nil
	}
	if err = explain(err); errors.Is(err, client.ErrFenced) {
		p.mu.open = false
		return p.judgeLocked(err)
	}
	p.abortLocked()
	return err
}

// releaseLocked ends a transaction that a worker's failed commit left open, so that those who get its work need not wait for its timeout. It
// takes the transactional id over again, which shuts out what may still be on its way. One that works alone has no successor to wait.
func (p *producer) releaseLocked() {
	if p.seat == nil || !p.mu.open {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	if p.confirmLocked(ctx) == nil {
		_ = p.initLocked(ctx)
	}
}

// judgeLocked tells what it means that the cluster fenced the producer: somebody else has taken over, or the cluster itself has ended the
// transaction (its timeout, a late request of a connection that was lost), which passes.
func (p *producer) judgeLocked(fenced error) error {
	passed := errOvertaken
	if p.o.Clock.Mono()-p.mu.began >= p.timeout {
		passed = errExpired
	} else if p.seat == nil && p.mu.term == noTerm {
		return fenced
	}
	ctx, cancel := context.WithTimeout(p.ended, abortTimeout)
	defer cancel()
	if err := p.confirmLocked(ctx); errors.Is(err, client.ErrFenced) || errors.Is(err, client.ErrExpelled) {
		return err
	}
	return fmt.Errorf("%w (%v)", passed, fenced) // not wrapped: it must not look like fencing
}

// Close implements client.Producer. It waits for a Commit under way, which gives up.
func (p *producer) Close() {
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return
	}
	p.mu.closed = true
	p.releaseLocked()
	p.d.terms.leave(p.app, p.mu.term)
	p.cl.Close()
}
