package mainstem_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/stream"
)

// certificate writes a certificate that signs itself, and its key, into dir.
func certificate(t *testing.T, dir, name string) mainstem.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key))
	private := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))
	files := mainstem.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{files.CertFile: {Type: "CERTIFICATE", Bytes: der}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// everywhere listens on all addresses of the machine.
func everywhere(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAddressesThatOthersReachNeedLogins(t *testing.T) {
	dir := t.TempDir()
	files := certificate(t, dir, "node")
	mutual := files
	mutual.ClientCAFile = files.CertFile
	requested := mutual
	requested.ClientAuth = "requested"
	admin := mainstem.WithAdministrator("admin", "secret")
	for _, c := range []struct {
		name string
		opts []mainstem.Option
		want error
	}{
		{"nothing", nil, mainstem.ErrUnprotected},
		{"ACLs without logins", []mainstem.Option{mainstem.WithAuthorization(), admin}, mainstem.ErrUnprotected},
		{"TLS without client certificates", []mainstem.Option{mainstem.WithTLS(files)}, mainstem.ErrUnprotected},
		{"client certificates by choice", []mainstem.Option{mainstem.WithTLS(requested)}, mainstem.ErrUnprotected},
		{"client certificates", []mainstem.Option{mainstem.WithTLS(mutual)}, nil},
		{"logins", []mainstem.Option{mainstem.WithSASL(), admin}, nil},
		{"logins without users", []mainstem.Option{mainstem.WithSASL()}, mainstem.ErrNoUser},
		{"ACLs without anybody", []mainstem.Option{mainstem.WithTrustedNetwork(), mainstem.WithAuthorization()}, mainstem.ErrNoAdministrator},
		{"ACLs for a super user", []mainstem.Option{mainstem.WithTrustedNetwork(), mainstem.WithAuthorization("User:root")}, nil},
		{"trust", []mainstem.Option{mainstem.WithTrustedNetwork()}, nil},
		{"no such files", []mainstem.Option{mainstem.WithTLS(mainstem.TLS{CertFile: "nowhere", KeyFile: "nowhere"}), mainstem.WithTrustedNetwork()}, mainstem.ErrTLSFiles},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := mainstem.Open(within(t), t.TempDir(), append([]mainstem.Option{mainstem.WithKafka(everywhere(t))}, c.opts...)...)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if err == nil {
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if _, err := mainstem.Open(within(t), t.TempDir(), mainstem.WithHTTP(everywhere(t)), mainstem.WithSASL(), admin); !errors.Is(err, mainstem.ErrUnprotected) {
		t.Errorf("the page has no logins: %v", err)
	}
	for _, bad := range []mainstem.Option{
		mainstem.WithSASL("GSSAPI"), mainstem.WithAuthorization("alice"), mainstem.WithAdministrator("", "x"), mainstem.WithAdministrator("a", ""),
		mainstem.WithTLS(mainstem.TLS{ClientAuth: "yes"}), mainstem.WithSessionLifetime(-1), mainstem.WithLimits(mainstem.Limits{Connections: -1}),
	} {
		if n, err := mainstem.Open(within(t), t.TempDir(), bad); err == nil {
			t.Error("a wrong option is taken")
			_ = n.Close()
		}
	}
}

// A node with everything on: the administrator makes a user and an ACL, pipelines of the process need neither, all outlives a restart.
func TestASecuredNode(t *testing.T) {
	dir := t.TempDir()
	files := certificate(t, t.TempDir(), "first")
	opts := []mainstem.Option{mainstem.WithTLS(files), mainstem.WithSASL(), mainstem.WithAuthorization(), mainstem.WithAdministrator("admin", "secret")}
	roots := func() *x509.CertPool {
		p := x509.NewCertPool()
		p.AppendCertsFromPEM(must[[]byte](t)(os.ReadFile(files.CertFile)))
		return p
	}
	var n *mainstem.Node
	client := func(user, password string, opts ...kgo.Opt) *kgo.Client {
		cl := must[*kgo.Client](t)(kgo.NewClient(append([]kgo.Opt{
			kgo.SeedBrokers(n.Kafka()), kgo.DialTLSConfig(&tls.Config{RootCAs: roots()}), kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()),
			kgo.RetryTimeout(2 * time.Second), kgo.RecordRetries(2),
		}, opts...)...))
		t.Cleanup(cl.Close)
		return cl
	}
	start := func() {
		n = must[*mainstem.Node](t)(mainstem.Open(within(t), dir, append(opts, mainstem.WithKafka(listen(t)))...))
	}
	start()
	root := kadm.NewClient(client("admin", "secret"))
	must[kadm.CreateTopicResponse](t)(root.CreateTopic(within(t), 1, 1, nil, "in"))
	altered := must[kadm.AlteredUserSCRAMs](t)(root.AlterUserSCRAMs(within(t), nil, []kadm.UpsertSCRAM{{User: "alice", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "p"}}))
	if err := altered["alice"].Err; err != nil {
		t.Fatal(err)
	}
	must[kadm.CreateACLsResults](t)(root.CreateACLs(within(t), kadm.NewACLs().Allow("User:alice").AllowHosts("*").Topics("in").Operations(kadm.OpWrite).ResourcePatternType(kadm.ACLPatternLiteral)))
	must[*mainstem.Pipeline](t)(n.Run(must[*stream.Topology](t)(echo(t, "copy"), nil)))
	write := func(topic string) error {
		return client("alice", "p").ProduceSync(within(t), &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v")}).FirstErr()
	}
	if err := write("in"); err != nil {
		t.Fatal(err)
	}
	if err := write("other"); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("alice writes elsewhere: %v", err)
	}
	out := client("admin", "secret", kgo.ConsumeTopics("out-of-copy"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	for fetched := 0; fetched == 0; {
		f := out.PollFetches(within(t))
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		fetched = f.NumRecords()
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		start()
		if err := write("in"); err != nil {
			t.Errorf("after a restart: %v", err)
		}
	}
	old := roots()
	certificate(t, filepath.Dir(files.CertFile), "second")
	if err := n.ReloadTLS(); err != nil {
		t.Fatal(err)
	}
	if err := write("in"); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	stale := must[*kgo.Client](t)(kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.DialTLSConfig(&tls.Config{RootCAs: old}), kgo.RequestRetries(0), kgo.RetryTimeout(time.Second)))
	defer stale.Close()
	if err := stale.Ping(within(t)); err == nil {
		t.Error("the old certificate is still served")
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheAdministratorsPasswordIsTheOneOfTheNewestStart(t *testing.T) {
	dir := t.TempDir()
	ping := func(ctx context.Context, n *mainstem.Node, password string) error {
		cl := must[*kgo.Client](t)(kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.SASL(plain.Auth{User: "admin", Pass: password}.AsMechanism()), kgo.RequestRetries(0), kgo.RetryTimeout(time.Second)))
		defer cl.Close()
		return cl.Ping(ctx)
	}
	for _, password := range []string{"one", "two"} {
		n := must[*mainstem.Node](t)(mainstem.Open(within(t), dir, mainstem.WithKafka(listen(t)), mainstem.WithSASL("PLAIN"), mainstem.WithAdministrator("admin", password)))
		for _, p := range []string{"one", "two"} {
			if err := ping(within(t), n, p); (err == nil) != (p == password) {
				t.Errorf("started with %s, logged in with %s: %v", password, p, err)
			}
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Without the option the user stays, as an ordinary one.
	n := must[*mainstem.Node](t)(mainstem.Open(within(t), dir, mainstem.WithKafka(listen(t)), mainstem.WithSASL("PLAIN"), mainstem.WithAuthorization("User:somebody")))
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	cl := must[*kgo.Client](t)(kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.SASL(plain.Auth{User: "admin", Pass: "two"}.AsMechanism())))
	defer cl.Close()
	if _, err := kadm.NewClient(cl).DescribeUserSCRAMs(within(t)); !errors.Is(err, kerr.ClusterAuthorizationFailed) {
		t.Errorf("users: %v", err)
	}
}
