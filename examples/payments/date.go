package payments

import (
	"errors"
	"time"
)

// A Date is a point in time in milliseconds since 1970-01-01 UTC. It is written yyyy-MM-dd'T'HH:mm:ss.SSS, without a zone and
// always read as UTC, whatever zone the machine is in; years run from 1 to 9999.
type Date int64

// dateLen is the length of the only form there is: 2018-08-01T01:01:15.000.
const dateLen = 23

// The bounds of a Date.
const (
	minDate = Date(-62135596800000) // 0001-01-01T00:00:00.000
	maxDate = Date(253402300799999) // 9999-12-31T23:59:59.999
)

// Errors of dates. They do not quote the text.
var (
	ErrDateForm  = errors.New("not a date of the form yyyy-MM-ddTHH:mm:ss.SSS")
	ErrDateRange = errors.New("a date that does not exist")
)

// DateOf returns t, cut to milliseconds. It is the caller's to stay within years 1 to 9999.
func DateOf(t time.Time) Date { return Date(t.UnixMilli()) }

// Time returns the date as a time in UTC.
func (d Date) Time() time.Time { return time.UnixMilli(int64(d)).UTC() }

// ParseDate reads the text form. Months, days, hours, minutes and seconds that do not exist are errors.
func ParseDate[T ~string | ~[]byte](s T) (Date, error) { return parseDate([]byte(s)) }

func parseDate(b []byte) (Date, error) {
	if len(b) != dateLen || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != '.' {
		return 0, ErrDateForm
	}
	year, month, day := number(b[0:4]), number(b[5:7]), number(b[8:10])
	hour, minute, second, milli := number(b[11:13]), number(b[14:16]), number(b[17:19]), number(b[20:23])
	if min(year, month, day, hour, minute, second, milli) < 0 {
		return 0, ErrDateForm
	}
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, ErrDateRange
	}
	seconds := ((daysSinceEpoch(year, month, day)*24+int64(hour))*60+int64(minute))*60 + int64(second)
	return Date(seconds*1000 + int64(milli)), nil
}

// number reads digits; anything else is -1.
func number(digits []byte) int {
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func daysIn(year, month int) int {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts the days from 1970-01-01 to a date of the Gregorian calendar. Years are taken to begin in March, so
// that the leap day is the last of its year.
func daysSinceEpoch(year, month, day int) int64 {
	y, m := int64(year), int64(month)-3
	if m < 0 {
		y, m = y-1, m+12
	}
	daysBeforeMonth := (153*m + 2) / 5 // from March on months have 31 30 31 30 31, again and again
	return y*365 + y/4 - y/100 + y/400 + daysBeforeMonth + int64(day) - 1 - 719468
}

// civil is the date that is so many days after 0001-01-01. It is daysSinceEpoch the other way round: century, year and month are each found
// from the days that all before them have.
func civil(days int) (year, month, day int) {
	days += 306 // from 0000-03-01
	century := (4*days + 3) / 146097
	days -= century * 146097 / 4
	year = (4*days + 3) / 1461
	days -= year * 1461 / 4
	month = (5*days + 2) / 153
	day = days - (153*month+2)/5 + 1
	year += 100 * century
	if month < 10 {
		return year, month + 3, day
	}
	return year + 1, month - 9, day
}

// String returns the text form.
func (d Date) String() string { return string(d.append(make([]byte, 0, dateLen))) }

func (d Date) append(dst []byte) []byte {
	const day = 24 * 60 * 60 * 1000
	days, milli := int((d-minDate)/day), int((d-minDate)%day)
	year, month, dayOfMonth := civil(days)
	second := milli / 1000
	dst = append(dst, "0000-00-00T00:00:00.000"...)
	text := dst[len(dst)-dateLen:]
	put2(text[0:], year/100)
	put2(text[2:], year%100)
	put2(text[5:], month)
	put2(text[8:], dayOfMonth)
	put2(text[11:], second/3600)
	put2(text[14:], second/60%60)
	put2(text[17:], second%60)
	text[20] += byte(milli / 100 % 10)
	put2(text[21:], milli%100)
	return dst
}

func put2(text []byte, n int) { text[0], text[1] = byte('0'+n/10), byte('0'+n%10) }

// AppendJSON appends the text form as a JSON string; a date outside years 1 to 9999 is an error.
func (d Date) AppendJSON(dst []byte) ([]byte, error) {
	if d < minDate || d > maxDate {
		return nil, ErrDateRange
	}
	return append(d.append(append(dst, '"')), '"'), nil
}

// ParseJSON reads a JSON string. It does not keep the token.
func (d *Date) ParseJSON(token []byte) error {
	if len(token) != dateLen+2 || token[0] != '"' || token[dateLen+1] != '"' {
		return ErrDateForm
	}
	parsed, err := ParseDate(token[1 : dateLen+1])
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// MarshalJSON is AppendJSON, for encoding/json.
func (d Date) MarshalJSON() ([]byte, error) { return d.AppendJSON(nil) }

// UnmarshalJSON is ParseJSON, for encoding/json; null changes nothing.
func (d *Date) UnmarshalJSON(token []byte) error {
	if string(token) == "null" {
		return nil
	}
	return d.ParseJSON(token)
}
