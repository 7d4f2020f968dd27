package fraud

import "github.com/mainstemio/mainstem/record"

// A Report is a card holder's word, days later, that a payment was not made by them.
type Report struct {
	Time     record.Timestamp `json:"time" serde:"required"` // of the report
	Payment  int64            `json:"payment" serde:"required"`
	Terminal int64            `json:"terminal" serde:"required"`
}

// TerminalID returns where the payment was made: what reports are counted by.
func (r Report) TerminalID() int64 { return r.Terminal }

// A Suspect is what is known of a terminal at which frauds were reported.
type Suspect struct {
	Reports int64            `json:"reports"` // without a longer rest than reportGap
	Until   record.Timestamp `json:"until"`   // the end of that rest, if no other report comes
}

// A Visit is a payment together with what was known of its terminal when it was made.
type Visit struct {
	Payment Payment
	Suspect Suspect
}

// Suspicious reports whether at least so many frauds had been reported at the terminal, the last of them not long ago.
func (v Visit) Suspicious(reports int64) bool {
	return v.Suspect.Reports >= reports && v.Payment.Time <= v.Suspect.Until
}
