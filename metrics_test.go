package mainstem

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/internal/server/httpapi"
	"github.com/mainstemio/mainstem/record"
)

// scrapeNode reads the metrics: series as they stand in the text → value.
func scrapeNode(t *testing.T, address string) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err, string(text))
	}
	out := map[string]float64{}
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out[line[:at]] = v
	}
	return out
}

// scrapeUntil reads the metrics as of new samples until they show what must come: a request counts a moment after its answer has left, and a
// busy machine may have no new sample in time.
func scrapeUntil(ctx context.Context, t *testing.T, n *Node, address string, shown func(map[string]float64) bool) map[string]float64 {
	t.Helper()
	for {
		n.flow.refresh(ctx)
		now := scrapeNode(t, address)
		if shown(now) {
			return now
		}
		if ctx.Err() != nil {
			t.Fatalf("the metrics stay %v", now)
		}
	}
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMetricsHaveTheNamesThatKafkaUsersKnowAndStayConsistentWhileTrafficRuns(t *testing.T) {
	kafka, page := loopback(t), loopback(t)
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := Open(limit, t.TempDir(), WithKafka(kafka), WithHTTP(page))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("orders"),
		kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	send := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if err := cl.ProduceSync(limit, kgo.StringRecord(fmt.Sprintf("record %d", i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(0, 10)
	for left := 4; left > 0; {
		fs := cl.PollRecords(limit, left)
		if len(fs.Errors()) > 0 {
			t.Fatal(fs.Errors())
		}
		left -= fs.NumRecords()
	}
	if err := cl.CommitUncommittedOffsets(limit); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(limit)
	done := make(chan struct{})
	first := scrapeUntil(limit, t, n, page.Addr().String(), func(m map[string]float64) bool {
		return m[`kafka_network_requestmetrics_requests_total{request="Produce"}`] >= 10 &&
			m[`kafka_consumergroup_lag_sum{consumergroup="billing",topic="orders"}`] > 0
	})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			cl.ProduceSync(ctx, kgo.StringRecord("more"))
		}
	}()
	before := first
	for range 5 {
		n.flow.refresh(limit)
		now := scrapeNode(t, page.Addr().String())
		checkMonotonic(t, before, now)
		before = now
	}
	stop()
	<-done

	for series, want := range map[string]float64{
		`kafka_server_brokertopicmetrics_messagesin_total{topic="orders"}`:                         10,
		`kafka_log_log_logendoffset{partition="0",topic="orders"}`:                                 10,
		`kafka_log_log_logstartoffset{partition="0",topic="orders"}`:                               0,
		`kafka_topic_partition_current_offset{partition="0",topic="orders"}`:                       10,
		`kafka_topic_partitions{topic="orders"}`:                                                   1,
		`kafka_consumergroup_members{consumergroup="billing"}`:                                     1,
		`kafka_consumergroup_current_offset{consumergroup="billing",partition="0",topic="orders"}`: 4,
		`kafka_consumergroup_lag{consumergroup="billing",partition="0",topic="orders"}`:            6,
		`kafka_consumergroup_lag_sum{consumergroup="billing",topic="orders"}`:                      6,
		`kafka_server_replicamanager_underreplicatedpartitions`:                                    0,
		`kafka_controller_kafkacontroller_offlinepartitionscount`:                                  0,
		`kafka_network_requestmetrics_requests_total{request="Produce"}`:                           10,
		`kafka_network_requestmetrics_totaltimems_bucket{request="Produce",le="+Inf"}`:             10,
		`kafka_network_requestmetrics_requests_total{request="InitProducerId"}`:                    1,
		`mainstem_open_transactions`:                                                               0,
		`mainstem_metrics_omitted`:                                                                 0,
	} {
		if got, ok := first[series]; !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v", series, got, ok, want)
		}
	}
	for _, series := range []string{
		`kafka_server_brokertopicmetrics_bytesin_total{topic="orders"}`, `kafka_server_brokertopicmetrics_bytesout_total{topic="orders"}`,
		`kafka_log_log_size{partition="0",topic="orders"}`, `mainstem_journal_sync_seconds_count`, `mainstem_journal_bytes_total`,
		`mainstem_connections`, `mainstem_journal_files`, `mainstem_checkpoint_age_seconds`,
		`mainstem_group_lag_seconds{consumergroup="billing",partition="0",topic="orders"}`,
	} {
		if first[series] <= 0 {
			t.Errorf("%s is %v", series, first[series])
		}
	}
	in, size := first[`kafka_server_brokertopicmetrics_bytesin_total{topic="orders"}`], first[`kafka_log_log_size{partition="0",topic="orders"}`]
	if in != size {
		t.Errorf("%v bytes went in, the log has %v", in, size)
	}
}

// checkMonotonic: counters, buckets and ends never fall, buckets rise with their bound, and lag is end minus position.
func checkMonotonic(t *testing.T, before, now map[string]float64) {
	t.Helper()
	for series, v := range before {
		name, _, _ := strings.Cut(series, "{")
		rises := strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_count") ||
			strings.HasPrefix(name, "kafka_log_log_logendoffset")
		if rises && now[series] < v && !strings.HasSuffix(name, "partitioncount") {
			t.Errorf("%s fell from %v to %v", series, v, now[series])
		}
	}
	const position = `{consumergroup="billing",partition="0",topic="orders"}`
	lag, at := now["kafka_consumergroup_lag"+position], now["kafka_consumergroup_current_offset"+position]
	if end := now[`kafka_log_log_logendoffset{partition="0",topic="orders"}`]; lag < 6 || at+lag > end {
		t.Errorf("lag %v from %v, the log ends at %v", lag, at, end)
	}
}

func TestNamesThatClientsChooseMakeNoInvalidLabels(t *testing.T) {
	long, invalid := strings.Repeat("x", 1<<16), "a\xffb"
	for _, name := range []string{long, invalid, long + "1"} {
		got := label(name)
		if len(got) > 2*maxLabelBytes || got == name || !strings.HasPrefix(got, `"`) {
			t.Errorf("%.20q became %q", name, got)
		}
	}
	if label(long) == label(long+"1") || label("orders") != "orders" {
		t.Error("labels of different names are the same, or a good name was changed")
	}
}

func TestWhatIsWrongIsNamedWithItsNextStep(t *testing.T) {
	s := httpapi.Status{
		Flow: httpapi.Flow{
			Pipelines: []httpapi.Pipeline{{Name: "totals", State: "failed", Error: "record 7 is bad"}, {Name: "fine", State: "running"}},
			Sinks:     []httpapi.Sink{{Name: "db", State: "failed", Error: "no such table"}},
		},
		Storage: &httpapi.Storage{Syncs: 100, SyncP99Ms: 250, FreeBytes: 1 << 20, TotalBytes: 1 << 30},
		Groups: []httpapi.Group{
			{Name: "late", Members: 1, Lag: 10, BehindMs: 600_000},
			{Name: "idle", Members: 0, Lag: 10, BehindMs: 600_000},
			{Name: "good", Members: 1, BehindMs: 0},
			{Name: "unknown", Members: 1, BehindMs: -1},
		},
	}
	var got []string
	for _, p := range wrong(s) {
		got = append(got, p.Severity+" "+p.Code+" "+p.Object)
		if p.Next == "" || p.Message == "" {
			t.Errorf("%+v", p)
		}
	}
	want := []string{
		"error pipeline_failed totals", "error sink_failed db", "warning group_behind late", "warning disk_slow journal", "warning disk_low data directory",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if ps := damagedPartitions([]string{"b/1", "a/0", "c/0", "d/0", "e/0", "f/0"}, "dir"); len(ps) != 1 || ps[0].Object != "a/0, b/1, c/0, d/0, e/0 and 1 more" {
		t.Errorf("%+v", ps)
	}
}

func TestAGroupsAgeIsThatOfItsOldestUnreadRecordAndUnknownWhenOneIs(t *testing.T) {
	g := groupFigures{parts: []positionFigures{
		{committed: 5, end: 5}, {committed: 1, end: 4, behind: time.Minute}, {committed: 0, end: 1, behind: time.Second},
	}}
	if lag, behind := g.total(); lag != 4 || behind != time.Minute {
		t.Errorf("lag %d, behind %v", lag, behind)
	}
	g.parts = append(g.parts, positionFigures{TopicPartition: record.TopicPartition{}, end: 1, behind: -1})
	if lag, behind := g.total(); lag != 5 || behind != -1 {
		t.Errorf("lag %d, behind %v", lag, behind)
	}
}
