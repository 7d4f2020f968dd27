package payments

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// defaultCurrency is that of a card payment which names none.
const defaultCurrency = "IDR"

// A CardPayment is what the credit card service publishes.
type CardPayment struct {
	TrxID      int64       `json:"trxId" serde:"required"`
	TrxAmount  row.Decimal `json:"trxAmount" serde:"required"`
	CardNo     CardNumber  `json:"cardNo" serde:"required"`
	CardHolder string      `json:"cardHolder"`
	ExpiryDate string      `json:"expiryDate"` // yyyy-MM-dd; nobody behind the channel reads it
	Issuer     string      `json:"issuer"`
	Currency   string      `json:"currency,omitempty"`
	CustomerID int64       `json:"customerId" serde:"required"`
	TrxDate    Date        `json:"trxDate" serde:"required"`
}

// Common returns the payment in the form that all channels share. The card number does not leave this channel.
func (c CardPayment) Common() Payment {
	currency := c.Currency
	if currency == "" {
		currency = defaultCurrency
	}
	return Payment{
		TrxID: c.TrxID, TrxAmount: c.TrxAmount, CustomerID: c.CustomerID, TrxDate: c.TrxDate, PaymentType: TypeCard,
		AccountNo: c.CardNo.Masked(), AccountName: c.CardHolder, BankName: c.Issuer, Currency: currency,
	}
}

// SafeKey returns the key under which the common payment is published: the channel's own key, or the customer's id where
// there is none, or where the key holds the card number.
func (c CardPayment) SafeKey(key string) string {
	if key == "" || c.CardNo.in(key) {
		return strconv.FormatInt(c.CustomerID, 10)
	}
	return key
}

// A CardNumber is a full card number. It shows itself masked wherever it is printed or logged; only JSON holds it whole.
type CardNumber string

// The digits of a card number that may be shown.
const (
	shownFirst = 6
	shownLast  = 4
)

// Masked returns the first six and last four digits with stars between them. Of anything but more than ten digits nothing is
// shown: there is no telling which part of it is secret.
func (n CardNumber) Masked() string {
	if len(n) <= shownFirst+shownLast || !allDigits(string(n)) {
		return strings.Repeat("*", len(n))
	}
	b := []byte(n)
	for i := shownFirst; i < len(b)-shownLast; i++ {
		b[i] = '*'
	}
	return string(b)
}

// String returns the masked number.
func (n CardNumber) String() string { return n.Masked() }

// Format writes the masked number whatever verb is asked for: a wrong one would make fmt print the value itself.
func (n CardNumber) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.Masked()) }

// LogValue returns the masked number, for log/slog.
func (n CardNumber) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// in reports whether s holds the number, however its digits are grouped.
func (n CardNumber) in(s string) bool {
	number := digits(string(n))
	return number != "" && len(s) >= len(number) && strings.Contains(digits(s), number)
}

func digits(s string) string {
	if allDigits(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
