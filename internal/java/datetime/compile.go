package datetime

import (
	"fmt"
	"strings"
)

// A field is a part of a date or time that an element reads and writes.
type field uint8

const (
	fieldEra field = iota
	fieldYear
	fieldYearOfEra
	fieldWeekYear
	fieldDayOfYear
	fieldMonth
	fieldDay
	fieldQuarter
	fieldWeek
	fieldWeekday   // ISO: Monday is 1
	fieldLocalDay  // Sunday is 1
	fieldMonthWeek // W: the week that the first of the month is in is 1
	fieldMonthDay  // F: the days of a month by sevens
	fieldAMPM      // 0, 1
	fieldClockAMPM // h: 1 to 12
	fieldHour      // H
	fieldClockHour // k: 1 to 24
	fieldHourAMPM  // K: 0 to 11
	fieldMinute
	fieldSecond
	fieldNano
	fieldMilliOfDay
	fieldNanoOfDay
	fieldCount
)

// needs is what a value must have for a field to be written.
func (f field) needs() parts {
	if f >= fieldAMPM {
		return hasTime
	}
	return hasDate
}

type kind uint8

const (
	kindLiteral kind = iota
	kindNumber
	kindReduced  // two digits of a year from 2000
	kindText     // a name
	kindFraction // digits of the second behind its point
	kindOffset
	kindZoneText
	kindZoneID
	kindOptional
)

// An elem is one part of a pattern.
type elem struct {
	kind       kind
	field      field
	min, max   int  // digits
	signed     bool // a number that is longer than min has a sign (years)
	subsequent int  // digits that belong to the numbers directly behind this one
	pad        int
	text       string // a literal; of an offset what stands for zero
	names      []string
	offset     offsetStyle
	group      []elem
}

// offsetStyle says how an offset is written.
type offsetStyle struct {
	colon   bool
	minutes bool // always; else only when there are some
	seconds bool // when there are some
	prefix  string
}

type compiler struct {
	text string
	at   int
}

func (c *compiler) sequence(inner bool) ([]elem, error) {
	var out []elem
	for c.at < len(c.text) {
		switch b := c.text[c.at]; {
		case b|0x20 >= 'a' && b|0x20 <= 'z':
			e, err := c.letters()
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		case b == '\'':
			s, err := c.quoted()
			if err != nil {
				return nil, err
			}
			out = append(out, elem{kind: kindLiteral, text: s})
		case b == '[':
			c.at++
			group, err := c.sequence(true)
			if err != nil {
				return nil, err
			}
			out = append(out, elem{kind: kindOptional, group: group})
		case b == ']':
			if !inner {
				return nil, fmt.Errorf("unmatched ] at %d", c.at+1)
			}
			c.at++
			return out, nil
		case b == '{' || b == '}' || b == '#':
			return nil, fmt.Errorf("reserved character %q at %d", b, c.at+1)
		default:
			start := c.at
			for c.at < len(c.text) && plain(c.text[c.at]) {
				c.at++
			}
			out = append(out, elem{kind: kindLiteral, text: c.text[start:c.at]})
		}
	}
	return out, nil // Java takes a bracket that is not closed as closed by the end
}

func plain(b byte) bool {
	return (b|0x20 < 'a' || b|0x20 > 'z') && !strings.ContainsRune("'[]{}#", rune(b)) || b >= 0x80
}

func (c *compiler) quoted() (string, error) {
	start := c.at
	var s strings.Builder
	for c.at++; c.at < len(c.text); c.at++ {
		if c.text[c.at] != '\'' {
			s.WriteByte(c.text[c.at])
			continue
		}
		if c.at+1 < len(c.text) && c.text[c.at+1] == '\'' {
			s.WriteByte('\'')
			c.at++
			continue
		}
		c.at++
		if s.Len() == 0 {
			return "'", nil
		}
		return s.String(), nil
	}
	return "", fmt.Errorf("text in quotes from %d does not end", start+1)
}

func (c *compiler) letters() (elem, error) {
	start := c.at
	b := c.text[c.at]
	for c.at < len(c.text) && c.text[c.at] == b {
		c.at++
	}
	n := c.at - start
	if b == 'p' {
		if c.at == len(c.text) || c.text[c.at]|0x20 < 'a' || c.text[c.at]|0x20 > 'z' {
			return elem{}, fmt.Errorf("pad letter p without a letter behind it at %d", start+1)
		}
		e, err := c.letters()
		e.pad = n
		return e, err
	}
	e, ok := letterElem(b, n)
	if !ok {
		return elem{}, fmt.Errorf("letters %s at %d", c.text[start:c.at], start+1)
	}
	return e, nil
}

// letterElem returns what n times the letter stands for.
func letterElem(b byte, n int) (elem, bool) {
	switch b {
	case 'u', 'y', 'Y':
		return yearElem(b, n), true
	case 'M', 'L':
		if n > 2 {
			return textElem(fieldMonth, n, shortMonths, longMonths)
		}
		return numberElem(fieldMonth, n, 2)
	case 'Q', 'q':
		if n > 2 {
			return textElem(fieldQuarter, n, shortQuarters, longQuarters)
		}
		return numberElem(fieldQuarter, n, 2)
	case 'E':
		return textElem(fieldWeekday, max(n, 3), shortDays, longDays)
	case 'e', 'c':
		if n > 2 {
			return textElem(fieldWeekday, n, shortDays, longDays)
		}
		return numberElem(fieldLocalDay, n, 2)
	case 'G':
		return textElem(fieldEra, max(n, 3), shortEras, longEras)
	case 'a':
		return elem{kind: kindText, field: fieldAMPM, names: halves}, n == 1
	case 'W':
		return elem{kind: kindNumber, field: fieldMonthWeek, min: 1, max: 19}, n == 1
	case 'F':
		return elem{kind: kindNumber, field: fieldMonthDay, min: 1, max: 19}, n == 1
	case 'D':
		return elem{kind: kindNumber, field: fieldDayOfYear, min: n, max: 3}, n <= 3
	case 'S':
		return elem{kind: kindFraction, field: fieldNano, min: n, max: n}, n <= 9
	case 'n':
		return elem{kind: kindNumber, field: fieldNano, min: n, max: 19}, n <= 19
	case 'A':
		return elem{kind: kindNumber, field: fieldMilliOfDay, min: n, max: 19}, n <= 19
	case 'N':
		return elem{kind: kindNumber, field: fieldNanoOfDay, min: n, max: 19}, n <= 19
	case 'V':
		return elem{kind: kindZoneID}, n == 2
	case 'z':
		return elem{kind: kindZoneText}, n <= 4
	case 'X', 'x', 'Z', 'O':
		return offsetElem(b, n)
	}
	if f, ok := twoDigits[b]; ok {
		return numberElem(f, n, 2)
	}
	return elem{}, false
}

var twoDigits = map[byte]field{
	'd': fieldDay, 'w': fieldWeek, 'h': fieldClockAMPM, 'H': fieldHour, 'k': fieldClockHour, 'K': fieldHourAMPM, 'm': fieldMinute, 's': fieldSecond,
}

func yearElem(b byte, n int) elem {
	f := map[byte]field{'u': fieldYear, 'y': fieldYearOfEra, 'Y': fieldWeekYear}[b]
	if n == 2 {
		return elem{kind: kindReduced, field: f, min: 2, max: 2}
	}
	return elem{kind: kindNumber, field: f, min: n, max: 19, signed: n > 3}
}

// numberElem: one letter is a number of any length, two are exactly two digits.
func numberElem(f field, n, limit int) (elem, bool) {
	e := elem{kind: kindNumber, field: f, min: n, max: n}
	if n == 1 {
		e.max = 19
	}
	return e, n <= limit
}

func textElem(f field, n int, short, long []string) (elem, bool) {
	e := elem{kind: kindText, field: f, names: short}
	switch n {
	case 4:
		e.names = long
	case 5:
		e.names = make([]string, len(short))
		for i, s := range short {
			e.names[i] = s[:1]
		}
	}
	return e, n <= 5
}

func offsetElem(b byte, n int) (elem, bool) {
	e := elem{kind: kindOffset}
	switch b {
	case 'O':
		e.offset = offsetStyle{prefix: "GMT", colon: true, minutes: n == 4, seconds: true}
		return e, n == 1 || n == 4
	case 'Z':
		switch {
		case n <= 3:
			e.text, e.offset = "+0000", offsetStyle{minutes: true}
		case n == 4:
			e.offset = offsetStyle{prefix: "GMT", colon: true, minutes: true, seconds: true}
		default:
			e.text, e.offset = "Z", offsetStyle{colon: true, minutes: true, seconds: true}
		}
		return e, n <= 5
	}
	e.offset = offsetStyle{colon: n == 3 || n == 5, minutes: n > 1, seconds: n > 3}
	switch {
	case b == 'X':
		e.text = "Z"
	case n == 1:
		e.text = "+00"
	case n == 2 || n == 4:
		e.text = "+0000"
	default:
		e.text = "+00:00"
	}
	return e, n <= 5
}

// reserve tells a number of open length how many digits behind it belong to the numbers that follow without a gap: yyyyMMdd.
func reserve(elems []elem) {
	for i := range elems {
		if elems[i].kind == kindOptional {
			reserve(elems[i].group)
			continue
		}
		if elems[i].kind != kindNumber || elems[i].min == elems[i].max {
			continue
		}
		for _, next := range elems[i+1:] {
			fixed := next.kind == kindFraction || next.kind == kindReduced || next.kind == kindNumber && next.min == next.max
			if !fixed {
				break
			}
			elems[i].subsequent += next.min
		}
	}
}

var (
	longMonths = []string{
		"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	}
	shortMonths   = []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
	longDays      = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	shortDays     = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
	longQuarters  = []string{"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"}
	shortQuarters = []string{"Q1", "Q2", "Q3", "Q4"}
	longEras      = []string{"Before Christ", "Anno Domini"}
	shortEras     = []string{"BC", "AD"}
	halves        = []string{"AM", "PM"}
)

// first is the number of a field's first name.
func (f field) first() int64 {
	if f == fieldEra || f == fieldAMPM {
		return 0
	}
	return 1
}

// shortZones are abbreviations that a text may name; where one means several zones it is the one that Java prefers.
var shortZones = map[string]string{
	"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "MST": "America/Denver", "MDT": "America/Denver",
	"CST": "America/Chicago", "CDT": "America/Chicago", "EST": "America/New_York", "EDT": "America/New_York",
	"BST": "Europe/London", "WET": "Europe/Lisbon", "WEST": "Europe/Lisbon", "CET": "Europe/Paris", "CEST": "Europe/Paris",
	"EET": "Europe/Bucharest", "EEST": "Europe/Bucharest", "MSK": "Europe/Moscow", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo",
	"KST": "Asia/Seoul", "HKT": "Asia/Hong_Kong", "AEST": "Australia/Sydney", "AEDT": "Australia/Sydney", "ACST": "Australia/Darwin",
	"AWST": "Australia/Perth", "NZST": "Pacific/Auckland", "NZDT": "Pacific/Auckland", "HST": "Pacific/Honolulu", "AKST": "America/Anchorage",
	"AKDT": "America/Anchorage", "GMT": "UTC", "UTC": "UTC", "UT": "UTC", "Z": "UTC", "BRT": "America/Sao_Paulo", "SAST": "Africa/Johannesburg",
}
