// Package registry asks a schema registry for the schemas of topics.
//
// Callers: programs that run SQL with the formats of registered schemas, through format.Schemas. It calls a registry by Confluent's HTTP
// interface, or keeps schemas in memory.
//
// Owner and locks: a Client and a Memory are safe for concurrent use; each has one lock, which is not held while a server is asked.
//
// Format: none of its own. An id means the same schema for ever, so a Client keeps what it read.
//
// Not here: what a schema says (package format), the registry of the node.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/mainstemio/mainstem/internal/format"
)

// Defaults of a Client.
const (
	DefaultTimeout = 10 * time.Second
	maxKept        = 1000 // schemas by id
)

// Options of Open.
type Options struct {
	URLs []string // of the registry's servers; needed
	// User and Password for HTTP's basic authentication; none without a User.
	User, Password string
	// HTTP is what requests are made with. Default: a client of its own.
	HTTP *http.Client
	// Timeout of one question. Default DefaultTimeout.
	Timeout time.Duration
}

// A Client is a schema registry on other machines.
type Client struct {
	client  *sr.Client
	timeout time.Duration
	mu      struct {
		sync.Mutex
		kept map[int]format.Registered
	}
}

// Open returns the client of a registry. It asks nothing yet.
func Open(o Options) (*Client, error) {
	if len(o.URLs) == 0 {
		return nil, errors.New("schema registry: no URL")
	}
	opts := []sr.ClientOpt{sr.URLs(o.URLs...), sr.UserAgent("mainstem")}
	if o.HTTP != nil {
		opts = append(opts, sr.HTTPClient(o.HTTP))
	}
	if o.User != "" {
		opts = append(opts, sr.BasicAuth(o.User, o.Password))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	c := &Client{client: client, timeout: o.Timeout}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	c.mu.kept = map[int]format.Registered{}
	return c, nil
}

func (c *Client) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), c.timeout)
}

// Register implements format.Schemas.
func (c *Client) Register(subject string, d format.Definition) (int, error) {
	ctx, cancel := c.context()
	defer cancel()
	s, err := schemaOf(d)
	if err != nil {
		return 0, err
	}
	id, err := c.client.RegisterSchema(ctx, subject, s, -1, -1)
	if err != nil {
		return 0, fmt.Errorf("schema registry: register under %s: %w", subject, err)
	}
	return id, nil
}

// latestVersion stands for the newest in the registry's interface.
const latestVersion = -1

// Latest implements format.Schemas.
func (c *Client) Latest(subject string) (format.Registered, error) {
	return c.Version(subject, latestVersion)
}

// Version implements format.Schemas.
func (c *Client) Version(subject string, version int) (format.Registered, error) {
	ctx, cancel := c.context()
	defer cancel()
	s, err := c.client.SchemaByVersion(ctx, subject, version)
	if err != nil {
		return format.Registered{}, fmt.Errorf("schema registry: version %d of %s: %w", version, subject, known(err))
	}
	return format.Registered{ID: s.ID, Definition: definitionOf(s.Schema)}, nil
}

// ByID implements format.Schemas.
func (c *Client) ByID(id int) (format.Registered, error) {
	c.mu.Lock()
	r, ok := c.mu.kept[id]
	c.mu.Unlock()
	if ok {
		return r, nil
	}
	ctx, cancel := c.context()
	defer cancel()
	s, err := c.client.SchemaByID(ctx, id)
	if err != nil {
		return r, fmt.Errorf("schema registry: %w", known(err))
	}
	r = format.Registered{ID: id, Definition: definitionOf(s)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.kept) < maxKept {
		c.mu.kept[id] = r
	}
	return r, nil
}

// known turns the registry's "not found" into that of the interface.
func known(err error) error {
	var r *sr.ResponseError
	if errors.As(err, &r) && r.StatusCode == http.StatusNotFound {
		return format.ErrNoSchema
	}
	return err
}

func schemaOf(d format.Definition) (sr.Schema, error) {
	s := sr.Schema{Schema: d.Text}
	if err := s.Type.UnmarshalText([]byte(d.Kind)); err != nil {
		return s, fmt.Errorf("schema registry: kind %s: %w", d.Kind, err)
	}
	for _, r := range d.References {
		s.References = append(s.References, sr.SchemaReference{Name: r.Name, Subject: r.Subject, Version: r.Version})
	}
	return s, nil
}

func definitionOf(s sr.Schema) format.Definition {
	d := format.Definition{Kind: s.Type.String(), Text: s.Schema}
	for _, r := range s.References {
		d.References = append(d.References, format.Reference{Name: r.Name, Subject: r.Subject, Version: r.Version})
	}
	return d
}
