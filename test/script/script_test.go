// Package script runs the command line as a user would: each file in testdata is a session, command by command.
package script

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mainstemio/mainstem/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mainstem": func() { os.Exit(cli.Main()) }})
}

// TestScripts gives every session free ports in KAFKA, HTTP, CUSTOMER and OTHER, so that sessions run side by side.
func TestScripts(t *testing.T) {
	var free addresses
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"KAFKA", "HTTP", "CUSTOMER", "OTHER"} {
				addr, err := free.next()
				if err != nil {
					return err
				}
				e.Setenv(name, addr)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "waitport": waitPort, "occupy": occupy, "flip": flip,
			"until": until, "waitstable": waitStable, "opentransaction": openTransaction,
		},
	})
}

// addresses are free ones of this machine, each drawn once: a session may use its own long after it got it.
type addresses struct {
	mu    sync.Mutex
	drawn map[string]bool
}

// next draws a port that systems give to no outgoing connection: neither another program's nor waitPort's own, which could otherwise
// meet itself there while nobody listens yet. Tests of other packages, which may run now, draw from others.
func (a *addresses) next() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 16000+rand.IntN(3500)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		addr := l.Addr().String()
		if err := l.Close(); err != nil {
			return "", err
		}
		if a.drawn[addr] {
			continue
		}
		if a.drawn == nil {
			a.drawn = map[string]bool{}
		}
		a.drawn[addr] = true
		return addr, nil
	}
}

// status runs a command and checks its exit code: status CODE COMMAND …
func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// patience bounds the wait for anything.
const patience = 5 * time.Minute

// waitPort waits until something listens at an address: waitport ADDRESS
func waitPort(ts *testscript.TestScript, _ bool, args []string) {
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for began := time.Now(); time.Since(began) < patience; <-again.C {
		if c, err := net.Dial("tcp", args[0]); err == nil {
			_ = c.Close()
			return
		}
	}
	ts.Fatalf("nobody listens at %s", args[0])
}

// until repeats a command until what it prints matches: until PATTERN COMMAND …
func until(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for began := time.Now(); time.Since(began) < patience; {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("nothing that matches %s", pattern)
}

// occupy listens at an address until the session ends: occupy ADDRESS
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
}
