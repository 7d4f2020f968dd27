package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/epoch"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// requestBytes is about how much one Produce request carries; brokers take 100 MiB by default.
	requestBytes = 8 << 20
	// unknownPatience is how long a topic may be unknown: a new one takes a moment to be known to all brokers.
	unknownPatience = 3 * time.Second
	maxSequence     = 1<<31 - 1
)

// errNotYet marks an error that may pass.
var errNotYet = errors.New("not yet")

// unknowns is the patience with topics that brokers do not know (yet).
type unknowns struct {
	clock clock.Clock
	since time.Duration // -1: all are known
}

func newUnknowns(c clock.Clock) *unknowns { return &unknowns{c, -1} }

// patient adds errNotYet to an unknown topic's error as long as waiting makes sense.
func (u *unknowns) patient(err error) error {
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return err
	}
	now := u.clock.Mono()
	if u.since < 0 {
		u.since = now
	}
	if now-u.since < unknownPatience {
		return fmt.Errorf("%w: %w", errNotYet, err)
	}
	return err
}

// A backlog holds the batches not yet acknowledged. Kafka takes one batch of a partition per request, in order.
type backlog struct {
	order  []record.TopicPartition
	queues map[record.TopicPartition][]*pending
}

// A pending batch is stamped once: sent again, it is the same bytes.
type pending struct {
	epoch.Batch
	stamped bool
}

func newBacklog(batches []epoch.Batch) *backlog {
	l := &backlog{queues: map[record.TopicPartition][]*pending{}}
	for _, b := range batches {
		if l.queues[b.TopicPartition] == nil {
			l.order = append(l.order, b.TopicPartition)
		}
		l.queues[b.TopicPartition] = append(l.queues[b.TopicPartition], &pending{Batch: b})
	}
	return l
}

// produceLocked sends all batches and returns when each is acknowledged by all in-sync replicas, or on the first error that
// sending again cannot mend.
func (p *producer) produceLocked(ctx context.Context, batches []epoch.Batch) error {
	l := newBacklog(batches)
	unknown := newUnknowns(p.o.Clock)
	for b := (backoff{clock: p.o.Clock}); len(l.order) > 0; {
		again := p.roundLocked(ctx, l)
		if again == nil {
			b.tries, unknown.since = 0, -1
			continue
		}
		again = unknown.patient(again)
		if !mayPass(again) {
			return fmt.Errorf("produce: %w", again)
		}
		if !refused(again) { // the leader was right, it is not ready
			clear(p.mu.leaders)
		}
		if err := b.wait(ctx); err != nil {
			return fmt.Errorf("produce: %w: %w", err, again)
		}
	}
	return nil
}

// mayPass tells whether sending again makes sense: the answer said so, or there was none.
func mayPass(err error) bool {
	if _, ok := errors.AsType[*kerr.Error](err); ok {
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return errors.Is(err, errNotYet)
		}
		return kerr.IsRetriable(err) || refused(err)
	}
	return !errors.Is(err, client.ErrTooLarge)
}

// roundLocked sends the first batch of every partition and takes the acknowledged ones off the backlog. It returns an error of
// a batch that is still there, one that cannot pass before others.
func (p *producer) roundLocked(ctx context.Context, l *backlog) error {
	if err := p.findLeadersLocked(ctx, l.order); err != nil {
		return err
	}
	reqs := p.requestsLocked(l)
	answers := make([]*kmsg.ProduceResponse, len(reqs))
	errs := make([]error, len(reqs))
	var sent sync.WaitGroup
	for i, r := range reqs {
		sent.Go(func() { answers[i], errs[i] = r.req.RequestWith(ctx, p.cl.Broker(int(r.leader))) })
	}
	sent.Wait()
	var worst error
	note := func(err error) {
		if err != nil && (worst == nil || mayPass(worst)) {
			worst = err
		}
	}
	for i := range reqs {
		if errs[i] != nil {
			p.unanswered.Store(true)
			note(fmt.Errorf("broker %d: %w", reqs[i].leader, errs[i]))
			continue
		}
		for _, t := range answers[i].Topics {
			for _, a := range t.Partitions {
				note(p.answeredLocked(l, record.TopicPartition{Topic: t.Topic, Partition: a.Partition}, a))
			}
		}
	}
	l.compact()
	return worst
}

// compact drops the partitions that are done.
func (l *backlog) compact() {
	keep := l.order[:0]
	for _, tp := range l.order {
		if len(l.queues[tp]) > 0 {
			keep = append(keep, tp)
		}
	}
	l.order = keep
}

// answeredLocked takes one partition's answer.
func (p *producer) answeredLocked(l *backlog, tp record.TopicPartition, a kmsg.ProduceResponseTopicPartition) error {
	q := l.queues[tp]
	if len(q) == 0 {
		return fmt.Errorf("produce to %s: an answer to nothing", tp)
	}
	b := q[0]
	err := kerr.ErrorForCode(a.ErrorCode)
	switch {
	case err == nil, errors.Is(err, kerr.DuplicateSequenceNumber): // the duplicate of what was acknowledged, and the answer lost
		p.mu.sequences[tp] = after(p.mu.sequences[tp], b.Bytes.Count())
		l.queues[tp] = q[1:]
		return nil
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return l.halve(tp, err)
	}
	if a.ErrorMessage != nil {
		err = fmt.Errorf("%w: %s", err, *a.ErrorMessage)
	}
	return fmt.Errorf("%s: %w", tp, err)
}

// halve cuts a batch that the topic does not take. The broker refused it before it looked at its sequence: the halves use it.
func (l *backlog) halve(tp record.TopicPartition, cause error) error {
	q := l.queues[tp]
	halves, err := q[0].Halve()
	if err != nil {
		return fmt.Errorf("%s: %w", tp, err)
	}
	if len(halves) == 1 {
		return fmt.Errorf("%s: %w: a record of %d bytes as a batch: %w", tp, client.ErrTooLarge, len(q[0].Bytes), cause)
	}
	cut := make([]*pending, 0, len(q)+1)
	for _, h := range halves {
		cut = append(cut, &pending{Batch: h})
	}
	l.queues[tp] = append(cut, q[1:]...)
	return nil
}

// after is the sequence behind n records; it wraps to 0 behind 2^31-1.
func after(sequence, n int32) int32 {
	return int32((int64(sequence) + int64(n)) % (maxSequence + 1))
}

// A request is for one leader.
type request struct {
	leader int32
	req    *kmsg.ProduceRequest
	bytes  int
}

// requestsLocked stamps the first batch of every partition and groups them by leader.
func (p *producer) requestsLocked(l *backlog) []*request {
	var all []*request
	filling := map[int32]*request{}
	for _, tp := range l.order {
		b := l.queues[tp][0]
		if !b.stamped {
			b.Stamp(p.mu.id, p.mu.epoch, p.mu.sequences[tp])
			b.stamped = true
		}
		leader := p.mu.leaders[tp]
		r := filling[leader]
		if r == nil || r.bytes+len(b.Bytes) > requestBytes {
			r = &request{leader: leader, req: kmsg.NewPtrProduceRequest()}
			r.req.TransactionID = kmsg.StringPtr(p.txnID)
			r.req.Acks = -1
			r.req.TimeoutMillis = int32(p.o.CommitTimeout.Milliseconds())
			filling[leader] = r
			all = append(all, r)
		}
		r.add(b.Batch)
	}
	return all
}

func (r *request) add(b epoch.Batch) {
	n := len(r.req.Topics)
	if n == 0 || r.req.Topics[n-1].Topic != b.Topic {
		for n = range r.req.Topics {
			if r.req.Topics[n].Topic == b.Topic {
				break
			}
		}
		if len(r.req.Topics) == 0 || r.req.Topics[n].Topic != b.Topic {
			t := kmsg.NewProduceRequestTopic()
			t.Topic = b.Topic
			r.req.Topics = append(r.req.Topics, t)
			n = len(r.req.Topics) - 1
		}
	} else {
		n--
	}
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Partition, tp.Records = b.Partition, b.Bytes
	r.req.Topics[n].Partitions = append(r.req.Topics[n].Partitions, tp)
	r.bytes += len(b.Bytes)
}

// findLeadersLocked learns the leaders of tps that are not known.
func (p *producer) findLeadersLocked(ctx context.Context, tps []record.TopicPartition) error {
	missing := map[string]bool{}
	for _, tp := range tps {
		if _, ok := p.mu.leaders[tp]; !ok {
			missing[tp.Topic] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for name := range missing {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, p.cl)
	if err != nil {
		return fmt.Errorf("find leaders: %w", err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
		for _, tp := range t.Partitions {
			at := record.TopicPartition{Topic: *t.Topic, Partition: tp.Partition}
			if tp.Leader < 0 { // the partition is there, its brokers are not
				return fmt.Errorf("%s: %w", at, kerr.LeaderNotAvailable)
			}
			p.mu.leaders[at] = tp.Leader
		}
	}
	for _, tp := range tps {
		if _, ok := p.mu.leaders[tp]; !ok {
			return fmt.Errorf("%s: %w", tp, kerr.UnknownTopicOrPartition)
		}
	}
	return nil
}
