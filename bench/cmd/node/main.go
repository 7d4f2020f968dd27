// Command node is what bench/payments.sh, bench/streams.sh and bench/state.sh measure: a node with a pipeline in one process.
//
//	node -data DIR -kafka 127.0.0.1:PORT [-workload payments] [-state-bytes N]
//
// It prints "ready" when clients can connect, starts the pipeline when it reads the line "go" (the load tool makes the topics
// before), prints "running" then, and ends with its standard input or at SIGTERM.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/bench/workloads"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	data := flag.String("data", "", "data directory")
	kafka := flag.String("kafka", "127.0.0.1:9092", "address for Kafka clients")
	workload := flag.String("workload", "payments", "payments, filtermap, count, window or join")
	stateBytes := flag.Int64("state-bytes", 0, "memory of the tables; 0: the node's default")
	profile := flag.String("cpuprofile", "", "write a CPU profile of the time from \"go\" to the end")
	flag.Parse()
	if *data == "" {
		return errors.New("-data is missing")
	}
	listener, err := net.Listen("tcp", *kafka)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := mainstem.Open(ctx, *data, mainstem.WithKafka(listener), mainstem.WithLogger(log), mainstem.WithStateBytes(*stateBytes))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	fmt.Println("ready", n.Kafka())

	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for {
		select {
		case line, open := <-lines:
			if !open || line != "go" {
				return nil
			}
			stopProfile, err := startProfile(*profile)
			if err != nil {
				return err
			}
			defer stopProfile()
			return pipeline(ctx, n, *workload, lines)
		case <-n.Done():
			return n.Err()
		case <-ctx.Done():
			return nil
		}
	}
}

// pipeline runs until the input ends.
func pipeline(ctx context.Context, n *mainstem.Node, workload string, lines <-chan string) error {
	topology, err := workloads.Topology(workload)
	if err != nil {
		return err
	}
	p, err := n.Run(topology)
	if err != nil {
		return err
	}
	fmt.Println("running")
	select {
	case <-lines:
		return nil
	case <-ctx.Done():
		return nil
	case <-p.Done():
		return fmt.Errorf("pipeline: %w", p.Err())
	case <-n.Done():
		return n.Err()
	}
}

func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	var out io.WriteCloser
	if out, err = os.Create(path); err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		if err := out.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "node: profile:", err)
		}
	}, nil
}
