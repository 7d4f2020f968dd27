// Package kafka speaks the Kafka wire protocol in front of the embedded broker: bytes ↔ calls, no broker logic.
//
// The root gives a Server a broker and listeners; the Server calls the broker's methods and nobody else. Any Kafka client is on
// the other side, and none of them is trusted.
//
// A connection has two goroutines, both joined by Serve. The reader owns the socket's input: it reads a frame, checks it (guard),
// decodes it with kmsg and starts the request in the broker, which leaves a pending answer. The writer owns the output: it
// completes the pendings in their order and writes the responses. So the requests of one connection overlap (several Produce
// requests join one commit) while their responses keep the order; what only reads the broker runs in its turn in the writer and
// thus sees everything the connection asked for before. Counters in the budget and the set of connections are the only shared state;
// each has its own lock, never held across a call.
//
//	frame:    length int32 | api key int16 | version int16 | correlation int32 | client id string | tags (flexible) | body
//	response: length int32 | correlation int32 | tags (flexible, but never ApiVersions) | body
//
// Limits, in the order in which a byte meets them: connections in all and per address; the frame's length (small until a first
// valid request); memory as bytes arrive; bytes and requests in flight per connection and in all; the guard's element and tag
// counts and its memory budget; the broker's own limits on batches. Time: a first frame, a frame once begun, a response being
// written, an idle connection.
//
// Not here: which request needs which right (gate), how logins and ACLs are decided (auth), the semantics of any request (package broker), record batches (package batch).
package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/meter"
	"github.com/mainstemio/mainstem/internal/server/kafka/guard"
	"github.com/mainstemio/mainstem/internal/server/kafka/session"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options of New; zero fields take the defaults.
type Options struct {
	// Broker is the node behind the wire; required.
	Broker *broker.Broker
	// Advertise tells the host and port under which a client that came in at local finds this node again. Default: local itself
	// (an IPv4 address rather than a name: clients resolve localhost differently).
	Advertise func(local net.Addr) (host string, port int32)
	// Security says who may connect and do what; default everybody and everything.
	Security Security
	// Clock decides about deadlines; default clock.System.
	Clock clock.Clock
	// NewID returns a random unique name for a group member; default a UUID.
	NewID func() string
	// Requests is told how long each request took, from its first byte to the last of its response; nil counts nothing.
	Requests *meter.Requests
	// Events is told of closed connections and the like; default nobody.
	Events func(Event)

	MaxFrame          int           // bytes of one request; default 64 MiB, at most 100 MiB
	MaxFirstFrame     int           // bytes of a request before the client has logged in, where it must; default 16 KiB
	MaxDecoded        int64         // memory that decoding one request may take, in bytes, record batches excluded; default 16 MiB
	MaxConnections    int           // default 8192
	MaxPerAddress     int           // connections of one client address; default 2048
	MaxRequests       int           // unanswered requests of one connection; default 64
	MaxInFlight       int64         // bytes of large requests in all; default 256 MiB (at least MaxFrame)
	MaxFetch          int           // bytes of one Fetch response; default 55 MiB as in Kafka
	FetchSessions     int           // incremental fetch sessions (KIP-227); default 1000 as in Kafka
	FirstFrameTimeout time.Duration // from accept to the first valid request, or the end of the login; default 10 s
	FrameTimeout      time.Duration // from a frame's first byte to its last, large ones get longer; default 30 s
	WriteTimeout      time.Duration // for one response, large ones get longer; default 30 s
	IdleTimeout       time.Duration // without any request; default 10 min as in Kafka
}

// An Event is something an operator may want to know: Kind is a stable word, Fields are slog-style pairs.
type Event struct {
	Kind   string
	Fields []any
}

const maxFrameLimit = 100 << 20

func (o Options) withDefaults() Options {
	setDefault(&o.MaxFrame, 64<<20)
	o.MaxFrame = min(o.MaxFrame, maxFrameLimit)
	setDefault(&o.MaxFirstFrame, 16<<10)
	setDefault(&o.MaxDecoded, 16<<20)
	setDefault(&o.MaxConnections, 8192)
	setDefault(&o.MaxPerAddress, 2048)
	setDefault(&o.MaxRequests, 64)
	setDefault(&o.MaxInFlight, 256<<20)
	o.MaxInFlight = max(o.MaxInFlight, int64(o.MaxFrame))
	setDefault(&o.MaxFetch, 55<<20)
	setDefault(&o.FirstFrameTimeout, 10*time.Second)
	setDefault(&o.FrameTimeout, 30*time.Second)
	setDefault(&o.WriteTimeout, 30*time.Second)
	setDefault(&o.IdleTimeout, 10*time.Minute)
	o.Security = o.Security.withDefaults()
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	if o.Advertise == nil {
		o.Advertise = advertiseLocal
	}
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	return o
}

// limits are what the connections share.
func (o Options) limits() guard.Limits {
	l := guard.Limits{Connections: o.MaxConnections, PerAddress: o.MaxPerAddress, InFlight: o.MaxInFlight, Decoded: o.MaxDecoded}
	l.Unproven, l.Logins = l.Connections, maxLogins
	if o.Security.proves() {
		l.Unproven = max(1, o.MaxConnections/2)
	}
	return l
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// randomBits are bits that nobody can guess: those of a random UUID in front of its version.
func randomBits() uint32 {
	id := uuid.New()
	return binary.BigEndian.Uint32(id[:])
}

// advertiseLocal sends clients back to the address they came in at.
func advertiseLocal(local net.Addr) (string, int32) {
	tcp, ok := local.(*net.TCPAddr)
	if !ok {
		return "127.0.0.1", 9092
	}
	ip := tcp.IP
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	}
	return ip.String(), int32(tcp.Port)
}

// A Server answers Kafka clients. It may Serve several listeners.
type Server struct {
	o        Options
	budget   *guard.Budget
	sessions *session.Cache
	access   *access
	listing  []kmsg.ApiVersionsResponseApiKey
	frames   frames
}

// Connections is how many clients are connected.
func (s *Server) Connections() int { return s.budget.Connections() }

// kafkaCase turns kmsg's abbreviations into Kafka's.
var kafkaCase = strings.NewReplacer("SASL", "Sasl", "ACL", "Acl", "SCRAM", "Scram", "ProducerID", "ProducerId")

// APIName is the name of an API key, as Kafka's metrics write it. Every fetch is a consumer's: there are no followers.
func APIName(key int16) string {
	if key == (*kmsg.FetchRequest)(nil).Key() {
		return "FetchConsumer"
	}
	return kafkaCase.Replace(kmsg.NameForKey(key))
}

// New returns a Server for o.Broker.
func New(o Options) *Server {
	o = o.withDefaults()
	guard.Keys() // a broken shapes table must not wait for the first client
	sessions := session.New(session.Options{Slots: o.FetchSessions, Random: randomBits})
	s := &Server{o: o, budget: guard.NewBudget(o.limits()), sessions: sessions, listing: listing()}
	s.access = s.newAccess()
	return s
}

// Serve accepts connections until ctx ends or ln fails; then every connection is closed and joined. It closes ln. The error is
// nil when ctx ended.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })() // the listener has nothing to lose
	defer ln.Close()
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if again := s.waitAfter(ctx, err); again {
				continue
			}
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		}
		place, err := s.budget.Admit(nc.RemoteAddr())
		if err != nil {
			s.event("connection refused", "remote", nc.RemoteAddr(), "error", err)
			_ = nc.Close()
			continue
		}
		conns.Go(func() {
			defer place.Release()
			s.serveConn(ctx, nc, place)
		})
	}
}

// acceptPause is how long Serve waits after an accept error that may pass (no file descriptor left).
const acceptPause = 50 * time.Millisecond

// waitAfter reports whether an accept error is worth another try, after a pause.
func (s *Server) waitAfter(ctx context.Context, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	var ne net.Error
	if !errors.As(err, &ne) {
		return false
	}
	s.event("accept failed", "error", err)
	select {
	case <-ctx.Done():
		return false
	case <-s.o.Clock.After(acceptPause):
		return true
	}
}

func (s *Server) event(kind string, fields ...any) { s.o.Events(Event{Kind: kind, Fields: fields}) }
