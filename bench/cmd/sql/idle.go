package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem"
)

// idleStreams is how many streams the queries of the step idle read, in turn.
const idleStreams = 10

// rest is how long an idle node is watched.
const rest = 10 * time.Second

// An idleRun is the step idle: many queries on one node, of which nobody wants anything.
type idleRun struct {
	options
	dir     string
	node    *mainstem.Node
	http    string   // address of the API
	queries []string // ids
	figures map[string]any
	before  usage // with the streams and without queries
}

// idle measures what queries cost that have nothing to do: half of them keep a table, half none.
func idle(ctx context.Context, o options) (err error) {
	r := &idleRun{options: o, dir: filepath.Join(o.data, "idle"), figures: map[string]any{"cmd": "idle", "n": o.queries, "push": o.push}}
	if err := os.RemoveAll(r.dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close(), os.RemoveAll(r.dir)) }()
	for _, step := range []func(context.Context) error{r.create, r.resting("fresh"), r.feed, r.resting("used"), r.taps, r.httpTaps, r.restart} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(r.figures)
}

func (r *idleRun) open(ctx context.Context) error {
	kafka, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	page, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, kafka.Close())
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r.http = page.Addr().String()
	r.node, err = mainstem.Open(ctx, r.dir, mainstem.WithKafka(kafka), mainstem.WithHTTP(page), mainstem.WithLogger(log))
	return err
}

func (r *idleRun) close() error {
	if r.node == nil {
		return nil
	}
	n := r.node
	r.node = nil
	return n.Close()
}

// create makes the streams and the queries, one statement after the other.
func (r *idleRun) create(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	for i := range idleStreams {
		text := fmt.Sprintf("CREATE STREAM s%d (id BIGINT, customer VARCHAR, amount BIGINT) WITH (kafka_topic='s%d', value_format='JSON', partitions=1);", i, i)
		if _, err := r.node.SQL(ctx, text, nil); err != nil {
			return err
		}
	}
	r.before = used()
	stop, err := startProfile(r.options.named("create.cpu"))
	if err != nil {
		return err
	}
	began := time.Now()
	took := make([]time.Duration, r.options.queries)
	for i := range took {
		text := fmt.Sprintf("CREATE STREAM o%d AS SELECT id, amount FROM s%d WHERE amount > %d EMIT CHANGES;", i, i%idleStreams, i)
		if i%2 == 1 {
			text = fmt.Sprintf("CREATE TABLE o%d AS SELECT customer, COUNT(*) AS n, SUM(amount) AS amount FROM s%d GROUP BY customer EMIT CHANGES;", i, i%idleStreams)
		}
		start := time.Now()
		done, err := r.node.SQL(ctx, text, map[string]string{"auto.offset.reset": "earliest"})
		if err != nil {
			return err
		}
		took[i] = time.Since(start)
		r.queries = append(r.queries, done[0].Query)
	}
	stop()
	tenth := max(len(took)/10, 1)
	r.figures["create_s"] = time.Since(began).Seconds()
	r.figures["create_first_ms"], r.figures["create_last_ms"] = mean(took[:tenth]), mean(took[len(took)-tenth:])
	if err := r.running(ctx); err != nil {
		return err
	}
	r.figures["running_s"] = time.Since(began).Seconds()
	return nil
}

func mean(all []time.Duration) float64 {
	sum := time.Duration(0)
	for _, d := range all {
		sum += d
	}
	return float64(sum.Microseconds()) / 1000 / float64(max(len(all), 1))
}

// running waits until all queries do.
func (r *idleRun) running(ctx context.Context) error {
	for _, id := range r.queries {
		for {
			p, err := r.node.Pipeline("_mainstem_sql_query_" + id)
			if err != nil {
				return err
			}
			if err := p.Err(); err != nil {
				return err
			}
			if p.Status().State.String() == "running" {
				break
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil
}

// fedRecords is how many records each stream gets: of a hundred customers, as fast as a producer writes them.
const fedRecords = 2000

// feed gives every stream its records, waits until all queries have taken them, and then until the node has given back what that took.
func (r *idleRun) feed(ctx context.Context) error {
	began := time.Now()
	records, _, err := fill(ctx, r.node, func(emit func(*kgo.Record) error) error {
		for i := range idleStreams * fedRecords {
			value := fmt.Appendf(nil, `{"id":%d,"customer":"customer %d","amount":%d}`, i, i/idleStreams%100, i/10)
			if err := emit(&kgo.Record{Topic: fmt.Sprint("s", i%idleStreams), Value: value}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.node.Settle(ctx); err != nil {
		return err
	}
	r.figures["fed_records_s"] = float64(records) * float64(len(r.queries)) / idleStreams / time.Since(began).Seconds()
	time.Sleep(4 * rest)
	return nil
}

// resting measures the node while nothing happens.
func (r *idleRun) resting(name string) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(time.Second)
		now, n := used(), float64(max(len(r.queries), 1))
		r.figures[name+"_rss_kb"] = float64(now.resident-r.before.resident) / n / 1e3
		r.figures[name+"_heap_kb"] = float64(now.heap-r.before.heap) / n / 1e3
		r.figures[name+"_stack_kb"] = float64(now.stacks-r.before.stacks) / n / 1e3
		r.figures[name+"_goroutines"] = float64(now.goroutines-r.before.goroutines) / n
		if err := r.heapProfile(name); err != nil {
			return err
		}
		cpu := cpuSeconds()
		stop, err := startProfile(r.options.named(name + ".cpu"))
		if err != nil {
			return err
		}
		time.Sleep(rest)
		stop()
		r.figures[name+"_cpu_percent"] = 100 * (cpuSeconds() - cpu) / rest.Seconds()
		return nil
	}
}

// restart closes the node, and has a process of its own open it again.
func (r *idleRun) restart(ctx context.Context) error {
	began := time.Now()
	if err := r.close(); err != nil {
		return err
	}
	r.figures["close_s"] = time.Since(began).Seconds()
	c := exec.CommandContext(ctx, os.Args[0], "-data", r.data, "-queries", strconv.Itoa(r.options.queries), "-cpuprofile", r.options.profile, "idle-again")
	c.Stderr = os.Stderr
	answer, err := c.Output()
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	return json.Unmarshal(answer, &r.figures) // adds to them
}

// idleAgain opens the node of the step idle.
func idleAgain(ctx context.Context, o options) (err error) {
	r := &idleRun{options: o, dir: filepath.Join(o.data, "idle"), figures: map[string]any{}}
	if r.before, err = empty(ctx, o); err != nil {
		return err
	}
	began := time.Now()
	stop, err := startProfile(o.named("restart.cpu"))
	if err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	r.figures["open_s"] = time.Since(began).Seconds()
	for i := range o.queries {
		r.queries = append(r.queries, fmt.Sprintf("C%cAS_O%d_%d", "ST"[i%2], i, i))
	}
	if err := r.running(ctx); err != nil {
		return err
	}
	stop()
	r.figures["restart_s"] = time.Since(began).Seconds()
	if err := r.resting("restarted")(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r.figures)
}

// empty is what a node without anything takes.
func empty(ctx context.Context, o options) (u usage, err error) {
	r := &idleRun{options: o, dir: filepath.Join(o.data, "empty")}
	if err := r.open(ctx); err != nil {
		return u, err
	}
	u = used()
	return u, errors.Join(r.close(), os.RemoveAll(r.dir))
}

func (o options) named(name string) string {
	if o.profile == "" {
		return ""
	}
	return o.profile + "." + name
}

func (r *idleRun) heapProfile(name string) error {
	for _, kind := range []string{"heap", "goroutine"} {
		path := r.options.named(name + "." + kind)
		if path == "" {
			return nil
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if err := errors.Join(pprof.Lookup(kind).WriteTo(f, 0), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// usage is what the process holds.
type usage struct {
	resident, heap, stacks int64 // bytes
	goroutines             int
}

func used() usage {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{resident: resident(), heap: int64(m.HeapAlloc), stacks: int64(m.StackInuse), goroutines: runtime.NumGoroutine()}
}

// resident is what the kernel counts as resident, 0 where it does not say.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}
