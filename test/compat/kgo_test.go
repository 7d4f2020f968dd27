package compat

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/need"
)

// TestKgoSuite runs franz-go's own tests against the node; Apache Kafka 4.3.1 passes 149 of them and skips 3.
func TestKgoSuite(t *testing.T) {
	need.Env(t, "MAINSTEM_COMPAT_KGO", "1 runs franz-go's own tests, which takes minutes")
	script, err := filepath.Abs("kgo-suite.sh")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(output(t, run{path: script, args: []string{broker(t)}, limit: 20 * time.Minute}))
}
