package kafka

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

// A pending completes a request: it waits for the broker or reads from it, and returns the response, or nil when the client
// wants none. An error closes the connection, behind the response if there is one. It runs once, in the writer, when every earlier response has been written.
type pending func(ctx context.Context) (answer, error)

// An answer is a response that can be encoded; kmsg's responses are answers.
type answer interface {
	Key() int16
	IsFlexible() bool
	AppendTo([]byte) []byte
}

// An exchange is a request on its way to its response.
type exchange struct {
	header header
	wait   pending
	hold   hold
}

// A conn is one client connection. Fields are set before its goroutines start; proven belongs to the reader.
type conn struct {
	s      *Server
	nc     net.Conn
	node   *node
	queue  chan exchange // capacity MaxRequests: the reader stops reading when so many are unanswered
	share  *semaphore.Weighted
	open   atomic.Int32 // requests that are read and not answered
	cancel context.CancelCauseFunc
	proven bool
}

var (
	errClientGone = errors.New("client closed the connection")
	errIdle       = errors.New("connection idle for too long")
)

// serveConn runs a connection to its end.
func (s *Server) serveConn(parent context.Context, nc net.Conn) {
	ctx, cancel := context.WithCancelCause(parent)
	c := &conn{
		s: s, nc: nc, cancel: cancel,
		node:  s.newNode(nc),
		queue: make(chan exchange, s.o.MaxRequests),
		share: semaphore.NewWeighted(int64(s.o.MaxFrame)),
	}
	// Whatever ends the connection ends its reads and writes too.
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write(ctx)
	}()
	err := c.read(ctx)
	if !answerable(err) {
		cancel(err)
	}
	close(c.queue) // the writer answers what was accepted, unless the connection is cancelled
	select {
	case <-written:
	case <-s.o.Clock.After(s.o.WriteTimeout): // nobody would notice a client that left meanwhile
		cancel(err)
		<-written
	}
	cancel(err)
	stop()
	_ = nc.Close()
	c.report(parent, context.Cause(ctx))
}

// answerable reports whether requests read before err still deserve their answers: the client may be there.
func answerable(err error) bool {
	return errors.Is(err, errMalformed) || errors.Is(err, errTooCostly) || errors.Is(err, errUnsupported) || errors.Is(err, errFrameTooLarge)
}

func (c *conn) report(parent context.Context, err error) {
	switch {
	case parent.Err() != nil, errors.Is(err, errClientGone), errors.Is(err, errIdle), errors.Is(err, io.EOF):
		return
	}
	c.s.event("connection closed", "remote", c.nc.RemoteAddr(), "error", err)
}

// read accepts requests until the connection ends; it always returns an error that says why.
func (c *conn) read(ctx context.Context) error {
	r := bufio.NewReaderSize(c.nc, 4<<10)
	wait := c.s.o.FirstFrameTimeout
	for {
		if err := c.deadline(wait); err != nil {
			return err
		}
		wait = c.s.o.IdleTimeout
		if err := c.awaitFrame(ctx, r); err != nil {
			return err
		}
		ex, err := c.accept(ctx, r)
		if err != nil {
			c.giveBack(ex.hold)
			return fmt.Errorf("read request: %w", err)
		}
		c.open.Add(1)
		select {
		case c.queue <- ex:
		case <-ctx.Done():
			c.giveBack(ex.hold)
			return context.Cause(ctx)
		}
	}
}

// awaitFrame waits for the first byte of a frame. A connection with unanswered requests is not idle: a long poll may take longer.
func (c *conn) awaitFrame(ctx context.Context, r *bufio.Reader) error {
	for {
		_, err := r.Peek(1)
		var ne net.Error
		switch {
		case err == nil:
			if !c.proven { // the deadline of the first frame stands
				return nil
			}
			return c.deadline(c.s.o.FrameTimeout)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &ne) && ne.Timeout():
			if c.open.Load() == 0 {
				return errIdle
			}
			if err := c.deadline(c.s.o.IdleTimeout); err != nil {
				return err
			}
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
			return errClientGone
		default:
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
	}
}

func (c *conn) deadline(d time.Duration) error {
	if err := c.nc.SetReadDeadline(c.s.o.Clock.Now().Add(d)); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// accept reads one frame, checks and decodes it and starts it. The exchange's hold is valid with an error, too.
func (c *conn) accept(ctx context.Context, r *bufio.Reader) (ex exchange, err error) {
	limit := c.s.o.MaxFrame
	if !c.proven {
		limit = min(limit, c.s.o.MaxFirstFrame)
	}
	n, err := readLength(r, limit)
	if err != nil {
		return ex, err
	}
	if err := c.share.Acquire(ctx, int64(n)); err != nil {
		return ex, context.Cause(ctx)
	}
	ex.hold.own = int64(n)
	frame, err := readBody(r, n, func(n int) error {
		if err := c.s.budget.takeFrame(ctx, &ex.hold, n); err != nil {
			return context.Cause(ctx)
		}
		return c.deadline(transferTime(c.s.o.FrameTimeout, n)) // the wait was not the client's fault
	})
	if err != nil {
		return ex, fmt.Errorf("frame of %d bytes: %w", n, err)
	}
	ex.header, frame, err = parseHeader(frame)
	if err != nil {
		return ex, err
	}
	ex.wait, err = c.start(ctx, &ex, frame)
	if err != nil {
		return ex, err
	}
	c.proven = true
	return ex, nil
}

// slowestPeer is how many bytes of a large frame a peer must send or take in a second, on average.
const slowestPeer = 256 << 10

// transferTime is a time limit stretched for a frame of n bytes.
func transferTime(limit time.Duration, n int) time.Duration {
	return limit + time.Duration(n/slowestPeer)*time.Second
}

// errUnsupported closes the connection: a client that asks for what ApiVersions does not list cannot be answered in a way it knows.
var errUnsupported = errors.New("request is not supported")

// start decodes the request behind ex.header and hands it to its handler.
func (c *conn) start(ctx context.Context, ex *exchange, rest []byte) (pending, error) {
	h := &ex.header
	a, ok := dispatch[h.key]
	if ok && h.key == keyApiVersions && (h.version < a.min || h.version > a.max) {
		return c.node.unsupportedApiVersions, nil
	}
	if !ok || h.version < a.served || h.version > a.max {
		return nil, fmt.Errorf("%w: key %d version %d from %s", errUnsupported, h.key, h.version, c.nc.RemoteAddr())
	}
	req := kmsg.RequestForKey(h.key)
	req.SetVersion(h.version)
	body, err := h.parseClient(rest, req.IsFlexible())
	if err != nil {
		return nil, err
	}
	cost, err := check(h.key, h.version, body, c.s.o.MaxDecoded)
	if err != nil {
		return nil, err
	}
	if err := c.s.budget.takeDecoded(ctx, &ex.hold, cost); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := req.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%w: key %d version %d: %w", errMalformed, h.key, h.version, err)
	}
	return a.start(c.node, call{header: *h}, req), nil
}

func (c *conn) giveBack(h hold) {
	if h.own > 0 {
		c.share.Release(h.own)
	}
	c.s.budget.release(h)
}

// write completes exchanges in order until the queue is closed. After an error it only gives back what they hold.
func (c *conn) write(ctx context.Context) {
	var buf []byte
	for ex := range c.queue {
		if ctx.Err() == nil {
			var err error
			if buf, err = c.answer(ctx, ex, buf[:0]); err != nil {
				c.cancel(err)
			}
		}
		c.giveBack(ex.hold)
		c.open.Add(-1)
		if cap(buf) > keepBuffer {
			buf = nil
		}
	}
}

// keepBuffer is the largest response buffer that a connection keeps for the next response.
const keepBuffer = 64 << 10

func (c *conn) answer(ctx context.Context, ex exchange, buf []byte) ([]byte, error) {
	a, last := ex.wait(ctx)
	if a == nil {
		return buf, last
	}
	buf = append(buf, 0, 0, 0, 0)
	buf = binary.BigEndian.AppendUint32(buf, uint32(ex.header.correlation))
	if a.IsFlexible() && a.Key() != keyApiVersions { // KIP-511: ApiVersions always has the old response header
		buf = append(buf, 0)
	}
	if f, ok := a.(*fetchAnswer); ok {
		return c.writeFetch(f, buf)
	}
	buf = a.AppendTo(buf)
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-4))
	if err := c.writeDeadline(len(buf)); err != nil {
		return buf, err
	}
	if _, err := c.nc.Write(buf); err != nil {
		return buf, fmt.Errorf("write response to key %d: %w", ex.header.key, err)
	}
	return buf, last
}

func (c *conn) writeDeadline(n int) error {
	if err := c.nc.SetWriteDeadline(c.s.o.Clock.Now().Add(transferTime(c.s.o.WriteTimeout, n))); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}
