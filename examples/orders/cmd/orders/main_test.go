package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestAllOrdersAreDecided also starts a second time, on what the first run left.
func TestAllOrdersAreDecided(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := config{data: t.TempDir(), kafka: "127.0.0.1:0", http: "127.0.0.1:0", rate: 1000, count: 20}
	for range 2 {
		var out strings.Builder
		if err := run(ctx, c, &out); err != nil || ctx.Err() != nil {
			t.Fatalf("%v, %v:\n%s", err, ctx.Err(), out.String())
		}
		created := strings.Count(out.String(), ": CREATED\n")
		decided := strings.Count(out.String(), ": VALIDATED\n") + strings.Count(out.String(), ": FAILED\n")
		if created != c.count || decided != c.count {
			t.Errorf("%d created, %d decided:\n%s", created, decided, out.String())
		}
	}
}
