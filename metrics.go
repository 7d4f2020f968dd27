package mainstem

import (
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/meter"
	"github.com/mainstemio/mainstem/internal/server/httpapi"
	"github.com/mainstemio/mainstem/internal/server/kafka"
	"github.com/mainstemio/mainstem/internal/task"
)

// What one scrape shows at most; the rest is counted in mainstem_metrics_omitted. Clients choose the names of topics and groups.
const (
	maxShownPartitions = 10_000
	maxShownPositions  = 10_000 // of groups
	maxShownFigures    = 10_000 // of tasks, steps and stores
	maxLabelBytes      = 256
)

// nodeMetrics reads the page's figures and the broker's counters when Prometheus asks: nothing is counted twice.
type nodeMetrics struct {
	node *Node
}

func metricsHandler(n *Node) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(nodeMetrics{n}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// A figure that cannot be shown must not hide the others.
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Describe implements prometheus.Collector.
func (m nodeMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range descs {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m nodeMetrics) Collect(c chan<- prometheus.Metric) {
	s := scrape{c}
	f := m.node.flow.now()
	s.gauge(buildInfo, 1, f.Node.Version)
	s.gauge(uptime, float64(f.Node.UptimeMs)/1000)
	s.flow(f)
	omitted := s.pipelines(m.node)
	for query, n := range m.node.sqlRowErrors() {
		s.counter(sqlRowErrors, n, label(query))
	}
	if b := m.node.broker; b != nil {
		s.broker(b, m.node)
		omitted += s.groups(m.node.flow.groups())
		omitted += s.partitions(b)
	}
	s.gauge(omittedSeries, float64(omitted))
}

// A scrape writes the metrics of one request.
type scrape struct {
	c chan<- prometheus.Metric
}

func (s scrape) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s scrape) counter(d *prometheus.Desc, v int64, labels ...string) {
	s.c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

// histogram writes h with bounds in units.
func (s scrape) histogram(d *prometheus.Desc, h meter.Snapshot, unit time.Duration, labels ...string) {
	buckets, sum := make(map[float64]uint64, len(meter.Bounds)), uint64(0)
	for i, bound := range meter.Bounds {
		sum += h.Counts[i]
		buckets[float64(bound)/float64(unit)] = sum
	}
	s.c <- prometheus.MustNewConstHistogram(d, h.Count, float64(h.Sum)/float64(unit), buckets, labels...)
}

func up(state string) float64 {
	if state == "running" || state == "paused" {
		return 1
	}
	return 0
}

// flow writes what runs in the node.
func (s scrape) flow(f httpapi.Flow) {
	for _, t := range f.Topics {
		s.gauge(topicRecords, float64(t.Records), label(t.Name))
	}
	for _, p := range f.Pipelines {
		s.counter(pipelineRecords, p.Processed, p.Name)
		s.counter(pipelineEpochs, p.Epochs, p.Name)
		s.gauge(pipelineLag, float64(p.Lag), p.Name)
		s.gauge(pipelineUp, up(p.State), p.Name)
		if p.BehindMs >= 0 {
			s.gauge(pipelineFreshness, float64(p.BehindMs)/1000, p.Name)
		}
		for reason, n := range p.Dropped {
			s.counter(pipelineDropped, n, p.Name, reason)
		}
	}
	for _, d := range f.Sinks {
		s.counter(sinkRecords, d.Delivered, d.Name)
		s.gauge(sinkLag, float64(d.Lag), d.Name)
		s.gauge(sinkUp, up(d.State), d.Name)
		if d.FreshnessP50 >= 0 {
			s.gauge(sinkFreshness, float64(d.FreshnessP50)/1000, d.Name, "0.5")
			s.gauge(sinkFreshness, float64(d.FreshnessP99)/1000, d.Name, "0.99")
		}
	}
}

// pipelines writes what tasks, steps and stores have done, and returns how many of them are left out.
func (s scrape) pipelines(n *Node) (omitted int) {
	n.mu.Lock()
	all := n.mu.pipelines // join makes new ones
	n.mu.Unlock()
	room := maxShownFigures
	for _, p := range all {
		st, name := p.Status(), label(p.app)
		s.histogram(pipelineCommits, st.Commits, time.Second, name)
		s.gauge(pipelinePaused, one(st.State == engine.StatePaused), name)
		f := st.Figures
		size := len(f.Tasks) + len(f.Nodes) + len(f.Stores)
		if size > room {
			omitted += size
			continue
		}
		room -= size
		s.figures(name, f)
	}
	return omitted
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (s scrape) figures(pipeline string, f task.Figures) {
	for _, t := range f.Tasks {
		id := t.ID.String()
		s.counter(taskRecords, t.Rows, pipeline, id)
		s.counter(taskUnits, t.Units, pipeline, id)
		s.c <- prometheus.MustNewConstMetric(taskBusy, prometheus.CounterValue, t.Busy.Seconds(), pipeline, id)
		if t.StreamTime >= 0 {
			s.gauge(taskStreamTime, float64(t.StreamTime)/1000, pipeline, id)
		}
	}
	for _, node := range f.Nodes {
		s.counter(nodeRecords, node.Rows, pipeline, label(node.Name))
	}
	for _, st := range f.Stores {
		s.gauge(storeRows, float64(st.Rows), pipeline, label(st.Name), strconv.Itoa(int(st.Partition)))
		s.gauge(storeBytes, float64(st.Bytes), pipeline, label(st.Name), strconv.Itoa(int(st.Partition)))
	}
}

// broker writes what the node has once.
func (s scrape) broker(b *broker.Broker, n *Node) {
	st := b.Stats()
	s.counter(journalSyncs, st.Syncs)
	s.histogram(journalSyncTimes, st.SyncTimes, time.Second)
	s.counter(journalBytes, st.JournalBytes)
	s.gauge(journalFiles, float64(st.JournalFiles))
	s.gauge(checkpointAge, st.CheckpointAge.Seconds())
	if st.Disk.Total > 0 {
		s.gauge(diskFree, float64(st.Disk.Free))
		s.gauge(diskTotal, float64(st.Disk.Total))
	}
	s.gauge(brokers, 1)
	s.gauge(activeController, 1)
	s.gauge(underReplicated, 0)
	open := 0
	for _, t := range b.ListTransactions() {
		if t.Started >= 0 {
			open++
		}
	}
	s.gauge(openTransactions, float64(open))
	if n.clients == nil {
		return
	}
	s.gauge(connections, float64(n.clients.Connections()))
	n.requests.Each(func(key int16, h meter.Snapshot) {
		s.counter(requests, int64(h.Count), kafka.APIName(key))
		s.histogram(requestTimes, h, time.Millisecond, kafka.APIName(key))
	})
}

// topicTraffic is the sum over a topic's partitions.
type topicTraffic struct{ partitions, records, in, out int64 }

// partitions writes topics and partitions and returns how many partitions are left out.
func (s scrape) partitions(b *broker.Broker) (omitted int) {
	var all []broker.PartitionStats
	topics, damaged := map[string]*topicTraffic{}, 0
	b.EachPartition(func(p broker.PartitionStats) {
		all = append(all, p)
		t := topics[p.Topic]
		if t == nil {
			t = &topicTraffic{}
			topics[p.Topic] = t
		}
		t.partitions, t.records, t.in, t.out = t.partitions+1, t.records+p.Records, t.in+p.Bytes, t.out+p.Sent
		if p.Damaged {
			damaged++
		}
	})
	s.gauge(partitionCount, float64(len(all)))
	s.gauge(leaderCount, float64(len(all)))
	s.gauge(globalTopics, float64(len(topics)))
	s.gauge(globalPartitions, float64(len(all)))
	s.gauge(offlinePartitions, float64(damaged))
	s.gauge(offlineReplicas, float64(damaged))
	if omitted = max(0, len(all)-maxShownPartitions); omitted > 0 { // the same ones every time
		slices.SortFunc(all, func(a, b broker.PartitionStats) int { return comparePartitions(a.TopicPartition, b.TopicPartition) })
		all = all[:maxShownPartitions]
		keep := map[string]*topicTraffic{}
		for _, p := range all {
			keep[p.Topic] = topics[p.Topic]
		}
		topics = keep
	}
	for name, t := range topics {
		name = label(name)
		s.gauge(topicPartitions, float64(t.partitions), name)
		s.counter(messagesIn, t.records, name)
		s.counter(bytesIn, t.in, name)
		s.counter(bytesOut, t.out, name)
	}
	for _, p := range all {
		topic, number := label(p.Topic), strconv.Itoa(int(p.Partition))
		s.gauge(logSize, float64(p.LogBytes), topic, number)
		s.gauge(logSegments, float64(p.Segments), topic, number)
		s.gauge(logStart, float64(p.Start), topic, number)
		s.gauge(logEnd, float64(p.High), topic, number)
		s.gauge(exporterStart, float64(p.Start), topic, number)
		s.gauge(exporterEnd, float64(p.High), topic, number)
	}
	return omitted
}

// groups writes the groups and returns how many positions are left out.
func (s scrape) groups(all []groupFigures) (omitted int) {
	shown := 0
	for _, g := range all {
		if shown+len(g.parts)+1 > maxShownPositions {
			omitted += len(g.parts)
			continue
		}
		shown += len(g.parts) + 1
		name, sums := label(g.name), map[string]int64{}
		s.gauge(groupMembers, float64(g.members), name)
		for _, p := range g.parts {
			topic, number := label(p.Topic), strconv.Itoa(int(p.Partition))
			s.gauge(groupOffset, float64(p.committed), name, topic, number)
			s.gauge(groupLag, float64(p.lag()), name, topic, number)
			if p.behind >= 0 {
				s.gauge(groupLagSeconds, p.behind.Seconds(), name, topic, number)
			}
			sums[topic] += p.lag()
		}
		for _, topic := range slices.Sorted(maps.Keys(sums)) {
			s.gauge(groupLagSum, float64(sums[topic]), name, topic)
		}
	}
	return omitted
}

// label makes a client's name fit: Prometheus takes UTF-8 only, and a name may be as long as a request.
func label(name string) string {
	if len(name) <= maxLabelBytes && utf8.ValidString(name) {
		return name
	}
	return fmt.Sprintf("%.64q…%08x", name, crc32.ChecksumIEEE([]byte(name)))
}
