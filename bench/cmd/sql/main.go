// Command sql measures SQL for bench/sql.sh: it fills the topics of a node of its own, then runs a query from the first record on, exactly
// once, and prints what that cost as a line of JSON.
//
//	sql -n 1000000 -data DIR [-cpuprofile FILE] WORKLOAD...
//
// A workload is a query of test/nexmark (q0, q1, …), filterproject, payments-sql or payments-go.
//
//	sql -queries 1000 -push 2000 -data DIR [-cpuprofile PREFIX] idle
//
// measures what many queries on one node cost while they have nothing to do: memory, CPU, the time to make them and to start with them.
//
// What it counts are the CPU seconds of this process, user and system, between the start of a query and the moment at which the positions
// of all its steps have reached the ends of their topics: nothing else runs in it then.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/mainstemio/mainstem"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "sql:", err)
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	n          int64
	partitions int
	data       string
	profile    string
	queries    int // of the step idle
	push       int
}

func run(ctx context.Context) error {
	var o options
	flag.Int64Var(&o.n, "n", 1_000_000, "records")
	flag.IntVar(&o.partitions, "p", 1, "partitions")
	flag.StringVar(&o.data, "data", "", "folder for the nodes' data")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of the last query")
	flag.IntVar(&o.queries, "queries", 1000, "persistent queries of the step idle")
	flag.IntVar(&o.push, "push", 2000, "push queries of the step idle")
	flag.Parse()
	if o.data == "" || flag.NArg() == 0 {
		return errors.New("-data and a workload are needed")
	}
	for _, name := range flag.Args() {
		if step := map[string]func(context.Context, options) error{"idle": idle, "idle-again": idleAgain}[name]; step != nil {
			if err := step(ctx, o); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		w, err := workloadOf(name, o)
		if err != nil {
			return err
		}
		if err := measure(ctx, w, o); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// measure runs a workload on a new node.
func measure(ctx context.Context, w workload, o options) (err error) {
	dir := filepath.Join(o.data, w.name)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := mainstem.Open(ctx, dir, mainstem.WithKafka(listener), mainstem.WithLogger(log))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if err := w.prepare(ctx, n); err != nil {
		return err
	}
	records, size, err := fill(ctx, n, w.input)
	if err != nil {
		return err
	}
	stop, err := startProfile(o.profile)
	if err != nil {
		return err
	}
	began, cpu := time.Now(), cpuSeconds()
	if err := w.start(ctx, n); err != nil {
		return err
	}
	if err := n.Settle(ctx); err != nil {
		return err
	}
	seconds, used := time.Since(began).Seconds(), cpuSeconds()-cpu
	stop()
	million := float64(records) / 1e6
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"cmd": "query", "tag": w.name, "n": records, "bytes_per_rec": float64(size) / float64(records), "parts": o.partitions,
		"wall_s": seconds, "rec_s": float64(records) / seconds, "cpu_s_per_m": used / million, "rec_s_core": float64(records) / used,
	})
}

// cpuSeconds are user and system time of this process.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it fails for unknown kinds of usage only
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		if err := writeFile(path, &profile); err != nil {
			fmt.Fprintln(os.Stderr, "sql: profile:", err)
		}
	}, nil
}

func writeFile(path string, from io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}
