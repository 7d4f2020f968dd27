package mainstem

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/server/certificate"
	"github.com/mainstemio/mainstem/internal/server/kafka"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// Reasons why a node is not opened the way it was asked to.
var (
	// ErrUnprotected: others can reach an address on which nobody has to show who they are.
	ErrUnprotected = errors.New("address can be reached from other machines and nobody has to log in there")
	// ErrNoUser: logins are wanted, and there is no user who could log in and make others.
	ErrNoUser = errors.New("nobody could log in: there is no user yet")
	// ErrNoAdministrator: ACLs are wanted, and there is neither an ACL nor a super user who could make one.
	ErrNoAdministrator = errors.New("nobody could do anything: there are neither ACLs nor super users")
	// ErrTLSFiles: certificate, key and authority make no TLS configuration.
	ErrTLSFiles = certificate.ErrFiles
)

// security is what options say about it.
type security struct {
	tls        *TLS
	mechanisms []auth.Mechanism
	lifetime   time.Duration
	authorize  bool
	supers     []string
	allowNoACL bool
	users      []namedPassword
	trusted    bool
	limits     Limits
	connection []kgo.Opt

	source *certificate.Source // of tls, once it is open
}

type namedPassword struct{ name, password string }

// TLS names the files of a listener's TLS: version 1.2 and newer. They are read again when they change, within a second at the
// next connection; open connections keep what they have.
type TLS struct {
	// CertFile holds the certificate with those that lead to its authority, KeyFile its key, in PEM. They may be one file.
	CertFile, KeyFile string
	// ClientCAFile holds the authorities of client certificates, in PEM. A client that does not log in by password is known by its
	// certificate: User: and the distinguished name as Kafka shows it, such as User:CN=alice,O=Acme.
	ClientCAFile string
	// ClientAuth is none, requested or required; default required with a ClientCAFile, none without.
	ClientAuth string
}

func (t TLS) clientAuth() (certificate.ClientAuth, error) {
	switch {
	case t.ClientAuth == "" && t.ClientCAFile != "":
		return certificate.Required, nil
	case t.ClientAuth == "":
		return certificate.None, nil
	}
	a, ok := certificate.ParseClientAuth(t.ClientAuth)
	if !ok {
		return a, fmt.Errorf("TLS client authentication %q: want none, requested or required", t.ClientAuth)
	}
	return a, nil
}

// WithTLS serves Kafka clients over TLS only.
func WithTLS(t TLS) Option {
	return func(o *options) error {
		o.security.tls = &t
		_, err := t.clientAuth()
		return err
	}
}

// WithSASL makes Kafka clients log in by one of the mechanisms: SCRAM-SHA-512, SCRAM-SHA-256, PLAIN; default all. PLAIN sends the
// password itself: without TLS it is offered to clients on this machine only. In-process pipelines need no login.
func WithSASL(mechanisms ...string) Option {
	return func(o *options) error {
		o.security.mechanisms = slices.Clone(auth.Mechanisms)
		if len(mechanisms) == 0 {
			return nil
		}
		o.security.mechanisms = nil
		for _, name := range mechanisms {
			m, ok := auth.ParseMechanism(name)
			if !ok {
				return fmt.Errorf("SASL mechanism %q: want SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN", name)
			}
			o.security.mechanisms = append(o.security.mechanisms, m)
		}
		return nil
	}
}

// WithSessionLifetime makes clients repeat their login after d (KIP-368); those that can't are disconnected. Default: never.
func WithSessionLifetime(d time.Duration) Option {
	return func(o *options) error {
		if d < 0 {
			return fmt.Errorf("session lifetime %v is negative", d)
		}
		o.security.lifetime = d
		return nil
	}
}

// WithAuthorization enforces ACLs: what no ACL allows is refused. Super users, such as User:admin, may do everything.
func WithAuthorization(superUsers ...string) Option {
	return func(o *options) error {
		o.security.authorize = true
		for _, u := range superUsers {
			if _, err := auth.ParsePrincipal(u); err != nil {
				return fmt.Errorf("super user %q: %w", u, err)
			}
			o.security.supers = append(o.security.supers, u)
		}
		return nil
	}
}

// WithOpenResources allows everybody what no ACL is about, as Kafka's allow.everyone.if.no.acl.found.
func WithOpenResources() Option {
	return func(o *options) error { o.security.allowNoACL = true; return nil }
}

// WithAdministrator sees that a user exists with this password before anybody can connect, and makes it a super user.
func WithAdministrator(name, password string) Option {
	return func(o *options) error {
		if err := auth.CheckUser(name); err != nil {
			return fmt.Errorf("administrator: %w", err)
		}
		if password == "" {
			return fmt.Errorf("administrator %s has no password", name)
		}
		o.security.users = append(o.security.users, namedPassword{name, password})
		o.security.supers = append(o.security.supers, auth.User(name).String())
		return nil
	}
}

// WithTrustedNetwork says that everybody who can reach the node's addresses may do what they want there, and may see passwords:
// without it, addresses that other machines reach are served only if clients have to log in.
func WithTrustedNetwork() Option {
	return func(o *options) error { o.security.trusted = true; return nil }
}

// Limits of the Kafka listener; zero fields take the defaults.
type Limits struct {
	Connections           int   // in all; default 8192
	ConnectionsPerAddress int   // of one client address; default 2048
	RequestBytes          int   // of one request; default 64 MiB, at most 100 MiB
	InFlightBytes         int64 // of large requests that are being served, in all; default 256 MiB
}

// WithLimits bounds what Kafka clients can take of the node.
func WithLimits(l Limits) Option {
	return func(o *options) error {
		if l.Connections < 0 || l.ConnectionsPerAddress < 0 || l.RequestBytes < 0 || l.InFlightBytes < 0 {
			return errors.New("limits can't be negative")
		}
		o.security.limits = l
		return nil
	}
}

// WithBrokerConnection is given to every connection to an existing cluster (WithBroker): TLS, SASL, a dialer.
func WithBrokerConnection(opts ...kgo.Opt) Option {
	return func(o *options) error { o.security.connection = opts; return nil }
}

// protected refuses addresses that others can reach without showing who they are. The page knows no logins.
func (o *options) protected() error {
	for _, l := range o.listeners() {
		a, ok := l.Addr().(*net.TCPAddr)
		if !ok || a.IP.IsLoopback() || o.security.trusted || l == o.kafka && o.security.identifies() {
			continue
		}
		return fmt.Errorf("listen on %s: %w; choose a loopback address, let clients log in, or say that the network is trusted", a, ErrUnprotected)
	}
	return nil
}

// identifies reports whether every client has to show who it is.
func (s *security) identifies() bool {
	if len(s.mechanisms) > 0 {
		return true
	}
	if s.tls == nil {
		return false
	}
	a, err := s.tls.clientAuth()
	return err == nil && a == certificate.Required
}

// openTLS reads the files.
func (o *options) openTLS() error {
	t := o.security.tls
	if t == nil {
		return nil
	}
	a, err := t.clientAuth()
	if err != nil {
		return err
	}
	o.security.source, err = certificate.Open(certificate.Options{
		FS: vfs.Default, Clock: o.clock, CertFile: t.CertFile, KeyFile: t.KeyFile, ClientCAFile: t.ClientCAFile, ClientAuth: a,
		Events: func(kind string, fields ...any) { o.log.Warn(kind, fields...) },
	})
	return err
}

// ReloadTLS takes what the TLS files say now instead of within a second of the next connection. With an error, what they said
// before goes on.
func (n *Node) ReloadTLS() error {
	if n.o.security.source == nil {
		return nil
	}
	return n.o.security.source.Reload()
}

// clientSecurity is the Kafka server's part.
func (o *options) clientSecurity() kafka.Security {
	s := &o.security
	out := kafka.Security{
		Mechanisms: s.mechanisms, ClearPasswords: s.trusted, SessionLifetime: s.lifetime,
		Authorize: s.authorize, SuperUsers: s.supers, AllowIfNoACL: s.allowNoACL,
	}
	if s.source != nil {
		out.TLS = s.source.Config()
	}
	return out
}

// access bounds what members of consumer groups find by expressions; nil when ACLs do not count.
func (o *options) access() *auth.Rules {
	s := &o.security
	if !s.authorize {
		return nil
	}
	supers := map[string]bool{}
	for _, p := range s.supers {
		supers[p] = true
	}
	return &auth.Rules{SuperUsers: supers, AllowIfNoACL: s.allowNoACL}
}

func (n *Node) kafkaOptions() kafka.Options {
	l := n.o.security.limits
	return kafka.Options{
		Broker: n.broker, Clock: n.o.clock, Requests: &n.requests, Advertise: n.o.advertise, Security: n.o.clientSecurity(),
		MaxConnections: l.Connections, MaxPerAddress: l.ConnectionsPerAddress, MaxFrame: l.RequestBytes, MaxInFlight: l.InFlightBytes,
		Events: func(e kafka.Event) {
			if e.Kind == kafka.LoginFailed {
				n.o.log.Warn(e.Kind, e.Fields...)
				return
			}
			n.o.log.Debug(e.Kind, e.Fields...)
		},
	}
}

// secure makes the administrators and refuses a node into which nobody could get.
func (n *Node) secure(ctx context.Context) error {
	s := &n.o.security
	for _, u := range s.users {
		if err := n.ensureUser(ctx, u); err != nil {
			return fmt.Errorf("make user %s: %w", u.name, err)
		}
	}
	if n.o.kafka == nil {
		return nil
	}
	known := n.broker.Security()
	if len(s.mechanisms) > 0 && len(known.Users.Keys()) == 0 {
		return ErrNoUser
	}
	if s.authorize && !s.allowNoACL && len(s.supers) == 0 && len(known.ACLs.All()) == 0 {
		return ErrNoAdministrator
	}
	return nil
}

// ensureUser changes nothing when the password is right.
func (n *Node) ensureUser(ctx context.Context, u namedPassword) error {
	set := map[auth.Mechanism]auth.Credential{}
	for _, m := range []auth.Mechanism{auth.ScramSHA256, auth.ScramSHA512} {
		if c, ok := n.broker.Security().Users.Find(auth.UserKey{Name: u.name, Mechanism: m}); ok && c.Proves(m, u.password) {
			continue
		}
		c, err := auth.NewCredential(m, u.password, []byte(strings.ReplaceAll(uuid.NewString(), "-", "")), auth.DefaultIterations)
		if err != nil {
			return err
		}
		set[m] = c
	}
	if len(set) == 0 {
		return nil
	}
	refused, err := n.broker.AlterUser(u.name, set, nil).Wait(ctx)
	if err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	return nil
}
