package qtt

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "add cases that pass to testdata/passing.txt")

// passingFile lists the cases that passed before, by hash.
const passingFile = "testdata/passing.txt"

// A ratchet knows which cases passed before.
type ratchet map[string]bool

// hashOf is how a case stands in the file: the name says nothing there.
func hashOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:8])
}

func readRatchet(t *testing.T, file string) ratchet {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	r := ratchet{}
	for _, hash := range strings.Fields(string(text)) {
		r[hash] = true
	}
	return r
}

// lost returns the verdicts on cases that passed before and no longer do.
func (r ratchet) lost(verdicts []verdict) []verdict {
	return slices.DeleteFunc(slices.Clone(verdicts), func(v verdict) bool {
		return v.passed || v.skipped != "" || !r[hashOf(v.c.full)]
	})
}

// add takes the cases that pass into the file.
func (r ratchet) add(t *testing.T, file string, verdicts []verdict) {
	t.Helper()
	for _, v := range verdicts {
		if v.passed {
			r[hashOf(v.c.full)] = true
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(slices.Sorted(maps.Keys(r)), "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
