package mainstem

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// nodeMetrics reads the page's figures when Prometheus asks: nothing is counted twice.
type nodeMetrics struct {
	node *Node
}

var (
	topicRecords     = prometheus.NewDesc("mainstem_topic_records", "Records in a topic's log.", []string{"topic"}, nil)
	pipelineRecords  = prometheus.NewDesc("mainstem_pipeline_records_total", "Input records processed since the start.", []string{"pipeline"}, nil)
	pipelineLag      = prometheus.NewDesc("mainstem_pipeline_lag_records", "Input records known and not yet processed.", []string{"pipeline"}, nil)
	pipelineUp       = prometheus.NewDesc("mainstem_pipeline_up", "1 while the pipeline runs.", []string{"pipeline"}, nil)
	pipelineDropped  = prometheus.NewDesc("mainstem_pipeline_dropped_records_total", "Records left out by rule.", []string{"pipeline", "reason"}, nil)
	sinkRecords      = prometheus.NewDesc("mainstem_sink_records_total", "Records delivered since the start.", []string{"sink"}, nil)
	sinkLag          = prometheus.NewDesc("mainstem_sink_lag_records", "Records known and not yet delivered.", []string{"sink"}, nil)
	sinkFreshness    = prometheus.NewDesc("mainstem_sink_freshness_seconds", "Age of records when they became visible.", []string{"sink", "quantile"}, nil)
	journalSyncs     = prometheus.NewDesc("mainstem_journal_syncs_total", "Journal syncs since the start.", nil, nil)
	journalSyncDelay = prometheus.NewDesc("mainstem_journal_sync_seconds", "Duration of journal syncs.", []string{"quantile"}, nil)
)

func metricsHandler(n *Node) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(nodeMetrics{n}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// Describe implements prometheus.Collector.
func (m nodeMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{topicRecords, pipelineRecords, pipelineLag, pipelineUp, pipelineDropped, sinkRecords, sinkLag, sinkFreshness, journalSyncs, journalSyncDelay} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m nodeMetrics) Collect(c chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	f := m.node.flow.now()
	for _, t := range f.Topics {
		gauge(topicRecords, float64(t.Records), t.Name)
	}
	for _, p := range f.Pipelines {
		counter(pipelineRecords, float64(p.Processed), p.Name)
		gauge(pipelineLag, float64(p.Lag), p.Name)
		up := 0.0
		if p.State == "running" {
			up = 1
		}
		gauge(pipelineUp, up, p.Name)
		for reason, n := range p.Dropped {
			counter(pipelineDropped, float64(n), p.Name, reason)
		}
	}
	for _, s := range f.Sinks {
		counter(sinkRecords, float64(s.Delivered), s.Name)
		gauge(sinkLag, float64(s.Lag), s.Name)
		if s.FreshnessP50 >= 0 {
			gauge(sinkFreshness, float64(s.FreshnessP50)/1000, s.Name, "0.5")
			gauge(sinkFreshness, float64(s.FreshnessP99)/1000, s.Name, "0.99")
		}
	}
	if b := m.node.broker; b != nil {
		st := b.Stats()
		counter(journalSyncs, float64(st.Syncs))
		gauge(journalSyncDelay, st.SyncP50.Seconds(), "0.5")
		gauge(journalSyncDelay, st.SyncP99.Seconds(), "0.99")
	}
}
