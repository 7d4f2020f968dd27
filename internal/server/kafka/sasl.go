package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SaslHandshake (17), versions 0-1: after 0 the tokens travel bare (KIP-43), after 1 in SaslAuthenticate (36), versions 0-2: KIP-152,
// session lifetime from 1 (KIP-368).

// A login is the state of a connection's logins. It belongs to the reader.
//
//	greeting ── handshake v1 ─► tokens ── done ─► open ── handshake (with a lifetime) ─► tokens
//	    └────── handshake v0 ─► bare ──── done ─► open
//
// In greeting only ApiVersions and SaslHandshake are served, in tokens SaslAuthenticate, in open everything until the session has
// expired; anything else ends the connection, and so does a failure.
type login struct {
	conn      *conn
	state     loginState
	mechanism auth.Mechanism
	exchange  *auth.Login
	again     bool // open was reached before
	expires   time.Duration
	failed    error
}

type loginState uint8

const (
	greeting loginState = iota
	tokens
	bare
	open
)

// LoginFailed is the kind of the event of a login that failed: remote, user as claimed, mechanism, error.
const LoginFailed = "login-failed"

const (
	keySaslHandshake    = 17
	keySaslAuthenticate = 36
)

// Errors that end a connection: what does not belong here, and who could not prove to be who they say.
var (
	errLoginState  = errors.New("request does not belong into this state of the login")
	errExpired     = errors.New("session has expired")
	errLoginFailed = errors.New("login failed")
	errLoginsBusy  = errors.New("too many bytes of logins at once")
)

// done reports whether the client is somebody.
func (l *login) done() bool { return l == nil || l.again }

// admits decides by its key whether a request may be sent now.
func (l *login) admits(key int16) error {
	switch {
	case l == nil:
		return nil
	case l.state == greeting && (key == keyApiVersions || key == keySaslHandshake), l.state == tokens && key == keySaslAuthenticate:
		return nil
	case l.state != open:
		return fmt.Errorf("%w: key %d", errLoginState, key)
	case l.expires > 0 && l.conn.s.o.Clock.Mono() >= l.expires && key != keySaslHandshake:
		return errExpired
	}
	return nil
}

// take answers what is part of a login; nil for every other request.
func (l *login) take(r kmsg.Request) pending {
	switch r := r.(type) {
	case *kmsg.SASLHandshakeRequest:
		if l != nil && (l.state == greeting || l.conn.s.o.Security.SessionLifetime > 0) {
			return l.handshake(r)
		}
	case *kmsg.SASLAuthenticateRequest:
		if l != nil && l.state == tokens {
			return l.authenticate(r)
		}
	}
	return nil
}

// offered are the mechanisms for this connection.
func (l *login) offered() []auth.Mechanism {
	out := slices.Clone(l.conn.s.o.Security.Mechanisms)
	if !l.conn.secret() {
		out = slices.DeleteFunc(out, func(m auth.Mechanism) bool { return m == auth.Plain })
	}
	return out
}

func (l *login) handshake(r *kmsg.SASLHandshakeRequest) pending {
	resp := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
	offered := l.offered()
	for _, m := range offered {
		resp.SupportedMechanisms = append(resp.SupportedMechanisms, m.String())
	}
	i := slices.IndexFunc(offered, func(m auth.Mechanism) bool { return m.String() == r.Mechanism })
	if i < 0 || l.again && offered[i] != l.mechanism {
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		return l.fail(resp, kerr.UnsupportedSaslMechanism)
	}
	s := l.conn.s
	l.mechanism, l.state = offered[i], tokens
	if r.Version == 0 {
		l.state = bare
	}
	l.exchange = auth.NewLogin(l.mechanism, s.o.Broker.Security().Users, s.o.Security.NewNonce(), s.access.seed)
	return answered(resp)
}

// authenticate takes the next token.
func (l *login) authenticate(r *kmsg.SASLAuthenticateRequest) pending {
	resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	answer, err := l.step(r.SASLAuthBytes)
	resp.SASLAuthBytes = answer
	if answer == nil {
		resp.SASLAuthBytes = []byte{}
	}
	if err != nil {
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		resp.ErrorMessage = ptr("Authentication failed during authentication due to invalid credentials with SASL mechanism " + l.mechanism.String())
		return l.fail(resp, err)
	}
	if lifetime := l.conn.s.o.Security.SessionLifetime; l.state == open && lifetime > 0 {
		resp.SessionLifetimeMillis = lifetime.Milliseconds()
	}
	return answered(resp)
}

// bareToken takes a token without a request around it. A failure has no answer but the end.
func (l *login) bareToken(token []byte) pending {
	answer, err := l.step(token)
	if err != nil {
		return l.fail(nil, err)
	}
	return answered(rawToken(answer))
}

// step runs the mechanism, and lets the client in at its end.
func (l *login) step(token []byte) ([]byte, error) {
	s := l.conn.s
	if l.mechanism == auth.Plain {
		s.access.hashing <- struct{}{}
		defer func() { <-s.access.hashing }()
	}
	answer, done, err := l.exchange.Step(token)
	if err != nil || !done {
		return answer, err
	}
	who := auth.User(l.exchange.User()).String()
	if l.again && who != l.conn.node.principal {
		return nil, fmt.Errorf("%w: the session belongs to %s", auth.ErrDenied, l.conn.node.principal)
	}
	l.conn.node.principal = who
	l.state, l.again = open, true
	if lifetime := s.o.Security.SessionLifetime; lifetime > 0 {
		l.expires = s.o.Clock.Mono() + lifetime
	}
	return answer, nil
}

// fail answers after a while and ends the connection: guessing takes its time, and costs the node nothing but a timer.
func (l *login) fail(resp answer, cause error) pending {
	s := l.conn.s
	user := ""
	if l.exchange != nil {
		user = l.exchange.User()
	}
	l.failed = fmt.Errorf("%w: %w", errLoginFailed, cause)
	over := s.o.Clock.After(s.o.Security.FailureDelay)
	s.event(LoginFailed, "remote", l.conn.nc.RemoteAddr(), "user", user, "mechanism", l.mechanism, "error", cause)
	err := l.failed
	return func(ctx context.Context) (answer, error) {
		select {
		case <-over:
			return resp, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// A rawToken is an answer without any header.
type rawToken []byte

// Key and IsFlexible make it an answer; neither is on the wire.
func (t rawToken) Key() int16                 { return keySaslHandshake }
func (t rawToken) IsFlexible() bool           { return false }
func (t rawToken) AppendTo(dst []byte) []byte { return append(dst, t...) }

// Where no login is under way, both requests are out of place, as in Kafka.

func (n *node) strayHandshake(_ call, r *kmsg.SASLHandshakeRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
	resp.ErrorCode = kerr.IllegalSaslState.Code
	return resp
}

func (n *node) strayAuthenticate(_ call, r *kmsg.SASLAuthenticateRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	resp.ErrorCode, resp.SASLAuthBytes = kerr.IllegalSaslState.Code, []byte{}
	resp.ErrorMessage = ptr("SaslAuthenticate request received after successful authentication")
	return resp
}
