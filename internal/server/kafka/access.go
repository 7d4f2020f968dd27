package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/server/kafka/gate"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Security says who may connect and what they may do. The zero value lets everybody do everything, in clear text.
type Security struct {
	// TLS is what the listener speaks; nil: clear text. With ClientAuth a client without a login is who its certificate says.
	TLS *tls.Config
	// Mechanisms are the ways to log in; empty: nobody has to.
	Mechanisms []auth.Mechanism
	// ClearPasswords offers PLAIN without TLS to clients on other machines, too: their network is trusted.
	ClearPasswords bool
	// SessionLifetime is how long a login counts; then the client has to repeat it (KIP-368). 0: as long as the connection.
	SessionLifetime time.Duration
	// FailureDelay is how long a failed login waits for its answer; default 100 ms as in Kafka (connection.failed.authentication.delay.ms).
	FailureDelay time.Duration
	// Authorize enforces the broker's ACLs; otherwise everything is allowed.
	Authorize bool
	// SuperUsers (User:name) are not subject to ACLs.
	SuperUsers []string
	// AllowIfNoACL allows what no ACL is about.
	AllowIfNoACL bool
	// NewNonce returns printable random characters without commas, never the same twice; default two UUIDs.
	NewNonce func() string
}

func (s Security) withDefaults() Security {
	setDefault(&s.FailureDelay, 100*time.Millisecond)
	if s.NewNonce == nil {
		s.NewNonce = func() string { return uuid.NewString() + uuid.NewString() }
	}
	return s
}

// proves reports whether a client has to show who it is before it is served.
func (s Security) proves() bool {
	return len(s.Mechanisms) > 0 || s.TLS != nil
}

// access is what all connections share of Security.
type access struct {
	supers   map[string]bool
	seed     []byte        // of the answers about users who do not exist
	hashing  chan struct{} // capacity: PLAIN logins that are checked at a time; each costs some milliseconds of a processor
	autoMake bool
}

// checkedAtATime leaves processors to those who are logged in.
const checkedAtATime = 2

func (s *Server) newAccess() *access {
	a := &access{
		supers: map[string]bool{}, seed: []byte(uuid.NewString() + uuid.NewString()),
		hashing: make(chan struct{}, checkedAtATime),
	}
	for _, p := range s.o.Security.SuperUsers {
		a.supers[p] = true
	}
	if !s.o.Security.Authorize {
		return a
	}
	for _, c := range s.o.Broker.BrokerConfigs() {
		a.autoMake = a.autoMake || c.Name == "auto.create.topics.enable" && c.Value == "true"
	}
	return a
}

// knownTopics is the broker as the gate sees it.
type knownTopics struct{ n *node }

func (k knownTopics) Name(id [16]byte) (string, bool) {
	t := k.n.broker.Topics().ByID[id]
	if t == nil {
		return "", false
	}
	return t.Name, true
}

func (k knownTopics) Exists(name string) bool { return k.n.broker.Topics().ByName[name] != nil }

func (k knownTopics) Names() []string {
	var names []string
	for name := range k.n.broker.Topics().ByName {
		names = append(names, name)
	}
	return names
}

// caller is who asks on this connection, by the rules of this moment.
func (n *node) caller() *gate.Caller {
	return &gate.Caller{
		Subject: auth.Subject{Principal: n.principal, Host: n.clientHost[1:]}, Topics: knownTopics{n}, AutoCreate: n.access.autoMake,
		Rules: auth.Rules{ACLs: n.broker.Security().ACLs, SuperUsers: n.access.supers, AllowIfNoACL: n.o.Security.AllowIfNoACL},
	}
}

// fetchCaller is who fetches; nil when everything is allowed.
func (n *node) fetchCaller() *gate.Caller {
	if !n.o.Security.Authorize {
		return nil
	}
	return n.caller()
}

// mayFetch decides about one topic of a fetch session.
func (n *node) mayFetch(c *gate.Caller, name string, id [16]byte) bool {
	if name == "" {
		var known bool
		if name, known = (knownTopics{n}).Name(id); !known {
			return true // the broker says that there is no such topic
		}
	}
	return c.May(auth.Read, auth.Topic, name)
}

// authorized starts a request as far as its sender may.
func (n *node) authorized(a api, c call, r kmsg.Request) (pending, error) {
	if !n.o.Security.Authorize {
		return a.start(n, c, r), nil
	}
	v, err := gate.Check(n.caller(), r)
	if err != nil {
		return nil, fmt.Errorf("%w: key %d: %w", errUnsupported, r.Key(), err)
	}
	if v.Answer != nil {
		return func(context.Context) (answer, error) {
			if v.Silent != nil {
				return nil, v.Silent
			}
			return v.Answer, nil
		}, nil
	}
	p := a.start(n, c, r)
	if v.Finish == nil && v.Silent == nil {
		return p, nil
	}
	return func(ctx context.Context) (answer, error) {
		a, err := p(ctx)
		if resp, ok := a.(kmsg.Response); ok && v.Finish != nil {
			v.Finish(resp)
		}
		return a, errors.Join(err, v.Silent)
	}, nil
}

// handshake makes the connection secure and finds out who its certificate says it is. ctx's end closes the socket.
func (c *conn) handshake(ctx context.Context) error {
	c.node.principal = auth.Anonymous.String()
	if len(c.s.o.Security.Mechanisms) > 0 {
		c.login = &login{conn: c}
	}
	if c.s.o.Security.TLS == nil {
		return nil
	}
	nc := tls.Server(c.nc, c.s.o.Security.TLS)
	if err := c.nc.SetDeadline(c.s.o.Clock.Now().Add(c.s.o.FirstFrameTimeout)); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	if err := nc.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	c.nc = nc
	if chain := nc.ConnectionState().PeerCertificates; len(chain) > 0 && c.login == nil {
		p, err := auth.CertificateUser(chain[0].RawSubject)
		if err != nil {
			return err
		}
		c.node.principal = p.String()
	}
	return nil
}

// secret reports whether a password may cross this connection.
func (c *conn) secret() bool {
	if c.s.o.Security.TLS != nil || c.s.o.Security.ClearPasswords {
		return true
	}
	tcp, ok := c.nc.RemoteAddr().(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
