package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A process is one life of a program. Its output goes to a file of all its lives.
type process struct {
	t       *trial
	name    string
	cmd     *exec.Cmd
	log     string
	started time.Time
	done    chan struct{} // closed when it has ended
	err     error         // of Wait; set before done is closed
	ended   atomic.Bool   // the test ended it
}

// start runs a program until it is killed or stopped, or until the test ends.
func (t *trial) start(name string, args ...string) *process {
	t.Helper()
	return t.startCommand(name, exec.Command(program(t.T, name), args...))
}

func (t *trial) startCommand(name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, log: filepath.Join(t.dir, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() // the child has its own
	p.cmd = cmd
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Dir = t.dir
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process with SIGKILL and waits for the end.
func (p *process) kill() {
	p.ended.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// stop asks the process to end, as Ctrl-C does, and demands exit code 0.
func (p *process) stop() {
	p.t.Helper()
	p.ended.Store(true)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatalf("stop %s: %v", p.name, errors.Join(err, p.alive()))
	}
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Fatalf("%s, asked to stop: %v\n%s", p.name, p.err, p.tail())
		}
	case <-time.After(2 * time.Minute * p.t.patience()):
		p.t.Fatalf("%s does not stop\n%s", p.name, p.tail())
	}
}

// alive returns an error if the process has ended.
func (p *process) alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended by itself: %w\n%s", p.name, p.err, p.tail())
	default:
		return nil
	}
}

// mustLive fails the test if the process has ended.
func (p *process) mustLive() {
	p.t.Helper()
	if err := p.alive(); err != nil {
		p.t.Fatal(err)
	}
}

// tail returns the last lines that the program wrote.
func (p *process) tail() string {
	const lines = 40
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// ports draws free loopback addresses below the ports that the system gives to clients: a client that dials a dead server's port
// from that range may be given the very same port and meet itself.
func (t *trial) ports(n int) []string {
	t.Helper()
	var out []string
	draw := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(os.Getpid()))) // other tests may run at the same moment
	for tries := 0; len(out) < n; tries++ {
		if tries == 1000 {
			t.Fatal("no free ports")
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+draw.IntN(12000)))
		if err != nil {
			continue
		}
		defer l.Close() // after all are drawn
		out = append(out, l.Addr().String())
	}
	return out
}

// portPair draws an address whose next port is free, too: there an Apache Kafka puts its controller.
func (t *trial) portPair() (addr, port string) {
	t.Helper()
	for range 1000 {
		addr := t.ports(1)[0]
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		next, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(n+1)))
		if err != nil {
			continue
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
		return addr, port
	}
	t.Fatal("no free ports")
	return "", ""
}
