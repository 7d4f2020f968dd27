// Package certificate keeps a listener's TLS certificate, key and client authorities as their files say, also when they change.
//
// The root opens a Source and gives its Config to the Kafka server; a Source reads files and calls nobody else.
//
// Each handshake asks for the newest configuration. One of them, at most once a second, looks whether the files have changed; the
// others go on with what is there. Reload looks at once. One mutex guards the configuration; it is held while files are read, so
// that two do not read them twice, and nobody waits for it.
//
// State: the last files that made a whole configuration count. A new certificate whose key is still the old one, or a file that
// is gone, changes nothing but is told as an event: a rotation takes its time.
//
// Not here: which principal a certificate is (package auth), sockets.
package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// ClientAuth says what a client has to show.
type ClientAuth int

// None: nothing. Requested: a certificate may be shown and must be good then. Required: it must be shown.
const (
	None ClientAuth = iota
	Requested
	Required
)

// ParseClientAuth reads Kafka's words for ssl.client.auth.
func ParseClientAuth(s string) (ClientAuth, bool) {
	for a, word := range map[ClientAuth]string{None: "none", Requested: "requested", Required: "required"} {
		if s == word {
			return a, true
		}
	}
	return None, false
}

// Options of Open.
type Options struct {
	FS    vfs.FS
	Clock clock.Clock
	// CertFile holds the certificate and those that lead to its authority, KeyFile its key, in PEM. They may be one file.
	CertFile, KeyFile string
	// ClientCAFile holds the authorities of client certificates in PEM; needed unless ClientAuth is None.
	ClientCAFile string
	ClientAuth   ClientAuth
	// Events is told of changes and of changes that could not be taken.
	Events func(kind string, fields ...any)
}

// A Source is the files and what they said last. Its methods are safe for concurrent use.
type Source struct {
	o       Options
	current atomic.Pointer[loaded]

	mu struct {
		sync.Mutex
		looked time.Duration
		failed string // the error that was told last
	}
}

// loaded is one good state of the files.
type loaded struct {
	files  [3][]byte
	config *tls.Config
}

// ErrFiles marks files that make no TLS configuration.
var ErrFiles = errors.New("TLS files cannot be used")

// Open reads the files.
func Open(o Options) (*Source, error) {
	if o.Events == nil {
		o.Events = func(string, ...any) {}
	}
	if o.ClientAuth != None && o.ClientCAFile == "" {
		return nil, fmt.Errorf("%w: client certificates need the authority that signs them", ErrFiles)
	}
	s := &Source{o: o}
	files, err := s.read()
	if err != nil {
		return nil, err
	}
	l, err := s.load(files)
	if err != nil {
		return nil, err
	}
	s.current.Store(l)
	s.mu.looked = o.Clock.Mono()
	return s, nil
}

// Config is for tls.Server: TLS 1.2 and newer, always what the files say.
func (s *Source) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			s.look()
			return s.current.Load().config, nil
		},
	}
}

// interval is how often handshakes look at the files at most.
const interval = time.Second

// look takes what the files say if nobody has looked for a while.
func (s *Source) look() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	now := s.o.Clock.Mono()
	if now-s.mu.looked < interval {
		return
	}
	s.mu.looked = now
	if err := s.reloadLocked(); err != nil && err.Error() != s.mu.failed {
		s.mu.failed = err.Error() // told once, not each second
		s.o.Events("tls-files-unusable", "error", err)
	}
}

// Reload takes what the files say now. With an error, what they said before goes on.
func (s *Source) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.looked = s.o.Clock.Mono()
	return s.reloadLocked()
}

func (s *Source) reloadLocked() error {
	files, err := s.read()
	if err != nil {
		return err
	}
	old := s.current.Load()
	same := true
	for i := range files {
		same = same && bytes.Equal(files[i], old.files[i])
	}
	if same {
		s.mu.failed = ""
		return nil
	}
	l, err := s.load(files)
	if err != nil {
		return err
	}
	s.current.Store(l)
	s.mu.failed = ""
	s.o.Events("tls-reloaded", "certificate", s.o.CertFile, "expires", l.config.Certificates[0].Leaf.NotAfter)
	return nil
}

// maxFile bounds a file, in bytes: nobody has that many authorities.
const maxFile = 16 << 20

func (s *Source) read() (files [3][]byte, err error) {
	for i, path := range []string{s.o.CertFile, s.o.KeyFile, s.o.ClientCAFile} {
		if path == "" {
			continue
		}
		f, err := s.o.FS.Open(path)
		if err != nil {
			return files, fmt.Errorf("%w: %w", ErrFiles, err)
		}
		files[i], err = io.ReadAll(io.LimitReader(f, maxFile))
		if err = errors.Join(err, f.Close()); err != nil {
			return files, fmt.Errorf("%w: read %s: %w", ErrFiles, path, err)
		}
	}
	return files, nil
}

func (s *Source) load(files [3][]byte) (*loaded, error) {
	pair, err := tls.X509KeyPair(files[0], files[1])
	if err != nil {
		return nil, fmt.Errorf("%w: certificate %s with key %s: %w", ErrFiles, s.o.CertFile, s.o.KeyFile, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if s.o.ClientAuth != None {
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(files[2]) {
			return nil, fmt.Errorf("%w: %s holds no certificate", ErrFiles, s.o.ClientCAFile)
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
		if s.o.ClientAuth == Required {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}
		c.SessionTicketsDisabled = true // a ticket would outlive the authority that vouched for the client
	}
	return &loaded{files, c}, nil
}
