package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/server/kafka/guard/guardtest"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestResponsesLeaveInRequestOrder(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	produce := produceRequest(9, "t", 0, batchOf(plainBatch, testRecord{1, "k", "v"}))
	list := inVersion(kmsg.NewPtrListOffsetsRequest(), 5)
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = -1
	list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
	const rounds = 20
	var ids [rounds][2]int32
	for i := range ids {
		ids[i] = [2]int32{c.send(produce), c.send(list)}
	}
	for i, id := range ids {
		if got := answerTo[*kmsg.ProduceResponse](c, produce, id[0]).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != int64(i) {
			t.Fatalf("produce %d: %+v", i, got)
		}
		// What only reads runs behind what was asked for before, though nobody waited for it.
		if got := answerTo[*kmsg.ListOffsetsResponse](c, list, id[1]).Topics[0].Partitions[0]; got.Offset < int64(i)+1 {
			t.Fatalf("end offset %d after %d records", got.Offset, i+1)
		}
	}
}

func TestUnacknowledgedProduceGetsNoResponse(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	req := produceRequest(9, "t", 0, batchOf(plainBatch, testRecord{1, "k", "v"}))
	req.Acks = 0
	c.send(req)
	if got := ask[*kmsg.FetchResponse](c, fetchRequest(4, "t", 0)).Topics[0].Partitions[0]; got.HighWatermark != 1 {
		t.Errorf("high watermark %d", got.HighWatermark)
	}
	req.Topics[0].Topic = "nowhere"
	c.send(req)
	c.closed()
}

func TestLongPollWakesWithTheRecord(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 1, nil)
	for _, v := range []int16{4, 12, 16} {
		consumer, producer := s.dial(t), s.dial(t)
		end := s.broker.ListOffset(broker.TopicRef{Name: "t"}, 0, -1, false).Offset
		req := fetchRequest(v, "t", int64(end))
		req.Topics[0].TopicID = topic.ID
		req.MaxWaitMillis, req.MinBytes = int32(time.Hour.Milliseconds()), 1
		id := consumer.send(req)
		wantCode(t, "produce", producer.produce("t", batchOf(plainBatch, testRecord{1, "k", "v"})).ErrorCode, nil)
		if got := answerTo[*kmsg.FetchResponse](consumer, req, id).Topics[0].Partitions[0]; len(got.RecordBatches) == 0 {
			t.Errorf("v%d: no records", v)
		}
	}
}

func TestLongPollEndsWithItsTimeAndWithoutPartitions(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	req := fetchRequest(12, "t", 0)
	req.MaxWaitMillis, req.MinBytes = 5, 1
	if got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]; got.ErrorCode != 0 || len(got.RecordBatches) != 0 {
		t.Errorf("%+v", got)
	}
	req.Topics, req.MaxWaitMillis = nil, int32(time.Hour.Milliseconds())
	ask[*kmsg.FetchResponse](c, req)
	req = fetchRequest(12, "nowhere", 0)
	req.MaxWaitMillis, req.MinBytes = int32(time.Hour.Milliseconds()), 1
	wantCode(t, "unknown topic", ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
}

func TestFetchStopsAtItsLimitButShowsEveryPartition(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 4, nil)
	c := s.dial(t)
	one := batchOf(plainBatch, testRecord{1, "k", strings.Repeat("v", 1000)})
	for p := range int32(4) {
		ask[*kmsg.ProduceResponse](c, produceRequest(9, "t", p, bytes.Clone(one)))
	}
	req := fetchRequest(12, "t", 0)
	req.MaxBytes = int32(len(one) + len(one)/2)
	first := req.Topics[0].Partitions[0]
	for p := range int32(3) {
		first.Partition = p + 1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, first)
	}
	got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions
	if len(got) != 4 || len(got[0].RecordBatches) != len(one) {
		t.Fatalf("%d partitions, %d bytes in the first", len(got), len(got[0].RecordBatches))
	}
	for _, p := range got[1:] {
		if len(p.RecordBatches) != 0 || p.HighWatermark != 1 || p.ErrorCode != 0 {
			t.Errorf("partition %d: %d bytes, high watermark %d", p.Partition, len(p.RecordBatches), p.HighWatermark)
		}
	}
}

// Batches from disk lie in memory that the next answers use again: each client must still get its own.
func TestReadersOfDifferentPlacesOnDiskGetWhatTheyAskedFor(t *testing.T) {
	s := serve(t, Options{})
	const partitions, batches = 4, 8
	s.topic(t, "t", partitions, nil)
	writer := s.dial(t)
	value := func(partition int32, n int) string { // eight of these are more than the tail cache holds
		return strings.Repeat(fmt.Sprintf("%d/%d ", partition, n), 20<<10)
	}
	for p := range int32(partitions) {
		for n := range batches {
			ask[*kmsg.ProduceResponse](writer, produceRequest(9, "t", p, batchOf(plainBatch, testRecord{1, "k", value(p, n)})))
		}
	}
	var wg sync.WaitGroup
	for p := range int32(partitions) {
		c := s.dial(t)
		wg.Go(func() {
			for n := range 5 * batches {
				req := fetchRequest(12, "t", int64(n%batches))
				req.Topics[0].Partitions[0].Partition = p
				req.Topics[0].Partitions[0].PartitionMaxBytes = 1
				got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0].RecordBatches
				if !bytes.Contains(got, []byte(value(p, n%batches))) {
					t.Errorf("partition %d, offset %d: %d bytes that are not its own", p, n%batches, len(got))
				}
			}
		})
	}
	wg.Wait()
}

func TestFetchAnswerIsEncodedAsKmsgDoes(t *testing.T) {
	f := newFiller(3)
	f.Tags = false
	for v := int16(4); v <= 18; v++ {
		for range 100 {
			resp := fetchRequest(v, "t", 0).ResponseKind().(*kmsg.FetchResponse)
			mine := &fetchAnswer{version: v}
			for range f.Length() {
				rt := kmsg.NewFetchResponseTopic()
				ft := fetchTopic{name: strings.Repeat("n", f.Length())}
				ft.id[3] = byte(f.Length())
				rt.Topic, rt.TopicID = ft.name, ft.id
				for range f.Length() {
					rp := kmsg.NewFetchResponseTopicPartition()
					p := fetchPartition{int32(f.Length()), broker.FetchResult{HighWatermark: 5, LastStable: 4, LogStart: 3, Batches: make([]byte, f.Length())}}
					if f.Length() == 0 {
						p.Err = kerr.OffsetOutOfRange
					}
					for range f.Length() {
						p.Aborted = append(p.Aborted, broker.Aborted{ProducerID: 7, First: 8})
						rp.AbortedTransactions = append(rp.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: 7, FirstOffset: 8})
					}
					mine.bytes += len(p.Batches)
					rp.Partition, rp.ErrorCode, rp.RecordBatches = p.partition, code(p.Err), p.Batches
					rp.HighWatermark, rp.LastStableOffset, rp.LogStartOffset = 5, 4, 3
					rt.Partitions = append(rt.Partitions, rp)
					ft.partitions = append(ft.partitions, p)
				}
				resp.Topics = append(resp.Topics, rt)
				mine.topics = append(mine.topics, ft)
			}
			if want, got := resp.AppendTo([]byte("head")), mine.AppendTo([]byte("head")); !bytes.Equal(want, got) {
				t.Fatalf("v%d:\n%x, want\n%x", v, got, want)
			}
		}
	}
}

func TestAVanishedClientEndsItsWaits(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	req := fetchRequest(12, "t", 0)
	req.MaxWaitMillis, req.MinBytes = int32(time.Hour.Milliseconds()), 1
	c.send(req)
	_ = c.conn.Close()
	// The cleanup of the server joins every connection: it would take an hour.
}

func frameOf(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestHostileFramesCostLittleAndCloseTheConnection(t *testing.T) {
	header := func(key, version int16) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		return append(b, 0, 0, 0, 1, 0xff, 0xff)
	}
	elements := binary.BigEndian.AppendUint32(header(3, 1), 1e9)
	tags := binary.AppendUvarint(append(header(18, 3), 0, 2, 'x', 2, '1'), 1<<28)
	headerTags := binary.AppendUvarint(header(18, 3), 1<<28)
	large := binary.BigEndian.AppendUint32(nil, 64<<20)
	for _, x := range []struct {
		name   string
		proven bool
		bytes  []byte
		stop   bool // the client says no more
	}{
		{"2 GB announced", false, []byte{0x7f, 0xff, 0xff, 0xff}, false},
		{"2 GB announced later", true, []byte{0x7f, 0xff, 0xff, 0xff}, false},
		{"a negative length", true, []byte{0xff, 0xff, 0xff, 0xff}, false},
		{"3 MiB before anything else", false, []byte{0, 0x30, 0, 0}, false},
		{"64 MiB announced and not sent", true, append(large, make([]byte, 1000)...), true},
		{"10^9 elements", true, frameOf(elements), false},
		{"2^28 tags", false, frameOf(tags), false},
		{"2^28 header tags", false, frameOf(headerTags), false},
		{"a frame without header", true, frameOf([]byte{0, 3}), false},
		{"an empty frame", true, frameOf(nil), false},
		{"a long client id", true, frameOf(append([]byte{0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff}, make([]byte, 0x7fff)...)), false},
		{"a cut body", true, frameOf(header(3, 1)), false},
		{"an unknown key", true, frameOf(header(4, 0)), false},
		{"an unknown version", true, frameOf(header(3, 99)), false},
		{"not Kafka at all", false, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), false},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := serve(t, Options{})
			c := s.dial(t)
			if x.proven {
				ask[*kmsg.ApiVersionsResponse](c, apiVersions(3))
			}
			got := guardtest.Allocated(func() {
				c.write(x.bytes)
				if x.stop {
					_ = c.conn.(*net.TCPConn).CloseWrite()
				}
				c.closed()
			})
			if got > 1<<20 && !guardtest.RaceDetector {
				t.Errorf("%d bytes of memory", got)
			}
		})
	}
}

func TestACompressionBombCostsLittleAndClosesTheConnection(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	for name, codec := range map[string]batch.Codec{"gzip": batch.Gzip, "lz4": batch.LZ4, "zstd": batch.Zstd} {
		t.Run(name, func(t *testing.T) {
			p := plainBatch
			p.Codec = codec
			bomb := batchOf(p, testRecord{1, "k", strings.Repeat("\x00", broker.MaxInflatedBytes)})
			c := s.dial(t)
			ask[*kmsg.ApiVersionsResponse](c, apiVersions(3))
			req := produceRequest(9, "t", 0, bomb)
			frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
			if got := guardtest.Allocated(func() {
				c.write(frame)
				resp := answerTo[*kmsg.ProduceResponse](c, req, 1)
				wantCode(t, "produce", resp.Topics[0].Partitions[0].ErrorCode, kerr.MessageTooLarge)
				c.closed()
			}); got > 1<<20 && !guardtest.RaceDetector {
				t.Errorf("%d bytes sent cost %d bytes of memory", len(bomb), got)
			}
		})
	}
}

func TestConnectionsAreCapped(t *testing.T) {
	s := serve(t, Options{MaxConnections: 2})
	a, b := s.dial(t), s.dial(t)
	ask[*kmsg.ApiVersionsResponse](a, apiVersions(3))
	ask[*kmsg.ApiVersionsResponse](b, apiVersions(3))
	s.dial(t).closed()
	ask[*kmsg.ApiVersionsResponse](a, apiVersions(3))
}

// pipe serves one end of a net.Pipe inside a synctest bubble; no request in these tests reaches a broker.
func pipe(t *testing.T, o Options) (client net.Conn, ended chan struct{}) {
	a, b := net.Pipe()
	ended = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); <-ended; _ = a.Close() })
	s := New(o)
	go func() {
		defer close(ended)
		place, err := s.budget.Admit(b.RemoteAddr())
		if err != nil {
			t.Error(err)
			return
		}
		defer place.Release()
		s.serveConn(ctx, b, place)
	}()
	return a, ended
}

func TestTimeoutsCloseTheConnection(t *testing.T) {
	hello := kmsg.NewRequestFormatter().AppendRequest(nil, apiVersions(0), 1)
	for _, x := range []struct {
		name  string
		write []byte
		read  bool
		after time.Duration
	}{
		{"silence from the start", nil, true, 10 * time.Second},
		{"half a first frame", hello[:3], true, 10 * time.Second},
		{"an idle client", hello, true, 10 * time.Minute},
		{"half a later frame", append(bytes.Clone(hello), 0, 0), true, 30 * time.Second},
		{"a client that never reads", hello, false, 30 * time.Second},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				client, ended := pipe(t, Options{})
				if _, err := client.Write(x.write); err != nil {
					t.Fatal(err)
				}
				if x.read {
					go func() { _, _ = bytes.NewBuffer(nil).ReadFrom(client) }()
				}
				<-ended
				if got := time.Since(start); got != x.after {
					t.Errorf("closed after %v, want %v", got, x.after)
				}
			})
		})
	}
}

// Deadlines are not moved with each request: what counts is the last one all the same.
func TestTimesAreCountedFromTheLastRequest(t *testing.T) {
	hello := kmsg.NewRequestFormatter().AppendRequest(nil, apiVersions(0), 1)
	send := func(t *testing.T, client net.Conn, b []byte) {
		if _, err := client.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		client, ended := pipe(t, Options{})
		go func() { _, _ = bytes.NewBuffer(nil).ReadFrom(client) }()
		start := time.Now()
		for range 3 {
			send(t, client, hello)
			time.Sleep(6 * time.Minute)
		}
		send(t, client, hello[:2]) // a frame of which the rest is late does not count as a request
		time.Sleep(20 * time.Second)
		send(t, client, hello[2:])
		<-ended
		if got := time.Since(start); got != 18*time.Minute+20*time.Second+10*time.Minute {
			t.Errorf("closed after %v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		client, ended := pipe(t, Options{})
		answer := make([]byte, 4)
		for range 2 {
			send(t, client, hello)
			if _, err := io.ReadFull(client, answer); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, client, int64(binary.BigEndian.Uint32(answer))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
		}
		start := time.Now()
		send(t, client, hello)
		<-ended
		if got := time.Since(start); got < 26*time.Second || got > 30*time.Second {
			t.Errorf("a client that stopped reading is closed after %v", got)
		}
	})
}

func TestALongPollIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t, broker.Options{})
		if res, err := b.AutoCreate("t").Wait(t.Context()); err != nil || res.Err != nil {
			t.Fatal(err, res.Err)
		}
		client, _ := pipe(t, Options{Broker: b})
		req := fetchRequest(12, "t", 0)
		req.MaxWaitMillis, req.MinBytes = int32(time.Hour.Milliseconds()), 1
		start := time.Now()
		if _, err := client.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != time.Hour {
			t.Errorf("answered after %v", got)
		}
	})
}

func TestFramesAreUsedAgain(t *testing.T) {
	var f frames
	again := 0
	for range 100 { // a pool may lose what it gets
		b := f.get(100_000)
		if len(b) != 100_000 {
			t.Fatal(len(b))
		}
		f.put(b)
		if c := f.get(120_000); len(c) == 120_000 && &c[0] == &b[0] {
			again++
		}
		f.put(b)
		if c := f.get(1 << 20); len(c) != 1<<20 {
			t.Fatal("too short a buffer is given out")
		}
	}
	if again == 0 {
		t.Error("no buffer was used again")
	}
	f.put(make([]byte, 10))
	if c := f.get(20); len(c) != 20 {
		t.Error(len(c))
	}
}

// What stands in a buffer that is used again must be in the log by then.
func TestManyLargeBatchesKeepTheirBytes(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 2, nil)
	ctx := testContext(t)
	const each, clients = 40, 3
	value := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%07d|", i)), 15_000+i%7*1000) }
	var producers sync.WaitGroup
	for c := range clients {
		cl := s.client(t, kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
		producers.Go(func() {
			for i := range each {
				r := &kgo.Record{Value: value(c*each + i)}
				cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			if err := cl.Flush(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	producers.Wait()
	reader := s.client(t, kgo.ConsumeTopics("t"))
	for seen := map[int]bool{}; len(seen) < each*clients && !t.Failed(); {
		fs := reader.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			i, err := strconv.Atoi(string(r.Value[:7]))
			if err != nil || !bytes.Equal(r.Value, value(i)) {
				t.Errorf("record at %d of partition %d holds other bytes", r.Offset, r.Partition)
			}
			seen[i] = true
		})
	}
}
