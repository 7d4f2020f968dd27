package task

import (
	"fmt"

	"github.com/mainstemio/mainstem/record"
)

// A RecordError names an input record that cannot be processed.
type RecordError struct {
	record.TopicPartition
	Offset record.Offset
	Node   string // the step that failed
	Reason string // a sentence without any value from the record
	Cause  error  // what happened; its text may quote the record, so it is not part of Error
}

// Error never contains anything from the record itself.
func (e *RecordError) Error() string {
	return fmt.Sprintf("bad record %s at offset %d: %s: %s", e.TopicPartition, e.Offset, e.Node, e.Reason)
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Cause }
