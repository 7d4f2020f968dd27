package payments_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/row"
)

func amount(t testing.TB, s string) row.Decimal {
	t.Helper()
	d, err := row.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// paid is a payment of customer 7 with an id and a date in milliseconds.
func paid(t testing.TB, id int64, date payments.Date) payments.Payment {
	return payments.Payment{TrxID: id, TrxAmount: amount(t, "10.50"), CustomerID: 7, TrxDate: date, PaymentType: payments.TypeCard, Currency: "IDR"}
}

// ids renders a list as the ids of its payments.
func ids(l payments.LastFive) string {
	var s []string
	for _, p := range l.Payments {
		s = append(s, fmt.Sprint(p.TrxID))
	}
	return strings.Join(s, " ")
}

func TestLastFive(t *testing.T) {
	type step struct {
		id   int64
		date payments.Date
		want string // unchanged when it is that of the step before
	}
	for name, steps := range map[string][]step{
		"newest first":           {{1, 10, "1"}, {2, 30, "2 1"}, {3, 20, "2 3 1"}},
		"the sixth falls out":    {{1, 10, "1"}, {2, 20, "2 1"}, {3, 30, "3 2 1"}, {4, 40, "4 3 2 1"}, {5, 50, "5 4 3 2 1"}, {6, 35, "5 4 6 3 2"}},
		"too old for a full one": {{1, 10, "1"}, {2, 20, "2 1"}, {3, 30, "3 2 1"}, {4, 40, "4 3 2 1"}, {5, 50, "5 4 3 2 1"}, {6, 5, "5 4 3 2 1"}},
		"earlier stays ahead":    {{1, 10, "1"}, {2, 10, "1 2"}, {3, 20, "3 1 2"}, {4, 10, "3 1 2 4"}, {5, 10, "3 1 2 4 5"}, {6, 10, "3 1 2 4 5"}, {7, 20, "3 7 1 2 4"}},
		"redelivery":             {{1, 10, "1"}, {2, 20, "2 1"}, {1, 10, "2 1"}, {2, 20, "2 1"}},
		"same id, another date":  {{1, 10, "1"}, {1, 11, "1 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var l payments.LastFive
			before := ""
			for _, s := range steps {
				next, changed := l.Add(paid(t, s.id, s.date))
				if got := ids(next); got != s.want || changed != (s.want != before) || next.CustomerID != 7 {
					t.Fatalf("%d at %d: got %q, changed %v, want %q", s.id, s.date, got, changed, s.want)
				}
				l, before = next, s.want
			}
		})
	}
}

func TestARedeliveryIsEqualInAllFieldsAndTheAmountAsANumber(t *testing.T) {
	p := paid(t, 1, 10)
	l, _ := payments.LastFive{}.Add(p)
	same := p
	same.TrxAmount = amount(t, "10.500")
	if _, changed := l.Add(same); changed {
		t.Error("10.500 is taken for another amount than 10.50")
	}
	for name, other := range map[string]func(*payments.Payment){
		"trxId": func(p *payments.Payment) { p.TrxID++ }, "trxAmount": func(p *payments.Payment) { p.TrxAmount = amount(t, "10.51") },
		"customerId": func(p *payments.Payment) { p.CustomerID++ }, "trxDate": func(p *payments.Payment) { p.TrxDate++ },
		"paymentType": func(p *payments.Payment) { p.PaymentType = "X" }, "accountNo": func(p *payments.Payment) { p.AccountNo = "X" },
		"accountName": func(p *payments.Payment) { p.AccountName = "X" }, "bankName": func(p *payments.Payment) { p.BankName = "X" },
		"referenceNo": func(p *payments.Payment) { p.ReferenceNo = "X" }, "currency": func(p *payments.Payment) { p.Currency = "X" },
	} {
		q := p
		other(&q)
		if _, changed := l.Add(q); !changed {
			t.Errorf("a payment with another %s is taken for a redelivery", name)
		}
	}
}

func TestAListIsNeverChangedOnceMade(t *testing.T) {
	var made []payments.LastFive
	var seen []string
	rnd := rand.New(rand.NewSource(1))
	for i := range int64(300) {
		l := payments.LastFive{}
		if len(made) > 0 {
			l = made[rnd.Intn(len(made))] // any earlier one may be added to again
		}
		next, _ := l.Add(paid(t, i, payments.Date(rnd.Intn(50))))
		made, seen = append(made, next), append(seen, ids(next))
	}
	for i := range made {
		if diff := cmp.Diff(seen[i], ids(made[i])); diff != "" {
			t.Fatalf("list %d changed: %s", i, diff)
		}
	}
}

func TestLastFiveDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	rnd := rand.New(rand.NewSource(2))
	for range 200 {
		var all []payments.Payment
		for i, date := range rnd.Perm(1 + rnd.Intn(30)) {
			all = append(all, paid(t, int64(i), payments.Date(date)))
		}
		want := slices.Clone(all)
		slices.SortFunc(want, func(a, b payments.Payment) int { return int(b.TrxDate - a.TrxDate) })
		want = want[:min(5, len(want))]
		all = append(all, all...) // everything twice
		rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var l payments.LastFive
		for _, p := range all {
			l, _ = l.Add(p)
		}
		if ids(l) != ids(payments.LastFive{Payments: want}) {
			t.Fatalf("got %s, want %s", ids(l), ids(payments.LastFive{Payments: want}))
		}
	}
}

func TestLastFiveAsJSON(t *testing.T) {
	l, _ := payments.LastFive{}.Add(paid(t, 1, 10))
	b, err := payments.LastFiveJSON.Append(nil, l)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"customerId":7,"payments":[{"trxId":1,"trxAmount":10.50,"customerId":7,"trxDate":"1970-01-01T00:00:00.010","paymentType":"CC",` +
		`"accountNo":"","accountName":"","bankName":"","referenceNo":"","currency":"IDR"}]}`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Error(diff)
	}
	back, err := payments.LastFiveJSON.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ids(l), ids(back)); diff != "" || !back.Payments[0].Same(l.Payments[0]) {
		t.Errorf("read back as %+v", back)
	}
}
