package crash

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/test/checker"
)

// A recorder collects what the clients of a run did and saw. Its times are one counter.
type recorder struct {
	bootstrap string
	clock     atomic.Int64
	values    atomic.Int64

	mu  sync.Mutex
	ops []checker.Op
}

func (r *recorder) add(op checker.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.End = r.clock.Add(1)
	r.ops = append(r.ops, op)
}

func (r *recorder) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.bootstrap), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.RequestTimeoutOverhead(2 * time.Second), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}, opts...)...)
}

// historyTopics and their partitions.
var historyTopics = map[string]int32{"x": 2, "y": 1}

func (r *recorder) records(draw *rand.Rand, n int) []*kgo.Record {
	var out []*kgo.Record
	for range n {
		topic := []string{"x", "y"}[draw.IntN(2)]
		out = append(out, &kgo.Record{
			Topic: topic, Partition: draw.Int32N(historyTopics[topic]), Value: fmt.Appendf(nil, "%d", r.values.Add(1)),
		})
	}
	return out
}

func sends(results kgo.ProduceResults) (out []checker.Send, err error) {
	for _, res := range results {
		s := checker.Send{TopicPartition: record.TopicPartition{Topic: res.Record.Topic, Partition: res.Record.Partition}, Value: string(res.Record.Value), Offset: -1}
		if res.Err == nil {
			s.Offset = record.Offset(res.Record.Offset)
		} else if err == nil {
			err = res.Err
		}
		out = append(out, s)
	}
	return out, err
}

// produce sends one record after the other until ctx ends, by a new client after every error.
func (r *recorder) produce(ctx context.Context, process int, draw *rand.Rand) {
	for ctx.Err() == nil {
		r.produceUntilError(ctx, process, draw)
	}
}

func (r *recorder) produceUntilError(ctx context.Context, process int, draw *rand.Rand) {
	cl, err := r.client()
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, cl.Close) // an idempotent producer waits for an answer to what it has sent
	defer stop()
	defer cl.Close()
	for ctx.Err() == nil {
		op := checker.Op{Process: process, Begin: r.clock.Add(1)}
		op.Commit = op.Begin
		var err error
		op.Sends, err = sends(cl.ProduceSync(ctx, r.records(draw, 1)...))
		if err != nil {
			op.Outcome = checker.Info
		}
		r.add(op)
		if err != nil {
			return
		}
	}
}

// transact writes transactions until ctx ends, some of them aborted on purpose, by a new client after every error.
func (r *recorder) transact(ctx context.Context, process int, draw *rand.Rand) {
	for ctx.Err() == nil {
		r.transactUntilError(ctx, process, draw)
	}
}

func (r *recorder) transactUntilError(ctx context.Context, process int, draw *rand.Rand) {
	cl, err := r.client(kgo.TransactionalID(fmt.Sprintf("t%d", process)), kgo.TransactionTimeout(2*time.Second))
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, cl.Close)
	defer stop()
	defer cl.Close()
	for ctx.Err() == nil {
		op := checker.Op{Process: process, Begin: r.clock.Add(1), Outcome: checker.Fail}
		if err := cl.BeginTransaction(); err != nil {
			return
		}
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		var err error
		op.Sends, err = sends(cl.ProduceSync(limited, r.records(draw, 1+draw.IntN(4))...))
		op.Commit = r.clock.Add(1)
		commit := err == nil && draw.IntN(4) > 0
		if err == nil {
			err = cl.EndTransaction(limited, kgo.TransactionEndTry(commit))
		}
		cancel()
		switch { // what was never to be committed must not be seen, whatever became of the abort
		case commit && err == nil:
			op.Outcome = checker.OK
		case commit:
			op.Outcome = checker.Info
		}
		r.add(op)
		if err != nil {
			return
		}
	}
}

// partitionsFromStart is every partition from its first offset on.
func partitionsFromStart() map[string]map[int32]kgo.Offset {
	out := map[string]map[int32]kgo.Offset{}
	for topic, n := range historyTopics {
		out[topic] = map[int32]kgo.Offset{}
		for p := range n {
			out[topic][p] = kgo.NewOffset().AtStart()
		}
	}
	return out
}

// consume polls committed records until ctx ends, or until it has everything below ends.
func (r *recorder) consume(ctx context.Context, process int, ends map[record.TopicPartition]int64) error {
	cl, err := r.client(kgo.ConsumePartitions(partitionsFromStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	assigned := true
	for ctx.Err() == nil && (ends == nil || len(ends) > 0) {
		fs := cl.PollFetches(ctx)
		op := checker.Op{Process: process, Assigned: assigned}
		assigned = false
		fs.EachRecord(func(rec *kgo.Record) {
			tp := record.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}
			if !rec.Attrs.IsControl() {
				op.Reads = append(op.Reads, checker.Read{TopicPartition: tp, Value: string(rec.Value), Offset: record.Offset(rec.Offset)})
			}
			if end, ok := ends[tp]; ok && rec.Offset+1 >= end {
				delete(ends, tp)
			}
		})
		if len(op.Reads) > 0 || op.Assigned {
			r.add(op)
		}
	}
	return nil
}

// share polls committed records as a member of a group, of either protocol, until ctx ends.
func (r *recorder) share(ctx context.Context, process int, group string, protocol ...kgo.Opt) error {
	cl, err := r.client(append(protocol, kgo.ConsumerGroup(group), kgo.ConsumeTopics(slices.Collect(maps.Keys(historyTopics))...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(200*time.Millisecond), kgo.SessionTimeout(6*time.Second))...)
	if err != nil {
		return err
	}
	defer cl.CloseAllowingRebalance()
	for ctx.Err() == nil {
		op := checker.Op{Process: process, Subscribed: true}
		cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			tp := record.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}
			op.Reads = append(op.Reads, checker.Read{TopicPartition: tp, Value: string(rec.Value), Offset: record.Offset(rec.Offset)})
		})
		if len(op.Reads) > 0 {
			r.add(op)
		}
	}
	return nil
}

// finish reads everything after the faults have stopped.
func (r *recorder) finish(t *trial) {
	t.Helper()
	cl, err := r.client()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends := map[record.TopicPartition]int64{}
	t.await("the open transactions to end", 3*time.Minute, func() error {
		clear(ends)
		ctx, cancel := context.WithTimeout(t.ctx, 20*time.Second)
		defer cancel()
		adm := kadm.NewClient(cl)
		stable, err := adm.ListCommittedOffsets(ctx, slices.Collect(maps.Keys(historyTopics))...)
		if err != nil {
			return err
		}
		high, err := adm.ListEndOffsets(ctx, slices.Collect(maps.Keys(historyTopics))...)
		if err != nil {
			return err
		}
		high.Each(func(o kadm.ListedOffset) {
			at, _ := stable.Lookup(o.Topic, o.Partition)
			if at.Offset != o.Offset {
				err = fmt.Errorf("%s/%d is stable up to %d of %d", o.Topic, o.Partition, at.Offset, o.Offset)
			}
			if o.Offset > 0 {
				ends[record.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
			}
		})
		return err
	})
	ctx, cancel := context.WithTimeout(t.ctx, 3*time.Minute)
	defer cancel()
	if err := r.consume(ctx, 99, ends); err != nil || ctx.Err() != nil {
		t.Fatalf("the last reader: %v, %v, left %v", err, ctx.Err(), ends)
	}
	r.add(checker.Op{Process: 99, ToEnd: true})
}

// TestHistoriesUnderFaults lets producers, transactions, consumers and groups of both protocols work while the node is killed, stopped
// and continued, connections are cut, and a proxy delays and reorders what they carry, and judges what they saw.
// MAINSTEM_HISTORY_SECONDS is how long the faults go on (default 3).
func TestHistoriesUnderFaults(tt *testing.T) {
	t := newTrial(tt)
	limit := time.Duration(t.count("MAINSTEM_HISTORY_SECONDS", 3)) * time.Second
	addrs := t.ports(2)
	px := t.proxy(addrs[0])
	b := &breaker{trial: t, proxy: px, counts: map[string]int{}, node: func() *process {
		return t.start("mainstem", "dev", "--data", t.dir+"/data", "--kafka", addrs[0], "--http", addrs[1], "--advertise", px.address())
	}}
	b.p = b.node()
	t.createTopics(px.address(), historyTopics)
	r := &recorder{bootstrap: px.address()}
	ctx, stop := context.WithCancel(t.ctx)
	defer stop()
	clients := r.work(ctx, t.seed)
	for began := time.Now(); time.Since(began) < limit || !r.eventful() && time.Since(began) < limit+time.Minute; {
		b.fault() // where the node starts slowly little happens between two of them
	}
	px.slow(0)
	t.pause(500 * time.Millisecond)
	stop()
	clients.Wait()
	r.finish(t)
	b.p.stop()
	r.judge(t, b.counts)
}

// work starts the clients, which end with ctx.
func (r *recorder) work(ctx context.Context, seed uint64) *sync.WaitGroup {
	var clients sync.WaitGroup
	again := func(run func() error) {
		clients.Go(func() {
			for ctx.Err() == nil {
				_ = run() // it is begun again
			}
		})
	}
	for i := range 2 {
		draw := func() *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(i)+10)) }
		clients.Go(func() { r.produce(ctx, 10+i, draw()) })
		clients.Go(func() { r.transact(ctx, 20+i, draw()) })
		again(func() error { return r.consume(ctx, 30+i, nil) })
		again(func() error { return r.share(ctx, 40+i, "classic", kgo.Balancers(kgo.CooperativeStickyBalancer())) })
		again(func() error {
			return r.share(ctx, 50+i, "consumer", kgo.Balancers(kgo.RangeBalancer()), kgo.ServerSideBalancer())
		})
	}
	return &clients
}

// A breaker makes faults, one after the other.
type breaker struct {
	*trial
	proxy  *proxy
	node   func() *process
	p      *process
	counts map[string]int
}

func (b *breaker) fault() {
	b.Helper()
	b.pause(b.between(50*time.Millisecond, 400*time.Millisecond))
	b.p.mustLive()
	switch b.rand.IntN(8) {
	case 0, 1:
		b.counts["cuts"]++
		b.proxy.cut(2)
	case 2:
		b.counts["pauses"]++
		_ = b.p.cmd.Process.Signal(syscall.SIGSTOP)
		b.pause(b.between(50*time.Millisecond, 400*time.Millisecond))
		_ = b.p.cmd.Process.Signal(syscall.SIGCONT)
	case 3:
		b.counts["delays"]++
		b.proxy.slow(time.Duration(b.rand.IntN(4)) * 15 * time.Millisecond)
	default:
		b.counts["kills"]++
		b.p.kill()
		b.p = b.node()
	}
}

// eventful tells whether enough happened for a judgement.
func (r *recorder) eventful() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent, read := 0, 0
	for _, op := range r.ops {
		if len(op.Sends) > 0 && op.Outcome == checker.OK {
			sent++
		}
		read += len(op.Reads)
	}
	return sent >= 30 && read >= 50
}

// judge lets the checker see everything.
func (r *recorder) judge(t *trial, faults map[string]int) {
	t.Helper()
	counts := map[checker.Outcome]int{}
	reads, shared := 0, 0
	for _, op := range r.ops {
		if len(op.Sends) > 0 {
			counts[op.Outcome]++
		}
		reads += len(op.Reads)
		if op.Subscribed {
			shared += len(op.Reads)
		}
	}
	t.Logf("%v; sends: %d ok, %d failed, %d unknown; %d values read, %d of them by groups", faults, counts[checker.OK], counts[checker.Fail], counts[checker.Info], reads, shared)
	if !r.eventful() {
		t.Error("hardly anything happened")
	}
	if found := checker.Check(r.ops); len(found) > 0 {
		var lines []string
		for _, f := range found[:min(len(found), 20)] {
			lines = append(lines, f.String())
		}
		t.Errorf("%d findings:\n%s", len(found), strings.Join(lines, "\n"))
	}
}
