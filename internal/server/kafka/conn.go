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

	"github.com/mainstemio/mainstem/internal/server/kafka/guard"
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
	hold   guard.Hold
	own    int64  // bytes of the connection's share
	frame  []byte // of a Produce: the broker's until the wait is over, without an error for good
	began  time.Duration
}

// A conn is one client connection. Fields are set before its goroutines start; proven, login, heard and patient belong to the reader,
// writeBy to the writer.
type conn struct {
	s      *Server
	nc     net.Conn
	node   *node
	queue  chan exchange // capacity MaxRequests: the reader stops reading when so many are unanswered
	share  *semaphore.Weighted
	open   atomic.Int32 // requests that are read and not answered
	cancel context.CancelCauseFunc
	place  *guard.Place
	login  *login // nil when nobody has to log in
	proven bool   // served a request, and logged in if that is needed

	// Moving a deadline costs as much as reading a small request: those of reading and writing are moved when they come, or when
	// little of them is left.
	heard   time.Duration // when the last request was read, on the monotonic clock
	patient bool          // the read deadline is one of idleness, set at some time before heard
	writeBy time.Duration // the write deadline
}

var (
	errClientGone = errors.New("client closed the connection")
	errIdle       = errors.New("connection idle for too long")
	errTooSlow    = errors.New("client does not read its response, and others need the memory")
)

// serveConn runs a connection to its end.
func (s *Server) serveConn(parent context.Context, nc net.Conn, place *guard.Place) {
	ctx, cancel := context.WithCancelCause(parent)
	c := &conn{
		s: s, nc: nc, place: place, cancel: cancel,
		node:  s.newNode(nc),
		queue: make(chan exchange, s.o.MaxRequests),
		share: semaphore.NewWeighted(int64(s.o.MaxFrame)),
	}
	// Whatever ends the connection ends its reads and writes too.
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	defer stop()
	defer nc.Close()
	if err := c.handshake(ctx); err != nil {
		c.report(parent, err)
		cancel(err)
		return
	}
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
	c.report(parent, context.Cause(ctx))
}

// answerable reports whether requests read before err still deserve their answers: the client may be there.
func answerable(err error) bool {
	return errors.Is(err, guard.ErrMalformed) || errors.Is(err, guard.ErrTooCostly) || errors.Is(err, errUnsupported) || errors.Is(err, errFrameTooLarge) ||
		errors.Is(err, errLoginFailed) || errors.Is(err, errLoginState) || errors.Is(err, errExpired)
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
	if err := c.deadline(c.s.o.FirstFrameTimeout); err != nil { // it stands until the client is proven
		return err
	}
	for {
		if err := c.waitIdle(); err != nil {
			return err
		}
		if err := c.awaitFrame(ctx, r); err != nil {
			return err
		}
		ex, err := c.accept(ctx, r)
		if err != nil {
			c.giveBack(ex)
			return fmt.Errorf("read request: %w", err)
		}
		c.open.Add(1)
		select {
		case c.queue <- ex:
		case <-ctx.Done():
			c.giveBack(ex)
			return context.Cause(ctx)
		}
		if c.login != nil && c.login.failed != nil {
			return c.login.failed
		}
	}
}

// waitIdle begins to count the time without a request.
func (c *conn) waitIdle() error {
	if !c.proven {
		return nil
	}
	c.heard = c.s.o.Clock.Mono()
	if c.patient {
		return nil // it is moved when it comes
	}
	c.patient = true
	return c.deadline(c.s.o.IdleTimeout)
}

// moveIdle tells whether the client has been idle for too long when the deadline of it has come, and moves it if not. A connection with
// unanswered requests is not idle: a long poll may take longer.
func (c *conn) moveIdle() error {
	left := c.s.o.IdleTimeout - (c.s.o.Clock.Mono() - c.heard)
	if left <= 0 && c.open.Load() == 0 {
		return errIdle
	}
	if left <= 0 {
		left = c.s.o.IdleTimeout
	}
	return c.deadline(left)
}

// whole reports whether a frame is there to its last byte.
func whole(r *bufio.Reader) bool {
	if r.Buffered() < 4 {
		return false
	}
	head, err := r.Peek(4)
	return err == nil && int64(r.Buffered()) >= 4+int64(binary.BigEndian.Uint32(head))
}

// awaitFrame waits for the first byte of a frame.
func (c *conn) awaitFrame(ctx context.Context, r *bufio.Reader) error {
	for {
		_, err := r.Peek(1)
		var ne net.Error
		switch {
		case err == nil:
			if !c.proven || whole(r) { // the deadline of the first frame stands; or there is nothing to wait for
				return nil
			}
			c.patient = false
			return c.deadline(c.s.o.FrameTimeout)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &ne) && ne.Timeout():
			if !c.proven {
				return errIdle
			}
			if err := c.moveIdle(); err != nil {
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
	n, err := c.announced(r, &ex.hold)
	if err != nil {
		return ex, err
	}
	if err := c.share.Acquire(ctx, int64(n)); err != nil {
		return ex, context.Cause(ctx)
	}
	ex.own, ex.began = int64(n), c.s.o.Clock.Mono()
	frame, err := c.s.frames.readBody(r, n, func(n int) error {
		if !c.proven { // its bytes are taken already, and its time stands
			return nil
		}
		if err := c.s.budget.TakeFrame(ctx, &ex.hold, n); err != nil {
			return context.Cause(ctx)
		}
		c.patient = false
		return c.deadline(transferTime(c.s.o.FrameTimeout, n)) // the wait was not the client's fault
	})
	if err != nil {
		return ex, fmt.Errorf("frame of %d bytes: %w", n, err)
	}
	if err := c.begin(ctx, &ex, frame); err != nil {
		return ex, err
	}
	if ex.header.key == keyProduce {
		ex.frame = frame
	}
	if !c.proven && c.login.done() {
		c.proven = true
		c.place.Prove()
	}
	if !c.proven { // the frame is no longer needed; a failed login waits without it
		c.s.budget.Release(ex.hold)
		ex.hold = guard.Hold{}
	}
	return ex, nil
}

// begin makes an exchange of a frame.
func (c *conn) begin(ctx context.Context, ex *exchange, frame []byte) (err error) {
	if c.login != nil && c.login.state == bare {
		ex.header.key = keySaslHandshake
		ex.wait = c.login.bareToken(frame)
		return nil
	}
	ex.header, frame, err = parseHeader(frame)
	if err != nil {
		return err
	}
	if err := c.login.admits(ex.header.key); err != nil {
		return err
	}
	ex.wait, err = c.start(ctx, ex, frame)
	return err
}

// Before a login, a frame larger than smallFrame counts against maxLogins, and only a token may be larger than MaxFirstFrame. Where no login is
// needed, clients that ask for no versions may begin with a Produce.
const (
	smallFrame    = 4 << 10
	maxLoginFrame = 512 << 10 // as in Kafka (sasl.server.max.receive.size)
	maxFirstBatch = 2 * commonFrame
	maxLogins     = 16 << 20
)

// announced reads the length of the next frame and refuses what is too large for a client of this standing.
func (c *conn) announced(r *bufio.Reader, h *guard.Hold) (int, error) {
	if c.proven {
		return readLength(r, c.s.o.MaxFrame)
	}
	limit := c.s.o.MaxFirstFrame
	switch {
	case c.login == nil:
		limit = max(limit, maxFirstBatch)
	case c.login.state != greeting:
		limit = maxLoginFrame
	}
	n, err := readLength(r, min(limit, c.s.o.MaxFrame))
	if err == nil && n > smallFrame && !c.s.budget.TakeLogin(h, n) {
		err = errLoginsBusy
	}
	return n, err
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
	cost, err := guard.Check(h.key, h.version, body, c.s.o.MaxDecoded)
	if err != nil {
		return nil, err
	}
	if err := c.s.budget.TakeDecoded(ctx, &ex.hold, cost); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := req.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%w: key %d version %d: %w", guard.ErrMalformed, h.key, h.version, err)
	}
	if p := c.login.take(req); p != nil {
		return p, nil
	}
	return c.node.authorized(a, call{header: *h}, req)
}

func (c *conn) giveBack(ex exchange) {
	if ex.own > 0 {
		c.share.Release(ex.own)
	}
	c.s.budget.Release(ex.hold)
}

// write completes exchanges in order until the queue is closed. After an error it only gives back what they hold.
func (c *conn) write(ctx context.Context) {
	var buf []byte
	for ex := range c.queue {
		if ctx.Err() == nil {
			var err error
			if buf, err = c.answer(ctx, ex, buf[:0]); err != nil {
				c.cancel(err)
			} else {
				c.s.frames.put(ex.frame) // what was in it is durable, or was refused
			}
			c.s.o.Requests.Observe(ex.header.key, c.s.o.Clock.Mono()-ex.began)
		}
		c.giveBack(ex)
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
	if _, raw := a.(rawToken); raw {
		return c.send(a.AppendTo(buf), ex.header.key, last)
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(ex.header.correlation))
	if a.IsFlexible() && a.Key() != keyApiVersions { // KIP-511: ApiVersions always has the old response header
		buf = append(buf, 0)
	}
	if f, ok := a.(*fetchAnswer); ok {
		return c.writeFetch(f, buf)
	}
	return c.send(a.AppendTo(buf), ex.header.key, last)
}

// send writes a frame, whose length it puts into the first bytes; last is what there is to say behind it.
func (c *conn) send(buf []byte, key int16, last error) ([]byte, error) {
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-4))
	if len(buf) > guard.SmallAnswer {
		defer c.s.budget.HoldAnswer(len(buf), func() { c.cancel(errTooSlow) })()
	}
	if err := c.writeDeadline(len(buf)); err != nil {
		return buf, err
	}
	if _, err := c.nc.Write(buf); err != nil {
		return buf, fmt.Errorf("write response to key %d: %w", key, err)
	}
	return buf, last
}

// writeDeadline gives the client time to take n bytes; of a small response's time up to an eighth may be over.
func (c *conn) writeDeadline(n int) error {
	limit := transferTime(c.s.o.WriteTimeout, n)
	now := c.s.o.Clock.Mono()
	if left := c.writeBy - now; left <= limit && left > limit-limit/8 {
		return nil
	}
	if err := c.nc.SetWriteDeadline(c.s.o.Clock.Now().Add(limit)); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	c.writeBy = now + limit
	return nil
}
