package format

import "errors"

// Schemas is where schemas are registered: a schema registry, or a stand-in. Its errors, but for ErrNoSchema, are of the way there.
type Schemas interface {
	// Register returns the id of a schema under a subject, registering it if need be.
	Register(subject string, d Definition) (id int, err error)
	// Latest returns the newest schema of a subject, ErrNoSchema if there is none.
	Latest(subject string) (Registered, error)
	// ByID returns a schema by its id, ErrNoSchema if there is none.
	ByID(id int) (Registered, error)
	// Version returns a version of a subject, from 1, ErrNoSchema if there is none. Schemas refer to others by it.
	Version(subject string, version int) (Registered, error)
}

// A Definition is what a schema says.
type Definition struct {
	Kind       string // AVRO, PROTOBUF or JSON
	Text       string
	References []Reference
}

// A Reference names a schema that another one imports.
type Reference struct {
	Name    string // as the import says
	Subject string
	Version int
}

// A Registered schema.
type Registered struct {
	ID int
	Definition
}

// ErrNoSchema: the registry has no such schema.
var ErrNoSchema = errors.New("no such schema")

// Subject is the name under which a topic's schemas of keys or values are registered.
func Subject(topic string, key bool) string {
	if key {
		return topic + "-key"
	}
	return topic + "-value"
}
