package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/customer"
)

const defaultCustomer = "127.0.0.1:8090"

func newDemo(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "demo", Short: "Run a guided sample on this machine"}
	cmd.AddCommand(newDemoPayments(env))
	return cmd
}

// A demo is the payments system in one process: both payment services, the pipeline, and the Customer Service with its database.
type demo struct {
	nodeFlags
	bootstrap  []string
	login      clientLogin
	customer   string
	generate   int64
	seed       uint64
	rate       float64
	input      string
	once       bool
	json       bool
	deadLetter bool
	someone    int64 // the customer of the first payment that is made up; 0: none is
}

func newDemoPayments(env Env) *cobra.Command {
	d := &demo{nodeFlags: nodeFlags{env: env}}
	cmd := &cobra.Command{
		Use: "payments", Short: "Two payment channels, the last five payments of each customer, delivered into a service's own database", Args: exact(),
		Long: `Runs the whole payments system: card payments and bank transfers are published to a topic each, a pipeline turns both into
common payments and keeps the last five of each customer, and the Customer Service finds them in its own SQLite database.

Without --generate or --input payments are made up at a human pace until Ctrl-C; the next start goes on.`,
		Example: `  mainstem demo payments
  mainstem demo payments --generate 100000 --seed 7 --once --data ./data --json
  mainstem demo payments --input ./anz --once
  mainstem demo payments --bootstrap 127.0.0.1:9092`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := d.check(cmd); err != nil {
				return err
			}
			return d.run(cmd)
		},
	}
	d.register(cmd)
	cmd.Flags().StringSliceVar(&d.bootstrap, "bootstrap", nil, "run on this Kafka cluster instead of the embedded broker, host:port")
	d.login.register(cmd.Flags())
	cmd.Flags().StringVar(&d.customer, "customer", defaultCustomer, "address of the Customer Service")
	cmd.Flags().Int64Var(&d.generate, "generate", 0, "publish this many payments as fast as possible")
	cmd.Flags().Uint64Var(&d.seed, "seed", 1, "which payments are made up: the same seed, the same payments")
	cmd.Flags().Float64Var(&d.rate, "rate", 4, "payments a second at a human pace; 0: none, other producers publish")
	cmd.Flags().StringVar(&d.input, "input", "", "publish cc-payment.jsonl and bank-transfer-payment.jsonl of this directory")
	cmd.Flags().BoolVar(&d.once, "once", false, "wait until customer.db is current, print the figures and end")
	cmd.Flags().BoolVar(&d.json, "json", false, "print the figures as JSON (with --once)")
	cmd.Flags().BoolVar(&d.deadLetter, "dead-letter", false, "send records that can't be processed to <topic>.dead and go on")
	return cmd
}

func (d *demo) check(cmd *cobra.Command) error {
	switch {
	case d.generate < 0 || d.rate < 0 || d.rate > 100_000:
		return usage("--generate and --rate can't be negative, --rate is at most 100000")
	case d.generate > 0 && d.input != "":
		return usage("--generate and --input exclude each other")
	case d.json && !d.once:
		return usage("--json needs --once")
	case len(d.bootstrap) == 0 && d.login != (clientLogin{mechanism: d.login.mechanism}):
		return usage("--sasl-user and --tls flags are for a cluster: give --bootstrap, too")
	case len(d.bootstrap) > 0 && cmd.Flags().Changed("kafka"):
		return usage("--kafka is the embedded broker's address, and there is none with --bootstrap")
	}
	return nil
}

// run starts everything, publishes, and ends after --once, an interrupt or a failure.
func (d *demo) run(cmd *cobra.Command) error {
	source, err := d.source()
	if err != nil {
		return err
	}
	login, err := d.login.opts()
	if err != nil {
		return err
	}
	d.options = []mainstem.Option{mainstem.WithBrokerConnection(login...)}
	n, err := d.open(cmd, d.bootstrap)
	if err != nil {
		return err
	}
	s := &system{demo: d, node: n, published: newPublished(d.input != "")}
	err = s.start(cmd)
	if err == nil {
		err = s.work(cmd.Context(), source)
	}
	return errors.Join(err, s.stop())
}

// A system is the running demo.
type system struct {
	*demo
	node      *node
	pipeline  *mainstem.Pipeline
	delivery  *mainstem.Delivery
	page      *customerPage
	published *published
}

func (s *system) start(cmd *cobra.Command) error {
	topology, err := payments.Pipeline()
	if err != nil {
		return failed("pipeline", err, "")
	}
	if err := s.ensureTopics(cmd.Context()); err != nil {
		return err
	}
	var opts []mainstem.PipelineOption
	if s.deadLetter {
		opts = append(opts, mainstem.DeadLetter())
	}
	if s.pipeline, err = s.node.Run(topology, opts...); err != nil {
		return nodeError(err)
	}
	path := filepath.Join(s.data, "customer.db")
	sink, err := customer.NewSink(path)
	if err != nil {
		return failed("sink", err, "")
	}
	if s.page, err = s.servePage(cmd, path); err != nil {
		return err
	}
	s.delivery, err = s.node.Deliver(mainstem.DeliverySpec{
		Sink: sink, Topics: []string{payments.LastFiveTopic}, Target: "customer.db", Link: "http://" + s.page.addr + "/",
		Written: func(b connect.Batch, at time.Time) { s.published.seen(b, at) },
	})
	if err != nil {
		return nodeError(err)
	}
	if !s.json {
		s.greet(path)
	}
	return nil
}

func (s *system) greet(path string) {
	fmt.Fprintf(s.env.Out, "Flow              http://%s\nCustomer Service  http://%s\nKafka             %s\nDatabase          %s\n", s.node.http, s.page.addr, s.node.kafka, path)
	if s.once {
		return
	}
	fmt.Fprintf(s.env.Out, "\nNext:\n  curl http://%s/customers/%d/payments\n", s.page.addr, max(s.someone, 1))
	fmt.Fprintf(s.env.Out, "  mainstem topic consume %s --follow -b %s\n", payments.PaymentTopic, s.node.kafka)
	fmt.Fprintf(s.env.Out, "  mainstem topic describe %s -b %s\n\nCtrl-C stops; the next start goes on.\n\n", payments.LastFiveTopic, s.node.kafka)
}

// work publishes and watches until the end.
func (s *system) work(ctx context.Context, source eventSource) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go s.watch(ctx, cancel)
	began := time.Now()
	line := s.liveLine(ctx)
	defer line()
	n, err := s.publish(ctx, source)
	if err != nil {
		return s.ended(ctx, err)
	}
	publishedIn := time.Since(began)
	if !s.once {
		<-ctx.Done()
		return s.ended(ctx, nil)
	}
	if err := s.node.Settle(ctx); err != nil {
		return s.ended(ctx, err)
	}
	line()
	return s.report(ctx, n, publishedIn, time.Since(began))
}

// watch cancels the work when a part stops by itself.
func (s *system) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-s.node.Done():
		cancel(nodeError(s.node.Err()))
	case <-s.pipeline.Done():
		cancel(pipelineError(s.pipeline.Err()))
	case <-s.delivery.Done():
		cancel(failed("sink_stopped", s.delivery.Err(), "mend what the message names and start again: delivery goes on where it stopped"))
	case <-s.page.done:
		cancel(failed("customer_service", s.page.err, ""))
	}
}

func pipelineError(err error) error {
	return failed("pipeline_stopped", err, "repair or skip the record at its producer, or start with --dead-letter to set such records aside")
}

// ended prefers the reason why the work was cancelled to the error it caused. An interrupt is a clean end, but not of --once.
func (s *system) ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if ctx.Err() != nil && s.once {
		return failed("interrupted", errors.New("stopped before customer.db was current"), "start again: it goes on")
	}
	if ctx.Err() != nil {
		return nil
	}
	if stopped := s.pipeline.Err(); stopped != nil { // whoever waits for it may hear of it before watch does
		return pipelineError(stopped)
	}
	return err
}

func (s *system) stop() error {
	if s.page != nil {
		s.page.stop()
	}
	return s.node.close()
}

// Figures are what --once prints.
type figures struct {
	Published    int64   `json:"published"`
	Delivered    int64   `json:"delivered"` // updates of customers' lists since the start
	Customers    int     `json:"customers"`
	Rows         int     `json:"rows"`
	PublishedPS  float64 `json:"publishedPerSecond"`
	TotalSeconds float64 `json:"seconds"`
	TotalPS      float64 `json:"paymentsPerSecond"` // published to current in customer.db
	P50Ms        float64 `json:"freshnessP50Ms"`
	P99Ms        float64 `json:"freshnessP99Ms"`
	Database     string  `json:"database"`
}

func (s *system) report(ctx context.Context, n int64, publishing, total time.Duration) error {
	customers, rows, err := s.page.service.Count(ctx)
	if err != nil {
		return failed("customer_db", err, "")
	}
	p50, p99 := s.published.freshness()
	f := figures{
		Published: n, Delivered: s.delivery.Freshness().Records, Customers: customers, Rows: rows, PublishedPS: perSecond(n, publishing),
		TotalSeconds: total.Seconds(), TotalPS: perSecond(n, total), P50Ms: float64(p50.Microseconds()) / 1000,
		P99Ms: float64(p99.Microseconds()) / 1000, Database: filepath.Join(s.data, "customer.db"),
	}
	if s.json {
		return json.NewEncoder(s.env.Out).Encode(f)
	}
	fmt.Fprintf(s.env.Out, "\n%d payments published, %.0f/s; current in customer.db after %.2f s, %.0f/s\n", f.Published, f.PublishedPS, f.TotalSeconds, f.TotalPS)
	fmt.Fprintf(s.env.Out, "%d customers, %d rows; fresh in %.1f ms (p50), %.1f ms (p99)\n", f.Customers, f.Rows, f.P50Ms, f.P99Ms)
	return nil
}

func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
