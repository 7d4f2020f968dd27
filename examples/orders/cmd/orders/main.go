// Command orders runs all services of the order system in one process, with an embedded broker, and a shop that makes up orders.
//
//	orders [-data orders-data] [-kafka 127.0.0.1:9092] [-http 127.0.0.1:8080] [-rate 1] [-count 0]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/examples/orders"
	"github.com/mainstemio/mainstem/stream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c config
	flag.StringVar(&c.data, "data", "orders-data", "directory of the broker and the services' state")
	flag.StringVar(&c.kafka, "kafka", "127.0.0.1:9092", "address for Kafka clients")
	flag.StringVar(&c.http, "http", "127.0.0.1:8080", "address of the page that shows the flow")
	flag.Float64Var(&c.rate, "rate", 1, "orders a second, more than 0")
	flag.IntVar(&c.count, "count", 0, "end when so many orders are decided; 0 means until interrupted")
	flag.Parse()
	if err := run(ctx, c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

type config struct {
	data, kafka, http string
	rate              float64
	count             int
}

var services = []func() (*stream.Topology, error){orders.Fraud, orders.Inventory, orders.Details, orders.Aggregator, orders.Emails}

func run(ctx context.Context, c config, out io.Writer) (err error) {
	if c.rate <= 0 || c.count < 0 {
		return errors.New("-rate must be more than 0, -count can't be negative")
	}
	node, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()

	parts, ctx := errgroup.WithContext(ctx)
	for _, service := range services {
		topology, err := service()
		if err != nil {
			return err
		}
		running, err := node.Run(topology)
		if err != nil {
			return err
		}
		parts.Go(func() error {
			select {
			case <-running.Done():
				return running.Err()
			case <-ctx.Done():
				return nil
			}
		})
	}
	s, err := newShop(node.Kafka(), c)
	if err != nil {
		return err
	}
	defer s.client.Close()
	fmt.Fprintf(out, "Flow   http://%s\nKafka  %s\n\n", c.http, node.Kafka())
	parts.Go(func() error { return s.sell(ctx) })
	parts.Go(func() error { return s.watch(ctx, out) })
	if err := parts.Wait(); !errors.Is(err, errDone) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// open starts the node: the broker, and the page that shows what flows through the services.
func open(ctx context.Context, c config) (*mainstem.Node, error) {
	kafka, err := net.Listen("tcp", c.kafka)
	if err != nil {
		return nil, err
	}
	page, err := net.Listen("tcp", c.http)
	if err != nil {
		return nil, errors.Join(err, kafka.Close())
	}
	return mainstem.Open(ctx, c.data, mainstem.WithKafka(kafka), mainstem.WithHTTP(page))
}
