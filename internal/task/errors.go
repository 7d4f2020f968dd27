package task

import (
	"fmt"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
)

// A RecordError names an input record that cannot be processed.
type RecordError struct {
	record.TopicPartition
	Offset record.Offset
	Node   string // the step that failed
	Reason string // a sentence without any value from the record
	Cause  error  // what happened; its text may quote the record, so it is not part of Error

	Undecodable bool // its source could not decode it; no other step has seen it
	Unwritable  bool // a sink could not write what follows from it

	raw operator.Run // the record alone; empty if it was consumed before
}

// Failure returns the record as its Handler sees it.
func (e *RecordError) Failure() failure.Record {
	f := failure.Record{Phase: failure.Process, Step: e.Node, Reason: e.Reason, Cause: e.Cause}
	switch {
	case e.Undecodable:
		f.Phase = failure.Decode
	case e.Unwritable:
		f.Phase = failure.Produce
	}
	f.TopicPartition, f.Offset, f.Timestamp = e.TopicPartition, e.Offset, record.NoTimestamp
	if len(e.raw.Offsets) > 0 {
		f.Timestamp, f.Key, f.Value = e.raw.Timestamps[0], e.raw.Keys[0], e.raw.Values[0]
		if e.raw.Headers != nil {
			f.Headers = e.raw.Headers[0]
		}
	}
	return f
}

// Error never contains anything from the record itself.
func (e *RecordError) Error() string {
	return fmt.Sprintf("bad record %s at offset %d: %s: %s", e.TopicPartition, e.Offset, e.Node, e.Reason)
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Cause }

// A PunctuationError says that a scheduled function of a processor failed, or a step behind it. There is no record to blame, so it stops the
// Set.
type PunctuationError struct {
	Node   string
	Reason string // a sentence without any value from a record
	Cause  error
}

// Error names the step.
func (e *PunctuationError) Error() string {
	return fmt.Sprintf("a scheduled call failed: %s: %s", e.Node, e.Reason)
}

// Unwrap returns the cause.
func (e *PunctuationError) Unwrap() error { return e.Cause }
