package mainstem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/mainstemio/mainstem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; a working node needs a few milliseconds.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A node under test, with both listeners and a client of each.
type node struct {
	*mainstem.Node
	t     *testing.T
	http  string
	kafka *kgo.Client
}

// open starts a node in dir; the test's end closes it if nobody has.
func open(t *testing.T, dir string, opts ...mainstem.Option) *node {
	t.Helper()
	page := listen(t)
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	all := append([]mainstem.Option{mainstem.WithKafka(listen(t)), mainstem.WithHTTP(page), mainstem.WithLogger(log), mainstem.WithVersion("v9")}, opts...)
	n, err := mainstem.Open(within(t), dir, all...)
	if err != nil {
		t.Fatal(err)
	}
	out := &node{Node: n, t: t, http: "http://" + page.Addr().String()}
	if out.kafka, err = kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.AllowAutoTopicCreation()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.close)
	return out
}

func (n *node) close() {
	n.t.Helper()
	n.kafka.Close()
	if err := n.Close(); err != nil {
		n.t.Error(err)
	}
}

// testLog shows what a node says in a test that fails.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func (n *node) publish(topic string, values ...string) {
	n.t.Helper()
	rs := make([]*kgo.Record, len(values))
	for i, v := range values {
		rs[i] = &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(v)}
	}
	if err := n.kafka.ProduceSync(within(n.t), rs...).FirstErr(); err != nil {
		n.t.Fatal(err)
	}
}

// read returns the first count values of a topic.
func (n *node) read(topic string, count int) []string {
	n.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	out := []string{}
	for len(out) < count {
		f := c.PollFetches(within(n.t))
		if err := f.Err(); err != nil {
			n.t.Fatalf("%v; %d of %d read", err, len(out), count)
		}
		f.EachRecord(func(r *kgo.Record) { out = append(out, string(r.Value)) })
	}
	return out
}

func (n *node) get(path string) (int, string) {
	n.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(n.http + path)
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// await asks again until ok: what the page shows is sampled.
func (n *node) await(path string, ok func(text string) bool) string {
	n.t.Helper()
	ctx := within(n.t)
	for {
		_, text := n.get(path)
		if ok(text) {
			return text
		}
		select {
		case <-ctx.Done():
			n.t.Fatalf("%s stays\n%s", path, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tree is every file below dir with its bytes.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestASecondNodeInTheDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	first.publish("t", "a")
	l := listen(t)
	_, err := mainstem.Open(within(t), dir, mainstem.WithKafka(l))
	if !errors.Is(err, mainstem.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error("the refused node's listener is still open")
	}
	first.publish("t", "b")
	first.close()
	again := open(t, dir)
	if diff := cmp.Diff([]string{"a", "b"}, again.read("t", 2)); diff != "" {
		t.Error(diff)
	}
}

func TestDataThatCannotBeReadStaysAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b []byte)
		want   error
	}{
		"newer format": {func(b []byte) { b[5] = 9 }, mainstem.ErrNewerFormat},
		"damaged":      {func(b []byte) { b[len(b)/2] ^= 1 }, mainstem.ErrUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			n := open(t, dir)
			n.publish("t", "a")
			n.close()
			checkpoints, err := filepath.Glob(filepath.Join(dir, "broker", "checkpoint-*"))
			if err != nil || len(checkpoints) != 2 {
				t.Fatal(checkpoints, err)
			}
			for _, path := range checkpoints {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				c.change(b)
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, dir)
			if _, err := mainstem.Open(within(t), dir); !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(tree(t, dir)))); diff != "" {
				t.Errorf("files changed:\n%s", diff)
			}
			if !maps.Equal(before, tree(t, dir)) {
				t.Error("contents changed")
			}
		})
	}
}

// An address is a listener that listens nowhere.
type address struct {
	net.Listener
	at     net.Addr
	closed bool
}

func (a *address) Addr() net.Addr { return a.at }
func (a *address) Close() error   { a.closed = true; return nil }

func TestAddressesThatOthersCanReachAreRefused(t *testing.T) {
	for _, ip := range []string{"0.0.0.0", "::", "192.168.1.7", "8.8.8.8", "fe80::1"} {
		for name, option := range map[string]func(net.Listener) mainstem.Option{"kafka": mainstem.WithKafka, "http": mainstem.WithHTTP} {
			dir := filepath.Join(t.TempDir(), "data")
			l := &address{at: &net.TCPAddr{IP: net.ParseIP(ip), Port: 9092}}
			_, err := mainstem.Open(within(t), dir, option(l))
			if err == nil || !strings.Contains(err.Error(), ip) || !strings.Contains(err.Error(), "loopback") {
				t.Errorf("%s on %s: %v", name, ip, err)
			}
			if _, err := os.Stat(dir); !l.closed || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s on %s: listener closed %t, directory %v", name, ip, l.closed, err)
			}
		}
	}
}

func TestAClusterThatIsNotThereIsAnError(t *testing.T) {
	for _, url := range []string{"", "localhost:9092", "http://localhost:9092", "kafka://"} {
		if _, err := mainstem.Open(within(t), t.TempDir(), mainstem.WithBroker(url)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", url)) {
			t.Errorf("broker %q: %v", url, err)
		}
	}
	const addr = "127.0.0.1:1" // nobody listens there, nor is it given to anybody who asks for some port
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := mainstem.Open(ctx, t.TempDir(), mainstem.WithBroker("kafka://"+addr)); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v", err)
	}
}

func TestANodeWithoutListenersWorksInsideItsProgram(t *testing.T) {
	n, err := mainstem.Open(within(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if n.Kafka() != "" {
		t.Errorf("Kafka at %q", n.Kafka())
	}
	if err := n.Settle(within(t)); err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if err := n.Settle(within(t)); !errors.Is(err, mainstem.ErrClosed) {
		t.Errorf("Settle behind Close: %v", err)
	}
}
