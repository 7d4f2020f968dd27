package datetime

import (
	"fmt"
	"strings"
	"time"
)

// Instant reads an ISO timestamp of which the end may be missing: "2018", "2018-03-04", "2018-03-04T10:20:30.5", with or without a
// zone (Z, +0100, +01:00). What is missing is the first of its kind; without a zone it is UTC.
func Instant(text string) (int64, error) {
	date, clock, _ := strings.Cut(text, "T")
	days, err := Date(date)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no timestamp such as 2018-03-04T10:20:30.500", ErrText, text)
	}
	zone := 0
	if n := len(clock); n > 0 && (clock[n-1] == 'Z' || clock[n-1] == 'z') {
		clock = clock[:n-1]
	} else if i := strings.LastIndexAny(clock, "+-"); i >= 0 {
		secs, n := scanOffset(clock[i:])
		if n == 0 || i+n != len(clock) {
			return 0, fmt.Errorf("%w: %q has no zone such as +0100", ErrText, text)
		}
		zone, clock = secs, clock[:i]
	}
	var ms int64
	if clock != "" {
		if ms, err = partialTime(clock, 1); err != nil {
			return 0, fmt.Errorf("%w: %q is no timestamp such as 2018-03-04T10:20:30.500", ErrText, text)
		}
	}
	return days*msPerDay + ms - int64(zone)*1000, nil
}

// Date reads "2018-03-04", "2018-03" or "2018".
func Date(text string) (int64, error) {
	v := [3]int{0, 1, 1}
	rest := text
	for i := range v {
		width := 2
		if i == 0 {
			width = 4
		}
		n := digitRun(rest, 0, width)
		if n == 0 || i == 0 && n != 4 {
			return 0, fmt.Errorf("%w: %q is no date such as 2018-03-04", ErrText, text)
		}
		v[i] = int(number(rest[:n]))
		if rest = rest[n:]; rest == "" {
			break
		}
		if rest[0] != '-' || i == 2 {
			return 0, fmt.Errorf("%w: %q is no date such as 2018-03-04", ErrText, text)
		}
		rest = rest[1:]
	}
	t := time.Date(v[0], time.Month(v[1]), v[2], 0, 0, 0, 0, time.UTC)
	if t.Month() != time.Month(v[1]) || t.Day() != v[2] {
		return 0, fmt.Errorf("%w: there is no day %q", ErrText, text)
	}
	return Days(v[0], v[1], v[2]), nil
}

// Time reads "10:20", "10:20:30" or "10:20:30.5" as ms since midnight.
func Time(text string) (int64, error) { return partialTime(text, 2) }

// partialTime reads hours, minutes, seconds and a fraction, of which at least so many must be there.
func partialTime(text string, least int) (int64, error) {
	rest, ms, count, last := text, int64(0), 0, int64(23)
	if least == 1 {
		last = 24 // of a timestamp: the end of the day, as in Java
	}
	for unit := int64(3_600_000); unit >= 1000; unit /= 60 {
		n := digitRun(rest, 0, 2)
		if n == 0 {
			return 0, fmt.Errorf("%w: %q is no time such as 10:20:30", ErrText, text)
		}
		v := number(rest[:n])
		if v > 59 || unit == 3_600_000 && v > last {
			return 0, fmt.Errorf("%w: there is no time %q", ErrText, text)
		}
		ms += v * unit
		count++
		if rest = rest[n:]; rest == "" {
			break
		}
		if unit > 1000 {
			if rest[0] != ':' {
				return 0, fmt.Errorf("%w: %q is no time such as 10:20:30", ErrText, text)
			}
			rest = rest[1:]
		}
	}
	if rest != "" && rest[0] == '.' {
		n := digitRun(rest, 1, 9)
		if n == 0 {
			return 0, fmt.Errorf("%w: %q has no digits behind its point", ErrText, text)
		}
		for i, unit := 0, int64(100); i < min(n, 3); i++ {
			ms += int64(rest[1+i]-'0') * unit
			unit /= 10
		}
		rest = rest[1+n:]
	}
	if rest != "" || count < least || ms > msPerDay {
		return 0, fmt.Errorf("%w: %q is no time such as 10:20:30", ErrText, text)
	}
	return ms, nil
}

// AppendInstant appends a timestamp as "2018-03-04T10:20:30.500".
func AppendInstant(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000")
}

// AppendDate appends a date as "2018-03-04".
func AppendDate(dst []byte, days int64) []byte {
	return time.Unix(days*(msPerDay/1000), 0).UTC().AppendFormat(dst, time.DateOnly)
}

// AppendTime appends a time as "10:20", "10:20:30" or "10:20:30.500", as short as it can be.
func AppendTime(dst []byte, ms int64) []byte {
	layout := "15:04:05.000"
	switch {
	case ms%60_000 == 0:
		layout = "15:04"
	case ms%1000 == 0:
		layout = time.TimeOnly
	}
	return time.UnixMilli(ms).UTC().AppendFormat(dst, layout)
}
