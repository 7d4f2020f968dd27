package cli

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/examples/payments"
)

// published remembers when payments were published until they are seen in the database: the difference is their freshness.
// Generated payments carry that moment as their record's timestamp; those of an input carry their own, so it is kept by id.
type published struct {
	byID bool
	mu   struct {
		sync.Mutex
		sent  int64
		topic map[string]int64
		at    map[int64]time.Time
		ages  []time.Duration
	}
}

func newPublished(byID bool) *published {
	p := &published{byID: byID}
	p.mu.topic, p.mu.at = map[string]int64{}, map[int64]time.Time{}
	return p
}

// note is called with every payment as it is published.
func (p *published) note(r *kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.sent++
	p.mu.topic[r.Topic]++
	if !p.byID {
		return
	}
	if id, ok := trxID(r); ok {
		p.mu.at[id] = time.Now()
	}
}

// trxID returns the id of a payment of the demo's own topics; a payment that can't be read has none.
func trxID(r *kgo.Record) (int64, bool) {
	if r.Topic == payments.CardTopic {
		c, err := payments.CardJSON.Decode(r.Value)
		return c.TrxID, err == nil
	}
	t, err := payments.TransferJSON.Decode(r.Value)
	return t.TrxID, err == nil
}

// seen takes a batch that is durable in the database since at.
func (p *published) seen(b connect.Batch, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range b.Records {
		r := &b.Records[i]
		if !p.byID {
			p.mu.ages = append(p.mu.ages, max(0, at.Sub(time.UnixMilli(int64(r.Timestamp)))))
			continue
		}
		list, err := payments.LastFiveJSON.Decode(r.Value)
		if err != nil {
			continue // the sink has refused it already
		}
		for _, pay := range list.Payments {
			if sent, ok := p.mu.at[pay.TrxID]; ok {
				p.mu.ages = append(p.mu.ages, at.Sub(sent))
				delete(p.mu.at, pay.TrxID)
			}
		}
	}
}

// freshness returns the median and the 99th percentile of all ages so far, 0 when there are none.
func (p *published) freshness() (p50, p99 time.Duration) {
	p.mu.Lock()
	ages := slices.Clone(p.mu.ages)
	p.mu.Unlock()
	if len(ages) == 0 {
		return 0, 0
	}
	slices.Sort(ages)
	return ages[len(ages)/2], ages[len(ages)*99/100]
}

func (p *published) counts() (cards, transfers int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.topic[payments.CardTopic], p.mu.topic[payments.TransferTopic]
}

// liveLine shows the counts once a second until the returned function is called, which leaves the last line standing. On a
// terminal the line is redrawn; elsewhere one is printed every ten seconds, and none with --json.
func (s *system) liveLine(ctx context.Context) (stop func()) {
	if s.json {
		return func() {}
	}
	every, end := 10*time.Second, "\n"
	if s.env.Terminal {
		every, end = time.Second, ""
	}
	ctx, cancel := context.WithCancel(ctx)
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				if s.env.Terminal {
					fmt.Fprintf(s.env.Err, "\r\x1b[K%s\n", s.line())
				}
				return
			case <-tick.C:
				prefix := ""
				if s.env.Terminal {
					prefix = "\r\x1b[K"
				}
				fmt.Fprint(s.env.Err, prefix, s.line(), end)
			}
		}
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-joined
	})
}

func (s *system) line() string {
	cards, transfers := s.published.counts()
	f := s.delivery.Freshness()
	fresh := "no payment delivered yet"
	if f.P50 >= 0 {
		fresh = fmt.Sprintf("fresh in %s (p99 %s)", round(f.P50), round(f.P99))
	}
	return fmt.Sprintf("cards %d · transfers %d · lists updated %d · lag %d · %s", cards, transfers, f.Records, f.Lag, fresh)
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(10 * time.Millisecond)
}
