package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A cluster is a node elsewhere, reached over the Kafka protocol only.
type cluster struct {
	t      *testing.T
	dir    string
	addr   string
	node   *mainstem.Node
	client *kgo.Client
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	c.up()
	t.Cleanup(func() {
		c.client.Close()
		c.down()
	})
	var err error
	if c.client, err = kgo.NewClient(kgo.SeedBrokers(c.addr), kgo.AllowAutoTopicCreation()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) up() {
	c.t.Helper()
	l, err := need.Listen(c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.addr = l.Addr().String()
	if c.node, err = mainstem.Open(within(c.t), c.dir, mainstem.WithKafka(l)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) down() {
	c.t.Helper()
	if err := c.node.Close(); err != nil {
		c.t.Error(err)
	}
}

func (c *cluster) publish(values ...string) {
	c.t.Helper()
	var rs []*kgo.Record
	for _, v := range values {
		rs = append(rs, &kgo.Record{Topic: "in", Key: []byte(v), Value: []byte(v)})
	}
	if err := c.client.ProduceSync(within(c.t), rs...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the first n committed records of a topic as "key=value".
func (c *cluster) read(topic string, n int) []string {
	c.t.Helper()
	r, err := kgo.NewClient(kgo.SeedBrokers(c.addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Close()
	out := []string{}
	for len(out) < n {
		f := r.PollFetches(within(c.t))
		if err := f.Err(); err != nil {
			c.t.Fatalf("%s: %v; %d of %d read", topic, err, len(out), n)
		}
		f.EachRecord(func(r *kgo.Record) { out = append(out, fmt.Sprintf("%s=%s", r.Key, r.Value)) })
	}
	return out
}

// counting counts the values; "bad" can't be processed.
func counting(t *testing.T) *stream.Topology {
	t.Helper()
	b := stream.New("counting")
	in := stream.From(b, "in", serde.String, serde.String)
	checked := stream.MapValues(in, func(v string) string {
		if v == "bad" {
			panic("can't")
		}
		return v
	})
	counts := stream.Count(stream.GroupByKey(checked), stream.Named("counts"))
	stream.MapTable(counts, func(n int64) string { return fmt.Sprint(n) }).Updates().To("counted", serde.String, serde.String)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

// A life is a worker at work.
type life struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
	log    *log
}

func start(t *testing.T, c worker.Config) *life {
	t.Helper()
	return startOf(t, counting(t), c)
}

func startOf(t *testing.T, topology *stream.Topology, c worker.Config) *life {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{t: t, cancel: cancel, ended: make(chan error, 1), log: &log{more: make(chan struct{}, 1)}}
	c.Logger = slog.New(slog.NewTextHandler(l.log, nil))
	c.EpochInterval = time.Millisecond
	go func() { l.ended <- worker.Run(ctx, topology, c) }()
	t.Cleanup(cancel)
	return l
}

func (l *life) wait() error {
	l.t.Helper()
	select {
	case err := <-l.ended:
		return err
	case <-time.After(patience):
		l.t.Fatalf("still running after %s:\n%s", patience, l.log.text())
		return nil
	}
}

func (l *life) stop() {
	l.t.Helper()
	l.cancel()
	if err := l.wait(); err != nil {
		l.t.Errorf("stopped with %v", err)
	}
}

// awaitLog waits until the worker has said something.
func (l *life) awaitLog(what string) {
	l.t.Helper()
	late := time.After(patience)
	for !strings.Contains(l.log.text(), what) {
		select {
		case <-l.log.more:
		case <-late:
			l.t.Fatalf("no %q in\n%s", what, l.log.text())
		}
	}
}

type log struct {
	more chan struct{} // capacity 1: something was written since the last look
	mu   sync.Mutex
	b    strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.b.Write(b)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAWorkerGoesOnWhereItStopped(t *testing.T) {
	c := newCluster(t)
	dir := filepath.Join(t.TempDir(), "state")
	want := []string{}
	for i := range 3 {
		c.publish("a", "a", "b") // while no worker is there
		l := start(t, worker.Config{Brokers: []string{c.addr}, Dir: dir})
		want = append(want, fmt.Sprintf("a=%d", 3*i+1), fmt.Sprintf("a=%d", 3*i+2), fmt.Sprintf("b=%d", 2*i+1))
		c.read("counted", len(want))
		c.publish("a", "b")
		want = append(want, fmt.Sprintf("a=%d", 3*i+3), fmt.Sprintf("b=%d", 2*i+2))
		equal(t, "counted", want, c.read("counted", len(want)))
		l.stop()
		if i > 0 && strings.Contains(l.log.text(), "state-restored") {
			t.Errorf("replayed in spite of the checkpoint:\n%s", l.log.text())
		}
	}
	l := start(t, worker.Config{Brokers: []string{c.addr}}) // without the checkpoint: from the changelog alone
	c.publish("a")
	equal(t, "counted", append(want, "a=10"), c.read("counted", len(want)+1))
	l.stop()
	if !strings.Contains(l.log.text(), "state-restored") {
		t.Error("nothing was replayed without a checkpoint")
	}
}

func TestAnApplicationsNameIsItsOwn(t *testing.T) {
	c := newCluster(t)
	c.publish("a")
	for range 2 { // each counts for itself
		l := start(t, worker.Config{Brokers: []string{c.addr}, App: fmt.Sprintf("app-%p", t)})
		c.read("counted", 1)
		l.stop()
	}
	l := start(t, worker.Config{Brokers: []string{c.addr}, App: "other"})
	equal(t, "counted", []string{"a=1", "a=1"}, c.read("counted", 2))
	l.stop()
}

func TestABrokerMayBeAway(t *testing.T) {
	c := newCluster(t)
	c.down() // before the worker has ever seen it
	l := start(t, worker.Config{Brokers: []string{c.addr}, Dir: t.TempDir()})
	l.awaitLog("connection is tried again")
	c.up()
	c.publish("a")
	c.read("counted", 1)
	c.down()
	c.up()
	c.publish("a")
	equal(t, "counted", []string{"a=1", "a=2"}, c.read("counted", 2))
	l.stop()
}

func TestASecondWorkerTakesOver(t *testing.T) {
	c := newCluster(t)
	first := start(t, worker.Config{Brokers: []string{c.addr}})
	c.publish("a")
	c.read("counted", 1)
	second := start(t, worker.Config{Brokers: []string{c.addr}})
	for n := 2; ; n++ { // until the second has come so far
		c.publish("a")
		equal(t, "newest", fmt.Sprintf("a=%d", n), c.read("counted", n)[n-1])
		if strings.Contains(second.log.text(), "engine-running") {
			break
		}
	}
	c.publish("a")
	if err := first.wait(); !errors.Is(err, worker.ErrFenced) {
		t.Errorf("the first ended with %v", err)
	}
	second.stop()
}

func TestABadRecordEndsTheWorker(t *testing.T) {
	c := newCluster(t)
	c.publish("a", "bad", "a")
	err := start(t, worker.Config{Brokers: []string{c.addr}}).wait()
	if err == nil || !strings.Contains(err.Error(), "bad record in/0 at offset 1") {
		t.Fatalf("ended with %v", err)
	}
	equal(t, "counted", []string{"a=1"}, c.read("counted", 1))
	l := start(t, worker.Config{Brokers: []string{c.addr}, DeadLetter: true})
	equal(t, "counted", []string{"a=1", "a=2"}, c.read("counted", 2))
	equal(t, "dead letters", []string{"bad=bad"}, c.read("in.dead", 1))
	l.stop()
}

func TestMistakesAreNamed(t *testing.T) {
	if err := worker.Run(t.Context(), counting(t), worker.Config{}); err == nil || !strings.Contains(err.Error(), "address of a broker") {
		t.Errorf("without brokers: %v", err)
	}
	c := newCluster(t)
	dir := t.TempDir()
	first := start(t, worker.Config{Brokers: []string{c.addr}, Dir: dir})
	c.publish("a")
	c.read("counted", 1)
	if err := worker.Run(within(t), counting(t), worker.Config{Brokers: []string{c.addr}, Dir: dir, App: "other"}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory in use: %v", err)
	}
	if err := worker.Run(within(t), nil, worker.Config{Brokers: []string{c.addr}}); err == nil || !strings.Contains(err.Error(), "topology") {
		t.Errorf("without a topology: %v", err)
	}
	first.stop()
}

// A program that runs a worker carries neither the broker nor anything of the node's surfaces.
func TestAWorkerLinksNoBroker(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, p := range strings.Fields(string(out)) {
		for _, forbidden := range []string{"mainstem/internal/broker", "mainstem/internal/server", "mainstem/internal/connector", "modernc.org/sqlite", "database/sql", "net/http/pprof"} {
			if strings.Contains(p, forbidden) {
				t.Errorf("links %s", p)
			}
		}
	}
}
