package crash

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/need"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// memory is the resident set of a process in bytes.
func (p *process) memory() int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		need.Missing(p.t, "no /proc: "+err.Error())
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	p.t.Fatal("no VmRSS")
	return 0
}

// ready waits until the node answers: its port takes connections before that.
func (t *trial) ready(addr string) {
	t.Helper()
	t.await("the node to answer", 2*time.Minute, func() error {
		c, err := hello(addr)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// TestManyPartitions creates a topic of many partitions, writes to each, and starts again after a clean end and after a kill.
// MAINSTEM_SCALE_PARTITIONS is how many (default 300).
func TestManyPartitions(tt *testing.T) {
	t := newTrial(tt)
	n := t.count("MAINSTEM_SCALE_PARTITIONS", 300)
	addrs := t.ports(2)
	node := func() *process {
		p := t.start("mainstem", "dev", "--data", t.dir+"/data", "--kafka", addrs[0], "--http", addrs[1])
		t.ready(addrs[0])
		return p
	}
	p := node()
	t.logStep(p, "started empty", p.started)
	began := time.Now()
	t.createTopics(addrs[0], map[string]int32{"many": int32(n)})
	t.logStep(p, fmt.Sprintf("%d partitions created", n), began)

	began = time.Now()
	t.toEveryPartition(addrs[0], n)
	t.logStep(p, "a record in each", began)
	began = time.Now()
	p.stop()
	t.Logf("stopped in %s", time.Since(began).Round(time.Millisecond))
	p = node()
	t.logStep(p, "started again", p.started)
	t.toEveryPartition(addrs[0], n)
	p.kill()
	p = node()
	t.logStep(p, "started after a kill", p.started)

	seen := 0
	t.readAll(addrs[0], "many", func(*kgo.Record) error { seen++; return nil })
	if seen != 2*n {
		t.Errorf("%d records are there, %d were acknowledged", seen, 2*n)
	}
	t.logStep(p, "everything read", p.started)
	p.stop()
}

func (t *trial) logStep(p *process, what string, began time.Time) {
	t.Helper()
	t.Logf("%s after %s, %d MiB resident", what, time.Since(began).Round(time.Millisecond), p.memory()>>20)
}

func (t *trial) toEveryPartition(bootstrap string, n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("many"),
		kgo.MaxBufferedRecords(n+1), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	rs := make([]*kgo.Record, n)
	for i := range rs {
		rs[i] = &kgo.Record{Partition: int32(i), Value: []byte("value")}
	}
	ctx, cancel := context.WithTimeout(t.ctx, 2*time.Minute)
	defer cancel()
	if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// request frames a request as a client does.
func request(r kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("idle")).AppendRequest(nil, r, 1)
}

// TestManyConnections opens many connections that do nothing, and some that ask for much and never read it: the memory of each is
// bounded, and others work as before. MAINSTEM_SCALE_CONNECTIONS is how many (default 200).
func TestManyConnections(tt *testing.T) {
	t := newTrial(tt)
	n := t.count("MAINSTEM_SCALE_CONNECTIONS", 200)
	addrs := t.ports(2)
	p := t.start("mainstem", "dev", "--data", t.dir+"/data", "--kafka", addrs[0], "--http", addrs[1])
	t.ready(addrs[0])
	t.createTopics(addrs[0], map[string]int32{"a": 1})
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs[0]), kgo.DefaultProduceTopic("a"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for range 32 {
		if err := cl.ProduceSync(t.ctx, &kgo.Record{Value: make([]byte, 900_000)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	before := p.memory()
	conns := t.connect(addrs[0], n)
	idle := p.memory()
	t.Logf("%d idle connections: %d KiB resident each", n, (idle-before)>>10/int64(n))
	t.oneRecord(cl)

	ids, err := kadm.NewClient(cl).ListTopics(t.ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.ReplicaID, fetch.MaxBytes, fetch.SessionEpoch = 13, -1, 50<<20, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID = ids["a"].ID
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes = 50 << 20
	topic.Partitions = append(topic.Partitions, part)
	fetch.Topics = append(fetch.Topics, topic)
	greedy := conns[:min(len(conns), 50)]
	for _, c := range greedy {
		for range 20 {
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := c.Write(request(fetch)); err != nil {
				break // the node does not take more from it
			}
		}
	}
	for range 20 {
		t.oneRecord(cl)
	}
	after := p.memory()
	t.Logf("%d connections that ask for 1,000 MiB each and never read: %d MiB resident, %d before", len(greedy), after>>20, idle>>20)
	if each := (after - idle) >> 20 / int64(len(greedy)); each > 64 {
		t.Errorf("each of them holds %d MiB", each)
	}
	p.mustLive()
	p.stop()
}

// hello opens a connection and gets one answer.
func hello(addr string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", addr, 20*time.Second)
	if err != nil {
		return nil, err
	}
	if err := exchange(c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func exchange(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := c.Write(request(kmsg.NewPtrApiVersionsRequest())); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(answer) != 1 {
		return errors.New("the answer belongs to another request")
	}
	return nil
}

func (t *trial) connect(addr string, n int) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for range n {
		c, err := hello(addr)
		if err != nil {
			t.Fatalf("connection %d: %v", len(conns), err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns = append(conns, c)
	}
	return conns
}

func (t *trial) oneRecord(cl *kgo.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, time.Minute)
	defer cancel()
	if err := cl.ProduceSync(ctx, kgo.StringRecord("on")).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
