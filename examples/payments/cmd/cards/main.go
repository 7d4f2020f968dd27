// Command cards is the credit card service: it publishes card payments to CC-PAYMENT with an ordinary Kafka client. It knows
// nothing of who reads them.
//
//	cards [-bootstrap 127.0.0.1:9092] [-rate 2] [-count 0] [-seed 0] [-customers 10]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
	"github.com/mainstemio/mainstem/examples/payments/publish"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cards:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg := publish.Config{Topic: payments.CardTopic, Progress: func(n int64) { fmt.Printf("%d card payments published\n", n) }}
	flag.StringVar(&cfg.Bootstrap, "bootstrap", "127.0.0.1:9092", "broker addresses, separated by commas")
	flag.Float64Var(&cfg.Rate, "rate", 2, "payments a second; 0 means as fast as possible")
	flag.Int64Var(&cfg.Count, "count", 0, "how many to publish; 0 means until interrupted")
	seed := flag.Uint64("seed", 0, "seed of the payments; 0 draws one")
	customers := flag.Int("customers", 10, "number of customers")
	flag.Parse()

	now := time.Now()
	if *seed == 0 {
		*seed = uint64(now.UnixNano())
	}
	step := time.Millisecond
	if cfg.Rate > 0 {
		step = max(step, time.Duration(float64(time.Second)/cfg.Rate))
	}
	source, err := generate.New(generate.Config{Seed: *seed, Customers: *customers, Start: payments.DateOf(now), Step: step})
	if err != nil {
		return err
	}
	_, err = publish.Run(ctx, cfg, func(i int64) (string, []byte, error) {
		e, err := source.CardEvent(nil, i)
		return e.Key, e.Value, err
	})
	return err
}
