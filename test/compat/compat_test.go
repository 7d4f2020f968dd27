// Package compat drives a node with clients that others wrote: kcat, three Python clients, two for Node, Kafka's own Java tools and
// Kafka Streams, and the tests that the Go clients franz-go, Sarama and kafka-go have of themselves.
//
// setup.sh installs what they need; what is missing is skipped with the reason (package need), what takes minutes runs when its
// variable is set. MAINSTEM_COMPAT_BOOTSTRAP runs the same tests against another broker, such as the Apache Kafka that
// kafka/kafka.sh starts: only what passes there counts. README.md has the variables and the results.
//
// Not here: the protocol's corner cases (internal/server/kafka), kills (test/crash).
package compat

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A node is one `mainstem dev` for all tests of the package.
type node struct {
	address string
	cmd     *exec.Cmd
	dir     string
	log     bytes.Buffer // read after the end
	ended   chan struct{}
}

var theNode struct {
	sync.Mutex
	node *node
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if n := theNode.node; n != nil {
		if err := n.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "compat:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// broker returns the address of the broker under test.
func broker(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	if address := os.Getenv("MAINSTEM_COMPAT_BOOTSTRAP"); address != "" {
		return address
	}
	theNode.Lock()
	defer theNode.Unlock()
	if theNode.node == nil && theNode.err == nil {
		theNode.node, theNode.err = startNode()
	}
	if theNode.err != nil {
		t.Fatal(theNode.err)
	}
	return theNode.node.address
}

// startNode builds and starts a node on ports that the system chooses, and reads from its greeting which they are. flags are more
// flags of mainstem dev.
func startNode(flags ...string) (*node, error) {
	dir, err := os.MkdirTemp("", "mainstem-compat-*")
	if err != nil {
		return nil, err
	}
	n := &node{dir: dir, ended: make(chan struct{})}
	bin := filepath.Join(dir, "mainstem")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin, "github.com/mainstemio/mainstem/cmd/mainstem").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	args := []string{"dev", "--data", filepath.Join(dir, "data"), "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0"}
	n.cmd = exec.Command(bin, append(args, flags...)...)
	n.cmd.Stderr = &n.log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 2 && f[0] == "Kafka" {
			n.address = f[1]
			go func() {
				defer close(n.ended)
				_, _ = io.Copy(io.Discard, out) // until the node ends
			}()
			return n, nil
		}
	}
	return nil, fmt.Errorf("mainstem dev did not start: %w\n%s", n.cmd.Wait(), n.log.String())
}

func (n *node) stop() error {
	defer os.RemoveAll(n.dir)
	if err := n.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("the node has ended by itself: %w", err)
	}
	patience := time.AfterFunc(2*time.Minute, func() { _ = n.cmd.Process.Kill() })
	defer patience.Stop()
	<-n.ended
	if err := n.cmd.Wait(); err != nil {
		return fmt.Errorf("mainstem dev: %w\n%s", err, n.log.String())
	}
	return nil
}

// A run is one call of a foreign program.
type run struct {
	limit time.Duration
	stdin string
	path  string
	args  []string
}

// output returns what the program writes to standard output; anything but exit code 0 within the limit fails the test.
func output(t *testing.T, r run) string {
	t.Helper()
	if r.limit == 0 {
		r.limit = 5 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), r.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.path, r.args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(r.stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(r.path), strings.Join(r.args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// unique is a prefix for the names of topics and groups of one test, also when the broker is used again.
func unique(t *testing.T) string {
	return strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())) + fmt.Sprintf("-%d", time.Now().UnixMilli())
}
