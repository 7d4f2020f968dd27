package remote_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/remote"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	errKilled = errors.New("the process was killed")
	errNewer  = errors.New("a request that Kafka 2.5 does not know")
)

// A process is a door whose connections can be stopped: nothing comes in or goes out, as after SIGSTOP.
type process struct {
	door *remote.Door
	gate gate
}

// A gate is open, stopped or broken.
type gate struct {
	older bool // it hears that the brokers know the group protocol of Kafka 2.5
	mu    struct {
		sync.Mutex
		open  chan struct{} // closed while it is open
		conns map[*gatedConn]struct{}
		dead  bool
		key   int16 // the request at which it dies, the nth of its kind
		nth   int   // counts down; the one that makes it 0
	}
}

// newProcess connects with its own dialer, unless more brings another.
func newProcess(t *testing.T, more []kgo.Opt, brokers ...string) *process {
	t.Helper()
	return (&process{}).start(t, more, brokers...)
}

func (p *process) start(t *testing.T, more []kgo.Opt, brokers ...string) *process {
	t.Helper()
	p.gate.mu.open, p.gate.mu.conns = make(chan struct{}), map[*gatedConn]struct{}{}
	close(p.gate.mu.open)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var err error
	if p.door, err = remote.Open(ctx, remote.Options{Brokers: brokers, TransactionTimeout: 5 * time.Second, CommitTimeout: 4 * time.Second, Connection: append([]kgo.Opt{kgo.Dialer(p.gate.dial)}, more...)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Continue()
		_ = p.door.Close()
	})
	return p
}

func (p *process) Door() client.Door { return p.door }

func (p *process) Stop() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.mu.open = make(chan struct{})
}

func (p *process) Continue() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	select {
	case <-p.gate.mu.open: // it goes on already
	default:
		close(p.gate.mu.open)
	}
}

// Kill leaves the process running without connections: what it still thinks reaches nobody.
func (p *process) Kill() { p.gate.kill() }

func (g *gate) kill() {
	g.mu.Lock()
	g.mu.dead = true
	g.mu.Unlock()
	g.disconnect()
}

// disconnect closes all connections, also while the gate is stopped.
func (g *gate) disconnect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.mu.conns {
		_ = c.Conn.Close()
	}
}

// killAt kills the process when it is about to send the nth request of a kind.
func (p *process) killAt(key kmsg.Key, nth int) {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.mu.key, p.gate.mu.nth = int16(key), nth
}

// fatal counts a request.
func (g *gate) fatal(key int16) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.nth == 0 || key != g.mu.key {
		return false
	}
	g.mu.nth--
	return g.mu.nth == 0
}

func (g *gate) pass() error {
	g.mu.Lock()
	open, dead := g.mu.open, g.mu.dead
	g.mu.Unlock()
	if dead {
		return errKilled
	}
	<-open
	return nil
}

func (g *gate) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := g.pass(); err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	gc := &gatedConn{Conn: c, gate: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.conns[gc] = struct{}{}
	return gc, nil
}

// What a broker says it knows: JoinGroup 0 to 9, and what Kafka 2.5 knew, which cannot tell a leader that came back to leave the assignment
// as it is. These bytes stand in nothing else that the tests read.
var (
	joinGroup9 = []byte{0, byte(kmsg.JoinGroup), 0, 0, 0, 9, 0, 0, byte(kmsg.Heartbeat)}
	joinGroup7 = []byte{0, byte(kmsg.JoinGroup), 0, 0, 0, 7, 0, 0, byte(kmsg.Heartbeat)}
)

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c *gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if i := bytes.Index(b[:n], joinGroup9); c.gate.older && i >= 0 {
		copy(b[i:n], joinGroup7)
	}
	if gateErr := c.gate.pass(); gateErr != nil {
		return 0, gateErr
	}
	return n, err
}

func (c *gatedConn) Write(b []byte) (int, error) {
	if len(b) >= 8 {
		key, version := int16(binary.BigEndian.Uint16(b[4:])), binary.BigEndian.Uint16(b[6:])
		if c.gate.older && key == int16(kmsg.JoinGroup) && version > 7 {
			return 0, errNewer
		}
		if c.gate.fatal(key) {
			c.gate.kill()
		}
	}
	if err := c.gate.pass(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *gatedConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.mu.conns, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}
