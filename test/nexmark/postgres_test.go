package nexmark_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/mainstemio/mainstem/internal/need/postgres"
	"github.com/mainstemio/mainstem/test/nexmark"
)

// made are events over six hours of two days: day, evening and night, sessions that end, and windows with few events.
func made(count int64) []nexmark.Event {
	g := nexmark.Generator{Seed: 1, Start: time.Date(2015, 7, 15, 18, 30, 0, 0, time.UTC), Step: 6 * time.Hour / time.Duration(count)}
	events := make([]nexmark.Event, count)
	for i := range events {
		events[i] = g.Event(int64(i))
	}
	return events
}

// TestQueriesAgreeWithPostgres runs each query over made-up events with crashes on the way, and asks PostgreSQL for the answer of the
// whole. MAINSTEM_NEXMARK_EVENTS says how many events there are.
func TestQueriesAgreeWithPostgres(t *testing.T) {
	count := int64(5_000)
	if text := os.Getenv("MAINSTEM_NEXMARK_EVENTS"); text != "" {
		var err error
		if count, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	db, err := pgx.Connect(t.Context(), postgres.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	all := made(count)
	few := all[:len(all)/5]
	if err := errors.Join(load(t.Context(), db, "whole", all), load(t.Context(), db, "few", few)); err != nil {
		t.Fatal(err)
	}
	const crashes = 10
	for _, name := range nexmark.Names() {
		t.Run(name, func(t *testing.T) {
			schema, events := "whole", all
			if name == "q5" { // each new maximum of a window is joined with all auctions of the window
				schema, events = "few", few
			}
			want, err := ask(t.Context(), db, schema, name)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) == 0 {
				t.Fatal("PostgreSQL finds nothing: the events do not test the query")
			}
			got := run(t, name, inputOf(events), shape{chunk: len(events)/crashes + 1, restarts: true})
			if name == "q16" {
				got = within(got, want, 7, 0.06)
			}
			if diff := difference(want, got); diff != "" {
				t.Errorf("%d rows, want %d (-PostgreSQL +ours)\n%s", len(got), len(want), diff)
			}
		})
	}
}

// difference compares the first rows that differ: diffs of many thousand rows take minutes and nobody reads them.
func difference(want, got answer) string {
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || !cmp.Equal(want[i], got[i]) {
			return cmp.Diff(want[i:min(i+3, len(want))], got[min(i, len(got)):min(i+3, len(got))])
		}
	}
	return ""
}

// within takes sketches' counts, which are in the columns from the given one on, for the exact ones where they are near: none up to some
// hundred, a part of the number beyond.
func within(got, want answer, from int, part float64) answer {
	const exactUpTo = 500
	if len(got) != len(want) {
		return got
	}
	for i := range got {
		for c := from; c < len(got[i]) && c < len(want[i]); c++ {
			a, err := strconv.ParseFloat(got[i][c], 64)
			b, errWant := strconv.ParseFloat(want[i][c], 64)
			if errors.Join(err, errWant) == nil && b > exactUpTo && math.Abs(a-b) <= part*b {
				got[i][c] = want[i][c]
			}
		}
	}
	return got
}

// load fills the tables of the events in a schema of their own.
func load(ctx context.Context, db *pgx.Conn, schema string, events []nexmark.Event) error {
	_, err := db.Exec(ctx, "CREATE SCHEMA "+schema+"; SET search_path TO "+schema+`;
		CREATE TABLE person (id bigint PRIMARY KEY, name text, email_address text, credit_card text, city text, state text, date_time timestamp,
			extra text);
		CREATE TABLE auction (id bigint PRIMARY KEY, item_name text, description text, initial_bid bigint, reserve bigint, date_time timestamp,
			expires timestamp, seller bigint, category bigint, extra text);
		CREATE TABLE bid (number bigint PRIMARY KEY, auction bigint, bidder bigint, price bigint, channel text, url text, date_time timestamp,
			extra text)`)
	if err != nil {
		return err
	}
	rows := map[string][][]any{}
	for _, e := range events {
		topic := e.Topic()
		rows[topic] = append(rows[topic], columns(e))
	}
	for topic, of := range rows {
		names := map[string][]string{
			nexmark.PersonTopic:  {"id", "name", "email_address", "credit_card", "city", "state", "date_time", "extra"},
			nexmark.AuctionTopic: {"id", "item_name", "description", "initial_bid", "reserve", "date_time", "expires", "seller", "category", "extra"},
			nexmark.BidTopic:     {"number", "auction", "bidder", "price", "channel", "url", "date_time", "extra"},
		}[topic]
		if _, err := db.CopyFrom(ctx, pgx.Identifier{schema, topic}, names, pgx.CopyFromRows(of)); err != nil {
			return err
		}
	}
	_, err = db.Exec(ctx, "ANALYZE")
	return err
}

func columns(e nexmark.Event) []any {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	switch {
	case e.Person != nil:
		p := e.Person
		return []any{p.ID, p.Name, p.EmailAddress, p.CreditCard, p.City, p.State, at(p.DateTime), p.Extra}
	case e.Auction != nil:
		a := e.Auction
		return []any{a.ID, a.ItemName, a.Description, a.InitialBid, a.Reserve, at(a.DateTime), at(a.Expires), a.Seller, a.Category, a.Extra}
	}
	b := e.Bid
	return []any{e.Number, b.Auction, b.Bidder, b.Price, b.Channel, b.URL, at(b.DateTime), b.Extra}
}

// ask asks PostgreSQL for the answer of a query over a schema's events.
func ask(ctx context.Context, db *pgx.Conn, schema, name string) (answer, error) {
	text, err := os.ReadFile(filepath.Join("testdata", "postgres", name+".sql"))
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(ctx, "SET search_path TO "+schema); err != nil {
		return nil, err
	}
	rows, err := db.Query(ctx, string(text), pgx.QueryExecModeSimpleProtocol) // values as text
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out answer
	for rows.Next() {
		var cells []string
		for _, raw := range rows.RawValues() {
			if raw == nil {
				cells = append(cells, "NULL")
			} else {
				cells = append(cells, number(string(raw)))
			}
		}
		out = append(out, cells)
	}
	return out.sorted(), rows.Err()
}

// TestTheAnswersOfPostgresAreThePublishedOnes checks what the other tests trust.
func TestTheAnswersOfPostgresAreThePublishedOnes(t *testing.T) {
	dir := data(t, "nexmark-tiny")
	db, err := pgx.Connect(t.Context(), postgres.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if err := load(t.Context(), db, "tiny", tiny(t, dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range nexmark.Names() {
		want, known := expected(t, dir, name)
		if !known {
			continue
		}
		got, err := ask(t.Context(), db, "tiny", name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, lines(got)); diff != "" {
			t.Errorf("%s: (-published +PostgreSQL)\n%s", name, diff)
		}
	}
}
