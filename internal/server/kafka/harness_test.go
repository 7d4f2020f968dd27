package kafka

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience is how long a test waits for what must come, and how long a rawClient lives; nothing takes that long.
const patience = time.Minute

// newBroker runs a broker on an in-memory file system until the test ends.
func newBroker(t testing.TB, o broker.Options) *broker.Broker {
	t.Helper()
	o.FS, o.Dir = vfs.NewCrashable(), "data"
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.JournalFileSize == 0 {
		o.JournalFileSize = 4 << 20
	}
	b, err := broker.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("broker: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
	})
	return b
}

// A testServer serves a broker on a loopback port.
type testServer struct {
	broker *broker.Broker
	addr   string
	events chan Event
}

func serve(t testing.TB, o Options) *testServer {
	t.Helper()
	if o.Broker == nil {
		o.Broker = newBroker(t, broker.Options{})
	}
	s := &testServer{broker: o.Broker, events: make(chan Event, 1000)}
	o.Events = func(e Event) {
		select {
		case s.events <- e:
		default:
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := New(o).Serve(ctx, ln); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

// A rawClient sends and receives frames.
type rawClient struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	next int32
}

func (s *testServer) dial(t testing.TB) *rawClient {
	t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &rawClient{t: t, conn: nc, r: bufio.NewReader(nc)}
}

// send writes a request and returns its correlation id.
func (c *rawClient) send(req kmsg.Request) int32 {
	c.t.Helper()
	c.next++
	c.write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, c.next))
	return c.next
}

func (c *rawClient) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads the next response frame.
func (c *rawClient) receive() []byte {
	c.t.Helper()
	frame, err := c.tryReceive()
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	return frame
}

func (c *rawClient) tryReceive() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(c.r, frame)
	return frame, err
}

// closed waits for the server to close the connection.
func (c *rawClient) closed() {
	c.t.Helper()
	frame, err := c.tryReceive()
	if err == nil {
		c.t.Fatalf("received %x instead of the end", frame)
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		c.t.Fatal("the connection stays open")
	}
}

// answerTo reads the response to req.
func answerTo[R kmsg.Response](c *rawClient, req kmsg.Request, correlation int32) R {
	c.t.Helper()
	frame := c.receive()
	if got := int32(binary.BigEndian.Uint32(frame)); got != correlation {
		c.t.Fatalf("correlation id %d, want %d", got, correlation)
	}
	frame = frame[4:]
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != keyApiVersions {
		frame = frame[1:]
	}
	if err := resp.ReadFrom(frame); err != nil {
		c.t.Fatalf("decode %T: %v", resp, err)
	}
	return resp.(R)
}

// ask sends a request and returns its answer.
func ask[R kmsg.Response](c *rawClient, req kmsg.Request) R {
	c.t.Helper()
	return answerTo[R](c, req, c.send(req))
}

// inVersion sets a request's version.
func inVersion[R kmsg.Request](req R, v int16) R {
	req.SetVersion(v)
	return req
}

// topic creates a topic.
func (s *testServer) topic(t testing.TB, name string, partitions int32, configs map[string]string) *broker.Topic {
	t.Helper()
	res, err := s.broker.CreateTopics([]broker.TopicSpec{{Name: name, Partitions: partitions, Replication: 1, Configs: configs}}, false).Wait(context.Background())
	if err != nil || res[0].Err != nil {
		t.Fatalf("create %s: %v %v", name, err, res)
	}
	return res[0].Topic
}

// A testRecord is what batchOf needs.
type testRecord struct {
	ts         record.Timestamp
	key, value string
}

func batchOf(p batch.Params, rs ...testRecord) []byte {
	var b batch.Builder
	b.Reset(p)
	for _, r := range rs {
		b.Append(r.ts, []byte(r.key), []byte(r.value), nil)
	}
	return b.AppendTo(nil)
}

var plainBatch = batch.Params{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}

// produceRequest is a Produce of one batch.
func produceRequest(version int16, topic string, partition int32, records []byte) *kmsg.ProduceRequest {
	req := inVersion(kmsg.NewPtrProduceRequest(), version)
	req.Acks, req.TimeoutMillis = -1, 1000
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.ProduceRequestTopicPartition{p}
	req.Topics = []kmsg.ProduceRequestTopic{t}
	return req
}

func (c *rawClient) produce(topic string, records []byte) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	return ask[*kmsg.ProduceResponse](c, produceRequest(9, topic, 0, records)).Topics[0].Partitions[0]
}

// fetchRequest is a Fetch of partition 0 that does not wait.
func fetchRequest(version int16, topic string, offset int64) *kmsg.FetchRequest {
	req := inVersion(kmsg.NewPtrFetchRequest(), version)
	req.MaxBytes = 1 << 20
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = offset, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.FetchRequestTopicPartition{p}
	req.Topics = []kmsg.FetchRequestTopic{t}
	return req
}

func wantCode(t testing.TB, what string, got int16, want *kerr.Error) {
	t.Helper()
	if got != code(want) {
		t.Errorf("%s: error %v, want %v", what, kerr.ErrorForCode(got), want)
	}
}
