package registry_test

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/registry"
)

// kit holds for every registry.
func kit(t *testing.T, s format.Schemas) {
	if _, err := s.Latest("t-value"); !errors.Is(err, format.ErrNoSchema) {
		t.Errorf("newest schema of nothing: %v", err)
	}
	if _, err := s.ByID(1); !errors.Is(err, format.ErrNoSchema) {
		t.Errorf("schema 1 of nothing: %v", err)
	}
	event := format.Definition{Kind: "PROTOBUF", Text: `syntax = "proto3"; message E { int64 t = 1; }`}
	if _, err := s.Register("event.proto", event); err != nil {
		t.Fatal(err)
	}
	value := format.Definition{
		Kind: "PROTOBUF", Text: `syntax = "proto3"; import "event.proto"; message V { E e = 1; }`,
		References: []format.Reference{{Name: "event.proto", Subject: "event.proto", Version: 1}},
	}
	first, err := s.Register("t-value", value)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Register("t-value", value); err != nil || again != first {
		t.Errorf("the same schema again has id %d, not %d: %v", again, first, err)
	}
	got, err := s.Latest("t-value")
	if err != nil || got.ID != first || got.Kind != "PROTOBUF" || len(got.References) != 1 || got.References[0] != value.References[0] {
		t.Errorf("newest: %+v, %v", got, err)
	}
	imported, err := s.Version("event.proto", 1)
	if err != nil || imported.Text != event.Text {
		t.Errorf("import: %+v, %v", imported, err)
	}
	if _, err := s.Version("t-value", 7); !errors.Is(err, format.ErrNoSchema) {
		t.Errorf("version 7: %v", err)
	}
	for range 2 { // the second time it may be kept
		if byID, err := s.ByID(first); err != nil || byID.Text != value.Text || byID.ID != first {
			t.Errorf("by id: %+v, %v", byID, err)
		}
	}
	if _, err := s.Register("t-key", format.Definition{Kind: "AVRO", Text: `"int"`}); err != nil {
		t.Error(err)
	}
	if key, err := s.Latest("t-key"); err != nil || key.Kind != "AVRO" || key.Text != `"int"` {
		t.Errorf("key: %+v, %v", key, err)
	}
}

func TestMemoryIsARegistry(t *testing.T) { kit(t, registry.NewMemory()) }

func TestClientAsksARegistry(t *testing.T) {
	fake := srfake.New()
	defer fake.Close()
	c, err := registry.Open(registry.Options{URLs: []string{fake.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	kit(t, c)
}

func TestClientNeedsAURL(t *testing.T) {
	if _, err := registry.Open(registry.Options{}); err == nil {
		t.Error("a registry without a URL")
	}
}
