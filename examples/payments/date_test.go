package payments_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/examples/payments"
)

const layout = "2006-01-02T15:04:05.000"

func TestDatesAreReadAsUTC(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	time.Local = time.FixedZone("Jakarta", 7*3600)
	d, err := payments.ParseDate("2018-08-01T01:01:15.007")
	if err != nil || d.Time() != time.Date(2018, 8, 1, 1, 1, 15, 7e6, time.UTC) || d.String() != "2018-08-01T01:01:15.007" {
		t.Errorf("got %s, %v", d, err)
	}
}

func TestEveryDayIsReadAndWrittenAsTimeDoes(t *testing.T) {
	// The calendar repeats after 400 years.
	for day := time.Date(1600, 1, 1, 23, 59, 59, 999e6, time.UTC); day.Year() < 2100; day = day.Add(24 * time.Hour) {
		text := day.Format(layout)
		d, err := payments.ParseDate(text)
		if err != nil || int64(d) != day.UnixMilli() {
			t.Fatalf("%s: got %d, %v, want %d", text, d, err, day.UnixMilli())
		}
		if d.String() != text {
			t.Fatalf("%s is written %s", text, d)
		}
	}
}

func TestDatesThatDoNotExist(t *testing.T) {
	for text, want := range map[string]error{
		"2019-02-29T00:00:00.000": payments.ErrDateRange, "1900-02-29T00:00:00.000": payments.ErrDateRange, "2018-04-31T00:00:00.000": payments.ErrDateRange,
		"2018-13-01T00:00:00.000": payments.ErrDateRange, "2018-00-01T00:00:00.000": payments.ErrDateRange, "2018-01-00T00:00:00.000": payments.ErrDateRange,
		"2018-01-01T24:00:00.000": payments.ErrDateRange, "2018-01-01T00:60:00.000": payments.ErrDateRange, "2018-01-01T00:00:60.000": payments.ErrDateRange,
		"0000-01-01T00:00:00.000": payments.ErrDateRange,
		"2018-01-01 00:00:00.000": payments.ErrDateForm, "2018-01-01T00:00:00": payments.ErrDateForm, "2018-01-01T00:00:00.000Z": payments.ErrDateForm,
		"2018-1-01T00:00:00.0000": payments.ErrDateForm, "+018-01-01T00:00:00.000": payments.ErrDateForm, "": payments.ErrDateForm,
		"2018-01-01T00:00:00,000": payments.ErrDateForm, "２018-01-01T00:00:00.0": payments.ErrDateForm,
	} {
		if _, err := payments.ParseDate(text); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{"2020-02-29T00:00:00.000", "2000-02-29T23:59:59.999", "0001-01-01T00:00:00.000", "9999-12-31T23:59:59.999"} {
		if d, err := payments.ParseDate(text); err != nil || d.String() != text {
			t.Errorf("%q: %s, %v", text, d, err)
		}
	}
}

func TestADateOutOfRangeIsNotWritten(t *testing.T) {
	last, _ := payments.ParseDate("9999-12-31T23:59:59.999")
	first, _ := payments.ParseDate("0001-01-01T00:00:00.000")
	for d, ok := range map[payments.Date]bool{last: true, last + 1: false, first: true, first - 1: false} {
		if b, err := d.AppendJSON(nil); (err == nil) != ok {
			t.Errorf("%d: %s, %v", d, b, err)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2018-08-01T01:01:15.000", "2020-02-29T23:59:59.999", "0001-01-01T00:00:00.000", "2018-02-30T00:00:00.000", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := payments.ParseDate(s)
		want, terr := time.Parse(layout, s)
		// time.Parse also takes the year 0, a comma before the milliseconds and an hour of one digit.
		if terr == nil && (want.Year() == 0 || want.Format(layout) != s) {
			terr = errors.New("not ours")
		}
		if (err == nil) != (terr == nil) {
			t.Fatalf("%q: %v, time.Parse says %v", s, err, terr)
		}
		if err == nil && (int64(d) != want.UnixMilli() || d.String() != s) {
			t.Fatalf("%q: %d %s, want %d", s, d, d, want.UnixMilli())
		}
		token := fmt.Sprintf("%q", s)
		var back payments.Date
		if perr := back.ParseJSON([]byte(token)); err == nil && (perr != nil || back != d) {
			t.Fatalf("%s: %v", token, perr)
		}
	})
}
