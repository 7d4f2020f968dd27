package engine

import (
	"time"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/record"
)

// A Notice is something that happened to an application, for programs that listen: a StateChange, RestoreBegin, RestoreEnd, Retry or
// BadRecord. Fields are added, never changed.
type Notice interface{ notice() }

// A StateChange says that the state is another one. Err is why it failed, in StateFailed.
type StateChange struct {
	App      string
	From, To State
	Err      error
}

// A RestoreBegin says that a store is about to be filled from its changelog: the records from offset From up to End, which is excluded. What
// its checkpoint had is there already.
type RestoreBegin struct {
	App       string
	Store     string
	Changelog record.TopicPartition
	From, End record.Offset
}

// A RestoreEnd says that the store is filled: Records is how many were read for it.
type RestoreEnd struct {
	App       string
	Store     string
	Changelog record.TopicPartition
	Records   int64
}

// A Retry says that the broker was away, and that the application starts again after Wait.
type Retry struct {
	App  string
	Err  error
	Wait time.Duration
}

// A BadRecord says what was decided about a record that failed.
type BadRecord struct {
	App      string
	Record   failure.Record
	Decision failure.Decision
}

func (StateChange) notice()  {}
func (RestoreBegin) notice() {}
func (RestoreEnd) notice()   {}
func (Retry) notice()        {}
func (BadRecord) notice()    {}
