package mainstem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/customer"
	"github.com/mainstemio/mainstem/examples/payments/generate"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// publishPayments publishes the payments from first up to end, as their services would.
func publishPayments(n *node, source generate.Source, first, end int64) {
	n.t.Helper()
	var rs []*kgo.Record
	for i := first; i < end; i++ {
		e, err := source.At(nil, i)
		if err != nil {
			n.t.Fatal(err)
		}
		rs = append(rs, &kgo.Record{Topic: e.Topic, Key: []byte(e.Key), Value: e.Value})
	}
	if err := n.kafka.ProduceSync(within(n.t), rs...).FirstErr(); err != nil {
		n.t.Fatal(err)
	}
}

// checkCustomers compares the Customer Service's database with what the first count payments must leave.
func checkCustomers(t *testing.T, path string, source generate.Source, count int64) {
	t.Helper()
	service, err := customer.NewService(path, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	want := source.Expected(count)
	rows := 0
	for _, l := range want {
		rows += len(l.Payments)
	}
	customers, got, err := service.Count(within(t))
	if err != nil || customers != len(want) || got != rows {
		t.Errorf("%d customers with %d rows, want %d with %d (%v)", customers, got, len(want), rows, err)
	}
	for id, l := range want {
		w := httpGet(service, fmt.Sprintf("/customers/%d/payments", id))
		var shown struct {
			Payments []struct {
				TrxID int64 `json:"trxId"`
			} `json:"payments"`
		}
		if err := json.Unmarshal([]byte(w), &shown); err != nil || len(shown.Payments) != len(l.Payments) {
			t.Fatalf("customer %d: %s (%v)", id, w, err)
		}
		for i := range l.Payments {
			if shown.Payments[i].TrxID != l.Payments[i].TrxID {
				t.Errorf("customer %d: payment %d is %d, want %d", id, i, shown.Payments[i].TrxID, l.Payments[i].TrxID)
			}
		}
	}
}

// httpGet asks a handler of this process.
func httpGet(h http.Handler, path string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1"+path, nil))
	return w.Body.String()
}

func TestPaymentsReachTheCustomersDatabaseAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "customer.db")
	source := must[generate.Source](t)(generate.New(generate.Config{Seed: 5, Customers: 30}))
	const each = 400
	for life := range int64(3) {
		n := open(t, filepath.Join(dir, "data"))
		if life == 2 { // published while nobody derives: nothing is lost
			publishPayments(n, source, life*each, (life+1)*each)
		}
		var written atomic.Int64
		p := must[*mainstem.Pipeline](t)(n.Run(must[*stream.Topology](t)(payments.Pipeline())))
		sink := must[connect.Sink](t)(customer.NewSink(path))
		d := must[*mainstem.Delivery](t)(n.Deliver(mainstem.DeliverySpec{
			Sink: sink, Topics: []string{payments.LastFiveTopic}, Target: "customer.db", Link: "http://127.0.0.1:1/",
			Written: func(b connect.Batch, _ time.Time) { written.Add(int64(len(b.Records))) },
		}))
		if life != 2 {
			publishPayments(n, source, life*each, (life+1)*each)
		}
		if err := n.Settle(within(t)); err != nil {
			t.Fatal(err)
		}
		if p.Err() != nil || d.Err() != nil || n.Err() != nil {
			t.Fatal(p.Err(), d.Err(), n.Err())
		}
		checkCustomers(t, path, source, (life+1)*each)
		n.close()
		for _, ended := range []<-chan struct{}{p.Done(), d.Done()} {
			select {
			case <-ended:
			default:
				t.Error("something still runs behind Close")
			}
		}
		if p.Err() != nil || d.Err() != nil {
			t.Errorf("ended with %v, %v", p.Err(), d.Err())
		}
		f := d.Freshness()
		if f.Records == 0 || f.Records != written.Load() || f.Records > each || f.P50 < 0 || f.P99 < f.P50 {
			t.Errorf("life %d: %+v, %d records were written", life, f, written.Load())
		}
	}
}

func TestTheFlowShowsWhatRuns(t *testing.T) {
	dir := t.TempDir()
	n := open(t, filepath.Join(dir, "data"))
	must[*mainstem.Pipeline](t)(n.Run(must[*stream.Topology](t)(payments.Pipeline())))
	sink := must[connect.Sink](t)(customer.NewSink(filepath.Join(dir, "customer.db")))
	must[*mainstem.Delivery](t)(n.Deliver(mainstem.DeliverySpec{Sink: sink, Topics: []string{payments.LastFiveTopic}, Target: "customer.db", Link: "http://127.0.0.1:1/"}))
	source := must[generate.Source](t)(generate.New(generate.Config{Seed: 5, Customers: 30}))
	publishPayments(n, source, 0, 100)
	n.publish("beside", "x") // a topic of nobody's pipeline
	if err := n.Settle(within(t)); err != nil {
		t.Fatal(err)
	}
	n.get("/v1/status") // which makes a new sample: the last one may be older than what has settled
	text := n.await("/v1/flow", func(text string) bool {
		return strings.Contains(text, `"processed":200`) && strings.Contains(text, `"beside"`)
	})
	var flow struct {
		Node struct {
			Version, Broker, Kafka, Directory string
			UptimeMs                          int64
		}
		Topics []struct {
			Name    string
			Records int64
		}
		Pipelines []struct {
			Name, State, Topology string
			Sources, Sinks        []string
			Lag                   int64
		}
		Sinks []struct {
			Name, Target, Link, State string
			Delivered, Lag            int64
			FreshnessP50Ms            int64
		}
	}
	if err := json.Unmarshal([]byte(text), &flow); err != nil {
		t.Fatal(err)
	}
	if flow.Node.Version != "v9" || flow.Node.Broker != "embedded" || flow.Node.Kafka != n.Kafka() || flow.Node.UptimeMs < 0 {
		t.Errorf("node %+v", flow.Node)
	}
	counts := map[string]int64{}
	for _, topic := range flow.Topics {
		counts[topic.Name] = topic.Records
	}
	if counts[payments.CardTopic]+counts[payments.TransferTopic] != 100 || counts[payments.PaymentTopic] != 100 || counts["beside"] != 1 || len(counts) != 5 {
		t.Errorf("topics %v", counts) // and no changelog
	}
	if len(flow.Pipelines) != 1 || flow.Pipelines[0].State != "running" || flow.Pipelines[0].Lag != 0 || len(flow.Pipelines[0].Sources) != 3 ||
		!strings.Contains(flow.Pipelines[0].Topology, "Sub-topology: 1") {
		t.Errorf("pipelines %+v", flow.Pipelines)
	}
	if len(flow.Sinks) != 1 || flow.Sinks[0].State != "running" || flow.Sinks[0].Target != "customer.db" || flow.Sinks[0].Delivered != counts[payments.LastFiveTopic] ||
		flow.Sinks[0].Lag != 0 || flow.Sinks[0].FreshnessP50Ms < 0 {
		t.Errorf("sinks %+v", flow.Sinks)
	}
	_, metrics := n.get("/metrics")
	for _, want := range []string{
		`mainstem_pipeline_up{pipeline="payments"} 1`, `mainstem_pipeline_records_total{pipeline="payments"} 200`, `mainstem_pipeline_lag_records{pipeline="payments"} 0`,
		`mainstem_topic_records{topic="PAYMENT-OUTPUT"} 100`, `mainstem_journal_syncs_total`, `quantile="0.99"`, `go_goroutines`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// echo copies topic in to out; a value "bad" can't be processed.
func echo(t *testing.T, name string) *stream.Topology {
	t.Helper()
	b := stream.New(name)
	in := stream.From(b, "in", serde.String, serde.String)
	stream.MapValues(in, func(v string) string {
		if v == "bad" {
			panic("can't")
		}
		return name + " " + v
	}).To("out-of-"+name, serde.String, serde.String)
	return must[*stream.Topology](t)(b.Build())
}

func TestAPipelineThatStopsLeavesTheNodeRunning(t *testing.T) {
	n := open(t, t.TempDir())
	n.publish("in", "good", "bad", "behind")
	p := must[*mainstem.Pipeline](t)(n.Run(echo(t, "strict")))
	select {
	case <-p.Done():
	case <-within(t).Done():
		t.Fatal("the pipeline goes on behind a record that it can't process")
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "in/0 at offset 1") {
		t.Fatalf("ended with %v", err)
	}
	if err := n.Settle(within(t)); !errors.Is(err, p.Err()) {
		t.Errorf("Settle: %v", err)
	}
	if n.Err() != nil {
		t.Error(n.Err())
	}
	lenient := must[*mainstem.Pipeline](t)(n.Run(echo(t, "lenient"), mainstem.DeadLetter(), mainstem.EpochInterval(time.Millisecond)))
	n.publish("in", "more")
	if diff := cmp.Diff([]string{"lenient good", "lenient behind", "lenient more"}, n.read("out-of-lenient", 3)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"strict good"}, n.read("out-of-strict", 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"bad"}, n.read("in.dead", 1)); diff != "" {
		t.Error(diff)
	}
	text := n.await("/v1/flow", func(text string) bool {
		return strings.Contains(text, `"dead letter":1`) && strings.Contains(text, "in/0 at offset 1")
	})
	if !strings.Contains(text, `"name":"strict","state":"failed","error":"`) || !strings.Contains(text, `"lag":3`) {
		t.Errorf("flow %s", text)
	}
	if status, metrics := n.get("/metrics"); status != 200 || !strings.Contains(metrics, `mainstem_pipeline_up{pipeline="strict"} 0`) ||
		!strings.Contains(metrics, `mainstem_pipeline_dropped_records_total{pipeline="lenient",reason="dead letter"} 1`) {
		t.Errorf("metrics %d:\n%s", status, metrics)
	}
	if status, _ := n.get("/readyz"); status != 200 {
		t.Errorf("readyz is %d", status)
	}

	again := must[*mainstem.Pipeline](t)(n.Run(echo(t, "strict"), mainstem.DeadLetter())) // in the place of the one that stopped
	if err := n.Settle(within(t)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"strict good", "strict behind", "strict more"}, n.read("out-of-strict", 3)); diff != "" {
		t.Error(diff)
	}
	if status, _ := n.get("/metrics"); status != 200 || again.Err() != nil || lenient.Err() != nil {
		t.Errorf("metrics %d, %v, %v", status, again.Err(), lenient.Err())
	}
}

func TestOneNameRunsOnce(t *testing.T) {
	dir := t.TempDir()
	n := open(t, filepath.Join(dir, "data"))
	must[*mainstem.Pipeline](t)(n.Run(echo(t, "echo")))
	if p, err := n.Run(echo(t, "echo")); !errors.Is(err, mainstem.ErrRunning) || p != nil || !strings.Contains(err.Error(), "pipeline echo") {
		t.Errorf("a second run: %v", err)
	}
	spec := mainstem.DeliverySpec{Topics: []string{payments.LastFiveTopic}}
	spec.Sink = must[connect.Sink](t)(customer.NewSink(filepath.Join(dir, "customer.db")))
	must[*mainstem.Delivery](t)(n.Deliver(spec))
	if d, err := n.Deliver(spec); !errors.Is(err, mainstem.ErrRunning) || d != nil {
		t.Errorf("a second delivery: %v", err)
	}
	n.close()
	if _, err := n.Run(echo(t, "late")); !errors.Is(err, mainstem.ErrClosed) {
		t.Errorf("a run behind Close: %v", err)
	}
	if _, err := n.Deliver(spec); !errors.Is(err, mainstem.ErrClosed) {
		t.Errorf("a delivery behind Close: %v", err)
	}
}

// A node may derive on another node, or any cluster, over the Kafka protocol.
func TestANodeOnACluster(t *testing.T) {
	far := open(t, t.TempDir())
	near := open(t, t.TempDir(), mainstem.WithKafka(nil), mainstem.WithBroker("kafka://"+far.Kafka()))
	if near.Kafka() != far.Kafka() {
		t.Errorf("clients are sent to %s", near.Kafka())
	}
	near.publish("in", "a", "bad", "b")
	p := must[*mainstem.Pipeline](t)(near.Run(echo(t, "echo"), mainstem.DeadLetter()))
	if err := near.Settle(within(t)); err != nil {
		t.Fatal(err, p.Err())
	}
	if diff := cmp.Diff([]string{"echo a", "echo b"}, far.read("out-of-echo", 2)); diff != "" {
		t.Error(diff)
	}
	near.await("/v1/flow", func(text string) bool {
		return strings.Contains(text, `"broker":"`+far.Kafka()) && strings.Contains(text, `"processed":3`)
	})
	near.close()
}
