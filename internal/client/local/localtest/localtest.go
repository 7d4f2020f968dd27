// Package localtest runs a broker in memory for a test.
//
// Tests of what stands on a client.Door call it.
package localtest

import (
	"context"
	"testing"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// Broker runs until the end of t, which fails if the broker does.
func Broker(t testing.TB) *broker.Broker {
	t.Helper()
	b, err := broker.Open(broker.Options{FS: vfs.NewCrashable(), Dir: "broker", Clock: clock.System, JournalFileSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// Door is a door to a Broker of its own.
func Door(t testing.TB) client.Door {
	t.Helper()
	return local.New(Broker(t), clock.System)
}
