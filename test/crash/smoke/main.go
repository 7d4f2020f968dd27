// Command smoke runs a topology whose outputs the tests of package crash recompute, while they kill it: in a node of its own or as a
// worker on a cluster.
//
//	smoke -bootstrap ADDRESS -dir DIR        a worker on a cluster, with its checkpoints in DIR
//	smoke -bootstrap ADDRESS -dir DIR -shared one of several workers that share the topology
//	smoke -listen ADDRESS -dir DIR           a node with its data in DIR, that serves Kafka clients at ADDRESS
//	smoke -transfers consistent|hasty ...    the topology of bank transfers, with or without stream.Consistent
//
// It exits with 3 if another process runs the application now, and with 1 after any other error.
//
// Callers: the tests. It calls package worker or opens a node, as a user's program does, and owns nothing beyond that. What it writes
// is described in topology.go and transfers.go. The recomputation is not here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/worker"
)

// session is the shortest that brokers allow: the tests need not wait long until others take over.
const session = 6 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "smoke:", err)
	if errors.Is(err, worker.ErrFenced) {
		os.Exit(3)
	}
	os.Exit(1)
}

func run(ctx context.Context) error {
	bootstrap := flag.String("bootstrap", "", "address of a cluster's broker")
	listen := flag.String("listen", "", "address at which the node serves Kafka clients")
	dir := flag.String("dir", "smoke", "directory of the node's data, or of the worker's checkpoints")
	shared := flag.Bool("shared", false, "share the topology with other workers")
	epoch := flag.Duration("epoch", 0, "least time between two commits of a worker; 0: the default")
	bank := flag.String("transfers", "", "consistent or hasty: how bank transfers are added up, in place of the topology with every kind of step")
	flag.Parse()
	t, err := chosen(*bank)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if *listen != "" {
		return node(ctx, t, *dir, *listen, logger)
	}
	return worker.Run(ctx, t, worker.Config{
		Brokers: []string{*bootstrap}, Dir: *dir, Logger: logger, Shared: *shared, Session: session, EpochInterval: *epoch,
	})
}

func chosen(bank string) (*stream.Topology, error) {
	switch bank {
	case "":
		return topology()
	case "consistent":
		return transfers(stream.Consistent())
	case "hasty":
		return transfers()
	}
	return nil, fmt.Errorf("-transfers is %q, neither consistent nor hasty", bank)
}

// node runs the topology inside a node until ctx ends or one of the two fails.
func node(ctx context.Context, t *stream.Topology, dir, listen string, logger *slog.Logger) (err error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	n, err := mainstem.Open(ctx, dir, mainstem.WithKafka(l), mainstem.WithLogger(logger))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	p, err := n.Run(t)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-n.Done():
		return n.Err()
	case <-p.Done():
		return p.Err()
	}
}
