// Command worker runs a workload against a Kafka cluster, for bench/streams.sh.
//
//	worker -bootstrap 127.0.0.1:9092 -workload count -dir DIR
//
// It ends at SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mainstemio/mainstem/bench/workloads"
	"github.com/mainstemio/mainstem/worker"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	bootstrap := flag.String("bootstrap", "127.0.0.1:9092", "bootstrap address")
	workload := flag.String("workload", "payments", "payments, filtermap, count, window or join")
	dir := flag.String("dir", "", "state directory")
	app := flag.String("app", "", "application name; default: the workload's")
	flag.Parse()
	topology, err := workloads.Topology(*workload)
	if err != nil {
		return err
	}
	return worker.Run(ctx, topology, worker.Config{Brokers: []string{*bootstrap}, Dir: *dir, App: *app})
}
