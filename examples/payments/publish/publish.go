// Package publish lets a payment service publish its payments at a given pace, with an ordinary Kafka client.
//
// Purpose. It is what the Go programs under cmd share: a producer that waits for all replicas, retries without making
// duplicates (idempotent), and stops cleanly.
//
// Callers. cmd/cards and cmd/ewallet; it calls franz-go and nothing of Mainstem's.
//
// Owner. Everything belongs to the call of Run.
//
// Not here: what is published (package generate, cmd/ewallet).
package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// flushTimeout bounds how long the end waits for records that were sent and are not yet acknowledged.
const flushTimeout = 10 * time.Second

// A Config says where and how fast to publish.
type Config struct {
	Bootstrap string // host:port, several separated by commas
	Topic     string // created with the broker's defaults when missing
	// Rate is in records a second; 0 means as fast as the broker takes them.
	Rate float64
	// Count is how many to publish; 0 means until the context ends.
	Count int64
	// Progress, if not nil, is called about once a second and at the end with how many were acknowledged.
	Progress func(acknowledged int64)
}

// Run publishes what next returns for 0, 1, 2, … and returns how many records were acknowledged. The end of ctx is a clean end.
func Run(ctx context.Context, cfg Config, next func(i int64) (key string, value []byte, err error)) (int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(cfg.Bootstrap, ",")...), kgo.DefaultProduceTopic(cfg.Topic), kgo.AlwaysRetryEOF())
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := ensureTopic(ctx, client, cfg.Topic); err != nil {
		return 0, ignoreEnd(ctx, err)
	}
	p := &publication{cfg: cfg, client: client, next: next, failed: make(chan error, 1)}
	err = ignoreEnd(ctx, p.run(ctx))
	// What was sent is still to be acknowledged, also after an interrupt.
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	err = errors.Join(err, client.Flush(flush))
	select {
	case lost := <-p.failed:
		err = errors.Join(err, lost)
	default:
	}
	if cfg.Progress != nil {
		cfg.Progress(p.acknowledged.Load())
	}
	return p.acknowledged.Load(), err
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func ensureTopic(ctx context.Context, client *kgo.Client, topic string) error {
	_, err := kadm.NewClient(client).CreateTopic(ctx, -1, -1, nil, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

type publication struct {
	cfg          Config
	client       *kgo.Client
	next         func(i int64) (string, []byte, error)
	acknowledged atomic.Int64
	failed       chan error // the first record that was not acknowledged
}

func (p *publication) run(ctx context.Context) error {
	began := time.Now()
	told := began
	for i := int64(0); p.cfg.Count == 0 || i < p.cfg.Count; i++ {
		if err := p.await(ctx, began, i); err != nil {
			return err
		}
		key, value, err := p.next(i)
		if err != nil {
			return fmt.Errorf("payment %d: %w", i, err)
		}
		// The record outlives the interrupt: it is sent and waited for by Flush. Produce blocks while too much is under way.
		p.client.Produce(context.WithoutCancel(ctx), &kgo.Record{Key: []byte(key), Value: value}, p.delivered)
		if now := time.Now(); p.cfg.Progress != nil && now.Sub(told) >= time.Second {
			told = now
			p.cfg.Progress(p.acknowledged.Load())
		}
	}
	return nil
}

// await waits until payment i is due.
func (p *publication) await(ctx context.Context, began time.Time, i int64) error {
	wait := time.Duration(0)
	if p.cfg.Rate > 0 {
		wait = time.Until(began.Add(time.Duration(float64(i) / p.cfg.Rate * float64(time.Second))))
	}
	if wait <= 0 {
		select {
		case err := <-p.failed:
			return err
		default:
			return ctx.Err()
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case err := <-p.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (p *publication) delivered(r *kgo.Record, err error) {
	if err == nil {
		p.acknowledged.Add(1)
		return
	}
	select {
	case p.failed <- fmt.Errorf("publish to %s: %w", r.Topic, err):
	default: // one is enough
	}
}
