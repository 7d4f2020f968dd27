//go:build suites

package compat

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The programs with which Kafka's own system tests check a cluster: they print a line of JSON for what happens.

// events counts the lines by name.
func events(t *testing.T, out string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Name string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Name != "" {
			counts[line.Name]++
		}
	}
	return counts
}

// committed reads a topic to its stable end and returns the values by partition.
func (k javaKit) committed(t *testing.T, topic string) map[int32][]string {
	t.Helper()
	cl := k.client(t, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	out := map[int32][]string{}
	for len(left) > 0 {
		fs := cl.PollFetches(t.Context())
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				out[r.Partition] = append(out[r.Partition], string(r.Key)+"="+string(r.Value))
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return out
}

func TestVerifiableClients(t *testing.T) {
	k, topic := newJavaKit(t), unique(t)
	const n = 20000
	k.tool(t, "TopicCommand", "--create", "--topic", topic, "--partitions", "3")
	sent := events(t, k.tool(t, "VerifiableProducer", "--topic", topic, "--max-messages", strconv.Itoa(n), "--acks", "-1"))
	if sent["producer_send_success"] != n || sent["producer_send_error"] != 0 {
		t.Errorf("sent %v", sent)
	}
	values := map[string]int{}
	for _, vs := range k.committed(t, topic) {
		for _, v := range vs {
			values[v]++
		}
	}
	if len(values) != n {
		t.Errorf("%d different values of %d", len(values), n)
	}
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			out := k.tool(t, "VerifiableConsumer", "--topic", topic, "--group-id", topic+"-"+protocol, "--group-protocol", protocol,
				"--max-messages", strconv.Itoa(n), "--reset-policy", "earliest", "--verbose")
			got := events(t, out)
			if got["record_data"] != n || got["partitions_assigned"] == 0 || got["offsets_committed"] == 0 || strings.Contains(out, `"success":false`) {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestTransactionalMessageCopierWithRandomAborts(t *testing.T) {
	k, topic := newJavaKit(t), unique(t)
	const n, partitions = 20000, 2
	for _, name := range []string{topic, topic + "-copy"} {
		k.tool(t, "TopicCommand", "--create", "--topic", name, "--partitions", strconv.Itoa(partitions))
	}
	k.produce(t, topic, n)
	source := k.committed(t, topic)
	for p := range int32(partitions) {
		k.program(t, "org.apache.kafka.tools.TransactionalMessageCopier", "--broker-list", k.address, "--input-topic", topic,
			"--input-partition", strconv.Itoa(int(p)), "--output-topic", topic+"-copy", "--transactional-id", fmt.Sprintf("%s-id-%d", topic, p),
			"--consumer-group", topic+"-group", "--transaction-size", "300", "--enable-random-aborts", "--use-group-metadata")
	}
	copied := k.committed(t, topic+"-copy")
	var want, got []string
	for p := range int32(partitions) {
		want, got = append(want, source[p]...), append(got, copied[p]...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) != n || !slices.Equal(got, want) {
		t.Errorf("%d records copied, %d produced", len(got), len(want))
	}
}
