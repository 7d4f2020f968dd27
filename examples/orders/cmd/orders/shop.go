package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/examples/orders"
	"github.com/mainstemio/mainstem/serde"
)

// errDone says that as many orders are decided as were asked for.
var errDone = errors.New("all orders are decided")

// A shop sells to its customers and tells what becomes of their orders. It is an ordinary Kafka client.
type shop struct {
	config
	client *kgo.Client
	base   int64 // ids of orders begin here: higher than those of an earlier run
}

func newShop(kafka string, c config) (*shop, error) {
	now := time.Now().UnixMilli()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(kafka), kgo.AllowAutoTopicCreation(),
		kgo.ConsumeTopics(orders.OrdersTopic, orders.EmailsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(now)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	return &shop{config: c, client: client, base: now}, err
}

// customers is how many the shop has.
const customers = 100

// sell fills the warehouse, makes the customers known, and then publishes orders, most of them with their payments.
func (s *shop) sell(ctx context.Context) error {
	err := errors.Join(
		publish(ctx, s, orders.StockTopic, "JUMPERS", int64(50), serde.String, orders.PiecesJSON),
		publish(ctx, s, orders.StockTopic, "UNDERPANTS", int64(100_000), serde.String, orders.PiecesJSON),
	)
	for id := int64(1); err == nil && id <= customers; id++ {
		c := orders.Customer{ID: id, FirstName: "Customer", LastName: strconv.FormatInt(id, 10), Email: fmt.Sprintf("c%d@example.org", id)}
		err = publish(ctx, s, orders.CustomersTopic, id, c, serde.Int64, orders.CustomerJSON)
	}
	next := time.NewTicker(time.Duration(float64(time.Second) / s.rate))
	defer next.Stop()
	for i := 0; err == nil && (s.count == 0 || i < s.count); i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
			err = s.sellOne(ctx, strconv.FormatInt(s.base+int64(i), 10))
		}
	}
	return err
}

func (s *shop) sellOne(ctx context.Context, id string) error {
	o := orders.Order{ID: id, CustomerID: new(1 + rand.Int64N(customers)), State: orders.Created, Product: "UNDERPANTS", Quantity: 1 + rand.Int64N(50), Price: 5_00}
	if rand.IntN(3) == 0 {
		o.Product, o.Quantity, o.Price = "JUMPERS", 1+rand.Int64N(9), 75_00
	}
	if err := publish(ctx, s, orders.OrdersTopic, id, o, serde.String, orders.OrderJSON); err != nil || rand.IntN(4) == 0 {
		return err
	}
	p := orders.Payment{ID: "P" + id, OrderID: id, Ccy: "EUR", Amount: o.Price.Times(o.Quantity)}
	return publish(ctx, s, orders.PaymentsTopic, p.ID, p, serde.String, orders.PaymentJSON)
}

// publish writes a record and waits until it is acknowledged.
func publish[K, V any](ctx context.Context, s *shop, topic string, k K, v V, key serde.Serde[K], value serde.Serde[V]) error {
	kb, err := key.Append(nil, k)
	if err != nil {
		return fmt.Errorf("key for %s: %w", topic, err)
	}
	vb, err := value.Append(nil, v)
	if err != nil {
		return fmt.Errorf("value for %s: %w", topic, err)
	}
	return s.client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: kb, Value: vb}).FirstErr()
}

// watch prints orders and e-mails until the context ends, or as many orders are decided as were asked for.
func (s *shop) watch(ctx context.Context, out io.Writer) error {
	for decided := 0; s.count == 0 || decided < s.count; {
		fetches := s.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			line, final, err := told(r)
			if err != nil {
				return fmt.Errorf("%s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			}
			fmt.Fprintln(out, line)
			if final {
				decided++
			}
		}
	}
	return errDone
}

// told is a record in words, and whether it is the decision on an order.
func told(r *kgo.Record) (line string, decision bool, err error) {
	if r.Topic == orders.EmailsTopic {
		e, err := orders.EmailJSON.Decode(r.Value)
		return fmt.Sprintf("      to %s: %s", e.To, e.Text), false, err
	}
	o, err := orders.OrderJSON.Decode(r.Value)
	return fmt.Sprintf("order %s: %d %s: %s", o.ID, o.Quantity, o.Product, o.State), !o.IsCreated(), err
}
