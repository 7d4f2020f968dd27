// Command pipeline derives PAYMENT-OUTPUT and PAYMENT-TRX-AGGR from the payment channels, on any Kafka-protocol broker.
//
//	pipeline [-bootstrap 127.0.0.1:9092] [-dir pipeline-state] [-dead-letter]
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

	"github.com/mainstemio/mainstem/examples/payments"
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
	bootstrap := flag.String("bootstrap", "127.0.0.1:9092", "broker addresses, separated by commas")
	dir := flag.String("dir", "pipeline-state", "directory for checkpoints of the state, which shorten a restart")
	deadLetter := flag.Bool("dead-letter", false, "send bad records to <topic>.dead and go on")
	flag.Parse()

	pipeline, err := payments.Pipeline()
	if err != nil {
		return err
	}
	return worker.Run(ctx, pipeline, worker.Config{
		Brokers: strings.Split(*bootstrap, ","), Dir: *dir, DeadLetter: *deadLetter,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}
