// Package generate makes up payments of both channels, always the same ones from the same seed.
//
// Purpose. Demos, load and crash tests need payments whose outcome anybody can recompute: payment i is a pure function of the
// configuration and i, and Expected tells what the pipeline must make of the first n.
//
// Callers. The programs under examples/payments/cmd and `mainstem demo payments`; it calls package payments only.
//
// Owner. A Source is an immutable value, safe for concurrent use.
//
// Format. Values as in the topics (package payments). Dates are all different, so that the outcome does not depend on the order
// of arrival, and out of order by a few steps.
//
// Not here: pacing and producing.
package generate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/row"
)

// Defaults of a Config.
const (
	DefaultCustomers = 100
	DefaultStep      = 50 * time.Millisecond
	DefaultStart     = payments.Date(1767225600000) // 2026-01-01T00:00:00.000
)

// block is within how many payments dates are shuffled.
const block = 8

// A Config chooses the payments.
type Config struct {
	Seed      uint64
	Customers int           // ids 1..Customers; 0 means DefaultCustomers
	Start     payments.Date // of the first payments; 0 means DefaultStart
	Step      time.Duration // between payments; 0 means DefaultStep, less than 1 ms is 1 ms, so that dates differ
}

// A Source makes payments.
type Source struct {
	cfg    Config
	stepMs int64
	baseID int64
}

// New returns the source of a configuration.
func New(cfg Config) (Source, error) {
	if cfg.Customers == 0 {
		cfg.Customers = DefaultCustomers
	}
	if cfg.Start == 0 {
		cfg.Start = DefaultStart
	}
	if cfg.Step == 0 {
		cfg.Step = DefaultStep
	}
	if cfg.Customers < 0 || cfg.Step < 0 {
		return Source{}, fmt.Errorf("generate payments: %d customers, step %s: neither can be negative", cfg.Customers, cfg.Step)
	}
	cfg.Step = max(cfg.Step, time.Millisecond)
	s := Source{cfg: cfg, stepMs: cfg.Step.Milliseconds()}
	// Ids of different seeds lie apart; all of them are integers that even a float64 holds exactly.
	s.baseID = (1000 + s.chance(saltID, 0).Int64N(8000)) * 1_000_000_000_000
	return s, nil
}

// An Event is one payment as its service publishes it.
type Event struct {
	Topic   string
	Key     string
	Value   []byte
	Payment payments.Payment // what the pipeline must make of it
}

// At returns payment i, which belongs to either channel by chance. Its value is appended to dst.
func (s Source) At(dst []byte, i int64) (Event, error) {
	if s.isCard(i) {
		return s.CardEvent(dst, i)
	}
	return s.TransferEvent(dst, i)
}

// CardEvent returns payment i as a card payment, whatever channel At gives it.
func (s Source) CardEvent(dst []byte, i int64) (Event, error) {
	c := s.Card(i)
	value, err := payments.CardJSON.Append(dst, c)
	return Event{payments.CardTopic, key(c.TrxID), value, c.Common()}, err
}

// TransferEvent returns payment i as a bank transfer, whatever channel At gives it.
func (s Source) TransferEvent(dst []byte, i int64) (Event, error) {
	b := s.Transfer(i)
	value, err := payments.TransferJSON.Append(dst, b)
	return Event{payments.TransferTopic, key(b.TrxID), value, b.Common()}, err
}

func key(trxID int64) string { return strconv.FormatInt(trxID, 10) }

// Card returns payment i as a card payment.
func (s Source) Card(i int64) payments.CardPayment {
	who, amount := s.draw(i)
	return payments.CardPayment{
		TrxID: s.baseID + i, TrxAmount: amount, CardNo: s.cardNumber(who), CardHolder: name(who),
		ExpiryDate: s.cfg.Start.Time().AddDate(3, int(who%12), 0).Format(time.DateOnly), Issuer: issuers[who%int64(len(issuers))],
		CustomerID: who, TrxDate: s.date(i),
	}
}

// Transfer returns payment i as a bank transfer.
func (s Source) Transfer(i int64) payments.BankTransfer {
	who, amount := s.draw(i)
	return payments.BankTransfer{
		TrxID: s.baseID + i, TrxAmount: amount, AccountNo: fmt.Sprintf("%010d", s.chance(saltAccount, who).Int64N(10_000_000_000)), AccountName: name(who),
		BankName: banks[who%int64(len(banks))], ReferenceNo: fmt.Sprintf("%010d", s.chance(saltReference, i).Int64N(10_000_000_000)), Currency: "IDR",
		CustomerID: who, TrxDate: s.date(i),
	}
}

// draw returns whose payment i is and how much: 100,000 to 499,000 rupiah in thousands, some with cents.
func (s Source) draw(i int64) (customer int64, amount row.Decimal) {
	r := s.chance(saltDraw, i)
	customer = 1 + r.Int64N(int64(s.cfg.Customers))
	text := strconv.AppendInt(make([]byte, 0, 16), (100+r.Int64N(400))*1000, 10)
	if r.IntN(8) == 0 {
		cents := r.IntN(100)
		text = append(text, '.', byte('0'+cents/10), byte('0'+cents%10))
	}
	amount, err := row.ParseDecimal(text)
	if err != nil {
		panic("generate: " + err.Error()) // the text is a number
	}
	return customer, amount
}

func (s Source) isCard(i int64) bool { return s.chance(saltChannel, i).IntN(2) == 0 }

// date returns the date of payment i: its place in time is one of its block's, every one taken once.
func (s Source) date(i int64) payments.Date {
	first := i - i%block
	place := s.chance(saltDate, first).Perm(block)[i%block]
	return s.cfg.Start + payments.Date((first+int64(place))*s.stepMs)
}

// cardNumber returns the 16 digits of a customer's card, the last of which is their Luhn check digit.
func (s Source) cardNumber(customer int64) payments.CardNumber {
	return payments.CardNumber(WithCheckDigit("4556" + fmt.Sprintf("%011d", s.chance(saltCard, customer).Int64N(100_000_000_000))))
}

// WithCheckDigit appends the Luhn check digit (ISO/IEC 7812-1) to the digits of a card number.
func WithCheckDigit(digits string) string {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 { // every second one, counted from the check digit
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + strconv.Itoa((10-sum%10)%10)
}

// What is drawn apart from each other: the same i gives independent numbers under each.
const (
	saltID = iota
	saltDraw
	saltChannel
	saltDate
	saltCard
	saltAccount
	saltReference
)

// chance returns a generator of its own for i.
func (s Source) chance(salt uint64, i int64) *rand.Rand {
	return rand.New(rand.NewPCG(s.cfg.Seed^salt<<56, uint64(i)))
}

var (
	issuers = []string{"DUKE BANK", "EARL CARDS", "BARON CREDIT"}
	banks   = []string{"ATOZ BANK", "NUSA BANK", "KOTA BANK"}
	names   = []string{"Fowler", "Farah", "Adi", "Bela", "Citra", "Dewi", "Eko", "Fitri", "Gita", "Hadi", "Indah", "Joko", "Kartika", "Lina", "Made", "Nadia", "Oki", "Putri", "Rizal", "Sari"}
)

// name is the customer's: 1 is Fowler, 2 is Farah.
func name(customer int64) string { return names[(customer-1)%int64(len(names))] }

// Expected returns what the first n payments leave in PAYMENT-TRX-AGGR, by customer. It sorts all of them, unlike the pipeline.
func (s Source) Expected(n int64) map[int64]payments.LastFive {
	all := map[int64][]payments.Payment{}
	for i := range n {
		var p payments.Payment
		if s.isCard(i) {
			p = s.Card(i).Common()
		} else {
			p = s.Transfer(i).Common()
		}
		all[p.CustomerID] = append(all[p.CustomerID], p)
	}
	want := make(map[int64]payments.LastFive, len(all))
	for customer, list := range all {
		slices.SortStableFunc(list, func(a, b payments.Payment) int { return cmp.Compare(b.TrxDate, a.TrxDate) })
		want[customer] = payments.LastFive{CustomerID: customer, Payments: slices.Clone(list[:min(len(list), payments.Keep)])}
	}
	return want
}
