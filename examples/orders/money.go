package orders

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// Money is an amount in hundredths: cents. In JSON it is a number such as 75.50.
type Money int64

// most is where amounts stop growing, so that a sum can't become negative.
const most = Money(1 << 62)

// ErrMoney says that a number has more than two decimals, or more digits than an amount can have.
var ErrMoney = errors.New("not an amount of money")

// Times is the price of n pieces; 0 where either is negative, so that nobody lowers a sum with a broken order.
func (m Money) Times(n int64) Money {
	if m < 0 || n < 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(m), uint64(n))
	if high > 0 || low > uint64(most) {
		return most
	}
	return Money(low)
}

// Plus is the sum of two amounts that are not negative.
func (m Money) Plus(n Money) Money { return Money(min(uint64(m)+uint64(n), uint64(most))) }

// String returns the amount with two decimals.
func (m Money) String() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// AppendJSON appends the amount as a JSON number; the error is always nil.
func (m Money) AppendJSON(dst []byte) ([]byte, error) { return append(dst, m.String()...), nil }

// ParseJSON reads a JSON number.
func (m *Money) ParseJSON(token []byte) error {
	number, err := row.ParseDecimal(token)
	if err != nil {
		return err
	}
	whole, cents, _ := strings.Cut(number.String(), ".")
	cents = strings.TrimRight(cents, "0")
	if len(cents) > 2 {
		return ErrMoney
	}
	n, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	if err != nil {
		return ErrMoney
	}
	*m = Money(n)
	return nil
}
