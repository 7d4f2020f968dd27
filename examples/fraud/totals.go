package fraud

import "github.com/mainstemio/mainstem/row"

// Totals are the payments of a day.
type Totals struct {
	Payments int64       `json:"payments"`
	Amount   row.Decimal `json:"amount"`
	Large    int64       `json:"large"` // payments over the limit of one payment
}

// add returns the totals with one more payment.
func (t Totals) add(p Payment, limit row.Decimal) Totals {
	t.Payments++
	t.Amount = t.Amount.Add(p.Amount)
	if p.Amount.Cmp(limit) > 0 {
		t.Large++
	}
	return t
}
