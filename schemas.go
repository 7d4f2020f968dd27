package mainstem

import (
	"context"
	"maps"
	"net/http"
	"sync"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/server/registry"
	"github.com/mainstemio/mainstem/record"
)

// An ownRegistry is the node's own schema registry, which opens when somebody needs it.
type ownRegistry struct {
	mu struct {
		sync.Mutex
		store *registry.Store // nil: nobody did
	}
}

// schemas is where SQL asks for schemas: the registry of WithSchemaRegistry; or else the node's own, which needs the embedded broker.
// Without either it is nil.
func (n *Node) schemas() format.Schemas {
	switch {
	case n.o.schemas != nil:
		return n.o.schemas
	case n.broker != nil:
		return lazySchemas{n}
	}
	return nil
}

func (n *Node) registry(ctx context.Context) (*registry.Store, error) {
	n.own.mu.Lock()
	defer n.own.mu.Unlock()
	if n.own.mu.store != nil {
		return n.own.mu.store, nil
	}
	s, err := registry.Open(ctx, registry.Options{
		Door: n.door, Now: func() record.Timestamp { return record.Timestamp(n.o.clock.Now().UnixMilli()) },
	})
	if err == nil {
		n.own.mu.store = s
	}
	return s, err
}

func (n *Node) closeRegistry() {
	n.own.mu.Lock()
	defer n.own.mu.Unlock()
	if n.own.mu.store != nil {
		n.own.mu.store.Close()
	}
}

// withRegistry adds the paths of the node's own registry, where it has one.
func (n *Node) withRegistry(paths map[string]http.HandlerFunc) map[string]http.HandlerFunc {
	if n.o.schemas == nil && n.broker != nil {
		maps.Copy(paths, registry.Paths(func(r *http.Request) (*registry.Store, error) { return n.registry(r.Context()) }))
	}
	return paths
}

// lazySchemas opens the node's own registry at the first question, so that nodes without schemas have no topic for them.
type lazySchemas struct{ n *Node }

func (l lazySchemas) Register(subject string, d format.Definition) (int, error) {
	s, err := l.n.registry(context.Background())
	if err != nil {
		return 0, err
	}
	return s.Register(subject, d)
}

func (l lazySchemas) Latest(subject string) (format.Registered, error) {
	s, err := l.n.registry(context.Background())
	if err != nil {
		return format.Registered{}, err
	}
	return s.Latest(subject)
}

func (l lazySchemas) ByID(id int) (format.Registered, error) {
	s, err := l.n.registry(context.Background())
	if err != nil {
		return format.Registered{}, err
	}
	return s.ByID(id)
}

func (l lazySchemas) Version(subject string, version int) (format.Registered, error) {
	s, err := l.n.registry(context.Background())
	if err != nil {
		return format.Registered{}, err
	}
	return s.Version(subject, version)
}
