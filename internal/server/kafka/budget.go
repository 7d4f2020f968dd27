package kafka

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

var (
	errTooManyConnections = errors.New("too many connections")
	errTooManyFromAddress = errors.New("too many connections from this address")
)

// A budget is what all connections share: their number, the bytes of large requests, the memory of decoding, the bytes of Fetch
// responses. Requests wait for bytes in the order frame, then decoding, and give both back when their response is written, which
// never waits for either: so no circle can form.
type budget struct {
	maxConns, maxPerAddress int
	mu                      struct {
		sync.Mutex
		conns int
		byIP  map[string]int
	}
	frames   *semaphore.Weighted
	decoding *semaphore.Weighted
	maxFetch int64
	fetched  atomic.Int64
}

// decodingBudget is how much memory decoded requests of more than smallDecoding may take in all, as a multiple of MaxDecoded.
const decodingBudget = 4

// smallDecoding is not worth counting.
const smallDecoding = 64 << 10

func newBudget(o Options) *budget {
	b := &budget{maxConns: o.MaxConnections, maxPerAddress: o.MaxPerAddress}
	b.mu.byIP = map[string]int{}
	b.frames = semaphore.NewWeighted(o.MaxInFlight)
	b.decoding = semaphore.NewWeighted(o.MaxDecoded * decodingBudget)
	b.maxFetch = o.MaxInFlight
	return b
}

// admit counts a connection in, or refuses it.
func (b *budget) admit(remote net.Addr) (release func(), err error) {
	ip, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		ip = remote.String()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.mu.conns >= b.maxConns:
		return nil, errTooManyConnections
	case b.mu.byIP[ip] >= b.maxPerAddress:
		return nil, errTooManyFromAddress
	}
	b.mu.conns++
	b.mu.byIP[ip]++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.mu.conns--
		if b.mu.byIP[ip]--; b.mu.byIP[ip] == 0 {
			delete(b.mu.byIP, ip)
		}
	}, nil
}

// A hold is what one request has taken from the budget. Its owner releases it once.
type hold struct {
	frame, decoded int64
	own            int64 // of the connection's share
}

func (b *budget) takeFrame(ctx context.Context, h *hold, n int) error {
	if err := b.frames.Acquire(ctx, int64(n)); err != nil {
		return err
	}
	h.frame = int64(n)
	return nil
}

func (b *budget) takeDecoded(ctx context.Context, h *hold, n int64) error {
	if n <= smallDecoding {
		return nil
	}
	if err := b.decoding.Acquire(ctx, n); err != nil {
		return err
	}
	h.decoded = n
	return nil
}

func (b *budget) release(h hold) {
	if h.frame > 0 {
		b.frames.Release(h.frame)
	}
	if h.decoded > 0 {
		b.decoding.Release(h.decoded)
	}
}

// minFetch is what a Fetch may read however many others are being written: progress is slower then, never none.
const minFetch = 64 << 10

// fetchLimit returns how many bytes a Fetch that asks for want may read: a quarter of what is free, so that a few slow readers
// of large responses do not starve the rest. Bytes read are counted by holdFetch until they are written.
func (b *budget) fetchLimit(want int) int {
	free := (b.maxFetch - b.fetched.Load()) / 4
	return int(min(int64(want), max(free, minFetch)))
}

func (b *budget) holdFetch(n int) (release func()) {
	b.fetched.Add(int64(n))
	return func() { b.fetched.Add(-int64(n)) }
}
