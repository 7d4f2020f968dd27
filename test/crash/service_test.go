package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
)

// A service is a payment service as an outsider runs one: an idempotent producer that retries for ever, and that is sometimes
// itself ended with records under way. It keeps book of what was acknowledged.
type service struct {
	bootstrap string
	source    generate.Source
	event     func(dst []byte, i int64) (generate.Event, error)
	rand      *rand.Rand
	crashes   bool
	baseID    int64 // id of payment 0

	cancel context.CancelFunc
	joined chan struct{}
	mu     struct {
		sync.Mutex
		sent  []sent // by the payment's number
		fails []error
	}
	lastAck atomic.Int64 // unix nanoseconds
	acks    atomic.Int64
}

// A sent record is under way, acknowledged, or given up with its fate unknown.
type sent struct {
	state     sentState
	partition int32
	offset    int64
}

type sentState uint8

const (
	underWay sentState = iota
	acknowledged
	unknown
)

// newServices makes n services, cards and transfers in turn. All payments of all services have different dates, so that the outcome
// does not depend on the order of arrival.
func (t *trial) newServices(n int, bootstrap string, customers int) []*service {
	t.Helper()
	var out []*service
	ids := map[int64]bool{}
	for k, seed := 0, t.seed; k < n; seed++ {
		src, err := generate.New(generate.Config{
			Seed: seed, Customers: customers, Start: generate.DefaultStart + payments.Date(k), Step: time.Duration(n) * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		s := &service{bootstrap: bootstrap, source: src, event: src.CardEvent, rand: rand.New(rand.NewPCG(t.seed, uint64(100+k))), crashes: k >= 2}
		if k%2 == 1 {
			s.event = src.TransferEvent
		}
		s.baseID = src.Card(0).TrxID
		if ids[s.baseID] {
			continue // two seeds rarely meet
		}
		ids[s.baseID] = true
		out = append(out, s)
		k++
	}
	return out
}

// run publishes until stop is called.
func (s *service) run(t *trial) {
	ctx, cancel := context.WithCancel(t.ctx)
	s.cancel, s.joined = cancel, make(chan struct{})
	go func() {
		defer close(s.joined)
		for ctx.Err() == nil {
			if err := s.life(ctx); err != nil {
				s.fail(err)
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-s.joined
	})
}

// stop ends publishing; what is under way is waited for, which takes a broker that answers.
func (s *service) stop(t *trial) {
	t.Helper()
	s.cancel()
	select {
	case <-s.joined:
	case <-time.After(6 * time.Minute):
		t.Fatal("a payment service does not get its acknowledgements")
	}
	if err := s.failed(); err != nil {
		t.Error(err)
	}
}

// failed returns an error if the service could not publish, which no outage is a reason for.
func (s *service) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.mu.fails...); err != nil {
		return fmt.Errorf("a payment service could not publish: %w", err)
	}
	return nil
}

func (s *service) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.fails) < 5 {
		s.mu.fails = append(s.mu.fails, err)
	}
}

// life is the life of one producer: some bursts, then a clean end, or its own crash.
func (s *service) life(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(500), kgo.UnknownTopicRetries(-1),
		kgo.AllowAutoTopicCreation(), kgo.MetadataMinAge(20*time.Millisecond), kgo.DialTimeout(2*time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.AlwaysRetryEOF()) // a node that is killed before its first answer looks like one that wants another login
	if err != nil {
		return err
	}
	defer cl.Close()
	for range 20 + s.rand.IntN(100) {
		if err := s.burst(ctx, cl); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return s.flush(cl)
		case <-time.After(time.Duration(s.rand.IntN(80)) * time.Millisecond):
		}
	}
	if s.crashes {
		return s.burst(ctx, cl) // and gives up with these under way
	}
	return s.flush(cl)
}

func (s *service) flush(cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return cl.Flush(ctx)
}

// burst publishes a few payments.
func (s *service) burst(ctx context.Context, cl *kgo.Client) error {
	for range 1 + s.rand.IntN(40) {
		if ctx.Err() != nil {
			return nil
		}
		s.mu.Lock()
		i := int64(len(s.mu.sent))
		s.mu.sent = append(s.mu.sent, sent{})
		s.mu.Unlock()
		e, err := s.event(nil, i)
		if err != nil {
			return err
		}
		// The record outlives ctx: a stopped service waits for what it has sent.
		cl.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: e.Topic, Key: []byte(e.Key), Value: e.Value}, func(r *kgo.Record, err error) { s.done(i, r, err) })
	}
	return nil
}

func (s *service) done(i int64, r *kgo.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.mu.sent[i] = sent{acknowledged, r.Partition, r.Offset}
		s.lastAck.Store(time.Now().UnixNano())
		s.acks.Add(1)
		return
	}
	s.mu.sent[i] = sent{state: unknown}
	if !errors.Is(err, kgo.ErrClientClosed) && len(s.mu.fails) < 5 {
		s.mu.fails = append(s.mu.fails, err)
	}
}

// firstAck waits until one of the services has a record acknowledged after since, while p lives, and returns how long it took.
func (t *trial) firstAck(services []*service, p *process) time.Duration {
	t.Helper()
	var at int64
	t.await("first acknowledgement of "+p.name, 2*time.Minute, func() error {
		p.mustLive()
		for _, s := range services {
			if err := s.failed(); err != nil {
				t.Fatal(err)
			}
			if n := s.lastAck.Load(); n > p.started.UnixNano() {
				at = n
				return nil
			}
		}
		return errors.New("none yet")
	})
	return time.Unix(0, at).Sub(p.started)
}
