package nexmark_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/test/nexmark"
)

// data returns a folder of the public data.
func data(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(need.Folder(t, "MAINSTEM_DATA", "../../../shared/data"), name)
}

// TestTinyGivesThePublishedAnswers runs each query over 110 events for which others have published the answers.
func TestTinyGivesThePublishedAnswers(t *testing.T) {
	dir := data(t, "nexmark-tiny")
	in := inputOf(tiny(t, dir))
	for _, name := range nexmark.Names() {
		t.Run(name, func(t *testing.T) {
			want, known := expected(t, dir, name)
			if !known {
				t.Skip("no answer is published")
			}
			for _, restarts := range []bool{false, true} {
				got := lines(run(t, name, in, shape{chunk: 7, restarts: restarts}))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("restarts %v: (-published +ours)\n%s", restarts, diff)
				}
			}
		})
	}
}

// lines are rows as the files of answers have them, sorted.
func lines(a answer) []string {
	var out []string
	for _, cells := range a {
		out = append(out, tokens(strings.Join(cells, " ")))
	}
	slices.Sort(out)
	return out
}

var clockTime = regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d+$`)

// tokens is a line with one space between words and one text for each number.
func tokens(line string) string {
	words := strings.Fields(line)
	for i, w := range words {
		words[i] = number(w)
		if clockTime.MatchString(w) {
			words[i] = strings.TrimRight(w, "0")
		}
	}
	return strings.Join(words, " ")
}

func expected(t *testing.T, dir, name string) (want []string, known bool) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "expected", name+".txt"))
	if os.IsNotExist(err) {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if strings.TrimSpace(line) != "" {
			want = append(want, tokens(line))
		}
	}
	slices.Sort(want)
	return want, true
}

// tiny reads the events of the three files in the order of their times.
func tiny(t *testing.T, dir string) []nexmark.Event {
	t.Helper()
	var events []nexmark.Event
	for _, f := range table(t, dir, "person.csv") {
		events = append(events, nexmark.Event{Person: &nexmark.Person{
			ID: f.whole("id"), Name: f.text("name"), EmailAddress: f.text("email_address"), CreditCard: f.text("credit_card"), City: f.text("city"),
			State: f.text("state"), DateTime: f.time("date_time"), Extra: f.text("extra"),
		}})
	}
	for _, f := range table(t, dir, "auction.csv") {
		events = append(events, nexmark.Event{Auction: &nexmark.Auction{
			ID: f.whole("id"), ItemName: f.text("item_name"), Description: f.text("description"), InitialBid: f.whole("initial_bid"),
			Reserve: f.whole("reserve"), DateTime: f.time("date_time"), Expires: f.time("expires"), Seller: f.whole("seller"),
			Category: f.whole("category"), Extra: f.text("extra"),
		}})
	}
	for _, f := range table(t, dir, "bid.csv") {
		events = append(events, nexmark.Event{Bid: &nexmark.Bid{
			Auction: f.whole("auction"), Bidder: f.whole("bidder"), Price: f.whole("price"), Channel: f.text("channel"), URL: f.text("url"),
			DateTime: f.time("date_time"), Extra: f.text("extra"),
		}})
	}
	slices.SortStableFunc(events, func(a, b nexmark.Event) int {
		if a.Time() == b.Time() && a.Bid != nil && b.Bid != nil {
			return strings.Compare(b.Bid.Extra, a.Bid.Extra) // the answer of q18 takes the least text of one time for the last bid
		}
		return int(a.Time() - b.Time())
	})
	for i := range events {
		events[i].Number = int64(i)
	}
	return events
}

// fields is a line of a table by the names of its columns.
type fields struct {
	t    *testing.T
	line map[string]string
}

func table(t *testing.T, dir, file string) []fields {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil || len(all) < 2 {
		t.Fatalf("%s: %d lines, %v", file, len(all), err)
	}
	var out []fields
	for _, line := range all[1:] {
		l := fields{t, map[string]string{}}
		for i, name := range all[0] {
			l.line[name] = line[i]
		}
		out = append(out, l)
	}
	return out
}

func (f fields) text(column string) string { return f.line[column] }

func (f fields) whole(column string) int64 {
	n, err := strconv.ParseInt(f.line[column], 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func (f fields) time(column string) int64 {
	at, err := time.Parse("2006-01-02 15:04:05.999", f.line[column])
	if err != nil {
		f.t.Fatal(err)
	}
	return at.UnixMilli()
}
