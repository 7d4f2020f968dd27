// Package row holds the values that rows are made of.
//
// Purpose: types whose meaning must be the same in SQL, change capture, sinks, views and the typed library. So far that is
// Decimal, the exact number that amounts of money are kept in.
//
// Callers and callees: any part that handles values uses it; it uses nothing but the standard library. Serdes meet it
// through small interfaces (AppendJSON, ParseJSON, encoding.TextAppender, encoding.TextUnmarshaler), not by name.
//
// Ownership: everything is a plain value. There are no locks, and nothing keeps a slice that it was given.
//
// Format: a Decimal is written as plain decimal text without an exponent, with the scale that it was read with.
//
// Not here: arithmetic on decimals beyond sums (github.com/cockroachdb/apd/v3 does that where it is needed) and the encoding of
// values in files or on the wire.
package row
