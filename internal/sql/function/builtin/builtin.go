// Package builtin makes the library of all functions that SQL has from the start.
//
// Purpose: one list of them, in one place.
//
// Callers and callees: the node, the session and tests make a library and may add to it; it calls the packages that hold functions.
//
// Owner and locks: the library belongs to the caller; see package function.
//
// Format: none.
//
// Not here: the functions themselves.
package builtin

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/function/aggregate"
	"github.com/mainstemio/mainstem/internal/sql/function/collection"
	"github.com/mainstemio/mainstem/internal/sql/function/date"
	"github.com/mainstemio/mainstem/internal/sql/function/json"
	"github.com/mainstemio/mainstem/internal/sql/function/numeric"
	"github.com/mainstemio/mainstem/internal/sql/function/text"
)

// Options say what functions take from outside.
type Options struct {
	Clock  clock.Clock   // what time it is; nil: the machine's
	Random func() uint64 // 64 random bits, from any goroutine; nil: the system's
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Random == nil {
		o.Random = systemRandom
	}
	return o
}

func systemRandom() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return binary.LittleEndian.Uint64(b[:])
}

// New returns the library of all functions.
func New(o Options) *function.Library {
	o = o.withDefaults()
	lib := function.New()
	for _, list := range [][]function.Scalar{
		numeric.Functions(o.Random), text.Functions(o.Random), date.Functions(o.Clock), json.Functions(), collection.Functions(),
	} {
		for _, f := range list {
			must(lib.Add(f))
		}
	}
	for _, f := range aggregate.Functions() {
		must(lib.AddAggregate(f))
	}
	for _, f := range collection.Tables() {
		must(lib.AddTable(f))
	}
	return lib
}

// must: a signature of this list that cannot be read is a bug, which every test that makes a library finds.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
