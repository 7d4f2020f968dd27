//go:build suites

package compat

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mainstemio/mainstem/internal/need"
)

// TestNode runs the scenarios in node/scenarios.js with two clients for Node.
func TestNode(t *testing.T) {
	node := need.Program(t, "node")
	for library, module := range map[string]string{"kafkajs": "kafkajs", "confluent": "@confluentinc/kafka-javascript/build/Release"} {
		if _, err := os.Stat(filepath.Join("node", "node_modules", module)); err != nil {
			need.Missing(t, "no "+library+": run test/compat/setup-node.sh")
		}
		for _, scenario := range []string{"plain", "group", "transactions", "administer"} {
			t.Run(library+"/"+scenario, func(t *testing.T) {
				output(t, run{path: node, args: []string{filepath.Join("node", "scenarios.js"), library, broker(t), unique(t), scenario}})
			})
		}
	}
}
