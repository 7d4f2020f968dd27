package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
	"github.com/mainstemio/mainstem/test/nexmark"
)

// A workload is what is measured.
type workload struct {
	name    string
	prepare func(context.Context, *mainstem.Node) error // makes the topics
	input   func(emit func(*kgo.Record) error) error
	start   func(context.Context, *mainstem.Node) error
}

// workloadOf returns a workload by its name.
func workloadOf(name string, o options) (workload, error) {
	w := workload{name: name}
	switch {
	case slices.Contains(nexmark.Names(), name):
		w.prepare, w.input, w.start = execute(nexmark.Sources(o.partitions)), o.nexmark(name == "q13"), execute(nexmark.Query(name))
	case name == "filterproject":
		w.prepare, w.input, w.start = execute(strings.ReplaceAll(rowsSource, "${partitions}", fmt.Sprint(o.partitions))), o.rows, execute(filterProject)
	case name == "payments-sql":
		text, err := os.ReadFile("../examples/payments-sql/payments.sql")
		if err != nil {
			return w, err
		}
		script := strings.ReplaceAll(string(text), "PARTITIONS = 4", fmt.Sprint("PARTITIONS = ", o.partitions))
		w.prepare, w.input, w.start = o.paymentTopics, o.payments, execute(script)
	case name == "payments-go":
		w.prepare, w.input, w.start = o.paymentTopics, o.payments, runPayments
	default:
		return w, fmt.Errorf("unknown workload %q", name)
	}
	return w, nil
}

// execute executes statements; queries begin at the first record.
func execute(statements string) func(context.Context, *mainstem.Node) error {
	return func(ctx context.Context, n *mainstem.Node) error {
		_, err := n.SQL(ctx, statements, map[string]string{"auto.offset.reset": "earliest"})
		return err
	}
}

// fill writes an input to its topics.
func fill(ctx context.Context, n *mainstem.Node, input func(func(*kgo.Record) error) error) (records, size int64, err error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(50_000))
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	var once sync.Once
	var failed error
	err = input(func(r *kgo.Record) error {
		records, size = records+1, size+int64(len(r.Value))
		c.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	if err := c.Flush(ctx); err != nil {
		return 0, 0, err
	}
	return records, size, failed
}

// nexmark are Nexmark's events, and before them the rows of its table for the query that looks them up.
func (o options) nexmark(side bool) func(func(*kgo.Record) error) error {
	g := nexmark.Generator{Seed: 1, Start: time.Now().UTC().Truncate(24 * time.Hour)} // older records would end with their topics' retention
	return func(emit func(*kgo.Record) error) error {
		for i := int64(0); side && i < 10_000; i++ {
			err := emit(&kgo.Record{
				Topic: "side_input", Key: nexmark.Event{Number: i}.Key(), Value: fmt.Appendf(nil, `{"value":"side %d"}`, i), Timestamp: g.Start.Add(-time.Second),
			})
			if err != nil {
				return err
			}
		}
		for i := range o.n {
			e := g.Event(i)
			if err := emit(&kgo.Record{Topic: e.Topic(), Key: e.Key(), Value: e.Value(), Timestamp: time.UnixMilli(e.Time())}); err != nil {
				return err
			}
		}
		return nil
	}
}

const rowsSource = `CREATE STREAM rows (id BIGINT, customer VARCHAR, amount BIGINT, status VARCHAR, city VARCHAR, note VARCHAR)
	WITH (kafka_topic='rows', value_format='JSON', partitions=${partitions});`

// filterProject keeps five rows of eight and three columns of six.
const filterProject = `CREATE STREAM large AS SELECT id, customer, amount FROM rows WHERE amount >= 150000;`

// rows are of 255 bytes.
func (o options) rows(emit func(*kgo.Record) error) error {
	const size = 255
	for i := range o.n {
		h := uint64(i) * 0x9e3779b97f4a7c15
		v := fmt.Appendf(nil, `{"id":%d,"customer":"customer %06d","amount":%d,"status":"authorized","city":"city %d","note":"`, i, h>>45, h>>20%400_000, h>>58)
		for len(v) < size-2 {
			v = append(v, 'a'+byte(len(v)%26))
		}
		if err := emit(&kgo.Record{Topic: "rows", Value: append(v, `"}`...)}); err != nil {
			return err
		}
	}
	return nil
}

func (o options) paymentTopics(ctx context.Context, n *mainstem.Node) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka()))
	if err != nil {
		return err
	}
	defer c.Close()
	topics := []string{payments.CardTopic, payments.TransferTopic, "PAYMENT-OUTPUT", "PAYMENT-TRX-AGGR"}
	made, err := kadm.NewClient(c).CreateTopics(ctx, int32(o.partitions), 1, nil, topics...)
	if err != nil {
		return err
	}
	return made.Error()
}

func (o options) payments(emit func(*kgo.Record) error) error {
	source, err := generate.New(generate.Config{Customers: 100_000})
	if err != nil {
		return err
	}
	for i := range o.n {
		e, err := source.At(nil, i)
		if err != nil {
			return err
		}
		if err := emit(&kgo.Record{Topic: e.Topic, Key: []byte(e.Key), Value: e.Value}); err != nil {
			return err
		}
	}
	return nil
}

// runPayments runs the pipeline in Go.
func runPayments(_ context.Context, n *mainstem.Node) error {
	topology, err := payments.Pipeline()
	if err != nil {
		return err
	}
	_, err = n.Run(topology)
	return err
}
