package crash

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A proxy stands between clients and the node. It takes every connection's bytes apart and delays the pieces, each for a time of its
// own: what is sent on several connections arrives in another order, and a connection may end in the middle of a request or an answer.
type proxy struct {
	target   string
	listener net.Listener
	ctx      context.Context //nolint:containedctx // the trial's
	slowest  atomic.Int64    // ns that a piece waits at most
	working  sync.WaitGroup

	mu    sync.Mutex
	rand  *rand.Rand
	conns map[net.Conn]bool // of both sides
}

// proxy starts one in front of an address; it ends with the trial.
func (t *trial) proxy(target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.ctx)
	p := &proxy{target: target, listener: l, ctx: ctx, rand: rand.New(rand.NewPCG(t.seed, 2)), conns: map[net.Conn]bool{}}
	p.working.Go(p.accept)
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		p.cut(1)
		p.working.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// slow delays pieces by up to d from now on; 0: not at all.
func (p *proxy) slow(d time.Duration) { p.slowest.Store(int64(d)) }

// cut ends about one in n of all connections, between two pieces.
func (p *proxy) cut(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if p.rand.IntN(n) == 0 {
			_ = c.Close() // its users find out
		}
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.working.Go(func() { p.serve(c) })
	}
}

func (p *proxy) serve(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", p.target)
	if err != nil {
		return // the node is down
	}
	defer to.Close()
	p.mu.Lock()
	p.conns[from], p.conns[to] = true, true
	p.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() {
		p.pass(from, to)
		_ = from.Close() // the other direction ends, too
	})
	p.pass(to, from)
	_ = to.Close()
	back.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
	delete(p.conns, to)
}

// pass moves bytes until an end.
func (p *proxy) pass(to, from net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			size, wait := p.draw(len(rest))
			if !p.wait(wait) {
				return
			}
			if _, err := to.Write(rest[:size]); err != nil {
				return
			}
			rest = rest[size:]
		}
		if err != nil {
			return
		}
	}
}

// draw says how much of n bytes goes next, and when.
func (p *proxy) draw(n int) (size int, wait time.Duration) {
	slowest := p.slowest.Load()
	if slowest == 0 {
		return n, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return 1 + p.rand.IntN(n), time.Duration(p.rand.Int64N(slowest))
}

func (p *proxy) wait(d time.Duration) bool {
	if d == 0 {
		return p.ctx.Err() == nil
	}
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-late.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}
