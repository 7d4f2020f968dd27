package fraud_test

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/fraud"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/streamtest"
)

// holderNotices is how long after a fraud the card holder reports it.
const holderNotices = 3 * 24 * time.Hour

// april are the limits for the month: they are what its simulation makes sense of, not what was learned from it.
var april = fraud.Rules{Amount: row.NewDecimal(220, 0), Burst: row.NewDecimal(300, 0), Spree: row.NewDecimal(500, 0), Reports: 3}

// A labelled payment is one of the month, with what it really was: 0 is no fraud, 1 to 3 the scenarios of the simulation.
type labelled struct {
	fraud.Payment
	scenario int
}

// table reads a CSV file and returns its rows without the header.
func table(t testing.TB, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	if filepath.Ext(path) == ".gz" {
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		in = csv.NewReader(z)
	}
	rows, err := in.ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return rows[1:]
}

// month reads the payments in the order of the file, which is that of time; equal times stay as they are.
func month(t testing.TB, dir string) []labelled {
	t.Helper()
	var out []labelled
	for i, c := range table(t, filepath.Join(dir, "transactions-2018-04.csv.gz")) {
		at, err := time.Parse(time.RFC3339, c[1])
		id, err1 := strconv.ParseInt(c[0], 10, 64)
		terminal, err2 := strconv.ParseInt(c[3], 10, 64)
		scenario, err3 := strconv.Atoi(c[6])
		if err != nil || err1 != nil || err2 != nil || err3 != nil || (scenario > 0) != (c[5] == "1") {
			t.Fatalf("row %d: %v", i+1, c)
		}
		out = append(out, labelled{fraud.Payment{ID: id, Time: record.Timestamp(at.UnixMilli()), Card: c[2], Terminal: terminal, Amount: amount(t, c[4])}, scenario})
	}
	return out
}

func reported(p labelled) fraud.Report {
	return fraud.Report{Time: p.Time + record.Timestamp(holderNotices.Milliseconds()), Payment: p.ID, Terminal: p.Terminal}
}

// replay pipes payments and reports as they would have come, until the last payment. Now and then all state is restored.
func replay(b bench, payments []labelled) {
	var waiting []fraud.Report // in order of time, since they are all equally late
	for i, p := range payments {
		for len(waiting) > 0 && waiting[0].Time <= p.Time {
			b.Commit() // what was paid before is judged without the report, what is paid behind it with it
			b.report(waiting[0])
			b.Commit()
			waiting = waiting[1:]
		}
		b.pay(p.Payment)
		if p.scenario > 0 {
			waiting = append(waiting, reported(p))
		}
		if i%30_000 == 29_999 {
			b.Restart()
		}
	}
}

// wholeMonth is the variable that, set to all, has the whole month replayed: 288,062 payments, which take about twenty seconds of CPU time.
const wholeMonth = "MAINSTEM_TEST_APRIL"

// monthFound is what the rules find in the whole month, by what the payments really were.
var monthFound = [4]int{237, 168, 608, 327}

func TestAprilHasItsFigures(t *testing.T) {
	days := 8
	if os.Getenv(wholeMonth) == "all" {
		days = 30
	}
	dir := data(t, "card-fraud")
	payments := month(t, dir)
	known := table(t, filepath.Join(dir, "expected-by-day.csv"))[:days]
	end := record.Timestamp(time.Date(2018, 4, 1+days, 0, 0, 0, 0, time.UTC).UnixMilli())
	if n := slices.IndexFunc(payments, func(p labelled) bool { return p.Time >= end }); n >= 0 {
		payments = payments[:n]
	}
	if n := sum(t, known, 1); n != len(payments) {
		t.Fatalf("%d payments, not %d", len(payments), n)
	}

	b := newBench(t, april, streamtest.Batch(1024))
	replay(b, payments)
	checkDays(t, b, known)
	alerted := b.alerts.ReadAll()
	got, want := idsIn(alerted), oracle(payments, april).all()
	if !maps.Equal(got, want) {
		t.Errorf("%d payments in alerts, the oracle finds %d", len(got), len(want))
	}
	if n := tally(payments, got); days == 30 && n != monthFound {
		t.Errorf("found %d payments of scenarios 0 to 3, want %d", n, monthFound)
	}
	checkLarge(t, alerted, payments, known)
	if dropped := b.Dropped(); len(dropped) > 0 {
		t.Errorf("dropped: %v", dropped)
	}
}

// sum adds a column of counts.
func sum(t *testing.T, rows [][]string, column int) (total int) {
	t.Helper()
	for _, c := range rows {
		n, err := strconv.Atoi(c[column])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// checkDays compares the totals of each day with the known ones: day, rows, sum_amount, …, over_220.
func checkDays(t *testing.T, b bench, want [][]string) {
	t.Helper()
	last := map[string]string{}
	for _, r := range b.days.ReadAll() {
		last[r.Key] = fmt.Sprintf("%d %s %d", r.Value.Payments, r.Value.Amount, r.Value.Large)
	}
	known := map[string]string{}
	for _, c := range want {
		known[c[0]] = c[1] + " " + c[2] + " " + c[7]
	}
	if diff := cmp.Diff(known, last); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
}

func idsIn(alerts []streamtest.Record[string, fraud.Alert]) map[int64]bool {
	ids := map[int64]bool{}
	for _, r := range alerts {
		for _, p := range r.Value.Payments {
			ids[p.ID] = true
		}
	}
	return ids
}

// tally counts payments by what they really were.
func tally(payments []labelled, ids map[int64]bool) (n [4]int) {
	for _, p := range payments {
		if ids[p.ID] {
			n[p.scenario]++
		}
	}
	return n
}

// checkLarge compares the rule for single payments with what is known of it: it never errs and finds all of scenario 1.
func checkLarge(t *testing.T, alerts []streamtest.Record[string, fraud.Alert], payments []labelled, known [][]string) {
	t.Helper()
	limit := april.Amount
	large := map[int64]bool{}
	for _, r := range alerts {
		for _, p := range r.Value.Payments {
			if slices.Contains(r.Value.Rules, fraud.RuleAmount) && p.Amount.Cmp(limit) > 0 {
				large[p.ID] = true
			}
		}
	}
	n := tally(payments, large)
	if over := sum(t, known, 7); len(large) != over || n[0] != 0 || n[1] != sum(t, known, 4) {
		t.Errorf("%d payments over %s, of scenarios 0 to 3 %d; known are %d, all frauds", len(large), limit, n, over)
	}
}
