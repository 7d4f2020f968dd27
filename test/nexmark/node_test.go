package nexmark_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/test/nexmark"
)

// patience bounds what a test waits for.
const patience = 5 * time.Minute

// TestANodeGivesTheSameAnswers runs some queries on a node with four partitions, which stops in the middle and goes on: a filter that
// computes, joins on foreign keys, sessions, and aggregates of aggregates.
func TestANodeGivesTheSameAnswers(t *testing.T) {
	const partitions = 4
	in := inputOf(made(3_000))
	statements := nexmark.Sources(partitions)
	names := []string{"q4", "q11", "q14", "q15", "q20"}
	for _, name := range names {
		statements += nexmark.Query(name)
	}
	memory := newWorld(t, statements)
	memory.publish(in.events...)
	memory.settle(t)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	n := openNode(ctx, t, dir)
	if _, err := n.SQL(ctx, statements, map[string]string{"auto.offset.reset": "earliest"}); err != nil {
		t.Fatal(err)
	}
	produce(ctx, t, n, in.events[:len(in.events)/2])
	first := memory.Catalog().Source("Q14")
	read(ctx, t, n, first, func(a answer) bool { return len(a) > 10 }) // it is in the middle now
	closeNode(t, n)

	n = openNode(ctx, t, dir)
	produce(ctx, t, n, in.events[len(in.events)/2:])
	for _, name := range names {
		want := memory.result(t, strings.ToUpper(name))
		got := read(ctx, t, n, memory.Catalog().Source(strings.ToUpper(name)), func(a answer) bool { return cmp.Equal(want, a) })
		if diff := difference(want, got); diff != "" {
			t.Errorf("%s: %d rows, want %d (-memory +node)\n%s", name, len(got), len(want), diff)
		}
	}
	closeNode(t, n)
}

func openNode(ctx context.Context, t *testing.T, dir string) *mainstem.Node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, err := mainstem.Open(ctx, dir, mainstem.WithKafka(l), mainstem.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func closeNode(t *testing.T, n *mainstem.Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// produce writes records and waits for them.
func produce(ctx context.Context, t *testing.T, n *mainstem.Node, records []record.Record) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out []*kgo.Record
	for _, r := range records {
		out = append(out, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(int64(r.Timestamp))})
	}
	if err := c.ProduceSync(ctx, out...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// read reads the topic of a stream or table until its answer is the one that is waited for, or patience ends.
func read(ctx context.Context, t *testing.T, n *mainstem.Node, s *catalog.Source, enough func(answer) bool) answer {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.ConsumeTopics(s.Topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var records []record.Record
	for {
		fetches := c.PollFetches(ctx)
		if fetches.Err() != nil {
			return answerOf(t, s, records)
		}
		fetches.EachRecord(func(r *kgo.Record) { records = append(records, record.Record{Key: r.Key, Value: r.Value}) })
		if a := answerOf(t, s, records); enough(a) {
			return a
		}
	}
}
