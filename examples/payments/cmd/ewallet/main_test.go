package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/mainstemio/mainstem/connect/deliver"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/customer"
	"github.com/mainstemio/mainstem/examples/payments/generate"
	"github.com/mainstemio/mainstem/examples/payments/publish"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/streamtest"
	"github.com/mainstemio/mainstem/worker"
)

func TestAWalletPaymentBecomesACommonOne(t *testing.T) {
	topology, err := pipeline()
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology)
	d.Pipe(record.Record{TopicPartition: record.TopicPartition{Topic: topic}, Key: []byte("k"), Timestamp: 1, Value: []byte(`{"trxId":1,"amount":5000,"wallet":"W-000007","owner":"Adi","provider":"DOMPET","currency":"IDR","customerId":7,"paidAt":"2026-08-01T00:00:00.000"}`)})
	got, ok := streamtest.NewOutput(d, payments.PaymentTopic, serde.String, serde.String).Read()
	want := `{"trxId":1,"trxAmount":5000,"customerId":7,"trxDate":"2026-08-01T00:00:00.000","paymentType":"E_WALLET","accountNo":"W-000007","accountName":"Adi","bankName":"DOMPET","referenceNo":"","currency":"IDR"}`
	if !ok || got.Key != "k" || got.Value != want {
		t.Errorf("got %s=%s", got.Key, got.Value)
	}
}

func TestPaymentsThatAreMadeUpAreValid(t *testing.T) {
	key, value, err := made(5, 7)
	if err != nil {
		t.Fatal(err)
	}
	if w, err := walletJSON.Decode(value); err != nil || w.TrxID != 5 || w.CustomerID != 7 || w.Wallet != key {
		t.Errorf("%s=%s: %v", key, value, err)
	}
}

// background runs a program until the test ends.
func background(t *testing.T, name string, program func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- program(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
}

func TestTheChannelJoinsARunningSystem(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	bootstrap := strings.Join(cluster.ListenAddrs(), ",")
	database := filepath.Join(t.TempDir(), "customer.db")
	service, err := customer.NewService(database, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close() })
	written := make(chan struct{}, 1)
	background(t, "delivery", func(ctx context.Context) error {
		sink, err := customer.NewSink(database)
		if err != nil {
			return err
		}
		return deliver.Run(ctx, sink, deliver.Config{Brokers: []string{bootstrap}, Topics: []string{payments.LastFiveTopic}, Written: func(deliver.Written) {
			select {
			case written <- struct{}{}:
			default:
			}
		}})
	})
	background(t, "pipeline", func(ctx context.Context) error {
		topology, err := payments.Pipeline()
		if err != nil {
			return err
		}
		return worker.Run(ctx, topology, worker.Config{Brokers: []string{bootstrap}, Dir: t.TempDir()})
	})

	// The old channel goes on while the new one comes.
	source, err := generate.New(generate.Config{Seed: 8, Customers: 3})
	if err != nil {
		t.Fatal(err)
	}
	const cards, wallets = 60, 40
	want := map[int64]payments.LastFive{}
	add := func(p payments.Payment) { want[p.CustomerID], _ = want[p.CustomerID].Add(p) }
	for i := range int64(cards) {
		add(source.Card(i).Common())
	}
	wallet := func(i int64) walletPayment {
		c := source.Card(10_000 + i) // borrows customer, amount and a date of its own
		return walletPayment{TrxID: i, Amount: c.TrxAmount, Wallet: "W", Owner: c.CardHolder, Provider: "DOMPET", Currency: "IDR", CustomerID: c.CustomerID, PaidAt: source.Card(cards-wallets+i).TrxDate + 7}
	}
	for i := range int64(wallets) {
		add(wallet(i).common())
	}
	background(t, "cards", func(ctx context.Context) error {
		_, err := publish.Run(ctx, publish.Config{Bootstrap: bootstrap, Topic: payments.CardTopic, Count: cards, Rate: 500}, func(i int64) (string, []byte, error) {
			e, err := source.CardEvent(nil, i)
			return e.Key, e.Value, err
		})
		return err
	})
	background(t, "ewallet", func(ctx context.Context) error {
		return channel(ctx, publish.Config{Bootstrap: bootstrap, Topic: topic, Count: wallets}, t.TempDir(), func(i int64) (string, []byte, error) {
			value, err := walletJSON.Append(nil, wallet(i))
			return "W", value, err
		})
	})
	deadline := time.After(time.Minute)
	for behind := differences(t, service, want); behind != ""; behind = differences(t, service, want) {
		select {
		case <-written:
		case <-deadline:
			t.Fatal(behind)
		}
	}
	shown := ask(service, 1)
	if !strings.Contains(shown, `"E_WALLET"`) {
		t.Errorf("no wallet payment among %s", shown)
	}
}

func ask(service *customer.Service, id int64) string {
	w := httptest.NewRecorder()
	service.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/customers/%d/payments", id), nil))
	return strings.TrimSpace(w.Body.String())
}

func differences(t *testing.T, service *customer.Service, want map[int64]payments.LastFive) string {
	for id, l := range want {
		text, err := payments.LastFiveJSON.Append(nil, l)
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(service, id); got != string(text) {
			return fmt.Sprintf("customer %d shows %s, want %s", id, got, text)
		}
	}
	return ""
}
