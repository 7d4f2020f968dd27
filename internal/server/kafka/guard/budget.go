package guard

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// Errors of Admit.
var (
	ErrTooManyConnections = errors.New("too many connections")
	ErrTooManyUnproven    = errors.New("too many connections that have not shown who they are")
	ErrTooManyFromAddress = errors.New("too many connections from this address")
)

// Limits of a Budget; none has a default here.
type Limits struct {
	Connections int   // in all
	Unproven    int   // of them, those that have not shown who they are
	PerAddress  int   // of one client address
	InFlight    int64 // bytes of large requests, of Fetch responses, and of other large responses, in all
	Logins      int64 // bytes of large frames before a login, in all
	Decoded     int64 // memory that decoding one request may take, in bytes
}

// A Budget is what all connections share: their number, the bytes of large requests, the memory of decoding, the bytes of
// responses. Requests wait for bytes in the order frame, then decoding, and give both back when their response is written, which
// never waits for either: so no circle can form.
type Budget struct {
	limits Limits
	mu     struct {
		sync.Mutex
		conns    int
		unproven int
		byIP     map[string]int
	}
	frames   *semaphore.Weighted
	logins   *semaphore.Weighted
	decoding *semaphore.Weighted
	fetched  atomic.Int64
	answers  answers
}

// decodingBudget is how much memory decoded requests of more than smallDecoding may take in all, as a multiple of Limits.Decoded.
const decodingBudget = 4

// smallDecoding is not worth counting.
const smallDecoding = 64 << 10

// NewBudget returns an unused budget.
func NewBudget(l Limits) *Budget {
	b := &Budget{limits: l}
	b.mu.byIP = map[string]int{}
	b.frames = semaphore.NewWeighted(l.InFlight)
	b.logins = semaphore.NewWeighted(l.Logins)
	b.decoding = semaphore.NewWeighted(l.Decoded * decodingBudget)
	return b
}

// A Place is one connection's. Its owner releases it once.
type Place struct {
	b      *Budget
	ip     string
	proven bool
}

// Admit counts a connection in, or refuses it.
func (b *Budget) Admit(remote net.Addr) (*Place, error) {
	ip, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		ip = remote.String()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.mu.conns >= b.limits.Connections:
		return nil, ErrTooManyConnections
	case b.mu.unproven >= b.limits.Unproven:
		return nil, ErrTooManyUnproven
	case b.mu.byIP[ip] >= b.limits.PerAddress:
		return nil, ErrTooManyFromAddress
	}
	b.mu.conns++
	b.mu.unproven++
	b.mu.byIP[ip]++
	return &Place{b: b, ip: ip}, nil
}

// Prove notes that the connection has shown who it is.
func (p *Place) Prove() {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.proveLocked()
}

func (p *Place) proveLocked() {
	if !p.proven {
		p.proven = true
		p.b.mu.unproven--
	}
}

// Release counts the connection out.
func (p *Place) Release() {
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	p.proveLocked()
	b.mu.conns--
	if b.mu.byIP[p.ip]--; b.mu.byIP[p.ip] == 0 {
		delete(b.mu.byIP, p.ip)
	}
}

// Connections is how many are admitted now.
func (b *Budget) Connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.conns
}

// A Hold is what one request has taken from the budget. Its owner releases it once.
type Hold struct{ frame, decoded, login int64 }

// TakeFrame waits for n bytes of frames.
func (b *Budget) TakeFrame(ctx context.Context, h *Hold, n int) error {
	if err := b.frames.Acquire(ctx, int64(n)); err != nil {
		return err
	}
	h.frame = int64(n)
	return nil
}

// TakeLogin takes n bytes of a frame before a login, if they are there: whoever is not known yet does not wait.
func (b *Budget) TakeLogin(h *Hold, n int) bool {
	if !b.logins.TryAcquire(int64(n)) {
		return false
	}
	h.login = int64(n)
	return true
}

// TakeDecoded waits for n bytes of decoded requests; little is not counted.
func (b *Budget) TakeDecoded(ctx context.Context, h *Hold, n int64) error {
	if n <= smallDecoding {
		return nil
	}
	if err := b.decoding.Acquire(ctx, n); err != nil {
		return err
	}
	h.decoded = n
	return nil
}

// Release gives back what h holds.
func (b *Budget) Release(h Hold) {
	if h.frame > 0 {
		b.frames.Release(h.frame)
	}
	if h.login > 0 {
		b.logins.Release(h.login)
	}
	if h.decoded > 0 {
		b.decoding.Release(h.decoded)
	}
}

// minFetch is what a Fetch may read however many others are being written: progress is slower then, never none.
const minFetch = 64 << 10

// TakeFetch returns how many bytes a Fetch that asks for want may read: a quarter of what is free, so that a few slow readers
// of large responses do not starve the rest. They count as read from now on; GiveFetch gives back those that were not read, and
// the others when they are written.
func (b *Budget) TakeFetch(want int) int {
	for {
		held := b.fetched.Load()
		n := min(int64(want), max((b.limits.InFlight-held)/4, minFetch))
		if b.fetched.CompareAndSwap(held, held+n) {
			return int(n)
		}
	}
}

// GiveFetch gives back n bytes of TakeFetch. A first batch may be larger than what was taken: then n is negative.
func (b *Budget) GiveFetch(n int) { b.fetched.Add(-int64(n)) }
