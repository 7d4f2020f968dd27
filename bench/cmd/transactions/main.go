// Command transactions measures how long a transaction takes: a record to each of many partitions, and the offset of the record
// that was read for it.
//
//	transactions -b 127.0.0.1:9092 -p 64 -n 500 -w 100
//
// It makes its topics anew, reads one record at a time as a member of a group, and prints one JSON line in the form of the load tool:
// the times from begin to committed, in milliseconds.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	in  = "transactions-in"
	out = "transactions-out"
)

func main() {
	b := bench{}
	flag.StringVar(&b.addr, "b", "127.0.0.1:9092", "bootstrap address")
	flag.IntVar(&b.partitions, "p", 64, "partitions of a transaction")
	flag.IntVar(&b.n, "n", 500, "transactions that are measured")
	flag.IntVar(&b.warm, "w", 100, "transactions before them")
	flag.StringVar(&b.tag, "tag", "", "copied into the output")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "transactions:", err)
		os.Exit(1)
	}
}

type bench struct {
	addr, tag           string
	partitions, n, warm int
}

func (b *bench) run(ctx context.Context) error {
	if err := b.prepare(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	s, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(b.addr), kgo.TransactionalID("bench-transactions"), kgo.ConsumerGroup(fmt.Sprint("bench-", time.Now().UnixNano())),
		kgo.ConsumeTopics(in), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RequireStableFetchOffsets(),
	)
	if err != nil {
		return err
	}
	defer s.Close()
	var took []time.Duration
	for i := range b.warm + b.n {
		d, err := b.transaction(ctx, s)
		if err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
		if i >= b.warm {
			took = append(took, d)
		}
	}
	return b.print(took)
}

// prepare makes the topics with something to read.
func (b *bench) prepare(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.DeleteTopics(ctx, in, out); err != nil {
		return err
	}
	for topic, partitions := range map[string]int{in: 1, out: b.partitions} {
		for {
			_, err := adm.CreateTopic(ctx, int32(partitions), 1, nil, topic)
			if err == nil {
				break
			}
			if !errors.Is(err, kerr.TopicAlreadyExists) { // Kafka deletes in the background
				return err
			}
		}
	}
	records := make([]*kgo.Record, b.n+b.warm)
	for i := range records {
		records[i] = &kgo.Record{Topic: in, Value: make([]byte, 100)}
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

// transaction reads one record and derives one for each partition from it.
func (b *bench) transaction(ctx context.Context, s *kgo.GroupTransactSession) (time.Duration, error) {
	fetches := s.PollRecords(ctx, 1)
	if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
		return 0, err
	}
	if fetches.NumRecords() == 0 {
		return b.transaction(ctx, s) // a rebalance ended the poll
	}
	value := fetches.Records()[0].Value
	began := time.Now()
	if err := s.Begin(); err != nil {
		return 0, err
	}
	failed := kgo.AbortingFirstErrPromise(s.Client())
	for p := range b.partitions {
		s.Produce(ctx, &kgo.Record{Topic: out, Partition: int32(p), Value: value}, failed.Promise())
	}
	committed, err := s.End(ctx, kgo.TransactionEndTry(failed.Err() == nil))
	if err == nil && !committed {
		err = errors.New("it was not committed")
	}
	return time.Since(began), err
}

func (b *bench) print(took []time.Duration) error {
	slices.SortFunc(took, cmp.Compare)
	at := func(q float64) float64 { return took[min(int(q*float64(len(took))), len(took)-1)].Seconds() * 1000 }
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"cmd": "transactions", "tag": b.tag, "parts": b.partitions, "n": b.n, "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1),
	})
}
