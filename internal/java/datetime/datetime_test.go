package datetime

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTimestampsByPattern(t *testing.T) {
	const ms = 1526075913042 // 2018-05-11T21:58:33.042Z, a Friday
	for _, c := range []struct{ pattern, zone, want string }{
		{"yyyy-MM-dd'T'HH:mm:ss.SSSX", "UTC", "2018-05-11T21:58:33.042Z"},
		{"yyyy-MM-dd HH:mm:ss z", "America/Los_Angeles", "2018-05-11 14:58:33 PDT"},
		{"yy M d h:m:s a", "Asia/Kolkata", "18 5 12 3:28:33 AM"},
		{"EEEE, d MMMM uuuu", "UTC", "Friday, 11 May 2018"},
		{"E MMM G", "UTC", "Fri May AD"},
		{"D DDD Q QQQ QQQQ", "UTC", "131 131 2 Q2 2nd quarter"},
		{"YYYY ww e", "UTC", "2018 19 6"},
		{"W F", "UTC", "2 4"},
		{"kk K A N", "+02:00", "23 11 86313042 86313042000000"},
		{"X XX XXX x xxx Z ZZZZ ZZZZZ O OOOO", "Asia/Kolkata", "+0530 +0530 +05:30 +0530 +05:30 +0530 GMT+05:30 +05:30 GMT+5:30 GMT+05:30"},
		{"X x XXX Z ZZZZZ ZZZZ", "UTC", "Z +00 Z +0000 Z GMT"},
		{"VV 'it''s' SSSSSS", "Europe/London", "Europe/London it's 042000"},
		{"yyyy[-MM[-dd]]", "UTC", "2018-05-11"},
		{"ppH|ppppd", "+05:00", " 2|  12"},
		{"yyyyMMddHHmmssSSS", "UTC", "20180511215833042"},
	} {
		f, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		z, err := Zone(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Timestamp(ms, z); err != nil || got != c.want {
			t.Errorf("%s in %s: %q, %v; want %q", c.pattern, c.zone, got, err, c.want)
		}
	}
}

func TestParsing(t *testing.T) {
	for _, c := range []struct{ pattern, text, want string }{
		{"yyyy-MM-dd'T'HH:mm:ssX", "2018-05-11T21:58:33z", "2018-05-11T21:58:33.000"},
		{"yyyy-MM-dd'T'HH:mm:ssX", "2018-05-11T21:58:33+02", "2018-05-11T19:58:33.000"},
		{"yyyyMMddHHmmssSSS", "20180511215833042", "2018-05-11T21:58:33.042"},
		{"dd-MMM-yyyy", "01-JAN-2022", "2022-01-01T00:00:00.000"},
		{"MMM-yy", "jan-22", "2022-01-01T00:00:00.000"},
		{"HH:mm", "10:20", "1970-01-01T10:20:00.000"},
		{"MM-dd", "02-29", "1972-02-29T00:00:00.000"},
		{"yyyy-MM-dd", "2021-06-31", "2021-06-30T00:00:00.000"},
		{"yyyy-DDD", "2020-366", "2020-12-31T00:00:00.000"},
		{"EEE, d MMM yyyy h:mm a z", "Fri, 11 May 2018 2:58 PM PDT", "2018-05-11T21:58:00.000"},
		{"yyyy-MM-dd HH:mm VV", "2018-07-01 12:00 Europe/London", "2018-07-01T11:00:00.000"},
		{"yyyy[-MM[-dd]]", "2018-05", "2018-05-01T00:00:00.000"},
		{"G yyyy", "BC 0002", "-0001-01-01T00:00:00.000"},
		{"kk:mm", "24:10", "1970-01-01T00:10:00.000"},
	} {
		f, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		ms, err := f.ParseTimestamp(c.text, time.UTC)
		if got := string(AppendInstant(nil, ms)); err != nil || got != c.want {
			t.Errorf("%q by %s: %s, %v; want %s", c.text, c.pattern, got, err, c.want)
		}
	}
	for _, c := range []struct{ pattern, text string }{
		{"yyyy", "18"},
		{"yyyy-MM-dd", "2018-05-11x"},
		{"yyyy-MM-dd", "2018-13-01"},
		{"HH", "24"},
		{"EEE yyyy-MM-dd", "Mon 2018-05-11"},
		{"YYYY-MM-dd", "2018-05-11"},
		{"yyyy-MM W", "2018-05 2"},
		{"yyyy-DDD", "2019-366"},
		{"X", "+25"},
		{"d d", "1 2"},
	} {
		f, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if ms, err := f.ParseTimestamp(c.text, time.UTC); !errors.Is(err, ErrText) {
			t.Errorf("%q by %s: %d, %v", c.text, c.pattern, ms, err)
		}
	}
}

func TestPatternsThatCannotBeCompiled(t *testing.T) {
	for _, p := range []string{"yyyy-MM-dd'T", "b", "aa", "]", "HHH", "{", "SSSSSSSSSS", "V", "p"} {
		if _, err := Compile(p); !errors.Is(err, ErrPattern) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestPartsThatAValueLacks(t *testing.T) {
	f, _ := Compile("HH:mm")
	if got, err := f.Date(3); !errors.Is(err, ErrField) {
		t.Error(got, err)
	}
	f, _ = Compile("yyyy[ HH]")
	if got, err := f.Date(0); err != nil || got != "1970" {
		t.Error(got, err)
	}
	f, _ = Compile("dd X")
	if got, err := f.Time(3); !errors.Is(err, ErrField) {
		t.Error(got, err)
	}
}

func TestISO(t *testing.T) {
	for text, want := range map[string]string{
		"2018": "2018-01-01T00:00:00.000", "2018-03": "2018-03-01T00:00:00.000", "2020-02-10T08:31:44.001+0000": "2020-02-10T08:31:44.001",
		"2020-02-10T08:31+01:00": "2020-02-10T07:31:00.000", "2022-04-28T21:44:47.943Z": "2022-04-28T21:44:47.943", "1970-1-2T3": "1970-01-02T03:00:00.000",
	} {
		if ms, err := Instant(text); err != nil || string(AppendInstant(nil, ms)) != want {
			t.Errorf("%s: %s, %v", text, AppendInstant(nil, ms), err)
		}
	}
	for _, text := range []string{"", "foo", "18", "2018-02-30", "2018-01-01T25", "2018-01-01T10:20:30.", "2018-01-01T10+x", "2018-01-01-01"} {
		if ms, err := Instant(text); err == nil {
			t.Errorf("%q is %d", text, ms)
		}
	}
	for text, want := range map[string]string{"10:20": "10:20", "10:20:30": "10:20:30", "10:20:30.5": "10:20:30.500"} {
		if ms, err := Time(text); err != nil || string(AppendTime(nil, ms)) != want {
			t.Errorf("%s: %s, %v", text, AppendTime(nil, ms), err)
		}
	}
	if _, err := Time("10"); err == nil {
		t.Error("an hour alone was taken for a time")
	}
}

func TestZones(t *testing.T) {
	at := time.Date(2018, 7, 1, 0, 0, 0, 0, time.UTC)
	for id, want := range map[string]int{"UTC": 0, "Z": 0, "+0200": 7200, "-3": -10800, "UTC+01:30": 5400, "GMT-2": -7200, "Europe/London": 3600, "PST": -25200} {
		z, err := Zone(id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if _, got := at.In(z).Zone(); got != want {
			t.Errorf("%s is %d s off, want %d", id, got, want)
		}
	}
	for _, id := range []string{"", "Local", "Nowhere/Town", "+25:00", "+1x"} {
		if _, err := Zone(id); !errors.Is(err, ErrZone) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func FuzzPatterns(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss[.SSS]X", "2018-05-11T21:58:33Z")
	f.Add("ppH EEE VV z", " 2 Mon UTC PST")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		c, err := Compile(pattern)
		if err != nil {
			return
		}
		_, _ = c.ParseTimestamp(text, time.UTC)
		_, _ = c.ParseDate(text)
		_, _ = c.Timestamp(1526075913042, time.UTC)
		_, _ = c.Time(42)
	})
}

// A zone's name is looked for no further than names are long: not in each start of a long text.
func TestNoNameOfAZoneIsAsLongAsAText(t *testing.T) {
	f, err := Compile("z")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a", 1<<20)
	if n := testing.AllocsPerRun(1, func() {
		if _, err := f.ParseTimestamp(text, time.UTC); err == nil {
			t.Error("a million letters are a zone")
		}
	}); n > 10_000 {
		t.Errorf("%v allocations", n)
	}
}
