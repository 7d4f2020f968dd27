package function

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/row"
)

// MaxBytes bounds one value that an expression makes: a few functions make much of little, and lambdas repeat them.
const MaxBytes = 64 << 20

// ErrTooLarge: a value would be larger than MaxBytes.
var ErrTooLarge = fmt.Errorf("a value of more than %d bytes", MaxBytes)

// MaxWork bounds one evaluation of an expression: a unit for each call of a function or lambda and for each 16 bytes that one gives. It is a
// second, about.
const MaxWork = 5_000_000

// ErrWork: an evaluation exceeded MaxWork.
var ErrWork = errors.New("the expression does too much for one row")

// Size is how many bytes a value has beside its fixed part.
func Size(v row.Value) int { return len(v.Text()) }

// CheckSizes returns ErrTooLarge if values, with bytes between them, would be too large together.
func CheckSizes(values []row.Value, between int) error {
	total := 0
	for _, v := range values {
		if total += Size(v) + between; total > MaxBytes {
			return ErrTooLarge
		}
	}
	return nil
}
