package generate_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
)

func source(t testing.TB, cfg generate.Config) generate.Source {
	t.Helper()
	s, err := generate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t testing.TB, s generate.Source, i int64) generate.Event {
	t.Helper()
	e, err := s.At(nil, i)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPaymentsOfASeedNeverChange(t *testing.T) {
	s := source(t, generate.Config{Seed: 1})
	var got []string
	for i := range int64(3) {
		e := at(t, s, i)
		got = append(got, e.Topic+" "+e.Key+" "+string(e.Value))
	}
	want := []string{
		`CC-PAYMENT 5786000000000000 {"trxId":5786000000000000,"trxAmount":463000,"cardNo":"4556533713786507","cardHolder":"Joko","expiryDate":"2029-01-01","issuer":"DUKE BANK","customerId":12,"trxDate":"2026-01-01T00:00:00.350"}`,
		`BANK-TRANSFER-PAYMENT 5786000000000001 {"trxId":5786000000000001,"trxAmount":380000,"accountNo":"2025565954","accountName":"Indah","bankName":"ATOZ BANK","referenceNo":"2140206578","currency":"IDR","customerId":51,"trxDate":"2026-01-01T00:00:00.100"}`,
		`CC-PAYMENT 5786000000000002 {"trxId":5786000000000002,"trxAmount":479000,"cardNo":"4556419763367432","cardHolder":"Fitri","expiryDate":"2029-05-01","issuer":"EARL CARDS","customerId":28,"trxDate":"2026-01-01T00:00:00.050"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("programs that started with an older version would publish other payments (-want +got):\n%s", diff)
	}
}

func TestEachPaymentDecodesToWhatIsExpectedOfIt(t *testing.T) {
	s := source(t, generate.Config{Seed: 2})
	cards := 0
	for i := range int64(2000) {
		e := at(t, s, i)
		var got payments.Payment
		if e.Topic == payments.CardTopic {
			cards++
			c, err := payments.CardJSON.Decode(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			if n := string(c.CardNo); len(n) != 16 || generate.WithCheckDigit(n[:15]) != n {
				t.Fatalf("payment %d: card number of %d digits or with a wrong check digit", i, len(n))
			}
			got = c.Common()
		} else {
			b, err := payments.TransferJSON.Decode(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			got = b.Common()
		}
		if got != e.Payment {
			t.Fatalf("payment %d: got %+v, want %+v", i, got, e.Payment)
		}
	}
	if cards < 900 || cards > 1100 {
		t.Errorf("%d of 2000 are card payments", cards)
	}
}

func TestDatesAndIdsAreAllDifferentAndDatesOutOfOrder(t *testing.T) {
	s := source(t, generate.Config{Seed: 3, Step: time.Microsecond})
	dates, ids := map[payments.Date]bool{}, map[int64]bool{}
	back := 0
	var before payments.Date
	for i := range int64(5000) {
		p := at(t, s, i).Payment
		if dates[p.TrxDate] || ids[p.TrxID] {
			t.Fatalf("payment %d has the date or id of an earlier one", i)
		}
		dates[p.TrxDate], ids[p.TrxID] = true, true
		if p.TrxDate < before {
			back++
		}
		before = p.TrxDate
	}
	if back < 1000 {
		t.Errorf("only %d of 5000 dates are out of order", back)
	}
}

func TestExpectedIsWhatAddingOneByOneLeaves(t *testing.T) {
	const n = 3000
	s := source(t, generate.Config{Seed: 4, Customers: 50})
	got := map[int64]payments.LastFive{}
	for i := range int64(n) {
		p := at(t, s, i).Payment
		got[p.CustomerID], _ = got[p.CustomerID].Add(p)
	}
	if diff := cmp.Diff(s.Expected(n), got, cmp.Comparer(payments.Payment.Same), cmp.AllowUnexported(payments.LastFive{})); diff != "" {
		t.Error(diff)
	}
	if len(got) != 50 {
		t.Errorf("%d customers", len(got))
	}
}

func TestSeedsDiffer(t *testing.T) {
	a, b := source(t, generate.Config{Seed: 5}), source(t, generate.Config{Seed: 6})
	if x, y := at(t, a, 0).Payment, at(t, b, 0).Payment; x.TrxID == y.TrxID {
		t.Errorf("two seeds share the id %d", x.TrxID)
	}
}

func TestCheckDigit(t *testing.T) {
	if got := generate.WithCheckDigit("7992739871"); got != "79927398713" {
		t.Errorf("got %s", got)
	}
}

func TestImpossibleConfigs(t *testing.T) {
	for _, cfg := range []generate.Config{{Customers: -1}, {Step: -time.Second}} {
		if _, err := generate.New(cfg); err == nil {
			t.Errorf("accepted %+v", cfg)
		}
	}
}

func BenchmarkAt(b *testing.B) {
	s := source(b, generate.Config{Seed: 1})
	var buf []byte
	i := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		e, err := s.At(buf[:0], i)
		if err != nil {
			b.Fatal(err)
		}
		buf, i = e.Value, i+1
	}
}
