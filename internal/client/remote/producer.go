package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/epoch"
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
)

// A producer commits epochs as transactions. It sends Produce requests itself: batches go out as they were built, and what a
// lost answer means is decided here, not by a client library's retries.
type producer struct {
	o      Options
	app    string
	cl     *kgo.Client
	pool   *epoch.Pool
	tv2    bool
	ended  context.Context // ends with Close: a Commit under way gives up
	cancel context.CancelFunc
	// unanswered: a request of this transaction got no answer and may still take effect.
	unanswered atomic.Bool

	mu struct {
		sync.Mutex // held by Commit and Close for as long as they take
		closed     bool
		failed     error // the first error: nothing is committed after it
		identity
		sequences    map[record.TopicPartition]int32 // of the next record, per partition written by this identity
		leaders      map[record.TopicPartition]int32 // broker ids
		coordinators map[coordinator]int32           // broker ids
		open         bool                            // the cluster may know of a transaction that has not ended
		began        time.Duration                   // when it was opened, on Options.Clock.Mono
	}
}

// An identity is the producer id with the epoch that fences older ones.
type identity struct {
	id    int64
	epoch int16
}

// OpenProducer implements client.Door.
func (d *Door) OpenProducer(ctx context.Context, app string) (client.Producer, error) {
	p, err := d.newProducer(ctx, app)
	if err != nil {
		return nil, fmt.Errorf("open producer of %s: %w", app, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.CommitTimeout, errCommitTimeout)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.initLocked(ctx); err != nil {
		p.cancel()
		p.cl.Close()
		return nil, fmt.Errorf("open producer of %s: %w", app, explain(err))
	}
	return p, nil
}

func (d *Door) newProducer(ctx context.Context, app string) (*producer, error) {
	versions, err := d.apiVersions(ctx)
	if err != nil {
		return nil, err
	}
	p := &producer{o: d.o, app: app, tv2: finalizedTV2(versions)}
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
	p.pool = epoch.NewPool(func(record.TopicPartition) (int, error) { return 0, nil }) // the cluster tells when a batch is too large
	p.ended, p.cancel = context.WithCancel(context.Background())
	p.mu.sequences = map[record.TopicPartition]int32{}
	p.mu.leaders = map[record.TopicPartition]int32{}
	p.mu.coordinators = map[coordinator]int32{}
	return p, nil
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
		// The cluster fences the producer of a transaction that timed out, too: then nobody else has taken over.
		if p.o.Clock.Mono()-p.mu.began >= p.o.TransactionTimeout {
			return fmt.Errorf("%w (%v)", errExpired, err) // not wrapped: it must not look like fencing
		}
		return err
	}
	p.abortLocked()
	return err
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
	p.cl.Close()
}
