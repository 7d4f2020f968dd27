// Command ewallet is a payment channel that was added later: it publishes wallet payments to E-WALLET-PAYMENT and derives the
// common form into PAYMENT-OUTPUT itself. No other program changes, restarts or knows of it: the last five of each customer
// and the Customer Service show its payments as soon as it runs.
//
//	ewallet [-bootstrap 127.0.0.1:9092] [-rate 1] [-count 0] [-customers 10] [-dir ewallet-state]
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/publish"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/worker"
)

const (
	topic       = "E-WALLET-PAYMENT"
	paymentType = "E_WALLET"
)

// A walletPayment is what this channel publishes.
type walletPayment struct {
	TrxID      int64         `json:"trxId" serde:"required"`
	Amount     row.Decimal   `json:"amount" serde:"required"`
	Wallet     string        `json:"wallet" serde:"required"`
	Owner      string        `json:"owner"`
	Provider   string        `json:"provider"`
	Currency   string        `json:"currency"`
	CustomerID int64         `json:"customerId" serde:"required"`
	PaidAt     payments.Date `json:"paidAt" serde:"required"`
}

var walletJSON = serde.JSON[walletPayment]()

// common returns the payment in the form that all channels share.
func (w walletPayment) common() payments.Payment {
	return payments.Payment{
		TrxID: w.TrxID, TrxAmount: w.Amount, CustomerID: w.CustomerID, TrxDate: w.PaidAt, PaymentType: paymentType,
		AccountNo: w.Wallet, AccountName: w.Owner, BankName: w.Provider, Currency: w.Currency,
	}
}

// pipeline is all that the new channel needs besides its own payments.
func pipeline() (*stream.Topology, error) {
	t := stream.New("ewallet")
	wallets := stream.From(t, topic, serde.String, walletJSON)
	stream.MapValues(wallets, walletPayment.common).To(payments.PaymentTopic, serde.String, payments.PaymentJSON)
	return t.Build()
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ewallet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg := publish.Config{Topic: topic, Progress: func(n int64) { fmt.Printf("%d wallet payments published\n", n) }}
	flag.StringVar(&cfg.Bootstrap, "bootstrap", "127.0.0.1:9092", "broker addresses, separated by commas")
	flag.Float64Var(&cfg.Rate, "rate", 1, "payments a second; 0 means as fast as possible")
	flag.Int64Var(&cfg.Count, "count", 0, "how many to publish; 0 means until interrupted")
	customers := flag.Int64("customers", 10, "number of customers")
	dir := flag.String("dir", "ewallet-state", "directory for checkpoints of the stream")
	flag.Parse()
	if *customers < 1 {
		return fmt.Errorf("-customers %d: at least 1", *customers)
	}
	base := time.Now().UnixMilli() * 1000
	return channel(ctx, cfg, *dir, func(i int64) (string, []byte, error) {
		return made(base+i, 1+rand.Int64N(*customers))
	})
}

// channel is the whole of the new service: it publishes payments and derives their common form.
func channel(ctx context.Context, cfg publish.Config, dir string, payment func(i int64) (string, []byte, error)) error {
	derive, err := pipeline()
	if err != nil {
		return err
	}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		_, err := publish.Run(ctx, cfg, payment)
		return err
	})
	parts.Go(func() error {
		return worker.Run(ctx, derive, worker.Config{
			Brokers: strings.Split(cfg.Bootstrap, ","), Dir: dir, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		})
	})
	return parts.Wait()
}

// made makes up a payment of a customer, now.
func made(id, customer int64) (string, []byte, error) {
	amount, err := row.ParseDecimal(strconv.Itoa(5000 + 500*rand.IntN(200)))
	if err != nil {
		return "", nil, err
	}
	wallet := fmt.Sprintf("W-%06d", customer)
	value, err := walletJSON.Append(nil, walletPayment{
		TrxID: id, Amount: amount, Wallet: wallet, Owner: fmt.Sprintf("Customer %d", customer), Provider: "DOMPET", Currency: "IDR",
		CustomerID: customer, PaidAt: payments.DateOf(time.Now()),
	})
	return wallet, value, err
}
