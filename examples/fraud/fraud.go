// Package fraud finds card payments that look like fraud while they are made: what belongs to it, and its pipeline.
//
// Purpose. Payments come in on one topic, the frauds that card holders report days later on another. Four rules watch them: one
// large payment, a burst of payments within minutes, a spree without an hour's rest, a terminal at which frauds were reported.
// What they find leaves as alerts; beside that, each day's payments are counted and summed.
//
// Callers. cmd/pipeline and the tests; it uses only public packages of Mainstem, as any user's program would.
//
// Owner. All types are plain values without locks. A Basket or an Alert is never changed once made: the functions that add to
// one return another.
//
// Format. JSON. Amounts are exact decimals, times are milliseconds since 1970 UTC. A Payment's key is its card; that of a Report
// may be anything; an Alert's is the card; a day's is the day, yyyy-MM-dd in UTC.
//
// Not here: what is done about an alert, and rules that learn.
package fraud

import (
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

// The topics of the example.
const (
	PaymentTopic = "card-payments" // card, Payment
	ReportTopic  = "fraud-reports" // any key, Report
	AlertTopic   = "fraud-alerts"  // card, Alert
	DayTopic     = "daily-totals"  // day, Totals
)

// The forms of the topics' and stores' values.
var (
	PaymentJSON = serde.JSON[Payment]()
	ReportJSON  = serde.JSON[Report]()
	AlertJSON   = serde.JSON[Alert]()
	TotalsJSON  = serde.JSON[Totals]()

	basketJSON  = serde.JSON[Basket]()
	suspectJSON = serde.JSON[Suspect]()
)

// A Payment is one payment with a card at a terminal.
type Payment struct {
	ID       int64            `json:"id" serde:"required"` // unique: a payment that comes twice is told by it
	Time     record.Timestamp `json:"time" serde:"required"`
	Card     string           `json:"card" serde:"required"`
	Terminal int64            `json:"terminal" serde:"required"`
	Amount   row.Decimal      `json:"amount" serde:"required"`
}

// TerminalID returns where the payment was made: what it is joined with suspected terminals by.
func (p Payment) TerminalID() int64 { return p.Terminal }

// Rules are the limits of the rules. An amount is suspicious if it is greater than its limit.
type Rules struct {
	Amount  row.Decimal // of one payment
	Burst   row.Decimal // of a card's payments within five minutes
	Spree   row.Decimal // of a card's payments with at most an hour between one and the next
	Reports int64       // so many frauds, with at most a week between their reports, make a terminal suspected for another week
}

// Usual returns limits for cards in everyday use.
func Usual() Rules {
	return Rules{Amount: row.NewDecimal(1000, 0), Burst: row.NewDecimal(1500, 0), Spree: row.NewDecimal(4000, 0), Reports: 3}
}

// The names of the rules, as they stand in alerts.
const (
	RuleAmount   = "amount"
	RuleBurst    = "burst"
	RuleSpree    = "spree"
	RuleTerminal = "terminal"
)

// The windows of the rules.
const (
	burstSize    = 5 * time.Minute
	burstAdvance = time.Minute
	spreeGap     = time.Hour
	reportGap    = 7 * 24 * time.Hour
	day          = 24 * time.Hour
)

// How late records may come. Those that are later are left out of the windows and counted as dropped.
const (
	paymentGrace = 10 * time.Minute
	reportGrace  = day
	movedGrace   = day // behind a move to another partition, where the records of several partitions meet
)
