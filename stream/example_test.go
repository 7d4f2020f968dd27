package stream_test

import (
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// Two channels publish payments in their own forms.
type (
	cardPayment struct {
		Trx      int64  `json:"trxId"`
		Amount   string `json:"trxAmount"`
		Holder   string `json:"cardHolder"`
		Customer int64  `json:"customerId"`
		Date     string `json:"trxDate"`
	}
	bankTransfer struct {
		Trx      int64  `json:"trxId"`
		Amount   string `json:"trxAmount"`
		Account  string `json:"accountName"`
		Customer int64  `json:"customerId"`
		Date     string `json:"trxDate"`
	}
)

// payment is the common form.
type payment struct {
	Trx        int64  `json:"trxId"`
	Amount     string `json:"trxAmount"`
	Name       string `json:"accountName"`
	CustomerID int64  `json:"customerId"`
	Date       string `json:"trxDate"`
}

func (c cardPayment) common() payment { return payment{c.Trx, c.Amount, c.Holder, c.Customer, c.Date} }

func (t bankTransfer) common() payment {
	return payment{t.Trx, t.Amount, t.Account, t.Customer, t.Date}
}
func (p payment) customer() int64 { return p.CustomerID }

// lastFive holds the latest payments of a customer, newest first.
type lastFive struct {
	Payments []payment `json:"payments"`
}

// add returns a new list: the old one may be in use elsewhere.
func (l lastFive) add(p payment) lastFive {
	if slices.Contains(l.Payments, p) {
		return l // delivered again
	}
	at := slices.IndexFunc(l.Payments, func(q payment) bool { return q.Date < p.Date })
	if at < 0 {
		at = len(l.Payments)
	}
	list := slices.Insert(slices.Clone(l.Payments), at, p)
	return lastFive{list[:min(len(list), 5)]}
}

var (
	cardJSON     = serde.JSON[cardPayment]()
	transferJSON = serde.JSON[bankTransfer]()
	paymentJSON  = serde.JSON[payment]()
	lastFiveJSON = serde.JSON[lastFive]()
)

func payments() (*stream.Topology, error) {
	t := stream.New("payments")
	cards := stream.From(t, "CC-PAYMENT", serde.String, cardJSON)
	transfers := stream.From(t, "BANK-TRANSFER-PAYMENT", serde.String, transferJSON)
	stream.MapValues(cards, cardPayment.common).To("PAYMENT-OUTPUT", serde.String, paymentJSON)
	stream.MapValues(transfers, bankTransfer.common).To("PAYMENT-OUTPUT", serde.String, paymentJSON)

	all := stream.From(t, "PAYMENT-OUTPUT", serde.String, paymentJSON)
	byCustomer := stream.GroupBy(all, payment.customer, serde.Int64)
	last := stream.Aggregate(byCustomer, lastFive{}, lastFive.add, lastFiveJSON, stream.Named("last-five"))
	last.Updates().To("PAYMENT-TRX-AGGR", serde.Int64, lastFiveJSON)
	return t.Build()
}

// Payments of two channels become one stream, and the last five of each customer a table. The driver of package streamtest
// runs it without a broker.
func Example() {
	topology, err := payments()
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := streamtest.Open(topology, streamtest.Partitions(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	cards := streamtest.NewInput(d, "CC-PAYMENT", serde.String, cardJSON)
	transfers := streamtest.NewInput(d, "BANK-TRANSFER-PAYMENT", serde.String, transferJSON)
	lists := streamtest.NewOutput(d, "PAYMENT-TRX-AGGR", serde.Int64, lastFiveJSON)

	cards.Pipe("k1", cardPayment{Trx: 1, Amount: "10.50", Holder: "Ann", Customer: 7, Date: "2026-01-02"}, 1000)
	transfers.Pipe("k2", bankTransfer{Trx: 2, Amount: "3.00", Account: "Ann B.", Customer: 7, Date: "2026-01-01"}, 1001)
	d.Restart() // the state comes back from its changelog
	cards.Pipe("k3", cardPayment{Trx: 3, Amount: "8.00", Holder: "Ann", Customer: 7, Date: "2026-01-03"}, 1002)

	for _, r := range lists.ReadAll() {
		fmt.Print(r.Key, ":")
		for _, p := range r.Value.Payments {
			fmt.Print(" ", p.Date, " ", p.Amount)
		}
		fmt.Println()
	}
	// Output:
	// 7: 2026-01-02 10.50
	// 7: 2026-01-02 10.50 2026-01-01 3.00
	// 7: 2026-01-03 8.00 2026-01-02 10.50 2026-01-01 3.00
}

func ExampleTable_Filter() {
	b := stream.New("alerts")
	readings := stream.From(b, "readings", serde.String, serde.Int64)
	latest := stream.Reduce(stream.GroupByKey(readings), func(_, n int64) int64 { return n }, serde.Int64, stream.Named("latest"))
	latest.Filter(func(n int64) bool { return n > 100 }).Updates().To("too-high", serde.String, serde.Int64)
	topology, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := streamtest.Open(topology)
	if err != nil {
		fmt.Println(err)
		return
	}
	in := streamtest.NewInput(d, "readings", serde.String, serde.Int64)
	for i, n := range []int64{90, 120, 130, 80, 70} {
		in.Pipe("boiler", n, record.Timestamp(i))
	}
	for _, r := range streamtest.NewOutput(d, "too-high", serde.String, serde.Int64).ReadAll() {
		if r.ValueNull {
			fmt.Println(r.Key, "is fine again")
		} else {
			fmt.Println(r.Key, r.Value)
		}
	}
	// Output:
	// boiler 120
	// boiler 130
	// boiler is fine again
}
