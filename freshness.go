package mainstem

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/connector"
	"github.com/mainstemio/mainstem/record"
)

// sampleSize bounds the freshness figures kept: the newest ones win.
const sampleSize = 4096

// A freshness gathers how old records are when they become visible in a target.
type freshness struct {
	clock clock.Clock
	mu    struct {
		sync.Mutex
		running   bool
		delivered int64
		lag       int64
		positions map[record.TopicPartition]record.Offset
		ages      []time.Duration // a ring of the newest sampleSize
		next      int
	}
}

func newFreshness(c clock.Clock) *freshness { return &freshness{clock: c} }

func (f *freshness) started(from map[record.TopicPartition]record.Offset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.running, f.mu.positions = true, maps.Clone(from)
}

// reached returns the positions that are durable in the target.
func (f *freshness) reached() map[record.TopicPartition]record.Offset {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.mu.positions)
}

func (f *freshness) written(w connector.Written) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.delivered += int64(len(w.Batch.Records))
	f.mu.lag = w.Lag
	for tp, p := range w.Batch.Positions {
		f.mu.positions[tp] = p.Offset
	}
	for i := range w.Batch.Records {
		age := max(0, w.At.Sub(time.UnixMilli(int64(w.Batch.Records[i].Timestamp))))
		if len(f.mu.ages) < sampleSize {
			f.mu.ages = append(f.mu.ages, age)
		} else {
			f.mu.ages[f.mu.next] = age
			f.mu.next = (f.mu.next + 1) % sampleSize
		}
	}
}

// Freshness is the age that records had when they became visible in the target, over the newest few thousand.
type Freshness struct {
	Records  int64         // delivered since the start
	Lag      int64         // records known and not yet delivered
	P50, P99 time.Duration // -1 when nothing was delivered yet
}

// Freshness returns the delivery's figures.
func (d *Delivery) Freshness() Freshness {
	f := d.figures
	f.mu.Lock()
	ages := slices.Clone(f.mu.ages)
	out := Freshness{Records: f.mu.delivered, Lag: f.mu.lag, P50: -1, P99: -1}
	f.mu.Unlock()
	if len(ages) > 0 {
		slices.Sort(ages)
		out.P50, out.P99 = ages[len(ages)/2], ages[len(ages)*99/100]
	}
	return out
}

// lag returns how many records of the delivery's topics wait, given their ends: it grows when the target is stuck.
func (d *Delivery) lag(ends map[record.TopicPartition]record.Offset) int64 {
	reached, lag := d.figures.reached(), int64(0)
	for tp, end := range ends {
		if slices.Contains(d.topics, tp.Topic) {
			lag += max(0, int64(end-reached[tp]))
		}
	}
	return lag
}

func (d *Delivery) state() (string, error) {
	select {
	case <-d.done:
		if d.err != nil {
			return "failed", d.err
		}
		return "stopped", nil
	default:
	}
	d.figures.mu.Lock()
	defer d.figures.mu.Unlock()
	if !d.figures.mu.running {
		return "waiting", nil
	}
	return "running", nil
}
