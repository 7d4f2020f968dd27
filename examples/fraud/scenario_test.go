package fraud_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/fraud"
	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/streamtest"
)

// A scenario is what happens to one card, and what the last alert must say.
type scenario struct {
	Rule   string `json:"rule"`
	Events []struct {
		Amount row.Decimal `json:"amount"`
		Time   time.Time   `json:"time"`
	} `json:"events"`
	Fraud bool        `json:"fraud"`
	Total row.Decimal `json:"suspicious_total"`
}

func (s scenario) payments(card string) []fraud.Payment {
	var out []fraud.Payment
	for i, e := range s.Events {
		out = append(out, fraud.Payment{ID: int64(i), Card: card, Amount: e.Amount, Time: record.Timestamp(e.Time.UnixMilli())})
	}
	return out
}

// data returns the folder of test data that the project does not hold itself.
func data(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(need.Folder(t, "MAINSTEM_DATA", "../../../shared/data"), name)
	if _, err := os.Stat(dir); err != nil {
		need.Missing(t, "no "+name+" in the folder of MAINSTEM_DATA")
	}
	return dir
}

func scenarios(t testing.TB) []scenario {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data(t, "reference-scenarios"), "card-fraud-examples.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Examples []scenario `json:"examples"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Examples) != 13 {
		t.Fatalf("%d scenarios, not 13", len(file.Examples))
	}
	return file.Examples
}

// expected maps each scenario's card to the total of its last alert, without zeros at the end.
func expected(all []scenario) map[string]string {
	want := map[string]string{}
	for i, s := range all {
		if s.Fraud {
			want[card(i)] = plain(s.Total)
		}
	}
	return want
}

func card(scenario int) string { return fmt.Sprintf("card %d", scenario) }

// plain is the same text for equal numbers.
func plain(d row.Decimal) string {
	f := 0.0
	_ = json.Unmarshal([]byte(d.String()), &f) // the scenarios' numbers are short
	return fmt.Sprint(f)
}

// lastTotals reads the total of each card's last alert.
func lastTotals(b bench) map[string]string {
	got := map[string]string{}
	for _, r := range b.alerts.ReadAll() {
		got[r.Key] = plain(r.Value.Total)
	}
	return got
}

func TestScenarios(t *testing.T) {
	all := scenarios(t)
	want := expected(all)
	for i, s := range all {
		t.Run(fmt.Sprintf("%s %d", s.Rule, i), func(t *testing.T) {
			b := newBench(t, fraud.Usual())
			for _, p := range s.payments(card(i)) {
				b.pay(p)
			}
			last := lastTotals(b)
			if total, fraud := last[card(i)]; fraud != s.Fraud || total != want[card(i)] {
				t.Errorf("alert %v, total %s; want %v, %s", fraud, total, s.Fraud, want[card(i)])
			}
		})
	}
}

func TestScenariosTogether(t *testing.T) {
	all := scenarios(t)
	var payments []fraud.Payment
	for i, s := range all {
		payments = append(payments, s.payments(card(i))...)
	}
	slices.SortStableFunc(payments, func(a, b fraud.Payment) int { return int(a.Time - b.Time) })
	for name, opts := range map[string][]streamtest.Option{
		"one by one":   nil,
		"in batches":   {streamtest.Batch(16)},
		"4 partitions": {streamtest.Partitions(4), streamtest.Batch(5)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, fraud.Usual(), opts...)
			for i, p := range payments {
				b.pay(p)
				if i%7 == 6 {
					b.Restart()
				}
			}
			if diff := cmp.Diff(expected(all), lastTotals(b)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
