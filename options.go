package mainstem

import (
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/mainstemio/mainstem/internal/clock"
)

// An Option changes how Open starts a node.
type Option func(*options) error

type options struct {
	kafka, http net.Listener
	cluster     []string // empty: the embedded broker
	log         *slog.Logger
	clock       clock.Clock
	version     string
}

// WithKafka lets Kafka clients connect to the embedded broker through l; the node closes it. Without it only this process reaches the broker.
func WithKafka(l net.Listener) Option {
	return func(o *options) error { o.kafka = l; return nil }
}

// WithHTTP serves the page and the HTTP API on l; the node closes it.
func WithHTTP(l net.Listener) Option {
	return func(o *options) error { o.http = l; return nil }
}

// WithBroker runs the node's pipelines and sinks on an existing cluster instead of the embedded broker: kafka://host:port,host:port.
func WithBroker(url string) Option {
	return func(o *options) error {
		hosts, ok := strings.CutPrefix(url, "kafka://")
		if !ok || hosts == "" {
			return fmt.Errorf("broker %q: want kafka://host:port,…", url)
		}
		o.cluster = strings.Split(hosts, ",")
		return nil
	}
}

// WithLogger tells where the node reports what an operator should know; default nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) error { o.log = l; return nil }
}

// WithVersion is the version that pages show.
func WithVersion(v string) Option {
	return func(o *options) error { o.version = v; return nil }
}

func (o *options) apply(opts []Option) error {
	o.log = slog.New(slog.DiscardHandler)
	o.clock = clock.System
	o.version = "dev"
	for _, opt := range opts {
		if err := opt(o); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) listeners() []net.Listener {
	var ls []net.Listener
	for _, l := range []net.Listener{o.kafka, o.http} {
		if l != nil {
			ls = append(ls, l)
		}
	}
	return ls
}

// loopbackOnly refuses addresses that others can reach: there is no authentication yet.
func (o *options) loopbackOnly() error {
	for _, l := range o.listeners() {
		if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
			return fmt.Errorf("listen on %s: only loopback addresses are served, since this version has no authentication", a)
		}
	}
	return nil
}
