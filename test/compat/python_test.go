package compat

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mainstemio/mainstem/internal/need"
)

// TestPython runs the scenarios in python/*.py: each script makes its own claims and exits with 0 if all hold.
func TestPython(t *testing.T) {
	python, err := filepath.Abs(filepath.Join(".venv", "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		need.Missing(t, "no Python clients: run test/compat/setup.sh")
	}
	address := broker(t)
	for _, library := range []string{"confluent", "aio", "pure"} {
		for _, scenario := range []string{"plain", "group", "transactions", "administer"} {
			t.Run(library+"/"+scenario, func(t *testing.T) {
				output(t, run{path: python, args: []string{filepath.Join("python", library+".py"), address, unique(t), scenario}})
			})
		}
	}
}
