package cli

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstemio/mainstem/examples/payments/customer"
)

// A customerPage is the Customer Service of the demo: a server of its own that reads only its database.
type customerPage struct {
	addr    string
	server  *http.Server
	service *customer.Service
	done    chan struct{} // closed when it stopped by itself
	err     error
}

func (s *system) servePage(cmd *cobra.Command, path string) (*customerPage, error) {
	service, err := customer.NewService(path, func(err error) { s.logger().Error("customer-service", "error", err) })
	if err != nil {
		return nil, failed("customer_service", err, "")
	}
	l, err := s.listen("customer", s.customer, cmd.Flags().Changed("customer"))
	if err != nil {
		return nil, errors.Join(err, service.Close())
	}
	p := &customerPage{addr: l.Addr().String(), service: service, done: make(chan struct{})}
	p.server = &http.Server{Handler: service, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(p.done)
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.err = err
		}
	}()
	return p, nil
}

func (p *customerPage) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		_ = p.server.Close() // a client that doesn't let go
	}
	<-p.done
	_ = p.service.Close() // read only
}
