package fraud_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/fraud"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/streamtest"
)

func amount(t testing.TB, text string) row.Decimal {
	t.Helper()
	d, err := row.ParseDecimal(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return d
}

// A bench is the pipeline in memory with its topics.
type bench struct {
	*streamtest.Driver
	payments streamtest.Input[string, fraud.Payment]
	reports  streamtest.Input[[]byte, fraud.Report]
	alerts   *streamtest.Output[string, fraud.Alert]
	days     *streamtest.Output[string, fraud.Totals]
}

func newBench(t testing.TB, r fraud.Rules, opts ...streamtest.Option) bench {
	t.Helper()
	topology, err := fraud.Pipeline(r)
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology, opts...)
	return bench{
		Driver:   d,
		payments: streamtest.NewInput(d, fraud.PaymentTopic, serde.String, fraud.PaymentJSON),
		reports:  streamtest.NewInput(d, fraud.ReportTopic, serde.Bytes, fraud.ReportJSON),
		alerts:   streamtest.NewOutput(d, fraud.AlertTopic, serde.String, fraud.AlertJSON),
		days:     streamtest.NewOutput(d, fraud.DayTopic, serde.String, fraud.TotalsJSON),
	}
}

// pay pipes a payment; the record's own time says nothing.
func (b bench) pay(p fraud.Payment) { b.payments.Pipe(p.Card, p, 0) }

func (b bench) report(r fraud.Report) { b.reports.Pipe(nil, r, 0) }

// published returns the new alerts as "card: rules total [ids]".
func (b bench) published() []string {
	var out []string
	for _, r := range b.alerts.ReadAll() {
		var ids []int64
		for _, p := range r.Value.Payments {
			ids = append(ids, p.ID)
		}
		out = append(out, fmt.Sprintf("%s: %s %s %d", r.Key, strings.Join(r.Value.Rules, "+"), r.Value.Total, ids))
	}
	return out
}

func (b bench) expect(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, b.published()); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

const noon = record.Timestamp(1_522_584_000_000) // 2018-04-01T12:00:00Z

func after(d time.Duration) record.Timestamp { return noon + record.Timestamp(d.Milliseconds()) }

func TestLimitsAreStrict(t *testing.T) {
	b := newBench(t, fraud.Usual())
	b.pay(fraud.Payment{ID: 1, Card: "a", Amount: amount(t, "1000.00"), Time: noon})
	b.expect(t)
	b.pay(fraud.Payment{ID: 2, Card: "b", Amount: amount(t, "1000.01"), Time: noon})
	b.expect(t, "b: amount 1000.01 [2]")
	b.pay(fraud.Payment{ID: 3, Card: "a", Amount: amount(t, "500.00"), Time: after(time.Minute)})
	b.expect(t)
	b.pay(fraud.Payment{ID: 4, Card: "a", Amount: amount(t, "0.01"), Time: after(2 * time.Minute)})
	b.expect(t, "a: burst 1500.01 [1 3 4]")
}

func TestWhatSeveralRulesFindIsOneAlert(t *testing.T) {
	b := newBench(t, fraud.Usual())
	b.pay(fraud.Payment{ID: 1, Card: "a", Amount: amount(t, "900"), Time: noon})
	b.pay(fraud.Payment{ID: 2, Card: "a", Amount: amount(t, "1100"), Time: after(time.Minute)})
	b.expect(t, "a: amount 1100 [2]", "a: amount+burst 2000 [2 1]")
	b.pay(fraud.Payment{ID: 2, Card: "a", Amount: amount(t, "1100"), Time: after(time.Minute)}) // a redelivery
	b.expect(t)
}

func TestALatePaymentJoinsTwoSprees(t *testing.T) {
	b := newBench(t, fraud.Usual())
	for i, at := range []time.Duration{0, 30 * time.Minute, 91 * time.Minute, 95 * time.Minute} {
		b.pay(fraud.Payment{ID: int64(i), Card: "a", Amount: amount(t, "999"), Time: after(at)})
	}
	b.published() // the last two are a burst
	b.pay(fraud.Payment{ID: 4, Card: "a", Amount: amount(t, "4.01"), Time: after(60 * time.Minute)})
	b.expect(t, "a: burst+spree 4000.01 [2 3 0 1 4]")
}

func TestATerminalIsSuspectedForAWeekAfterTheLastReport(t *testing.T) {
	const day = 24 * time.Hour
	b := newBench(t, fraud.Usual())
	pay := func(id int64, terminal int64, at time.Duration) {
		b.pay(fraud.Payment{ID: id, Card: fmt.Sprint("card ", id), Terminal: terminal, Amount: amount(t, "1"), Time: after(at)})
	}
	report := func(terminal int64, at time.Duration) { b.report(fraud.Report{Terminal: terminal, Time: after(at)}) }
	pay(1, 7, 0)
	report(7, 1*day)
	pay(2, 7, 2*day)
	report(7, 3*day)
	report(7, 3*day)
	b.expect(t)
	pay(3, 7, 3*day)
	pay(4, 8, 3*day)
	pay(5, 7, 10*day)
	pay(6, 7, 10*day+time.Second)
	b.expect(t, "card 3: terminal 1 [3]", "card 5: terminal 1 [5]")
	report(7, 11*day) // more than a week after the last: one is not enough again
	pay(7, 7, 12*day)
	b.expect(t)
}

func TestDaysAreOfTheCalendarAndExact(t *testing.T) {
	b := newBench(t, fraud.Usual())
	for i, at := range []time.Duration{0, 12*time.Hour - time.Second, 12 * time.Hour, time.Hour} { // the last one comes late
		b.pay(fraud.Payment{ID: int64(i), Card: "a", Amount: amount(t, "1000.10"), Time: after(at)})
	}
	last := map[string]string{}
	for _, r := range b.days.ReadAll() {
		last[r.Key] = fmt.Sprintf("%d %s %d", r.Value.Payments, r.Value.Amount, r.Value.Large)
	}
	if diff := cmp.Diff(map[string]string{"2018-04-01": "3 3000.30 3", "2018-04-02": "1 1000.10 1"}, last); diff != "" {
		t.Error(diff)
	}
}
