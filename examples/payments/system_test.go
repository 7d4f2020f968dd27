package payments_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/connect/deliver"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/customer"
	"github.com/mainstemio/mainstem/examples/payments/generate"
	"github.com/mainstemio/mainstem/examples/payments/publish"
	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/worker"
)

// patience bounds the wait for anything.
const patience = 60 * time.Second

// A system is the separate programs of the example, each of which can be stopped and started on its own.
type system struct {
	t         *testing.T
	broker    *mainstem.Node
	bootstrap string
	dir       string
	source    generate.Source
	service   *customer.Service
	written   chan struct{} // holds one when the database changed since it was last looked at
}

func newSystem(t *testing.T) *system {
	t.Helper()
	source, err := generate.New(generate.Config{Seed: 21, Customers: 7})
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, dir: t.TempDir(), source: source, written: make(chan struct{}, 1)}
	s.startBroker()
	t.Cleanup(s.stopBroker)
	if s.service, err = customer.NewService(s.database(), func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.service.Close() })
	return s
}

// startBroker runs a node that is nothing but a broker, always at the same address.
func (s *system) startBroker() {
	s.t.Helper()
	listener, err := need.Listen(s.bootstrap)
	if err != nil {
		s.t.Fatal(err)
	}
	s.bootstrap = listener.Addr().String()
	if s.broker, err = mainstem.Open(context.Background(), filepath.Join(s.dir, "broker"), mainstem.WithKafka(listener)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) stopBroker() {
	if err := s.broker.Close(); err != nil {
		s.t.Errorf("broker: %v", err)
	}
}

func (s *system) database() string { return filepath.Join(s.dir, "customer.db") }

// start runs a program and returns what stops it and waits for its end.
func (s *system) start(name string, program func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- program(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("%s: %v", name, err)
		}
	}
	s.t.Cleanup(stop)
	return stop
}

func (s *system) startPipeline() (stop func()) {
	return s.start("pipeline", func(ctx context.Context) error {
		topology, err := payments.Pipeline()
		if err != nil {
			return err
		}
		return worker.Run(ctx, topology, worker.Config{Brokers: []string{s.bootstrap}, Dir: filepath.Join(s.dir, "state")})
	})
}

func (s *system) startDelivery() (stop func()) {
	return s.start("delivery", func(ctx context.Context) error {
		sink, err := customer.NewSink(s.database())
		if err != nil {
			return err
		}
		return deliver.Run(ctx, sink, deliver.Config{
			Brokers: []string{s.bootstrap}, Topics: []string{payments.LastFiveTopic},
			Written: func(deliver.Written) {
				select {
				case s.written <- struct{}{}:
				default:
				}
			},
		})
	})
}

// publish lets a payment service publish those of payments [from, to) that are its own, and end.
func (s *system) publish(topic string, from, to int64) {
	s.t.Helper()
	var own []generate.Event
	for i := from; i < to; i++ {
		e, err := s.source.At(nil, i)
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Topic == topic {
			own = append(own, e)
		}
	}
	n, err := publish.Run(context.Background(), publish.Config{Bootstrap: s.bootstrap, Topic: topic, Count: int64(len(own))},
		func(i int64) (string, []byte, error) { return own[i].Key, own[i].Value, nil })
	if err != nil || n != int64(len(own)) {
		s.t.Fatalf("published %d of %d: %v", n, len(own), err)
	}
}

func (s *system) publishBoth(from, to int64) {
	s.t.Helper()
	s.publish(payments.CardTopic, from, to)
	s.publish(payments.TransferTopic, from, to)
}

// shown returns what the Customer Service answers for a customer, "" for 404.
func (s *system) shown(id int64) string {
	w := httptest.NewRecorder()
	s.service.ServeHTTP(w, httptest.NewRequest("GET", "/customers/"+strconv.FormatInt(id, 10)+"/payments", nil))
	if w.Code == 404 {
		return ""
	}
	return strings.TrimSpace(w.Body.String())
}

// await waits until the Customer Service shows exactly these lists.
func (s *system) await(want map[int64]payments.LastFive) {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		behind := s.differences(want)
		if behind == nil {
			return
		}
		select {
		case <-s.written:
		case <-deadline:
			s.t.Fatalf("after %s: %v", patience, behind)
		}
	}
}

func (s *system) differences(want map[int64]payments.LastFive) error {
	for id, l := range want {
		text, err := payments.LastFiveJSON.Append(nil, l)
		if err != nil {
			s.t.Fatal(err)
		}
		if got := s.shown(id); got != string(text) {
			return errors.New("customer " + strconv.FormatInt(id, 10) + " shows " + got + ", want " + string(text))
		}
	}
	return nil
}

// onlyOf leaves the payments of one type in the first n.
func (s *system) onlyOf(n int64, paymentType string) map[int64]payments.LastFive {
	lists := map[int64]payments.LastFive{}
	for i := range n {
		e, err := s.source.At(nil, i)
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Payment.PaymentType == paymentType {
			lists[e.Payment.CustomerID], _ = lists[e.Payment.CustomerID].Add(e.Payment)
		}
	}
	return lists
}

func TestAPaymentServiceIsDown(t *testing.T) {
	s := newSystem(t)
	s.startPipeline()
	s.startDelivery()
	s.publish(payments.TransferTopic, 0, 200) // the card service is not there at all
	s.await(s.onlyOf(200, payments.TypeTransfer))
	s.publish(payments.CardTopic, 0, 200) // and now it is, with all that it had to say
	s.await(s.source.Expected(200))
}

func TestThePipelineIsDown(t *testing.T) {
	s := newSystem(t)
	stop := s.startPipeline()
	s.startDelivery()
	s.publishBoth(0, 100)
	s.await(s.source.Expected(100))
	stop()
	s.publishBoth(100, 300) // the payment services do not notice
	if err := s.differences(s.source.Expected(100)); err != nil {
		t.Errorf("the Customer Service does not show what it had: %v", err)
	}
	s.startPipeline()
	s.await(s.source.Expected(300))
}

func TestTheCustomerServiceIsDown(t *testing.T) {
	s := newSystem(t)
	s.startPipeline()
	stop := s.startDelivery()
	s.publishBoth(0, 100)
	s.await(s.source.Expected(100))
	stop()
	s.publishBoth(100, 300)
	if err := s.differences(s.source.Expected(100)); err != nil {
		t.Errorf("the database changed without its sink: %v", err)
	}
	s.startDelivery()
	s.await(s.source.Expected(300))
}

func TestTheBrokerIsRestarted(t *testing.T) {
	s := newSystem(t)
	s.startPipeline()
	s.startDelivery()
	s.publishBoth(0, 100)
	s.await(s.source.Expected(100))
	s.stopBroker()
	if err := s.differences(s.source.Expected(100)); err != nil {
		t.Errorf("the Customer Service needs the broker: %v", err)
	}
	s.startBroker() // the others were not told
	s.publishBoth(100, 300)
	s.await(s.source.Expected(300))
}

func TestServicesStartInTheWrongOrder(t *testing.T) {
	s := newSystem(t)
	s.startDelivery() // its topic does not exist yet
	if got := s.shown(1); got != "" {
		t.Errorf("shows %s", got)
	}
	s.startPipeline() // its topics do not exist yet either
	s.publishBoth(0, 50)
	s.await(s.source.Expected(50))
}
