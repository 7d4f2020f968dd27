package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// withUsers is a broker that knows alice, with both kinds of credentials, and the others with SHA-256.
func withUsers(t testing.TB, others ...string) *broker.Broker {
	t.Helper()
	b := newBroker(t, broker.Options{Access: &auth.Rules{SuperUsers: map[string]bool{"User:root": true}}})
	add := func(name string, ms ...auth.Mechanism) {
		set := map[auth.Mechanism]auth.Credential{}
		for _, m := range ms {
			c, err := auth.NewCredential(m, name+"'s password", []byte("salt of "+name), auth.MinIterations)
			if err != nil {
				t.Fatal(err)
			}
			set[m] = c
		}
		if res, err := b.AlterUser(name, set, nil).Wait(context.Background()); err != nil || res != nil {
			t.Fatal(err, res)
		}
	}
	add("alice", auth.ScramSHA256, auth.ScramSHA512)
	for _, o := range others {
		add(o, auth.ScramSHA256)
	}
	return b
}

func mechanisms(user, password string) map[auth.Mechanism]sasl.Mechanism {
	return map[auth.Mechanism]sasl.Mechanism{
		auth.Plain:       plain.Auth{User: user, Pass: password}.AsMechanism(),
		auth.ScramSHA256: scram.Auth{User: user, Pass: password}.AsSha256Mechanism(),
		auth.ScramSHA512: scram.Auth{User: user, Pass: password}.AsSha512Mechanism(),
	}
}

func as(user string) kgo.Opt { return kgo.SASL(mechanisms(user, user+"'s password")[auth.ScramSHA256]) }

var everyWayIn = Security{Mechanisms: auth.Mechanisms, FailureDelay: time.Millisecond}

func TestClientsLogInInEveryWay(t *testing.T) {
	s := serve(t, Options{Broker: withUsers(t), Security: everyWayIn})
	ctx := testContext(t)
	for m, mech := range mechanisms("alice", "alice's password") {
		cl := s.client(t, kgo.SASL(mech), kgo.AllowAutoTopicCreation())
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
			t.Errorf("%v: %v", m, err)
		}
	}
	for what, who := range map[string][2]string{"wrong password": {"alice", "x"}, "unknown user": {"bob", "alice's password"}} {
		for m, mech := range mechanisms(who[0], who[1]) {
			cl := s.client(t, kgo.SASL(mech), kgo.RequestRetries(0), kgo.RetryTimeout(time.Second))
			if err := cl.Ping(ctx); !errors.Is(err, kerr.SaslAuthenticationFailed) {
				t.Errorf("%v, %s: %v", m, what, err)
			}
		}
	}
	if err := s.client(t, kgo.RequestRetries(0), kgo.RetryTimeout(time.Second)).Ping(ctx); err == nil {
		t.Error("a client without a login is served")
	}
}

func handshake(version int16, mechanism string) *kmsg.SASLHandshakeRequest {
	r := inVersion(kmsg.NewPtrSASLHandshakeRequest(), version)
	r.Mechanism = mechanism
	return r
}

func authenticate(version int16, token string) *kmsg.SASLAuthenticateRequest {
	r := inVersion(kmsg.NewPtrSASLAuthenticateRequest(), version)
	r.SASLAuthBytes = []byte(token)
	return r
}

const alicePlain = "\x00alice\x00alice's password"

func TestBeforeTheLoginNothingElseIsServed(t *testing.T) {
	s := serve(t, Options{Broker: withUsers(t), Security: everyWayIn})
	metadata := inVersion(kmsg.NewPtrMetadataRequest(), 9)
	for name, talk := range map[string]func(c *rawClient){
		"metadata at once":             func(c *rawClient) { c.send(metadata) },
		"metadata after ApiVersions":   func(c *rawClient) { ask[*kmsg.ApiVersionsResponse](c, apiVersions(3)); c.send(metadata) },
		"a token without a handshake":  func(c *rawClient) { c.send(authenticate(2, alicePlain)) },
		"metadata within the login":    func(c *rawClient) { ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN")); c.send(metadata) },
		"ApiVersions within the login": func(c *rawClient) { ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN")); c.send(apiVersions(3)) },
		"a handshake within the login": func(c *rawClient) {
			ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN"))
			c.send(handshake(1, "PLAIN"))
		},
		"a token of no kind": func(c *rawClient) {
			ask[*kmsg.SASLHandshakeResponse](c, handshake(0, "PLAIN"))
			c.write(bareFrame("nonsense"))
		},
		"a request instead of a token": func(c *rawClient) { ask[*kmsg.SASLHandshakeResponse](c, handshake(0, "PLAIN")); c.send(metadata) },
		"a version that is not served": func(c *rawClient) { c.send(inVersion(handshake(1, "PLAIN"), 9)) },
		"16 KiB before a login":        func(c *rawClient) { c.write(binary.BigEndian.AppendUint32(nil, 16<<10+1)) },
		"512 KiB within a login": func(c *rawClient) {
			ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN"))
			c.write(binary.BigEndian.AppendUint32(nil, 512<<10+1))
		},
		"an endless mechanism": func(c *rawClient) { c.send(handshake(1, strings.Repeat("x", 17<<10))) },
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial(t)
			talk(c)
			c.closed()
		})
	}
	c := s.dial(t)
	got := ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "GSSAPI"))
	wantCode(t, "unknown mechanism", got.ErrorCode, kerr.UnsupportedSaslMechanism)
	if !slices.Equal(got.SupportedMechanisms, []string{"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"}) {
		t.Errorf("offered %v", got.SupportedMechanisms)
	}
	c.closed()
}

func bareFrame(token string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)
}

func TestBareTokensOfTheFirstHandshake(t *testing.T) {
	s := serve(t, Options{Broker: withUsers(t), Security: everyWayIn})
	c := s.dial(t)
	wantCode(t, "handshake", ask[*kmsg.SASLHandshakeResponse](c, handshake(0, "PLAIN")).ErrorCode, nil)
	c.write(bareFrame(alicePlain))
	if got := c.receive(); len(got) != 0 {
		t.Errorf("answer %x", got)
	}
	wantCode(t, "metadata", ask[*kmsg.ApiVersionsResponse](c, apiVersions(3)).ErrorCode, nil)
	for _, token := range []string{"\x00alice\x00wrong", "\x00bob\x00x"} {
		c := s.dial(t)
		wantCode(t, "handshake", ask[*kmsg.SASLHandshakeResponse](c, handshake(0, "PLAIN")).ErrorCode, nil)
		c.write(bareFrame(token))
		c.closed()
	}
}

func TestFailuresTellNothingAndTakeTheirTime(t *testing.T) {
	manual := clock.NewManual(time.Now())
	s := serve(t, Options{Broker: withUsers(t), Clock: manual, Security: Security{Mechanisms: auth.Mechanisms}})
	fail := func(token string) []byte {
		c := s.dial(t)
		ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN"))
		c.send(authenticate(2, token))
		for e := range s.events { // the failure is known, its answer is not there yet
			if e.Kind == "login-failed" {
				break
			}
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if answer, err := c.tryReceive(); err == nil {
			t.Fatalf("answered at once: %q", answer)
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		manual.Advance(100 * time.Millisecond)
		answer := c.receive()
		c.closed()
		return answer[4:]
	}
	wrong, unknown := fail("\x00alice\x00wrong"), fail("\x00bob\x00x")
	if string(wrong) != string(unknown) {
		t.Errorf("a wrong password %q and an unknown user %q differ", wrong, unknown)
	}
}

func TestSessionsEndUnlessTheLoginIsRepeated(t *testing.T) {
	manual := clock.NewManual(time.Now())
	sec := Security{Mechanisms: auth.Mechanisms, SessionLifetime: time.Minute}
	s := serve(t, Options{Broker: withUsers(t, "bob"), Clock: manual, Security: sec, IdleTimeout: time.Hour})
	in := func(c *rawClient, token string) *kmsg.SASLAuthenticateResponse {
		wantCode(t, "handshake", ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN")).ErrorCode, nil)
		return ask[*kmsg.SASLAuthenticateResponse](c, authenticate(2, token))
	}
	c := s.dial(t)
	if got := in(c, alicePlain); got.ErrorCode != 0 || got.SessionLifetimeMillis != 60000 {
		t.Fatalf("%+v", got)
	}
	manual.Advance(59 * time.Second)
	ask[*kmsg.ApiVersionsResponse](c, apiVersions(3))
	wantCode(t, "again", in(c, alicePlain).ErrorCode, nil)
	manual.Advance(59 * time.Second)
	ask[*kmsg.ApiVersionsResponse](c, apiVersions(3))
	manual.Advance(time.Second)
	late := in(c, alicePlain) // only a login is served now
	wantCode(t, "late", late.ErrorCode, nil)
	manual.Advance(time.Minute)
	c.send(apiVersions(3))
	c.closed()

	c = s.dial(t)
	in(c, alicePlain)
	ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN"))
	id := c.send(authenticate(2, "\x00bob\x00bob's password"))
	for e := range s.events {
		if e.Kind == "login-failed" {
			break
		}
	}
	manual.Advance(100 * time.Millisecond)
	wantCode(t, "somebody else", answerTo[*kmsg.SASLAuthenticateResponse](c, authenticate(2, ""), id).ErrorCode, kerr.SaslAuthenticationFailed)
	c.closed()
}

func TestLoginsAreOutOfPlaceWithoutOne(t *testing.T) {
	s := serve(t, Options{})
	c := s.dial(t)
	wantCode(t, "handshake", ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN")).ErrorCode, kerr.IllegalSaslState)
	wantCode(t, "token", ask[*kmsg.SASLAuthenticateResponse](c, authenticate(2, "x")).ErrorCode, kerr.IllegalSaslState)
	s = serve(t, Options{Broker: withUsers(t), Security: everyWayIn})
	c = s.dial(t)
	ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN"))
	wantCode(t, "login", ask[*kmsg.SASLAuthenticateResponse](c, authenticate(2, alicePlain)).ErrorCode, nil)
	wantCode(t, "second handshake", ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN")).ErrorCode, kerr.IllegalSaslState)
	wantCode(t, "second token", ask[*kmsg.SASLAuthenticateResponse](c, authenticate(2, alicePlain)).ErrorCode, kerr.IllegalSaslState)
}

func TestClientsWhoDoNotShowWhoTheyAreTakeFewPlaces(t *testing.T) {
	s := serve(t, Options{Broker: withUsers(t), Security: everyWayIn, MaxConnections: 4})
	first, second := s.dial(t), s.dial(t)
	ask[*kmsg.ApiVersionsResponse](first, apiVersions(3))
	ask[*kmsg.ApiVersionsResponse](second, apiVersions(3))
	s.dial(t).closed()
	ask[*kmsg.SASLHandshakeResponse](first, handshake(1, "PLAIN"))
	wantCode(t, "login", ask[*kmsg.SASLAuthenticateResponse](first, authenticate(2, alicePlain)).ErrorCode, nil)
	ask[*kmsg.ApiVersionsResponse](s.dial(t), apiVersions(3))
}

// ---- TLS

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	a := authority{}
	a.cert, a.key = sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, a)
	return a
}

// sign makes a certificate; an empty authority makes one that signs itself.
func sign(t testing.TB, c *x509.Certificate, by authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by.cert == nil {
		by = authority{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}

func (a authority) pair(t testing.TB, name pkix.Name) tls.Certificate {
	t.Helper()
	cert, key := sign(t, &x509.Certificate{
		Subject: name, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func TestACertificateIsAPrincipal(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.pair(t, pkix.Name{CommonName: "node"})}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.pool()}
	b := newBroker(t, broker.Options{})
	s := serve(t, Options{Broker: b, Security: Security{TLS: config, Authorize: true, SuperUsers: []string{"User:CN=root,OU=ops"}}})
	ctx := testContext(t)
	dial := func(pairs ...tls.Certificate) *kgo.Client {
		return s.client(t, kgo.DialTLSConfig(&tls.Config{RootCAs: ca.pool(), Certificates: pairs}), kgo.RequestRetries(1), kgo.RetryTimeout(time.Second))
	}
	create := func(name string, cl *kgo.Client) error {
		r, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 1, nil, name)
		return errors.Join(err, r.Err)
	}
	if err := create("a", dial(ca.pair(t, pkix.Name{CommonName: "root", OrganizationalUnit: []string{"ops"}}))); err != nil {
		t.Errorf("root: %v", err)
	}
	if err := create("b", dial(ca.pair(t, pkix.Name{CommonName: "root"}))); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("another certificate: %v", err)
	}
	if err := create("c", dial()); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("no certificate: %v", err)
	}
	if err := dial(newAuthority(t).pair(t, pkix.Name{CommonName: "root", OrganizationalUnit: []string{"ops"}})).Ping(ctx); err == nil {
		t.Error("a certificate of another authority is taken")
	}
	if err := s.client(t, kgo.RequestRetries(0), kgo.RetryTimeout(time.Second)).Ping(ctx); err == nil {
		t.Error("clear text is taken")
	}
}

func TestPasswordsCrossTheNetworkInTLSOnly(t *testing.T) {
	far := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}
	near := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	for _, c := range []struct {
		name   string
		remote net.Addr
		sec    Security
		want   bool
	}{
		{"same machine", near, Security{}, true},
		{"another machine", far, Security{}, false},
		{"another machine, TLS", far, Security{TLS: &tls.Config{}}, true},
		{"another machine that is trusted", far, Security{ClearPasswords: true}, true},
	} {
		c.sec.Mechanisms = auth.Mechanisms
		l := &login{conn: &conn{s: &Server{o: Options{Security: c.sec}}, nc: remoteConn{addr: c.remote}}}
		if got := slices.Contains(l.offered(), auth.Plain); got != c.want {
			t.Errorf("%s: PLAIN is offered: %v", c.name, got)
		}
	}
}

type remoteConn struct {
	net.Conn
	addr net.Addr
}

func (c remoteConn) RemoteAddr() net.Addr { return c.addr }

// FuzzLoginTalk: no talk logs a client in that does not know a password, and none panics.
func FuzzLoginTalk(f *testing.F) {
	b := withUsers(f)
	f.Add(bareFrame("\x00\x11\x00\x00\x00\x00\x00\x01\xff\xff\x00\x05PLAIN"))
	f.Add(append(bareFrame("\x00\x11\x00\x00\x00\x00\x00\x01\xff\xff\x00\x05PLAIN"), bareFrame("\x00alice\x00x")...))
	f.Add(append(bareFrame("\x00\x11\x00\x01\x00\x00\x00\x01\xff\xff\x00\x0dSCRAM-SHA-256"), bareFrame("\x00\x24\x00\x00\x00\x00\x00\x01\xff\xff\x00\x00\x00\x10n,,n=alice,r=abc")...))
	s := New(Options{Broker: b, Security: everyWayIn})
	f.Fuzz(func(t *testing.T, talk []byte) {
		here, there := net.Pipe()
		defer here.Close()
		defer there.Close()
		c := &conn{s: s, nc: here, node: s.newNode(here)}
		if err := c.handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		for len(talk) >= 4 {
			n := int(binary.BigEndian.Uint32(talk))
			if n > len(talk)-4 {
				return
			}
			var ex exchange
			err := c.begin(t.Context(), &ex, talk[4:4+n])
			c.s.budget.Release(ex.hold)
			if c.login.done() || c.node.principal != auth.Anonymous.String() {
				t.Fatalf("logged in as %s", c.node.principal)
			}
			if err != nil || c.login.failed != nil {
				return
			}
			talk = talk[4+n:]
		}
	})
}
