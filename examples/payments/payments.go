// Package payments is the payments system that Mainstem is explained with: its words and its pipeline.
//
// Purpose. Two payment services publish what they do, each in its own form (CardPayment, BankTransfer). The pipeline turns both
// into one common Payment and keeps the last five of each customer (LastFive), which the Customer Service shows.
//
// Callers. The programs under cmd, package customer, package generate and `mainstem demo payments` use it; it uses only public
// packages of Mainstem, as any user's program would.
//
// Owner. All types are plain values without locks; a LastFive is never changed once made.
//
// Format. JSON in camel case. Amounts are exact decimals, ids 64-bit integers, dates yyyy-MM-dd'T'HH:mm:ss.SSS in UTC. Fields
// that are not known here are ignored, so that a producer may add some; an absent text is the empty string.
//
// Not here: the Customer Service (package customer), made-up payments (package generate), programs (cmd).
package payments

import (
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

// The topics of the system.
const (
	CardTopic     = "CC-PAYMENT"            // any key, CardPayment
	TransferTopic = "BANK-TRANSFER-PAYMENT" // any key, BankTransfer
	PaymentTopic  = "PAYMENT-OUTPUT"        // key of the input, Payment
	LastFiveTopic = "PAYMENT-TRX-AGGR"      // customer id, LastFive
)

// The payment types that this package makes. Other services publish others.
const (
	TypeCard     = "CC"
	TypeTransfer = "BANK_TRF"
)

// The forms of the topics' values. Each is compiled once and safe for concurrent use.
var (
	CardJSON     = serde.JSON[CardPayment]()
	TransferJSON = serde.JSON[BankTransfer]()
	PaymentJSON  = serde.JSON[Payment]()
	LastFiveJSON = serde.JSON[LastFive]()
)

// A Payment is what all channels have in common.
type Payment struct {
	TrxID       int64       `json:"trxId" serde:"required"`
	TrxAmount   row.Decimal `json:"trxAmount" serde:"required"`
	CustomerID  int64       `json:"customerId" serde:"required"`
	TrxDate     Date        `json:"trxDate" serde:"required"`
	PaymentType string      `json:"paymentType" serde:"required"`
	AccountNo   string      `json:"accountNo"`
	AccountName string      `json:"accountName"`
	BankName    string      `json:"bankName"`
	ReferenceNo string      `json:"referenceNo"`
	Currency    string      `json:"currency"`
}

// Customer returns whom the payment belongs to: what payments are grouped by.
func (p Payment) Customer() int64 { return p.CustomerID }

// Same reports whether q is a redelivery of p: equal in all fields, the amounts as numbers (1.5 is 1.50).
func (p Payment) Same(q Payment) bool {
	if p.TrxID != q.TrxID || !p.TrxAmount.Equal(q.TrxAmount) {
		return false
	}
	q.TrxAmount = p.TrxAmount
	return p == q
}
