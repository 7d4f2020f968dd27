// Command customer is the Customer Service: it keeps its own customer.db and shows it. The page and the API go on when the
// broker or everything before it is down.
//
//	customer [-bootstrap 127.0.0.1:9092] [-db customer.db] [-http 127.0.0.1:8090]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mainstemio/mainstem/connect/deliver"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/customer"
)

// shutdownTimeout bounds how long the end waits for requests under way.
const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "customer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	bootstrap := flag.String("bootstrap", "127.0.0.1:9092", "broker addresses, separated by commas")
	db := flag.String("db", "customer.db", "the service's database")
	address := flag.String("http", "127.0.0.1:8090", "address of the page and the API")
	flag.Parse()

	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	sink, err := customer.NewSink(*db)
	if err != nil {
		return err
	}
	service, err := customer.NewService(*db, func(err error) { log.Error("request failed", "error", err) })
	if err != nil {
		return err
	}
	defer service.Close()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	fmt.Printf("Customer Service on http://%s, reading only %s\n", listener.Addr(), *db)

	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		return deliver.Run(ctx, sink, deliver.Config{Brokers: strings.Split(*bootstrap, ","), Topics: []string{payments.LastFiveTopic}, Logger: log})
	})
	server := &http.Server{Handler: service, ReadHeaderTimeout: 10 * time.Second}
	parts.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	parts.Go(func() error {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if server.Shutdown(last) != nil {
			return server.Close() // a client that does not let go
		}
		return nil
	})
	return parts.Wait()
}
