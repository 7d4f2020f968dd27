//go:build suites

package compat

import (
	"path/filepath"
	"testing"
	"time"
)

// suite runs a script against a node of its own, which says that it is where the suite looks for it.
func suite(t *testing.T, script, advertise string, flags ...string) {
	t.Helper()
	path, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	n, err := startNode(append(flags, "--advertise", advertise)...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	}()
	t.Log(output(t, run{path: path, args: []string{n.address}, limit: 20 * time.Minute}))
}

// TestSaramaSuite runs Sarama's functional tests. Some fail on every single node: README.md tells which.
func TestSaramaSuite(t *testing.T) {
	suite(t, "sarama-suite.sh", "127.0.0.1:29091")
}

// TestKafkaGoSuite runs the tests of segmentio/kafka-go. It needs port 9092, and ACLs that are enforced.
func TestKafkaGoSuite(t *testing.T) {
	suite(t, "kafka-go-suite.sh", "localhost:9092", "--super-user", "User:ANONYMOUS", "--allow-if-no-acl")
}
