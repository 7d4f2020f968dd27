package remote_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/server/kafka"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Sessions: Kafka allows none below six seconds unless told otherwise.
const (
	shortSession = time.Second
	kafkaSession = 6 * time.Second
)

// serveMainstem runs the embedded broker in memory behind a loopback socket and returns its address.
func serveMainstem(t *testing.T) string {
	t.Helper()
	b, err := broker.Open(broker.Options{FS: vfs.NewCrashable(), Dir: "broker", Clock: clock.System, JournalFileSize: 1 << 20, Group: group.Options{MinSession: shortSession}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- b.Run(ctx) }()
	serving, stopServing := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- kafka.New(kafka.Options{Broker: b}).Serve(serving, ln) }()
	t.Cleanup(func() {
		stopServing()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return ln.Addr().String()
}

// serveDouble runs franz-go's fake cluster. At Kafka 2.5 it knows the first transaction protocol only.
func serveDouble(t *testing.T, brokers int, v *kversion.Versions) []string {
	t.Helper()
	opts := []kfake.Opt{kfake.NumBrokers(brokers), kfake.DefaultNumPartitions(1)}
	if v != nil {
		opts = append(opts, kfake.MaxVersions(v))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}
