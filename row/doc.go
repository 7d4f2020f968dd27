// Package row holds the values that rows are made of: exact decimals, the types of SQL, single values, and rows of them.
//
// Purpose: types whose meaning must be the same in SQL, change capture, sinks, views and the typed library.
//
// Callers and callees: any part that handles values uses it; it uses the standard library and, for numbers as text,
// internal/java and internal/jsontext. Serdes meet Decimal through small interfaces (AppendJSON, ParseJSON, encoding.TextAppender,
// encoding.TextUnmarshaler), not by name.
//
// Ownership: everything is a plain value that never changes. There are no locks, and nothing keeps a slice that it was given.
//
// Format: a Decimal is written as plain decimal text without an exponent, with the scale that it was read with. A Row is its own
// encoding, which is durable in state and changelogs: docs/format/row.md.
//
// Not here: arithmetic on decimals beyond sums (github.com/cockroachdb/apd/v3 does that where it is needed), the formats of
// topics (JSON, Avro, ...), and expressions.
package row
