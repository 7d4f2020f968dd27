package remote_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/remote"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// What happens to the request that a fault is meant for. In each case its connection breaks.
type fate string

const (
	lost      fate = "lost"      // it never arrives
	unheard   fate = "unheard"   // it is carried out, its answer is lost
	straggler fate = "straggler" // it arrives later, in the middle of the transaction after the next one
)

// faults breaks the nth request of a kind on any connection made through it.
type faults struct {
	mu struct {
		sync.Mutex
		key   int16
		nth   int // counts down; the request that makes it 0 is the one
		fate  fate
		happy bool // it happened
		late  *late
		ends  int   // EndTxn requests since late was kept back
		until int16 // the request before which late arrives
	}
}

// A late is a request kept back.
type late struct {
	addr  string
	frame []byte
}

func (f *faults) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: c, f: f, addr: addr}, nil
}

// meant tells what is to happen to a request; each fault happens once.
func (f *faults) meant(key int16) (fate, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.happy || key != f.mu.key {
		return "", false
	}
	f.mu.nth--
	f.mu.happy = f.mu.nth == 0
	return f.mu.fate, f.mu.happy
}

func (f *faults) happened() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.happy
}

// arrived lets the straggler go when the time has come: the transaction after it has ended, and key is of the one after that.
func (f *faults) arrived(key int16) {
	f.mu.Lock()
	l := f.mu.late
	if l != nil && (f.mu.ends == 0 || key != f.mu.until) {
		l = nil
	}
	if key == int16(kmsg.EndTxn) {
		f.mu.ends++
	}
	if l != nil {
		f.mu.late = nil
	}
	f.mu.Unlock()
	if l != nil {
		l.deliver()
	}
}

// deliver sends the request on a connection of its own and waits for the answer, which nobody wants. A lost broker has lost it.
func (l *late) deliver() {
	c, err := net.Dial("tcp", l.addr)
	if err != nil {
		return
	}
	defer c.Close()
	if _, err := c.Write(l.frame); err != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second)) // an answer that never comes is one too
	_, _ = c.Read(make([]byte, 4))
}

// A faultyConn sees the requests, for kgo writes each in one piece.
type faultyConn struct {
	net.Conn
	f    *faults
	addr string
}

func (c *faultyConn) Write(b []byte) (int, error) {
	if len(b) < 6 {
		return c.Conn.Write(b)
	}
	key := int16(binary.BigEndian.Uint16(b[4:]))
	what, now := c.f.meant(key)
	if !now {
		c.f.arrived(key)
		return c.Conn.Write(b)
	}
	switch what {
	case unheard:
		if _, err := c.Conn.Write(b); err != nil {
			return 0, err
		}
		_, _ = c.Conn.Read(make([]byte, 1)) // the answer is there: it was carried out
	case straggler:
		c.f.mu.Lock()
		c.f.mu.late, c.f.mu.ends = &late{c.addr, slices.Clone(b)}, 0
		c.f.mu.Unlock()
	}
	_ = c.Conn.Close()
	return len(b), nil
}

// A pipeline commits the numbers 0, 1, 2… to two partitions, the count as its position, and starts again from its committed
// position after every error, as the engine does.
type pipeline struct {
	door  client.Door
	app   string
	tps   []record.TopicPartition
	input record.TopicPartition
	mixed bool // some epochs have positions only
	// again: when fenced, start again, as a supervisor would: a late request of our own may have done it.
	again bool
}

const epochs = 8

func (p *pipeline) run(ctx context.Context) error {
	for {
		err := p.attempt(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, client.ErrFenced) && !p.again {
			return err
		}
	}
}

func (p *pipeline) attempt(ctx context.Context) error {
	producer, err := p.door.OpenProducer(ctx, p.app)
	if err != nil {
		return err
	}
	defer producer.Close()
	committed, err := p.door.Committed(ctx, p.app)
	if err != nil {
		return err
	}
	for i := int(committed[p.input]); i < epochs; i++ {
		e := producer.NewEpoch()
		if !p.mixed || i%2 == 0 {
			for _, tp := range p.tps {
				if err := e.Append(tp, 1, nil, []byte(fmt.Sprint(i)), nil); err != nil {
					return err
				}
			}
		}
		if err := producer.Commit(ctx, e, map[record.TopicPartition]record.Offset{p.input: record.Offset(i + 1)}); err != nil {
			return err
		}
	}
	return nil
}

// clusters are what the fault tests run on.
func clusters(t *testing.T) map[string][]string {
	m := map[string][]string{
		"Mainstem":      {serveMainstem(t)},
		"DoubleKafka25": serveDouble(t, 1, kversion.V2_5_0()),
	}
	if addr := os.Getenv("MAINSTEM_KAFKA"); addr != "" {
		m["Kafka"] = []string{addr}
	}
	return m
}

func TestEveryLostRequestLeavesEachEpochOnce(t *testing.T) {
	keys := []kmsg.Key{kmsg.InitProducerID, kmsg.FindCoordinator, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.OffsetFetch}
	for name, brokers := range clusters(t) {
		t.Run(name, func(t *testing.T) {
			for _, key := range keys {
				for _, fate := range []fate{lost, unheard, straggler} {
					for nth := 1; nth <= 3; nth++ {
						t.Run(fmt.Sprintf("%s/%s/%d", key.Name(), fate, nth), func(t *testing.T) {
							runWithFault(t, brokers, int16(key), fate, nth)
						})
					}
				}
			}
		})
	}
}

func runWithFault(t *testing.T, brokers []string, key int16, fate fate, nth int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	healthy := open(t, brokers...)
	app := "app-" + uuid.NewString()[:8]
	tps := []record.TopicPartition{{Topic: app}, {Topic: app, Partition: 1}}
	if _, err := healthy.EnsureTopics(ctx, client.TopicSpec{Name: app, Partitions: 2, Configs: map[string]string{"retention.ms": "-1"}}); err != nil {
		t.Fatal(err)
	}
	f := &faults{}
	f.mu.key, f.mu.fate, f.mu.nth = key, fate, nth
	f.mu.until = []int16{int16(kmsg.Produce), int16(kmsg.EndTxn)}[nth%2]
	door, err := remote.Open(ctx, remote.Options{Brokers: brokers, Connection: []kgo.Opt{kgo.Dialer(f.dial)}})
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	p := &pipeline{door: door, app: app, tps: tps, input: tps[0], mixed: nth%2 == 0, again: fate == straggler && key == int16(kmsg.InitProducerID)}
	if err := p.run(ctx); err != nil {
		t.Fatal(err)
	}
	checkOnce(t, healthy, p)
	tv1 := key == int16(kmsg.AddPartitionsToTxn) || key == int16(kmsg.AddOffsetsToTxn)
	if nth == 1 && !tv1 && !f.happened() {
		t.Error("no request met the fault")
	}
}

// checkOnce reads what the pipeline wrote. A producer opened before tells that every transaction has ended.
func checkOnce(t *testing.T, d client.Door, p *pipeline) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	last, err := d.OpenProducer(ctx, p.app)
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	committed, err := d.Committed(ctx, p.app)
	if err != nil || committed[p.input] != epochs {
		t.Errorf("position %d, %v", committed[p.input], err)
	}
	for _, tp := range p.tps {
		var want []string
		for i := range epochs {
			if !p.mixed || i%2 == 0 {
				want = append(want, fmt.Sprint(i))
			}
		}
		if got := readAll(t, d, tp); !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", tp, got, want)
		}
	}
}

func readAll(t *testing.T, d client.Door, tp record.TopicPartition) []string {
	t.Helper()
	ends, err := d.Ends(t.Context(), tp)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.OpenReader(t.Context(), map[record.TopicPartition]record.Offset{tp: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for next := record.Offset(0); next < ends[tp]; {
		chunks, err := r.Poll(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range chunks {
			next = c.Next
			for _, v := range c.Values {
				got = append(got, string(v))
			}
		}
	}
	return got
}

// A leaper lets no time pass in waiting: its hands move on by it.
type leaper struct{ passed *atomic.Int64 }

func (l leaper) Now() time.Time      { return time.Unix(0, l.passed.Load()) }
func (l leaper) Mono() time.Duration { return time.Duration(l.passed.Load()) }

func (l leaper) After(d time.Duration) <-chan time.Time {
	l.passed.Add(int64(d))
	now := make(chan time.Time, 1)
	now <- l.Now()
	return now
}

// A cluster that starts again knows its topics before their leaders are back: that is waited for, however long it takes.
func TestPartitionsWithoutALeaderAreWaitedFor(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var passed atomic.Int64
	d, err := remote.Open(t.Context(), remote.Options{Brokers: c.ListenAddrs(), Clock: leaper{&passed}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	tr := &trial{T: t, ctx: t.Context(), brokers: c.ListenAddrs(), app: "app"}
	tr.in.Topic = "in"
	_, err = d.EnsureTopics(t.Context(), client.TopicSpec{Name: "in", Partitions: 1}, client.TopicSpec{Name: "out", Partitions: 2})
	tr.must(err)
	p := tr.producer(d)
	began := passed.Load()
	// The brokers stay as they were told before: the client cuts its connections to one that seems to have moved.
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	tr.must(err)
	defer cl.Close()
	told, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), cl)
	tr.must(err)
	c.ControlKey(int16(kmsg.Metadata), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		if time.Duration(passed.Load()-began) > 20*time.Second {
			return nil, nil, false
		}
		c.KeepControl()
		req := kreq.(*kmsg.MetadataRequest)
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.Brokers = told.Brokers
		for _, asked := range req.Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = asked.Topic
			for n := range int32(2) {
				partition := kmsg.NewMetadataResponseTopicPartition()
				partition.Partition, partition.Leader, partition.ErrorCode = n, -1, kerr.LeaderNotAvailable.Code
				topic.Partitions = append(topic.Partitions, partition)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	epoch := p.NewEpoch()
	tr.must(epoch.Append(record.TopicPartition{Topic: "out", Partition: 1}, 1, nil, []byte("x"), nil))
	tr.must(p.Commit(t.Context(), epoch, map[record.TopicPartition]record.Offset{tr.in: 1}))
	if waited := time.Duration(passed.Load() - began); waited < 20*time.Second {
		t.Errorf("nothing was waited for: %s", waited)
	}
}
