package kafka

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// An ordinary client on the real wire: franz-go, which uses the newest versions of everything.

func (s *testServer) client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// consume polls until n records have come and returns their values by partition, in order.
func consume(t testing.TB, ctx context.Context, cl *kgo.Client, n int) map[int32][]string {
	t.Helper()
	out := map[int32][]string{}
	for n > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("%d records missing: %v", n, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			out[r.Partition] = append(out[r.Partition], string(r.Value))
			n--
		})
	}
	if n < 0 {
		t.Fatalf("%d records too many", -n)
	}
	return out
}

func TestAClientProducesAndConsumes(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 3, nil)
	ctx := testContext(t)
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		producer := s.client(t, kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
		for i := range 3000 {
			producer.Produce(ctx, kgo.StringRecord(strconv.Itoa(i)), func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := producer.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	got := consume(t, ctx, s.client(t, kgo.ConsumeTopics("t")), 15000)
	for p, values := range got {
		last := -1
		for _, v := range values {
			i, err := strconv.Atoi(v)
			if err != nil || i <= last && i >= 3 {
				t.Fatalf("partition %d: %q after %d", p, v, last)
			}
			last = i
		}
	}
}

func TestAGroupSharesPartitionsAndGoesOnWhereItCommitted(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 4, nil)
	ctx := testContext(t)
	producer := s.client(t, kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	send := func(n int) {
		for i := range n {
			if err := producer.ProduceSync(ctx, kgo.StringRecord(strconv.Itoa(i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(40)
	member := func() *kgo.Client {
		return s.client(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(50*time.Millisecond))
	}
	first := member()
	consume(t, ctx, first, 40)
	if err := first.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	first.Close()
	send(12)
	second, third := member(), member()
	seen := make(chan int, 100)
	for _, cl := range []*kgo.Client{second, third} {
		go func() {
			for {
				fs := cl.PollFetches(ctx)
				if fs.IsClientClosed() || ctx.Err() != nil {
					return
				}
				seen <- fs.NumRecords()
			}
		}()
	}
	for n := 0; n < 12; {
		select {
		case k := <-seen:
			n += k
		case <-ctx.Done():
			t.Fatalf("%d records", n)
		}
	}
	adm := kadm.NewClient(producer)
	for {
		d, err := adm.DescribeGroups(ctx, "g")
		if err != nil {
			t.Fatal(err)
		}
		if g := d["g"]; g.State == "Stable" && len(g.Members) == 2 {
			break
		}
	}
	lag, err := adm.Lag(ctx, "g")
	if err != nil || lag["g"].Lag.Total() != 12 {
		t.Errorf("lag %v, error %v", lag["g"].Lag.Total(), err)
	}
}

func TestTransactionsAreSeenWholeOrNotAtAll(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 2, nil)
	ctx := testContext(t)
	producer := s.client(t, kgo.TransactionalID("id"), kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	for i, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for j := range 10 {
			producer.Produce(ctx, kgo.StringRecord(fmt.Sprintf("%d-%d", i, j)), func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := producer.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if err := producer.EndTransaction(ctx, commit); err != nil {
			t.Fatal(err)
		}
	}
	committed := s.client(t, kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	for _, values := range consume(t, ctx, committed, 20) {
		for _, v := range values {
			if v[0] == '1' {
				t.Errorf("aborted record %s", v)
			}
		}
	}
	consume(t, ctx, s.client(t, kgo.ConsumeTopics("t")), 30)
}

func TestAnAdminAdministers(t *testing.T) {
	s := serve(t, Options{})
	ctx := testContext(t)
	adm := kadm.NewClient(s.client(t))
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	created, err := adm.CreateTopic(ctx, 2, 3, map[string]*string{"retention.ms": kadm.StringPtr("5000")}, "t")
	must("create", err)
	if created.NumPartitions != 2 || created.ReplicationFactor != 1 {
		t.Errorf("%+v", created)
	}
	_, err = adm.CreateTopic(ctx, 1, 1, nil, "t")
	if err != kerr.TopicAlreadyExists {
		t.Errorf("create again: %v", err)
	}
	grown, err := adm.CreatePartitions(ctx, 1, "t")
	must("create partitions", err)
	must("create partitions", grown.Error())
	altered, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: kadm.StringPtr("compact")}, {Op: kadm.DeleteConfig, Name: "retention.ms"}}, "t")
	must("alter", err)
	must("alter t", altered[0].Err)
	configs, err := adm.DescribeTopicConfigs(ctx, "t")
	must("describe", err)
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" && c.MaybeValue() != "compact" || c.Key == "retention.ms" && c.MaybeValue() != "604800000" {
			t.Errorf("%s = %s", c.Key, c.MaybeValue())
		}
	}
	details, err := adm.ListTopics(ctx)
	must("list", err)
	if len(details["t"].Partitions) != 3 {
		t.Errorf("partitions %+v", details["t"].Partitions)
	}
	cluster, err := adm.BrokerMetadata(ctx)
	must("cluster", err)
	if cluster.Cluster != s.broker.ClusterID() || cluster.Controller != s.broker.NodeID() {
		t.Errorf("%+v", cluster)
	}
	dirs, err := adm.DescribeAllLogDirs(ctx, nil)
	must("log dirs", err)
	if len(dirs) != 1 {
		t.Errorf("log dirs %+v", dirs)
	}
	deleted, err := adm.DeleteTopics(ctx, "t", "nowhere")
	must("delete", err)
	if deleted["t"].Err != nil || deleted["nowhere"].Err != kerr.UnknownTopicOrPartition {
		t.Errorf("%+v", deleted)
	}
}

func TestServeJoinsEveryConnectionWhenItEnds(t *testing.T) {
	b := newBroker(t, broker.Options{})
	s := serve(t, Options{Broker: b})
	ctx := testContext(t)
	cl := s.client(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("nothing"), kgo.AllowAutoTopicCreation())
	if err := cl.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	go cl.PollFetches(ctx) // leaves a long poll or a join behind; serve's cleanup joins it
}
