package qtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem"
)

// A realServer is a node with its embedded broker, reached as any client reaches it: SQL over HTTP, topics over Kafka's protocol.
type realServer struct {
	dir      string
	node     *mainstem.Node
	url      string
	kafka    *kgo.Client
	admin    *kadm.Client
	registry *httptest.Server
}

// openServer opens the server that the REST cases are about. It shares the registry with the runner, over HTTP.
func openServer(r *Registry) (Server, error) {
	dir, err := os.MkdirTemp("", "qtt")
	if err != nil {
		return nil, err
	}
	s := &realServer{dir: dir, registry: httptest.NewServer(registryWeb{r})}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *realServer) open() error {
	var listeners [2]net.Listener
	for i := range listeners {
		var err error
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	s.url = "http://" + listeners[1].Addr().String()
	var err error
	s.node, err = mainstem.Open(context.Background(), s.dir, mainstem.WithKafka(listeners[0]), mainstem.WithHTTP(listeners[1]),
		mainstem.WithSchemaRegistry(s.registry.URL))
	if err != nil {
		return err
	}
	s.kafka, err = kgo.NewClient(kgo.SeedBrokers(s.node.Kafka()), kgo.TransactionalID("inputs"))
	if err != nil {
		return err
	}
	s.admin = kadm.NewClient(s.kafka)
	return nil
}

func (s *realServer) URL() string { return s.url }

func (s *realServer) CreateTopic(name string, partitions, _ int) error {
	made, err := s.admin.CreateTopic(context.Background(), int32(partitions), 1, nil, name)
	return errors.Join(err, made.Err)
}

func (s *realServer) Produce(ctx context.Context, all []topicRecords) error {
	var out []*kgo.Record
	for _, t := range all {
		for _, r := range t.records {
			one := &kgo.Record{Topic: t.topic, Key: r.Key, Value: r.Value, Timestamp: millis(r.Timestamp)}
			for _, h := range r.Headers {
				one.Headers = append(one.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			out = append(out, one)
		}
	}
	if err := s.kafka.BeginTransaction(); err != nil {
		return err
	}
	failed := s.kafka.ProduceSync(ctx, out...).FirstErr()
	if err := errors.Join(failed, s.kafka.EndTransaction(ctx, kgo.TransactionEndTry(failed == nil))); err != nil {
		return err
	}
	return s.awaitCommitted(ctx, all)
}

// awaitCommitted waits until the transaction has ended in all partitions, which may be after its coordinator has answered.
func (s *realServer) awaitCommitted(ctx context.Context, all []topicRecords) error {
	var topics []string
	for _, t := range all {
		topics = append(topics, t.topic)
	}
	for {
		ends, err := s.admin.ListEndOffsets(ctx, topics...)
		if err != nil {
			return err
		}
		committed, err := s.admin.ListCommittedOffsets(ctx, topics...)
		if err != nil {
			return err
		}
		behind := false
		ends.Each(func(end kadm.ListedOffset) {
			c, _ := committed.Lookup(end.Topic, end.Partition)
			behind = behind || c.Offset < end.Offset
		})
		if !behind {
			return nil
		}
	}
}

func (s *realServer) Consume(ctx context.Context, topic string, atLeast int) ([]Record, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(s.node.Kafka()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var out []Record
	for len(out) < atLeast {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%w: %d of %d records", err, len(out), atLeast)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			record := Record{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp.UnixMilli()}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, Header{Key: h.Key, Value: h.Value})
			}
			out = append(out, record)
		})
	}
	return out, nil
}

func (s *realServer) Settle(ctx context.Context) error { return s.node.Settle(ctx) }

// AwaitPush has nothing to wait for: a query's header comes when it sees all that is written from then on.
func (s *realServer) AwaitPush(context.Context) error { return nil }

func (s *realServer) Close() error {
	var errs []error
	if s.kafka != nil {
		s.kafka.Close()
	}
	if s.node != nil {
		errs = append(errs, s.node.Close())
	}
	s.registry.Close()
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
