// Package datetime reads and writes dates and times by the patterns of java.time.format.DateTimeFormatter.
//
// Purpose: patterns such as "yyyy-MM-dd'T'HH:mm:ss.SSSX" that users pass to PARSE_TIMESTAMP, FORMAT_DATE or TIMESTAMP_FORMAT mean the
// same here as on the JVM.
//
// Callers and callees: functions, casts and formats of SQL call it; it calls time and its embedded zone data.
//
// Owner and locks: a Format never changes once it is compiled and is safe from any goroutine.
//
// Format: letters G u y Y D M L d Q q w E e c a h H k K m s S n A N z V O Z X x p, text in quotes, optional parts in brackets; names of
// months, days and halves of the day in English, parsed whatever their case. A date that is read may leave out parts: the year is then 1970,
// month and day 1, the time midnight, as in ksqlDB.
//
// Not here: locales other than English, calendars other than ISO, localized styles (B, W, F are errors).
package datetime

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones are the same on every machine
)

var (
	// ErrPattern: the pattern is not one that can be compiled.
	ErrPattern = errors.New("invalid pattern of a date or time")
	// ErrText: the text does not follow the pattern, or names no date or time.
	ErrText = errors.New("text does not follow the pattern")
	// ErrField: the pattern asks for a part that the value does not have, such as the hour of a date.
	ErrField = errors.New("unsupported field")
	// ErrZone: there is no such time zone.
	ErrZone = errors.New("unknown time zone")
)

// A Format is a compiled pattern.
type Format struct {
	pattern string
	elems   []elem
	layout  *layout // nil: the pattern has none
}

// Compile compiles a pattern; its error is ErrPattern with the place.
func Compile(pattern string) (*Format, error) {
	c := compiler{text: pattern}
	elems, err := c.sequence(false)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrPattern, pattern, err)
	}
	reserve(elems)
	return &Format{pattern, elems, layoutOf(elems)}, nil
}

// Pattern returns the text that was compiled.
func (f *Format) Pattern() string { return f.pattern }

const msPerDay = 24 * 60 * 60 * 1000

// parts says what a value has.
type parts uint8

const (
	hasDate parts = 1 << iota
	hasTime
	hasZone
)

// Timestamp writes the instant ms (since 1970-01-01T00:00:00Z) as zone sees it.
func (f *Format) Timestamp(ms int64, zone *time.Location) (string, error) {
	if zone == time.UTC {
		if s, ok := f.layout.format(ms); ok {
			return s, nil
		}
	}
	return f.format(time.UnixMilli(ms).In(zone), hasDate|hasTime|hasZone)
}

// Date writes a date, days since 1970-01-01.
func (f *Format) Date(days int64) (string, error) {
	return f.format(time.Unix(days*(msPerDay/1000), 0).UTC(), hasDate)
}

// Time writes a time of day, ms since midnight.
func (f *Format) Time(ms int64) (string, error) {
	return f.format(time.UnixMilli(ms).UTC(), hasTime)
}

// ParseTimestamp reads an instant in ms. A text without a zone is in the given one.
func (f *Format) ParseTimestamp(text string, zone *time.Location) (int64, error) {
	if zone == time.UTC {
		if ms, ok := f.layout.parse(text); ok {
			return ms, nil
		}
	}
	p, err := f.parse(text)
	if err != nil {
		return 0, err
	}
	y, m, d, err := p.date()
	if err != nil {
		return 0, err
	}
	ns, err := p.timeOfDay()
	if err != nil {
		return 0, err
	}
	if p.zone != nil {
		zone = p.zone
	}
	return time.Date(y, time.Month(m), d, int(ns/3_600_000_000_000), int(ns/60_000_000_000%60), int(ns/1_000_000_000%60),
		int(ns%1_000_000_000), zone).UnixMilli(), nil
}

// ParseDate reads a date as days since 1970-01-01.
func (f *Format) ParseDate(text string) (int64, error) {
	p, err := f.parse(text)
	if err != nil {
		return 0, err
	}
	y, m, d, err := p.date()
	return Days(y, m, d), err
}

// ParseTime reads a time of day as ms since midnight.
func (f *Format) ParseTime(text string) (int64, error) {
	p, err := f.parse(text)
	if err != nil {
		return 0, err
	}
	ns, err := p.timeOfDay()
	return ns / 1_000_000, err
}

// Days returns a date as days since 1970-01-01.
func Days(year, month, day int) int64 {
	return floorDiv(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix(), msPerDay/1000)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Zone finds a time zone as ZoneId.of does: a region, UTC, GMT or UT, an offset such as +02:00, or one of the former with an offset.
func Zone(id string) (*time.Location, error) {
	rest := id
	for _, prefix := range []string{"UTC", "GMT", "UT"} {
		if id == prefix {
			return time.UTC, nil
		}
		if r := strings.TrimPrefix(id, prefix); r != id && (r[0] == '+' || r[0] == '-') {
			rest = r
			break
		}
	}
	if id == "Z" || id == "z" {
		return time.UTC, nil
	}
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		if secs, n := scanOffset(rest); n == len(rest) {
			return time.FixedZone(id, secs), nil
		}
		return nil, fmt.Errorf("%w %q", ErrZone, id)
	}
	if id == "" || id == "Local" {
		return nil, fmt.Errorf("%w %q", ErrZone, id)
	}
	if name, ok := shortZones[id]; ok {
		id = name
	}
	loc, err := time.LoadLocation(id)
	if err != nil {
		return nil, fmt.Errorf("%w %q", ErrZone, id)
	}
	return loc, nil
}

// scanOffset reads +h, +hh, +hhmm, +hh:mm, +hhmmss or +hh:mm:ss and returns seconds and how many bytes they took; 0 bytes: no offset.
func scanOffset(s string) (secs, n int) {
	var v [3]int
	n = 1
	for i := range v {
		at := n
		if i > 0 && at < len(s) && s[at] == ':' {
			at++
		}
		digits := 0
		for digits < 2 && at+digits < len(s) && s[at+digits]-'0' <= 9 {
			v[i] = v[i]*10 + int(s[at+digits]-'0')
			digits++
		}
		if digits == 0 || i > 0 && digits != 2 {
			v[i] = 0
			if i == 0 {
				return 0, 0
			}
			break
		}
		n = at + digits
	}
	if v[0] > 18 || v[1] > 59 || v[2] > 59 {
		return 0, 0
	}
	secs = v[0]*3600 + v[1]*60 + v[2]
	if s[0] == '-' {
		secs = -secs
	}
	return secs, n
}
