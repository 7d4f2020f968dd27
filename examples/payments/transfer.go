package payments

import "github.com/mainstemio/mainstem/row"

// A BankTransfer is what the bank transfer service publishes.
type BankTransfer struct {
	TrxID       int64       `json:"trxId" serde:"required"`
	TrxAmount   row.Decimal `json:"trxAmount" serde:"required"`
	AccountNo   string      `json:"accountNo" serde:"required"`
	AccountName string      `json:"accountName"`
	BankName    string      `json:"bankName"`
	ReferenceNo string      `json:"referenceNo"`
	Currency    string      `json:"currency"`
	CustomerID  int64       `json:"customerId" serde:"required"`
	TrxDate     Date        `json:"trxDate" serde:"required"`
}

// Common returns the payment in the form that all channels share.
func (b BankTransfer) Common() Payment {
	return Payment{
		TrxID: b.TrxID, TrxAmount: b.TrxAmount, CustomerID: b.CustomerID, TrxDate: b.TrxDate, PaymentType: TypeTransfer,
		AccountNo: b.AccountNo, AccountName: b.AccountName, BankName: b.BankName, ReferenceNo: b.ReferenceNo, Currency: b.Currency,
	}
}
