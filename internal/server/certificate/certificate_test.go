package certificate

import (
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
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// made is a certificate that signs itself, and its key, in PEM.
func made(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"node"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

type world struct {
	t      *testing.T
	fs     vfs.FS
	clock  *clock.Manual
	events map[string]int
	o      Options
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, fs: vfs.NewCrashable(), clock: clock.NewManual(time.Now()), events: map[string]int{}}
	w.o = Options{FS: w.fs, Clock: w.clock, CertFile: "cert", KeyFile: "key", Events: func(kind string, _ ...any) { w.events[kind]++ }}
	return w
}

func (w *world) write(name string, b []byte) {
	w.t.Helper()
	f, err := w.fs.Create(name, vfs.Category)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := f.Write(append([]byte(nil), b...)); err != nil { // a file may change what it is given
		w.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// serves returns the name in the certificate that a client sees, which shows show.
func serves(t *testing.T, s *Source, show ...tls.Certificate) (string, error) {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	done := make(chan error, 1)
	go func() {
		server := tls.Server(there, s.Config())
		err := server.Handshake()
		if err == nil {
			_, err = server.Write([]byte{1}) // TLS 1.3 tells a client of a refused certificate only when it reads
		}
		_ = there.Close()
		done <- err
	}()
	client := tls.Client(here, &tls.Config{InsecureSkipVerify: true, Certificates: show})
	err := client.Handshake()
	if err == nil {
		_, err = client.Read(make([]byte, 1))
	}
	if refused := <-done; err != nil || refused != nil {
		return "", errors.Join(err, refused)
	}
	return client.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func (w *world) sees(s *Source, want string) {
	w.t.Helper()
	if got, err := serves(w.t, s); err != nil || got != want {
		w.t.Errorf("a client sees %q, %v; want %q", got, err, want)
	}
}

func TestChangedFilesCountAtNewHandshakes(t *testing.T) {
	w := newWorld(t)
	cert, key := made(t, "first")
	w.write("cert", cert)
	w.write("key", key)
	s, err := Open(w.o)
	if err != nil {
		t.Fatal(err)
	}
	w.sees(s, "first")
	cert, key = made(t, "second")
	w.write("cert", cert)
	w.clock.Advance(time.Second)
	w.sees(s, "first") // the key is the old one still
	w.clock.Advance(time.Second)
	w.sees(s, "first")
	if w.events["tls-files-unusable"] != 1 {
		t.Errorf("half a rotation is told %d times", w.events["tls-files-unusable"])
	}
	w.write("key", key)
	w.sees(s, "first") // nobody looks twice in a second
	w.clock.Advance(time.Second)
	w.sees(s, "second")
	if w.events["tls-reloaded"] != 1 {
		t.Errorf("events %v", w.events)
	}
	if err := w.fs.Remove("cert"); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Second)
	w.sees(s, "second")
	if err := s.Reload(); !errors.Is(err, ErrFiles) {
		t.Errorf("reload without a file: %v", err)
	}
	cert, key = made(t, "third")
	w.write("cert", cert)
	w.write("key", key)
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	w.sees(s, "third") // at once
}

func TestClientCertificates(t *testing.T) {
	w := newWorld(t)
	cert, key := made(t, "node")
	w.write("cert", cert)
	w.write("key", key)
	first, firstKey := made(t, "client")
	second, secondKey := made(t, "client")
	w.write("ca", first)
	w.o.ClientCAFile = "ca"
	pair := func(cert, key []byte) tls.Certificate {
		p, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		auth                  ClientAuth
		none, good, untrusted bool // is served
	}{{None, true, true, true}, {Requested, true, true, false}, {Required, false, true, false}} {
		w.o.ClientAuth = c.auth
		s, err := Open(w.o)
		if err != nil {
			t.Fatal(err)
		}
		for what, x := range map[string]struct {
			show []tls.Certificate
			want bool
		}{"none": {nil, c.none}, "good": {[]tls.Certificate{pair(first, firstKey)}, c.good}, "untrusted": {[]tls.Certificate{pair(second, secondKey)}, c.untrusted}} {
			if _, err := serves(t, s, x.show...); (err == nil) != x.want {
				t.Errorf("client auth %d with %s certificate: %v", c.auth, what, err)
			}
		}
	}
	w.o.ClientAuth = Required
	s, err := Open(w.o)
	if err != nil {
		t.Fatal(err)
	}
	w.write("ca", second)
	w.clock.Advance(time.Second)
	if _, err := serves(t, s, pair(first, firstKey)); err == nil {
		t.Error("the authority is gone, its client is served")
	}
	if _, err := serves(t, s, pair(second, secondKey)); err != nil {
		t.Errorf("the new authority's client: %v", err)
	}
}

func TestFilesThatCannotBeUsedStopTheStart(t *testing.T) {
	cert, key := made(t, "a")
	_, other := made(t, "b")
	for name, harm := range map[string]func(*world){
		"no certificate":    func(w *world) { w.write("key", key) },
		"no key":            func(w *world) { w.write("cert", cert) },
		"another key":       func(w *world) { w.write("cert", cert); w.write("key", other) },
		"empty certificate": func(w *world) { w.write("cert", nil); w.write("key", key) },
		"no authority":      func(w *world) { w.write("cert", cert); w.write("key", key); w.o.ClientAuth = Required },
		"authority is gone": func(w *world) {
			w.write("cert", cert)
			w.write("key", key)
			w.o.ClientAuth, w.o.ClientCAFile = Requested, "ca"
		},
		"authority is empty": func(w *world) {
			w.write("cert", cert)
			w.write("key", key)
			w.write("ca", nil)
			w.o.ClientAuth, w.o.ClientCAFile = Required, "ca"
		},
	} {
		w := newWorld(t)
		harm(w)
		if _, err := Open(w.o); !errors.Is(err, ErrFiles) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWorld(t)
	w.write("cert", cert)
	w.write("key", key)
	s, err := Open(w.o)
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	defer here.Close()
	go func() { _ = tls.Server(there, s.Config()).Handshake(); _ = there.Close() }()
	if err := tls.Client(here, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}).Handshake(); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

func TestClientAuthHasKafkasWords(t *testing.T) {
	for word, want := range map[string]ClientAuth{"none": None, "requested": Requested, "required": Required} {
		if got, ok := ParseClientAuth(word); !ok || got != want {
			t.Errorf("%s: %v %v", word, got, ok)
		}
	}
	if _, ok := ParseClientAuth("yes"); ok {
		t.Error("yes is taken")
	}
}
