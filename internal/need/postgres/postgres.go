//go:build unix

// Package postgres starts a PostgreSQL of a test's own: an answer from outside to what SQL here computes.
//
// Callers: tests. It calls the programs of PostgreSQL that are installed.
//
// Owner and locks: a server belongs to the test that started it, and ends with it.
//
// The cluster lies in a temporary folder, listens on a socket there and nowhere else, and does not sync: a crash of the machine may lose it.
// Texts are UTF-8 and ordered by their bytes; the time zone is UTC. PostgreSQL refuses to run as root: for root it runs as one who owns
// nothing else.
//
// Not here: a driver.
package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/mainstemio/mainstem/internal/need"
)

const superuser = "mainstem"

// Start starts a server and returns what a driver of PostgreSQL connects with, as keywords and values. The server stops at the end of the
// test. Where PostgreSQL is not installed the test is skipped, or fails when everything is required.
func Start(t testing.TB) (dsn string) {
	t.Helper()
	c := cluster{bin: programs(t)}
	var err error
	if c.dir, err = os.MkdirTemp("", "mainstem-pg-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(c.dir); err != nil {
			t.Error(err)
		}
	})
	if os.Geteuid() == 0 {
		if err := c.giveAway(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.run("pg_ctl", "stop", "-D", c.data(), "-m", "immediate", "-w"); err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("host=%s user=%s dbname=postgres sslmode=disable", c.dir, superuser)
}

// programs returns the folder of PostgreSQL's programs: that of initdb on the path, or Debian's of the newest version.
func programs(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		need.Missing(t, "PostgreSQL's initdb is not installed")
	}
	return filepath.Dir(slices.Max(found))
}

// A cluster is one in the making.
type cluster struct {
	bin   string // folder of the programs
	dir   string
	owner *syscall.Credential // nil: who runs the test
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// giveAway makes the folder another user's.
func (c *cluster) giveAway() error {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
		c.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}
		return os.Chown(c.dir, uid, gid)
	}
	return fmt.Errorf("start PostgreSQL: root needs the user postgres or nobody")
}

func (c *cluster) start() error {
	if err := c.run("initdb", "-D", c.data(), "-U", superuser, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"); err != nil {
		return err
	}
	options := fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories='%s' -c timezone=UTC -c fsync=off -c full_page_writes=off "+
		"-c synchronous_commit=off -c autovacuum=off -c max_wal_size=4GB -c work_mem=64MB", c.dir)
	return c.run("pg_ctl", "start", "-D", c.data(), "-w", "-t", "60", "-l", filepath.Join(c.dir, "log"), "-o", options)
}

// run runs a program to its end. What it prints goes to a file: the server keeps its output open.
func (c *cluster) run(name string, args ...string) error {
	out, err := os.CreateTemp(c.dir, name+"-*.out")
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w\n%s", name, err, said)
	}
	return nil
}
