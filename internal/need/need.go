// Package need says what a test needs that a machine with Go alone does not have: a program, a folder, a server; and finds it a port to keep.
//
// Tests call it. Where the thing is missing the test is skipped with the reason; with MAINSTEM_TEST_REQUIRE=all it fails, so that
// a complete run skips nothing in silence.
package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Missing skips the test, or fails it when everything is required.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("MAINSTEM_TEST_REQUIRE") == "all" {
		t.Fatalf("%s, and MAINSTEM_TEST_REQUIRE=all", reason)
	}
	t.Skip(reason)
}

// Program returns the path of an installed program.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name+" is not installed")
	}
	return path
}

// Env returns the value of a variable that points to something outside, such as MAINSTEM_KAFKA=host:port.
func Env(t testing.TB, name, what string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		Missing(t, name+" is not set: "+what)
	}
	return v
}

// Folder returns the folder that the variable names, or the default relative to the test's directory.
func Folder(t testing.TB, name, def string) string {
	t.Helper()
	dir := os.Getenv(name)
	if dir == "" {
		dir = def
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		Missing(t, "no folder "+dir+" (set "+name+")")
	}
	return abs
}
