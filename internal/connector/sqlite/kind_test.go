package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/connect"
)

func TestASinkIsMadeFromOptions(t *testing.T) {
	cfg := config("")
	cfg.BusyTimeout = 0
	kinds, err := connect.NewRegistry(Kind(cfg))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.db")
	s, err := kinds.NewSink("sqlite", map[string]string{"path": path, "busy-timeout": "10ms"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustWrite(t, s, batch(0, "1=a"))
	wantContents(t, path, "1/1=a", "next 1")
	for want, written := range map[string]map[string]string{
		"option path is required": {}, "is no path": {"path": ""}, "did you mean busy-timeout?": {"path": "x", "busy": "1s"},
		"must not be negative": {"path": "x", "busy-timeout": "-1s"},
	} {
		if _, err := kinds.NewSink("sqlite", written); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	cfg.Rows = nil
	if s, err := Kind(cfg).New(mustParse(t, map[string]string{"path": path})); err == nil || s != nil {
		t.Errorf("a mapping without Rows: %v, %v", s, err)
	}
}

func mustParse(t *testing.T, written map[string]string) connect.Values {
	t.Helper()
	v, err := Spec().Parse(written)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
