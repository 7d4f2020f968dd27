package compat

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/need"
)

// A secured node wants TLS, logins and ACLs; admin, with the password "admin secret", may do everything.
type secured struct {
	*node
	cert string // of the node, which is its own authority
}

func startSecured(t *testing.T, tls bool) secured {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	dir := t.TempDir()
	s := secured{cert: filepath.Join(dir, "cert.pem")}
	key, admin := filepath.Join(dir, "key.pem"), filepath.Join(dir, "admin")
	writeCertificate(t, s.cert, key)
	if err := os.WriteFile(admin, []byte("admin:admin secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--sasl", "--authorize", "--admin-file", admin}
	if tls {
		flags = append(flags, "--tls-cert", s.cert, "--tls-key", key)
	}
	var err error
	if s.node, err = startNode(flags...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// writeCertificate makes a certificate for 127.0.0.1 that signs itself.
func writeCertificate(t *testing.T, cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mainstem runs a command of the node's own binary as admin.
func (s secured) mainstem(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	t.Setenv("MAINSTEM_SASL_PASSWORD", "admin secret")
	args = append(args, "-b", s.address, "--tls-ca", s.cert, "--sasl-user", "admin")
	return output(t, run{path: filepath.Join(s.dir, "mainstem"), stdin: stdin, args: args})
}

// librdkafka over TLS: with each mechanism from Python, and by PLAIN from kcat. Debian's kcat has a librdkafka whose SCRAM sends a nonce
// that neither Kafka 4 nor a node takes (CVE-2024-56128).
func TestLibrdkafkaLogsIn(t *testing.T) {
	kcat, interpreter := need.Program(t, "kcat"), python(t)
	s := startSecured(t, true)
	s.mainstem(t, "alice secret\n", "user", "create", "alice", "--password-file", "-")
	s.mainstem(t, "", "acl", "add", "--allow", "alice", "--operation", "read,write", "--topic", "mine", "--group", "mine", "--prefixed")
	for _, topic := range []string{"mine-plain", "mine-scram-sha-256", "mine-scram-sha-512", "other"} {
		s.mainstem(t, "", "topic", "create", topic)
	}
	as := func(m, password string) string {
		t.Helper()
		return output(t, run{path: interpreter, args: []string{"python/login.py", s.address, s.cert, m, "alice", password, "mine-" + strings.ToLower(m)}})
	}
	for _, m := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		if got := as(m, "alice secret"); got != "hello\n['mine-plain', 'mine-scram-sha-256', 'mine-scram-sha-512']\n" {
			t.Errorf("%s: %q", m, got)
		}
		if m == "SCRAM-SHA-256" {
			continue
		}
		if got := as(m, "wrong"); got != "login failed\n" {
			t.Errorf("%s with a wrong password: %q", m, got)
		}
	}
	got := output(t, run{path: kcat, args: []string{
		"-b", s.address, "-q", "-X", "security.protocol=SASL_SSL", "-X", "ssl.ca.location=" + s.cert, "-X", "sasl.mechanisms=PLAIN",
		"-X", "sasl.username=alice", "-X", "sasl.password=alice secret", "-X", "auto.offset.reset=earliest", "-c", "1", "-G", "mine", "mine-plain",
	}})
	if got != "hello\n" {
		t.Errorf("kcat in a group: %q", got)
	}
}

// Kafka's own tools make a user and ACLs, and the user works with them.
// TestKgoSuiteLogsIn runs those of franz-go's tests that want a listener with SCRAM.
func TestKgoSuiteLogsIn(t *testing.T) {
	need.Env(t, "MAINSTEM_COMPAT_KGO", "1 runs franz-go's own tests, which takes minutes")
	s := startSecured(t, false)
	t.Setenv("KGO_TEST_SCRAM", "admin:admin secret")
	t.Setenv("KGO_TEST_SCRAM_SEEDS", s.address)
	script, err := filepath.Abs("kgo-suite.sh")
	if err != nil {
		t.Fatal(err)
	}
	got := output(t, run{path: script, args: []string{s.address, "^TestSCRAM"}, limit: 20 * time.Minute})
	contains(t, got, "2 passed, 0 failed, 0 skipped")
}
