package operator

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Reasons of RowErrors, where there is no better text.
const (
	reasonNull     = "the value is null, which the step's type cannot hold"
	reasonRejected = "the step rejected the record"
)

// ErrNullValue: a null reached a function whose type cannot hold it.
var ErrNullValue = errors.New(reasonNull)

// ErrNegativeTime: Kafka Streams' default is to stop at such a record too (FailOnInvalidTimestamp).
var ErrNegativeTime = errors.New("the timestamp is negative")

// A Rejection is an error whose text says nothing from the record, so it may be shown and stored.
type Rejection interface {
	error
	Reason() string
}

// A PanicError is a panic of a user's function. Its text does not show the panic's value, which may quote the record.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	if err, ok := e.Value.(runtime.Error); ok {
		return "the step's function panicked: " + err.Error()
	}
	return fmt.Sprintf("the step's function panicked with a %T", e.Value)
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A row is the number of the row a user's function works on, NoRow outside of such functions.
const NoRow = -1

// Catch is deferred by every method that calls user's functions: a panic there becomes the row's error.
func Catch(err *error, row *int32, r *Rows, node string) {
	if *row == NoRow {
		return
	}
	if v := recover(); v != nil {
		p := &PanicError{Value: v, Stack: debug.Stack()}
		*err = &RowError{Origin: r.Origins[*row], Node: node, Reason: p.Error(), Cause: p}
	}
}

// Rejected is the error of a row for which a user's function returned cause.
func Rejected(r *Rows, row int32, node string, cause error) error {
	reason := reasonRejected
	var known Rejection
	if errors.As(cause, &known) {
		reason = known.Reason()
	}
	return &RowError{Origin: r.Origins[row], Node: node, Reason: reason, Cause: cause}
}

// NullValue is the error of a row whose value is null where it can't be.
func NullValue(r *Rows, row int32, node string) error {
	return &RowError{Origin: r.Origins[row], Node: node, Reason: reasonNull, Cause: ErrNullValue}
}

// Uncodable is the error of a row that a serde refused. Errors of serdes never quote values.
func Uncodable(o Origin, node, what string, cause error) error {
	return &RowError{Origin: o, Node: node, Reason: what + ": " + cause.Error(), Cause: cause}
}

// ErrTooLarge: an output or changelog record would exceed the limit.
var ErrTooLarge = errors.New("record is too large")

func TooLarge(o Origin, node string, size, limit int) error {
	cause := fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, limit)
	return &RowError{Origin: o, Node: node, Reason: cause.Error(), Cause: cause}
}
