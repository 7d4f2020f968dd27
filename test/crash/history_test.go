package crash

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
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

	mu    sync.Mutex
	ops   []checker.Op
	conns map[net.Conn]bool
}

func (r *recorder) add(op checker.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.End = r.clock.Add(1)
	r.ops = append(r.ops, op)
}

// dial keeps the connections, so that they can be cut.
func (r *recorder) dial(ctx context.Context, network, host string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c] = true
	return &recordedConn{c, r}, nil
}

type recordedConn struct {
	net.Conn
	r *recorder
}

func (c *recordedConn) Close() error {
	c.r.mu.Lock()
	delete(c.r.conns, c.Conn)
	c.r.mu.Unlock()
	return c.Conn.Close()
}

// cut ends about half of all connections.
func (r *recorder) cut(draw *rand.Rand) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		if draw.IntN(2) == 0 {
			_ = c.Close() // its user finds out
		}
	}
}

func (r *recorder) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.bootstrap), kgo.Dialer(r.dial), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
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

// finish reads everything after the faults have stopped.
func (r *recorder) finish(t *trial) {
	t.Helper()
	cl, err := r.client()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends := map[record.TopicPartition]int64{}
	t.await("the open transactions to end", 40*time.Second, func() error {
		clear(ends)
		ctx, cancel := context.WithTimeout(t.ctx, 5*time.Second)
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
	ctx, cancel := context.WithTimeout(t.ctx, time.Minute)
	defer cancel()
	if err := r.consume(ctx, 99, ends); err != nil || ctx.Err() != nil {
		t.Fatalf("the last reader: %v, %v, left %v", err, ctx.Err(), ends)
	}
	r.add(checker.Op{Process: 99, ToEnd: true})
}

// TestHistoriesUnderFaults lets producers, transactions and consumers work while the node is killed, stopped and continued, and
// connections are cut, and judges what they saw. MAINSTEM_HISTORY_SECONDS is how long the faults go on (default 3).
func TestHistoriesUnderFaults(tt *testing.T) {
	t := newTrial(tt)
	limit := time.Duration(t.count("MAINSTEM_HISTORY_SECONDS", 3)) * time.Second
	addrs := t.ports(2)
	node := func() *process {
		return t.start("mainstem", "dev", "--data", t.dir+"/data", "--kafka", addrs[0], "--http", addrs[1])
	}
	p := node()
	t.createTopics(addrs[0], historyTopics)
	r := &recorder{bootstrap: addrs[0], conns: map[net.Conn]bool{}}
	ctx, stop := context.WithCancel(t.ctx)
	defer stop()
	var clients sync.WaitGroup
	for i := range 2 {
		seed := func() *rand.Rand { return rand.New(rand.NewPCG(t.seed, uint64(i)+10)) }
		clients.Go(func() { r.produce(ctx, 10+i, seed()) })
		clients.Go(func() { r.transact(ctx, 20+i, seed()) })
		clients.Go(func() {
			for ctx.Err() == nil {
				_ = r.consume(ctx, 30+i, nil) // it is begun again
			}
		})
	}
	faults := map[string]int{}
	for began := time.Now(); time.Since(began) < limit; {
		t.pause(t.between(100*time.Millisecond, 500*time.Millisecond))
		p.mustLive()
		switch t.rand.IntN(4) {
		case 0, 1:
			faults["cuts"]++
			r.cut(t.rand)
		case 2:
			faults["pauses"]++
			_ = p.cmd.Process.Signal(syscall.SIGSTOP)
			t.pause(t.between(50*time.Millisecond, 400*time.Millisecond))
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
		case 3:
			faults["kills"]++
			p.kill()
			p = node()
		}
	}
	t.pause(500 * time.Millisecond)
	stop()
	clients.Wait()
	r.finish(t)
	p.stop()

	counts := map[checker.Outcome]int{}
	reads := 0
	for _, op := range r.ops {
		if len(op.Sends) > 0 {
			counts[op.Outcome]++
		}
		reads += len(op.Reads)
	}
	t.Logf("%v; sends: %d ok, %d failed, %d unknown; %d values read", faults, counts[checker.OK], counts[checker.Fail], counts[checker.Info], reads)
	if counts[checker.OK] < 50 || reads < 50 {
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
