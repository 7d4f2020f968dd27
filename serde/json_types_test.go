package serde

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/row"
)

// The types that the tests of JSON share.

type cardPayment struct {
	TrxID      int64       `json:"trxId"`
	TrxAmount  row.Decimal `json:"trxAmount" serde:"required"`
	CardNo     string      `json:"cardNo"`
	CardHolder string      `json:"cardHolder"`
	ExpiryDate string      `json:"expiryDate"`
	Issuer     string      `json:"issuer"`
	CustomerID int64       `json:"customerId" serde:"required"`
	TrxDate    string      `json:"trxDate"`
}

const cardText = `{"trxId":1658712345678,"trxAmount":250000.50,"cardNo":"4111111111111111","cardHolder":"Fowler",` +
	`"expiryDate":"2029-07-31","issuer":"DUKE BANK","customerId":1,"trxDate":"2026-07-25T09:15:30.123"}`

type payment struct {
	TrxID       int64       `json:"trxId"`
	TrxAmount   row.Decimal `json:"trxAmount"`
	CustomerID  int64       `json:"customerId"`
	TrxDate     string      `json:"trxDate"`
	PaymentType string      `json:"paymentType"`
	AccountNo   string      `json:"accountNo"`
	AccountName string      `json:"accountName"`
	BankName    string      `json:"bankName"`
	ReferenceNo *string     `json:"referenceNo"`
	Currency    string      `json:"currency"`
}

type lastFive struct {
	CustomerID int64     `json:"customerId"`
	Payments   []payment `json:"payments"`
}

func fivePayments() lastFive {
	amount, err := row.ParseDecimal("250000.50")
	if err != nil {
		panic(err)
	}
	reference := "1234567890"
	five := lastFive{CustomerID: 1}
	for i := range int64(5) {
		five.Payments = append(five.Payments, payment{
			TrxID: 1658712345678 + i, TrxAmount: amount, CustomerID: 1, TrxDate: "2026-07-25T09:15:30.123", PaymentType: "BANK_TRF",
			AccountNo: "0123456789", AccountName: "Fowler", BankName: "ATOZ BANK", ReferenceNo: &reference, Currency: "IDR",
		})
	}
	return five
}

// flat has the scalar kinds.
type flat struct {
	B       bool
	I       int
	I8      int8
	I16     int16
	I32     int32 `json:"i32,omitempty"`
	U       uint
	U8      uint8
	U16     uint16
	U32     uint32
	U64     uint64 `json:",omitzero"`
	F       float64
	F32     float32
	S       string `json:"s"`
	T       string `json:"ſ"`
	private int    //lint:ignore U1000 an unexported field is passed over
}

// nested has the composed kinds.
type nested struct {
	Embedded
	*Pointed
	P     *flat              `json:"p"`
	L     []nested           `json:"l,omitempty"`
	N     []int              `json:"n"`
	A     [2]string          `json:"a"`
	M     map[string]int     `json:"m"`
	K     map[named]*flat    `json:"k,omitempty"`
	Bytes []byte             `json:"bytes"`
	Any   any                `json:"any"`
	Raw   json.RawMessage    `json:"raw,omitempty"`
	IntM  map[int]string     `json:"intm,omitempty"`
	Num   json.Number        `json:"num"`
	When  time.Time          `json:"when,omitzero"`
	Up    upper              `json:"up"`
	PP    **int              `json:"pp"`
	Skip  int                `json:"-"`
	Dash  int                `json:"-,"` //lint:ignore SA5008 the name is a dash
	Words []upper            `json:"words,omitempty"`
	Inner struct{ X, Y int } `json:"inner"`
}

type named string

type Embedded struct {
	Depth int `json:"depth"`
	N     int `json:"n"` // hidden by nested.N
	Deep
}

type Deep struct{ Below string }

type Pointed struct {
	Far  float64 `json:"far"`
	Dash string
}

// upper is written in capitals and refuses to read digits, quoting them, which no error of ours may pass on.
type upper string

func (u upper) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(string(u))), nil }

func (u *upper) UnmarshalText(b []byte) error {
	if strings.ContainsAny(string(b), "0123456789") {
		return errors.New("digits in " + string(b))
	}
	*u = upper(strings.ToLower(string(b)))
	return nil
}

type validated struct {
	From int        `json:"from"`
	To   int        `json:"to"`
	Sub  *validated `json:"sub,omitempty"`
}

var errOrder = errors.New("to is before from")

func (v validated) Validate() error {
	if v.To < v.From {
		return errOrder
	}
	return nil
}
