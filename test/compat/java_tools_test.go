//go:build suites

package compat

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/need"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A javaKit runs Kafka's own programs against the broker under test.
type javaKit struct {
	java, address string
}

// newJavaKit needs Java and the artifacts of Apache Kafka.
func newJavaKit(t *testing.T) javaKit {
	java := need.Program(t, "java")
	if _, err := os.Stat(filepath.Join("kafka", "lib", ".complete")); err != nil {
		need.Missing(t, "no Kafka artifacts: run test/compat/kafka/kafka.sh fetch")
	}
	return javaKit{java, broker(t)}
}

// program runs a class with its arguments as they are.
func (k javaKit) program(t *testing.T, class string, args ...string) string {
	t.Helper()
	return output(t, run{path: k.java, limit: 3 * time.Minute, args: append([]string{
		"-Dlog4j2.level=ERROR", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join("kafka", "lib", "*"), class,
	}, args...)})
}

// tool runs a tool of package org.apache.kafka.tools.
func (k javaKit) tool(t *testing.T, class string, args ...string) string {
	t.Helper()
	return k.program(t, "org.apache.kafka.tools."+class, append([]string{"--bootstrap-server", k.address}, args...)...)
}

// config runs kafka-configs.
func (k javaKit) config(t *testing.T, args ...string) string {
	t.Helper()
	return k.program(t, "kafka.admin.ConfigCommand", append([]string{"--bootstrap-server", k.address}, args...)...)
}

// client is a Go client for what the tools cannot do.
func (k javaKit) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.address)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func (k javaKit) produce(t *testing.T, topic string, n int) {
	t.Helper()
	cl := k.client(t, kgo.DefaultProduceTopic(topic))
	first := time.Now().Add(-time.Minute)
	for i := range n {
		r := &kgo.Record{Key: []byte(strconv.Itoa(i)), Value: []byte("value " + strconv.Itoa(i)), Timestamp: first.Add(time.Duration(i) * time.Millisecond)}
		cl.Produce(t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestJavaTopicTools(t *testing.T) {
	k, topic := newJavaKit(t), unique(t)
	k.tool(t, "TopicCommand", "--create", "--topic", topic, "--partitions", "2")
	k.produce(t, topic, 100)
	t.Run("partitions", func(t *testing.T) {
		k.tool(t, "TopicCommand", "--alter", "--topic", topic, "--partitions", "3")
		contains(t, k.tool(t, "TopicCommand", "--describe", "--topic", topic), "PartitionCount: 3")
	})
	t.Run("configs", func(t *testing.T) {
		k.config(t, "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "retention.ms=100000,cleanup.policy=[compact,delete]")
		contains(t, k.config(t, "--describe", "--entity-type", "topics", "--entity-name", topic), "retention.ms=100000", "cleanup.policy=compact,delete")
		k.config(t, "--alter", "--entity-type", "topics", "--entity-name", topic, "--delete-config", "retention.ms,cleanup.policy")
		if got := k.config(t, "--describe", "--entity-type", "topics", "--entity-name", topic); strings.Contains(got, "retention.ms=100000") {
			t.Errorf("still set:\n%s", got)
		}
		contains(t, k.config(t, "--describe", "--entity-type", "topics", "--entity-name", topic, "--all"), "segment.bytes=1073741824", "DEFAULT_CONFIG")
		contains(t, k.config(t, "--describe", "--entity-type", "brokers", "--entity-name", "1", "--all"), "num.partitions=", "message.max.bytes=")
	})
	t.Run("offsets", func(t *testing.T) {
		for _, x := range []struct {
			time string
			want []string
		}{
			{"-1", []string{topic + ":2:0"}},
			{"-2", []string{topic + ":0:0", topic + ":1:0"}},
			{"-3", []string{topic + ":0:"}},
			{"-4", []string{topic + ":0:0"}},
			{strconv.FormatInt(time.Now().Add(-time.Hour).UnixMilli(), 10), []string{topic + ":0:0", topic + ":1:0"}},
		} {
			contains(t, k.tool(t, "GetOffsetShell", "--topic", topic, "--time", x.time), x.want...)
		}
	})
	t.Run("delete records", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "offsets.json")
		text := fmt.Sprintf(`{"partitions":[{"topic":%q,"partition":0,"offset":3}],"version":1}`, topic)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		contains(t, k.tool(t, "DeleteRecordsCommand", "--offset-json-file", file), "low_watermark: 3")
		contains(t, k.tool(t, "GetOffsetShell", "--topic", topic, "--time", "-2"), topic+":0:3")
	})
	t.Run("log dirs", func(t *testing.T) {
		contains(t, k.tool(t, "LogDirsCommand", "--describe", "--topic-list", topic), `"partition":"`+topic+`-2"`)
	})
	t.Run("leaders", func(t *testing.T) {
		contains(t, k.tool(t, "LeaderElectionCommand", "--election-type", "preferred", "--topic", topic, "--partition", "0"), "Valid replica already elected")
	})
	t.Run("reassignment", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "plan.json")
		text := fmt.Sprintf(`{"version":1,"partitions":[{"topic":%q,"partition":0,"replicas":[1]}]}`, topic)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k.tool(t, "reassign.ReassignPartitionsCommand", "--execute", "--reassignment-json-file", file)
		contains(t, k.tool(t, "reassign.ReassignPartitionsCommand", "--verify", "--reassignment-json-file", file), "is completed")
		contains(t, k.tool(t, "reassign.ReassignPartitionsCommand", "--list"), "No partition reassignments found")
	})
}

func TestJavaClusterTools(t *testing.T) {
	k := newJavaKit(t)
	contains(t, k.tool(t, "FeatureCommand", "describe"), "Feature: transaction.version", "FinalizedVersionLevel: 2")
	contains(t, k.program(t, "org.apache.kafka.tools.ClusterTool", "cluster-id", "--bootstrap-server", k.address), "Cluster ID: ")
	contains(t, k.tool(t, "MetadataQuorumCommand", "describe", "--status"), "LeaderId:", "HighWatermark:")
	contains(t, k.tool(t, "MetadataQuorumCommand", "describe", "--replication"), "Leader")
	contains(t, k.config(t, "--describe", "--entity-type", "client-metrics"))
}

func TestJavaGroupTools(t *testing.T) {
	k, topic := newJavaKit(t), unique(t)
	group := topic + "-group"
	k.tool(t, "TopicCommand", "--create", "--topic", topic, "--partitions", "2")
	k.produce(t, topic, 50)
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			name := group + "-" + protocol
			got := k.tool(t, "consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--max-messages", "50", "--timeout-ms", "30000",
				"--group", name, "--command-property", "group.protocol="+protocol)
			records(t, got, 50)
			contains(t, k.tool(t, "consumer.group.ConsumerGroupCommand", "--list"), name)
			contains(t, k.tool(t, "consumer.group.ConsumerGroupCommand", "--describe", "--group", name, "--offsets"), topic)
			contains(t, k.tool(t, "consumer.group.ConsumerGroupCommand", "--describe", "--group", name, "--state"), "Empty")
			contains(t, k.tool(t, "consumer.group.ConsumerGroupCommand", "--reset-offsets", "--to-earliest", "--group", name, "--topic", topic, "--execute"), topic)
			contains(t, k.tool(t, "consumer.group.ConsumerGroupCommand", "--delete-offsets", "--group", name, "--topic", topic), "Successful")
			contains(t, k.tool(t, "consumer.group.ConsumerGroupCommand", "--delete", "--group", name), "was successful")
		})
	}
}

func TestJavaConfigsOfGroups(t *testing.T) {
	k, group := newJavaKit(t), unique(t)
	entity := []string{"--entity-type", "groups", "--entity-name", group}
	with := func(args ...string) string { return k.config(t, append(args, entity...)...) }
	contains(t, with("--alter", "--add-config", "consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=10000"), "Completed updating config for group")
	contains(t, with("--describe"), "consumer.session.timeout.ms=50000", "GROUP_CONFIG:consumer.session.timeout.ms=50000", "consumer.heartbeat.interval.ms=10000")
	contains(t, k.config(t, "--describe", "--entity-type", "groups"), group)
	contains(t, with("--alter", "--delete-config", "consumer.session.timeout.ms"), "Completed updating config for group")
	contains(t, with("--describe", "--all"), "consumer.session.timeout.ms=45000", "consumer.heartbeat.interval.ms=10000")
	with("--alter", "--delete-config", "consumer.heartbeat.interval.ms")
}

func TestJavaTransactionsTool(t *testing.T) {
	k, topic := newJavaKit(t), unique(t)
	id := topic + "-id"
	k.tool(t, "TopicCommand", "--create", "--topic", topic, "--partitions", "1")
	cl := k.client(t, kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic), kgo.TransactionTimeout(10*time.Minute))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), kgo.StringRecord("left open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	contains(t, k.tool(t, "TransactionsCommand", "list"), id, "Ongoing")
	contains(t, k.tool(t, "TransactionsCommand", "describe", "--transactional-id", id), "Ongoing", topic+"-0")
	got := k.tool(t, "TransactionsCommand", "describe-producers", "--topic", topic, "--partition", "0")
	if !regexp.MustCompile(`(?m)^\d+\s+\d+\s+-?\d+\s+\d+\s+\d+\s+0\s*$`).MatchString(got) {
		t.Errorf("producers:\n%s", got)
	}
	contains(t, k.tool(t, "TransactionsCommand", "find-hanging", "--topic", topic, "--partition", "0", "--max-transaction-timeout", "0"), "ProducerId")
	k.tool(t, "TransactionsCommand", "abort", "--topic", topic, "--partition", "0", "--start-offset", "0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := k.client(t, kgo.DefaultProduceTopic(topic)).ProduceSync(ctx, kgo.StringRecord("after")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	reader := k.client(t, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	fs := reader.PollFetches(ctx)
	if rs := fs.Records(); fs.Err() != nil || len(rs) != 1 || string(rs[0].Value) != "after" {
		t.Errorf("read %v, error %v", rs, fs.Err())
	}
}
