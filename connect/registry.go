package connect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A SinkKind is a kind of sink that can be made from options.
type SinkKind struct {
	Spec Spec
	// New makes a sink from values that Spec has checked. It opens nothing.
	New func(Values) (Sink, error)
}

// A Registry is a list of sink kinds. It is a value that a program puts together and hands on; there is no global one.
type Registry struct {
	kinds []SinkKind // sorted by name
}

// NewRegistry lists the kinds. Names must be unique and each kind complete.
func NewRegistry(kinds ...SinkKind) (Registry, error) {
	r := Registry{kinds: slices.Clone(kinds)}
	slices.SortFunc(r.kinds, func(a, b SinkKind) int { return strings.Compare(a.Spec.Name, b.Spec.Name) })
	for i, k := range r.kinds {
		if k.Spec.Name == "" || k.New == nil {
			return Registry{}, errors.New("connect: a sink kind needs a name and a constructor")
		}
		if i > 0 && r.kinds[i-1].Spec.Name == k.Spec.Name {
			return Registry{}, fmt.Errorf("connect: sink kind %s is listed twice", k.Spec.Name)
		}
	}
	return r, nil
}

// Specs returns the specs in order of their names.
func (r Registry) Specs() []Spec {
	specs := make([]Spec, len(r.kinds))
	for i, k := range r.kinds {
		specs[i] = k.Spec
	}
	return specs
}

// NewSink makes a sink of the named kind from options as a user wrote them.
func (r Registry) NewSink(kind string, written map[string]string) (Sink, error) {
	for _, k := range r.kinds {
		if k.Spec.Name != kind {
			continue
		}
		v, err := k.Spec.Parse(written)
		if err != nil {
			return nil, err
		}
		return k.New(v)
	}
	names := make([]string, len(r.kinds))
	for i, k := range r.kinds {
		names[i] = k.Spec.Name
	}
	return nil, fmt.Errorf("connect: no sink kind %q; there are: %s", kind, strings.Join(names, ", "))
}
