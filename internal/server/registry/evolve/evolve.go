// Package evolve tells whether a schema reads what another one wrote.
//
// Purpose: the rules of compatibility of Protobuf and JSON schemas, by the names that Confluent's registry gives to differences.
//
// Callers and callees: the schema registry asks, in both directions for levels that want both; it calls protorow for compiled files.
//
// Owner and locks: functions without state.
//
// Format: a Difference is one that is not allowed: its name, the place in the schema and a sentence. Allowed ones are not told. Places are
// JSON pointers; in Protobuf messages by their names and fields by their numbers.
//
// Not here: Avro, whose library has its rules; levels and versions (registry).
package evolve

import "fmt"

// A Difference is why a new schema does not read what an old one wrote.
type Difference struct {
	Name  string // Confluent's: FIELD_SCALAR_KIND_CHANGED, …
	Place string // in the new schema, or where something was in the old one
	Text  string
}

// String is the difference for a person.
func (d Difference) String() string { return fmt.Sprintf("%s at %s: %s", d.Name, d.Place, d.Text) }
