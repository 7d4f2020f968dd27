// Package anz turns a bank's data set of account activity into the two payment channels and checks what came of it.
//
// Purpose. The ANZ set has 11,160 payments of 100 customers and known last five payments of each. Convert writes it as the two
// topics' records; Check compares a customer.db with the known answer.
//
// Callers. cmd/anz and tests; it calls packages payments and generate (for the check digit) and the database.
//
// Owner. Everything belongs to the caller's goroutine.
//
// Format. Input: a CSV file with a header, gzipped. Output: a record a line, {"key":…,"value":{…},"timestamp":ms}, as
// `mainstem demo payments --input` reads it. What the set lacks is derived by the rules at Payment; none of it is by chance.
//
// Not here: the data itself.
package anz

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
	"github.com/mainstemio/mainstem/row"
)

// What the set does not hold, the same for all.
const (
	bank       = "ANZ"
	expiryDate = "2021-12-31"
	cardPrefix = "4556"
)

// A Row is a line of the set that is a payment: money that leaves an account.
type Row struct {
	TransactionID string // 32 hexadecimal digits
	Customer      string // CUS-1234
	Account       string // ACC-1234
	FirstName     string
	Description   string // POS, SALES-POS: by card; PAYMENT, INTER BANK, PHONE BANK: by transfer
	Amount        string
	Currency      string
	Extraction    string // 2018-08-01T01:01:15.000+0000
}

// IsCard reports whether the payment was made by card.
func (r Row) IsCard() bool { return r.Description == "POS" || r.Description == "SALES-POS" }

// Read returns the payments of the gzipped CSV file in its order. Money that comes in (movement credit) is none.
func Read(gzipped io.Reader) ([]Row, error) {
	z, err := gzip.NewReader(gzipped)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	in := csv.NewReader(z)
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	place := map[string]int{}
	for _, name := range []string{"transaction_id", "customer_id", "account", "first_name", "txn_description", "amount", "currency", "extraction", "movement"} {
		if place[name] = slices.Index(header, name); place[name] < 0 {
			return nil, fmt.Errorf("the file has no column %s", name)
		}
	}
	var rows []Row
	for {
		line, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		get := func(name string) string { return line[place[name]] }
		if get("movement") != "debit" {
			continue
		}
		rows = append(rows, Row{
			TransactionID: get("transaction_id"), Customer: get("customer_id"), Account: get("account"), FirstName: get("first_name"),
			Description: get("txn_description"), Amount: get("amount"), Currency: get("currency"), Extraction: get("extraction"),
		})
	}
}

// A Record is a payment as its service would publish it.
type Record struct {
	Topic     string
	Key       string // the transaction id
	Value     []byte
	Timestamp int64 // the payment's date in milliseconds
	TrxID     int64
}

// Payment derives the channel's payload:
//
//   - trxId: the first 63 bits of the transaction id (TrxID);
//   - customerId: the number in CUS-n; trxDate: extraction, which is in UTC; trxAmount and currency as they are;
//   - cardNo: 4556, the eleven-digit number in ACC-n, Luhn check digit; cardHolder: the first name; issuer ANZ;
//   - accountNo: the number in ACC-n; accountName: the first name; bankName ANZ; referenceNo: the transaction id.
func (r Row) Payment() (Record, error) {
	id, err := TrxID(r.TransactionID)
	if err != nil {
		return Record{}, err
	}
	customer, err := number(r.Customer, "CUS-")
	if err != nil {
		return Record{}, err
	}
	account, err := number(r.Account, "ACC-")
	if err != nil || account > 99_999_999_999 {
		return Record{}, fmt.Errorf("account %q is not ACC- and up to eleven digits", r.Account)
	}
	date, err := Date(r.Extraction)
	if err != nil {
		return Record{}, err
	}
	amount, err := row.ParseDecimal(r.Amount)
	if err != nil {
		return Record{}, fmt.Errorf("amount: %w", err)
	}
	out := Record{Topic: payments.TransferTopic, Key: r.TransactionID, Timestamp: int64(date), TrxID: id}
	if r.IsCard() {
		out.Topic = payments.CardTopic
		out.Value, err = payments.CardJSON.Append(nil, payments.CardPayment{
			TrxID: id, TrxAmount: amount, CardNo: payments.CardNumber(generate.WithCheckDigit(fmt.Sprintf("%s%011d", cardPrefix, account))),
			CardHolder: r.FirstName, ExpiryDate: expiryDate, Issuer: bank, Currency: r.Currency, CustomerID: customer, TrxDate: date,
		})
		return out, err
	}
	out.Value, err = payments.TransferJSON.Append(nil, payments.BankTransfer{
		TrxID: id, TrxAmount: amount, AccountNo: strconv.FormatInt(account, 10), AccountName: r.FirstName, BankName: bank,
		ReferenceNo: r.TransactionID, Currency: r.Currency, CustomerID: customer, TrxDate: date,
	})
	return out, err
}

// TrxID makes a payment's id of a transaction id: its first 63 bits. They differ for all transactions of the set, which
// Convert checks, so the known answer can be compared by them.
func TrxID(transaction string) (int64, error) {
	if len(transaction) != 32 {
		return 0, fmt.Errorf("transaction id %q has not 32 digits", transaction)
	}
	n, err := strconv.ParseUint(transaction[:16], 16, 64)
	if err != nil {
		return 0, fmt.Errorf("transaction id %q is not hexadecimal", transaction)
	}
	return int64(n >> 1), nil
}

// Date reads the set's dates: 2018-08-01T01:01:15.000+0000.
func Date(extraction string) (payments.Date, error) {
	local, utc := strings.CutSuffix(extraction, "+0000")
	if !utc {
		return 0, fmt.Errorf("date %q is not in UTC", extraction)
	}
	return payments.ParseDate(local)
}

// number reads n in CUS-n or ACC-n.
func number(text, prefix string) (int64, error) {
	digits, ok := strings.CutPrefix(text, prefix)
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not %s and a number", text, prefix)
	}
	return n, nil
}
