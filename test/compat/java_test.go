package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/need"
)

// TestJavaTools uses Kafka's own command line tools, which stand for the Java client.
func TestJavaTools(t *testing.T) {
	java := need.Program(t, "java")
	if _, err := os.Stat(filepath.Join("kafka", "lib", ".complete")); err != nil {
		need.Missing(t, "no Kafka artifacts: run test/compat/kafka/kafka.sh fetch")
	}
	address, topic := broker(t), unique(t)
	group := topic + "-group"
	tool := func(t *testing.T, stdin, class string, args ...string) string {
		t.Helper()
		return output(t, run{path: java, stdin: stdin, args: append([]string{
			"-Dlog4j2.level=ERROR", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join("kafka", "lib", "*"),
			"org.apache.kafka.tools." + class, "--bootstrap-server", address,
		}, args...)})
	}
	var in strings.Builder
	for i := range 300 {
		fmt.Fprintf(&in, "k%d\tvalue %d\n", i, i)
	}
	// Each step stands on the ones before it.
	steps := []struct {
		name string
		do   func(t *testing.T)
	}{
		{"create", func(t *testing.T) {
			tool(t, "", "TopicCommand", "--create", "--topic", topic, "--partitions", "3", "--config", "retention.ms=3600000")
		}},
		{"describe", func(t *testing.T) {
			got := tool(t, "", "TopicCommand", "--describe", "--topic", topic)
			contains(t, got, "PartitionCount: 3", "retention.ms=3600000")
		}},
		{"produce", func(t *testing.T) {
			tool(t, in.String(), "ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true", "--compression-codec", "zstd")
		}},
		{"consume", func(t *testing.T) {
			got := tool(t, "", "consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--max-messages", "300", "--timeout-ms", "120000")
			records(t, got, 300)
		}},
		{"consume in a group", func(t *testing.T) {
			got := tool(t, "", "consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--max-messages", "300", "--timeout-ms", "120000", "--group", group)
			records(t, got, 300)
		}},
		{"consume in a group of the consumer protocol", func(t *testing.T) {
			got := tool(t, "", "consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--max-messages", "300", "--timeout-ms", "120000",
				"--group", group+"-848", "--command-property", "group.protocol=consumer")
			records(t, got, 300)
		}},
		{"verify a group of the consumer protocol", func(t *testing.T) {
			got := tool(t, "", "VerifiableConsumer", "--topic", topic, "--group-id", group+"-848v", "--group-protocol", "consumer",
				"--reset-policy", "earliest", "--max-messages", "300")
			contains(t, got, `"name":"partitions_assigned"`, `"success":true`, `"name":"partitions_revoked"`, `"name":"shutdown_complete"`)
		}},
		{"groups by type", func(t *testing.T) {
			contains(t, tool(t, "", "consumer.group.ConsumerGroupCommand", "--list", "--type", "consumer"), group+"-848", group+"-848v")
		}},
		{"describe the group", func(t *testing.T) {
			contains(t, tool(t, "", "consumer.group.ConsumerGroupCommand", "--describe", "--group", group), group, topic)
		}},
		{"offsets", func(t *testing.T) {
			contains(t, tool(t, "", "GetOffsetShell", "--topic", topic), topic+":0:", topic+":1:", topic+":2:")
		}},
		{"delete", func(t *testing.T) {
			tool(t, "", "TopicCommand", "--delete", "--topic", topic)
			if got := tool(t, "", "TopicCommand", "--list"); strings.Contains(got, topic) {
				t.Errorf("still there:\n%s", got)
			}
		}},
	}
	for _, s := range steps {
		t.Run(s.name, s.do)
	}
}

func contains(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("no %q in:\n%s", w, got)
		}
	}
}

func records(t *testing.T, got string, want int) {
	t.Helper()
	if n := strings.Count(got, "value "); n != want {
		t.Errorf("%d of %d records", n, want)
	}
}
