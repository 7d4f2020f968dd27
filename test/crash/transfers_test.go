package crash

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Bank transfers as in Jamie Brandon's test of the internal consistency of stream processors (2021): one a ms, among few accounts, each up to
// transferDelay late. The smoke program sums them up in several ways; see its file transfers.go.
const (
	transferAccounts   = 10
	transferDelay      = 10_000 // ms
	transferSlots      = 1024
	transferPartitions = 3
	transferRests      = 200 // of the producer
)

// A bank makes transfers, the same from the same seed, in the order of their arrival.
type bank struct {
	rand     *rand.Rand
	n, made  int64
	left     int64 // so many have
	start    int64 // ms
	waiting  arrivals
	balances map[string]int64 // of all that left
}

// An arrival is a transfer on its way.
type arrival struct {
	id, at, arrives, amount int64
	from, to                int
}

type arrivals []arrival

func (a arrivals) Len() int           { return len(a) }
func (a arrivals) Less(i, j int) bool { return a[i].arrives < a[j].arrives }
func (a arrivals) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *arrivals) Push(x any)        { *a = append(*a, x.(arrival)) }
func (a *arrivals) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func newBank(seed uint64, n int64) *bank {
	return &bank{rand: rand.New(rand.NewPCG(seed, 42)), n: n, start: smokeStart(), balances: map[string]int64{}}
}

// next returns the transfer that arrives next; false: that was all.
func (b *bank) next() (arrival, bool) {
	for b.made < b.n && (len(b.waiting) == 0 || b.waiting[0].arrives >= b.made) {
		heap.Push(&b.waiting, arrival{
			id: b.made, at: b.start + b.made, arrives: b.made + b.rand.Int64N(transferDelay), amount: 1 + b.rand.Int64N(100),
			from: b.rand.IntN(transferAccounts), to: b.rand.IntN(transferAccounts),
		})
		b.made++
	}
	if len(b.waiting) == 0 {
		return arrival{}, false
	}
	a := heap.Pop(&b.waiting).(arrival)
	b.left++
	b.balances[account(a.from)] -= a.amount
	b.balances[account(a.to)] += a.amount
	return a, true
}

func account(i int) string { return "account-" + strconv.Itoa(i) }

// A clearing is a node that adds up transfers while it is killed.
type clearing struct {
	*chain
	bank   *bank
	mode   string
	kills  int
	acks   atomic.Int64
	joined sync.WaitGroup
	mu     struct {
		sync.Mutex
		failed error
	}
}

func newClearing(t *trial, mode string, n int64) *clearing {
	t.Helper()
	c := &clearing{chain: &chain{trial: t, data: filepath.Join(t.dir, "node")}, mode: mode, bank: newBank(t.seed, n)}
	addrs := t.ports(2)
	c.bootstrap = addrs[0]
	first := t.start("mainstem", "dev", "--data", c.data, "--kafka", c.bootstrap, "--http", addrs[1])
	t.createTopics(c.bootstrap, map[string]int32{"transfers": transferPartitions, "balances": 1, "total": 1, "minutes": 1, "newest": 2})
	first.stop()
	c.startNode()
	return c
}

func (c *clearing) startNode() {
	c.pipeline = c.start("smoke", "-listen", c.bootstrap, "-dir", c.data, "-transfers", c.mode)
}

// publish sends all transfers, from a producer that never gives up.
func (c *clearing) publish() {
	c.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap), kgo.ProducerLinger(2*time.Millisecond), kgo.MaxBufferedRecords(20_000),
		kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(20*time.Millisecond), kgo.DialTimeout(2*time.Second), kgo.AlwaysRetryEOF(),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		c.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.joined.Go(func() {
		for a, more := c.bank.next(); more && ctx.Err() == nil; a, more = c.bank.next() {
			if c.bank.left%max(1, c.bank.n/transferRests) == 0 {
				c.rest(ctx)
			}
			cl.Produce(ctx, &kgo.Record{
				Topic: "transfers", Key: strconv.AppendInt(nil, a.id%transferSlots, 10), Timestamp: time.UnixMilli(a.at),
				Value: fmt.Appendf(nil, `{"id":%d,"from":"%s","to":"%s","amount":%d}`, a.id, account(a.from), account(a.to), a.amount),
			}, c.done)
		}
	})
	c.Cleanup(func() {
		cancel()
		c.joined.Wait()
		cl.Close()
	})
}

// rest lets the node end an epoch: otherwise few transfers would be one.
func (c *clearing) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(c.bank.rand.IntN(20)) * time.Millisecond):
	}
}

func (c *clearing) done(_ *kgo.Record, err error) {
	if err == nil {
		c.acks.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.failed = errors.Join(c.mu.failed, err)
}

// acknowledged waits until n transfers are.
func (c *clearing) acknowledged(n int64) {
	c.Helper()
	c.await(fmt.Sprintf("%d acknowledged transfers", n), 20*time.Minute, func() error {
		c.pipeline.mustLive()
		c.mu.Lock()
		defer c.mu.Unlock()
		if got := c.acks.Load(); got < n && c.mu.failed == nil {
			return fmt.Errorf("%d\n%s", got, c.pipeline.tail())
		}
		return nil
	})
	if c.mu.failed != nil {
		c.Fatal(c.mu.failed)
	}
}

func (c *clearing) kill() {
	c.pause(c.between(0, 300*time.Millisecond))
	c.pipeline.mustLive()
	c.pipeline.kill()
	c.kills++
	c.startNode()
}

// added waits until all transfers are read and what follows from them is committed.
func (c *clearing) added() {
	c.Helper()
	c.await("the last transfer", 20*time.Minute, func() error {
		c.pipeline.mustLive()
		read, err := c.committed("transfers", "transfers")
		sum := int64(0)
		for _, at := range read {
			sum += at
		}
		if err == nil && sum < c.bank.n {
			err = fmt.Errorf("%d are read\n%s", sum, c.pipeline.tail())
		}
		return err
	})
}

// A statement is what the outputs of a clearing say.
type statement struct {
	totals, minutes, newest int              // updates
	wrong                   findings         // sums that are not 0, and joins that say what no input does
	balances                map[string]int64 // the last ones
}

func (c *clearing) read() *statement {
	c.Helper()
	s := &statement{balances: map[string]int64{}}
	zero := func(n *int) func(*kgo.Record) error {
		return func(r *kgo.Record) error {
			if *n++; string(r.Value) != "0" {
				s.wrong.add("%s at %d: the sum over all accounts is %s (%s)", r.Topic, r.Offset, r.Value, r.Key)
			}
			return nil
		}
	}
	c.readAll(c.bootstrap, "total", zero(&s.totals))
	c.readAll(c.bootstrap, "minutes", zero(&s.minutes))
	c.readAll(c.bootstrap, "newest", func(r *kgo.Record) error {
		s.newest++
		if here, there, _ := strings.Cut(string(r.Value), "/"); here != there {
			s.wrong.add("newest at %d: one table has transfer %s and the other one %s", r.Offset, here, there)
		}
		return nil
	})
	c.readAll(c.bootstrap, "balances", func(r *kgo.Record) (err error) {
		s.balances[string(r.Key)], err = strconv.ParseInt(string(r.Value), 10, 64)
		return err
	})
	return s
}

// TestTransfersAreConsistent kills a node that adds up bank transfers in consistent mode: not one sum over all accounts may be off, and the
// balances must be right at the end. MAINSTEM_TRANSFERS is how many there are (default 30,000), MAINSTEM_TRANSFER_KILLS how often the node is
// killed (default 3).
func TestTransfersAreConsistent(tt *testing.T) {
	t := newTrial(tt)
	n, kills := int64(t.count("MAINSTEM_TRANSFERS", 30_000)), int64(t.count("MAINSTEM_TRANSFER_KILLS", 3))
	c := newClearing(t, "consistent", n)
	began := time.Now()
	c.publish()
	for k := range kills - 1 {
		c.acknowledged(n*k/kills + t.rand.Int64N(n/kills))
		c.kill()
	}
	c.acknowledged(n)
	c.kill()
	c.added()
	took := time.Since(began)
	s := c.read()
	if err := s.wrong.err(); err != nil {
		t.Error(err)
	}
	for name, want := range c.bank.balances {
		if s.balances[name] != want {
			t.Errorf("%s has %d at the end, not %d", name, s.balances[name], want)
		}
	}
	if s.totals < 20 || s.minutes < s.totals || s.newest < transferSlots || len(s.balances) != transferAccounts {
		t.Errorf("hardly anything happened: %d totals, %d of minutes, %d newest transfers, %d accounts", s.totals, s.minutes, s.newest, len(s.balances))
	}
	t.Logf("%d transfers, %d kills, %.1f s: %d totals, %d of minutes, %d newest transfers", n, c.kills, took.Seconds(), s.totals, s.minutes, s.newest)
	c.pipeline.stop()
}

// TestTransfersAreSeenOnTheirWay: without consistent mode the same sums are off, and the judgement above sees it.
func TestTransfersAreSeenOnTheirWay(tt *testing.T) {
	t := newTrial(tt)
	c := newClearing(t, "hasty", 2000)
	c.publish()
	c.acknowledged(c.bank.n)
	c.added()
	s := c.read()
	if s.wrong.count < 1000 {
		t.Errorf("only %d of %d updates show a transfer on its way", s.wrong.count, s.totals+s.minutes+s.newest)
	}
	for name, want := range c.bank.balances {
		if s.balances[name] != want {
			t.Errorf("%s has %d at the end, not %d", name, s.balances[name], want)
		}
	}
	c.pipeline.stop()
}
