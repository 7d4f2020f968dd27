package connect

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/record"
)

// ErrFenced: the sink was opened elsewhere, under the same name and with a newer epoch. This writer must stop.
var ErrFenced = errors.New("fenced by a newer writer")

// A RecordError is a record that cannot be applied: it cannot be decoded, or the target refuses it. It names the record and
// never quotes its key or value, which may be secret.
type RecordError struct {
	record.TopicPartition
	Offset record.Offset
	Err    error // why, in words without payload
}

// Error implements error.
func (e *RecordError) Error() string {
	return fmt.Sprintf("record %s at offset %d: %v", e.TopicPartition, e.Offset, e.Err)
}

// Unwrap returns the reason.
func (e *RecordError) Unwrap() error { return e.Err }

// A retryable error may vanish when the same call is made again.
type retryable struct{ err error }

func (e retryable) Error() string { return e.err.Error() }
func (e retryable) Unwrap() error { return e.err }

// Retry marks err as one that may vanish when the call is made again: a locked database, a server that restarts.
func Retry(err error) error {
	if err == nil {
		return nil
	}
	return retryable{err}
}

// Retryable reports whether err, or an error it wraps, was marked by Retry.
func Retryable(err error) bool {
	var r retryable
	return errors.As(err, &r)
}
