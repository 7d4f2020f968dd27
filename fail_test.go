package mainstem

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A storage error ends the node: everybody who waits or asks is told.
func TestANodeThatFailsTellsEverybody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n, err := Open(ctx, t.TempDir(), WithHTTP(l))
	if err != nil {
		t.Fatal(err)
	}
	first := errors.New("broker: disk is full")
	n.fail(first)
	n.fail(errors.New("and then something else"))
	<-n.Done()
	if !errors.Is(n.Err(), first) {
		t.Errorf("Err is %v", n.Err())
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + l.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); r.StatusCode != 503 || !strings.Contains(string(b), "disk is full") {
		t.Errorf("readyz: %d %s", r.StatusCode, b)
	}
	if err := n.Settle(ctx); !errors.Is(err, first) {
		t.Errorf("Settle: %v", err)
	}
	if err := n.Close(); !errors.Is(err, first) {
		t.Errorf("Close: %v", err)
	}
}
