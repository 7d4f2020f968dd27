// Command pipeline watches card-payments and fraud-reports on any Kafka-protocol broker and writes fraud-alerts and daily-totals.
//
//	pipeline [-bootstrap 127.0.0.1:9092] [-dir fraud-state] [-amount 1000] [-burst 1500] [-spree 4000] [-reports 3]
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mainstemio/mainstem/examples/fraud"
	"github.com/mainstemio/mainstem/worker"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	rules := fraud.Usual()
	bootstrap := flag.String("bootstrap", "127.0.0.1:9092", "broker addresses, separated by commas")
	dir := flag.String("dir", "fraud-state", "directory for checkpoints of the state, which shorten a restart")
	flag.TextVar(&rules.Amount, "amount", rules.Amount, "limit of one payment")
	flag.TextVar(&rules.Burst, "burst", rules.Burst, "limit of a card's payments within five minutes")
	flag.TextVar(&rules.Spree, "spree", rules.Spree, "limit of a card's payments without an hour's rest")
	flag.Int64Var(&rules.Reports, "reports", rules.Reports, "frauds reported at a terminal that make it suspected")
	flag.Parse()

	pipeline, err := fraud.Pipeline(rules)
	if err != nil {
		return err
	}
	return worker.Run(ctx, pipeline, worker.Config{
		Brokers: strings.Split(*bootstrap, ","), Dir: *dir, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}
