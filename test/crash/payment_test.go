package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// A payment is a common payment as this package understands it, without any code of the system under test. Amounts are
// fractions in lowest terms, so that equal numbers are equal texts.
type payment struct {
	id, customer                                    int64
	amount, date, kind                              string
	account, accountName, bank, reference, currency string
}

// keep is how many payments a customer's list holds.
const keep = 5

func decode(value []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	return d.Decode(into)
}

func amount(n json.Number) (string, error) {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return "", fmt.Errorf("%q is no number", n)
	}
	return r.RatString(), nil
}

// cardInput turns the value of a CC-PAYMENT record into the payment it must become.
func cardInput(value []byte) (payment, error) {
	var in struct {
		TrxID, CustomerID                    int64
		TrxAmount                            json.Number
		CardNo, CardHolder, Issuer, Currency string
		TrxDate                              string
	}
	if err := decode(value, &in); err != nil {
		return payment{}, err
	}
	a, err := amount(in.TrxAmount)
	if len(in.CardNo) != 16 {
		err = errors.Join(err, errors.New("the card number has not 16 digits"))
	}
	if err != nil {
		return payment{}, err
	}
	if in.Currency == "" {
		in.Currency = "IDR"
	}
	return payment{
		id: in.TrxID, customer: in.CustomerID, amount: a, date: in.TrxDate, kind: "CC", account: in.CardNo[:6] + "******" + in.CardNo[12:],
		accountName: in.CardHolder, bank: in.Issuer, currency: in.Currency,
	}, nil
}

// transferInput turns the value of a BANK-TRANSFER-PAYMENT record into the payment it must become.
func transferInput(value []byte) (payment, error) {
	var in commonJSON
	if err := decode(value, &in); err != nil {
		return payment{}, err
	}
	in.PaymentType = "BANK_TRF"
	return in.payment()
}

// walletTopic is the channel that is added later.
const walletTopic = "E-WALLET-PAYMENT"

// walletInput turns the value of an E-WALLET-PAYMENT record into the payment it must become.
func walletInput(value []byte) (payment, error) {
	var in struct {
		TrxID, CustomerID                         int64
		Amount                                    json.Number
		Wallet, Owner, Provider, Currency, PaidAt string
	}
	if err := decode(value, &in); err != nil {
		return payment{}, err
	}
	a, err := amount(in.Amount)
	return payment{
		id: in.TrxID, customer: in.CustomerID, amount: a, date: in.PaidAt, kind: "E_WALLET", account: in.Wallet, accountName: in.Owner,
		bank: in.Provider, currency: in.Currency,
	}, err
}

// commonJSON is a value of PAYMENT-OUTPUT.
type commonJSON struct {
	TrxID, CustomerID                                       int64
	TrxAmount                                               json.Number
	TrxDate, PaymentType                                    string
	AccountNo, AccountName, BankName, ReferenceNo, Currency string
}

func (c commonJSON) payment() (payment, error) {
	a, err := amount(c.TrxAmount)
	return payment{
		id: c.TrxID, customer: c.CustomerID, amount: a, date: c.TrxDate, kind: c.PaymentType, account: c.AccountNo, accountName: c.AccountName,
		bank: c.BankName, reference: c.ReferenceNo, currency: c.Currency,
	}, err
}

func commonOutput(value []byte) (payment, error) {
	var in commonJSON
	if err := decode(value, &in); err != nil {
		return payment{}, err
	}
	return in.payment()
}

// lastFive recomputes what a customer's list must be in the end: all payments, sorted, cut. Of equal dates the earlier stays ahead.
func lastFive(all []payment) []payment {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b payment) int { return strings.Compare(b.date, a.date) })
	return sorted[:min(keep, len(sorted))]
}

// recompute is lastFive of every customer.
func recompute(all []payment) map[int64][]payment {
	by := map[int64][]payment{}
	for _, p := range all {
		by[p.customer] = append(by[p.customer], p)
	}
	out := make(map[int64][]payment, len(by))
	for customer, list := range by {
		out[customer] = lastFive(list)
	}
	return out
}

// sameLists compares two views of all customers' lists and names a few differences.
func sameLists(got, want map[int64][]payment) error {
	var errs []error
	for customer, w := range want {
		if g := got[customer]; !slices.Equal(g, w) && len(errs) < 3 {
			errs = append(errs, fmt.Errorf("customer %d:\n got %+v\nwant %+v", customer, g, w))
		}
	}
	for customer, g := range got {
		if _, ok := want[customer]; !ok && len(errs) < 3 {
			errs = append(errs, fmt.Errorf("customer %d has %d payments where there are none", customer, len(g)))
		}
	}
	return errors.Join(errs...)
}
