package datetime

import (
	"fmt"
	"strconv"
	"time"
)

func (f *Format) format(t time.Time, has parts) (string, error) {
	var buf [64]byte
	out, err := appendElems(buf[:0], f.elems, t, has)
	if err != nil {
		return "", fmt.Errorf("format by %q: %w", f.pattern, err)
	}
	return string(out), nil
}

func appendElems(dst []byte, elems []elem, t time.Time, has parts) ([]byte, error) {
	for i := range elems {
		e := &elems[i]
		start := len(dst)
		var err error
		if e.kind == kindOptional {
			if part, err := appendElems(dst, e.group, t, has); err == nil {
				dst = part
			}
			continue
		}
		if dst, err = appendElem(dst, e, t, has); err != nil {
			return dst, err
		}
		if n := len(dst) - start; n < e.pad {
			dst = append(dst, make([]byte, e.pad-n)...)
			copy(dst[start+e.pad-n:], dst[start:start+n])
			for j := range e.pad - n {
				dst[start+j] = ' '
			}
		}
	}
	return dst, nil
}

func appendElem(dst []byte, e *elem, t time.Time, has parts) ([]byte, error) {
	switch e.kind {
	case kindLiteral:
		return append(dst, e.text...), nil
	case kindOffset, kindZoneText, kindZoneID:
		if has&hasZone == 0 {
			return dst, fmt.Errorf("%w: a zone", ErrField)
		}
		return appendZone(dst, e, t), nil
	}
	if has&e.field.needs() == 0 {
		return dst, fmt.Errorf("%w: %s", ErrField, map[parts]string{hasDate: "a part of the date", hasTime: "a part of the time"}[e.field.needs()])
	}
	v := value(e.field, t)
	switch e.kind {
	case kindText:
		return append(dst, e.names[v-e.field.first()]...), nil
	case kindReduced:
		return appendPadded(dst, ((v%100)+100)%100, 2), nil
	case kindFraction:
		for i, unit := 0, int64(100_000_000); i < e.min; i++ {
			dst = append(dst, byte('0'+v/unit%10))
			unit = max(unit/10, 1)
		}
		return dst, nil
	}
	if v < 0 {
		dst, v = append(dst, '-'), -v
	} else if e.signed && len(strconv.FormatInt(v, 10)) > e.min {
		dst = append(dst, '+')
	}
	return appendPadded(dst, v, e.min), nil
}

func appendPadded(dst []byte, v int64, width int) []byte {
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], v, 10)
	for range width - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// value is the number of a field at t.
func value(f field, t time.Time) int64 {
	nano := int64(t.Nanosecond())
	ofDay := (int64(t.Hour())*3600+int64(t.Minute())*60+int64(t.Second()))*1_000_000_000 + nano
	switch f {
	case fieldEra:
		if t.Year() < 1 {
			return 0
		}
		return 1
	case fieldYear:
		return int64(t.Year())
	case fieldYearOfEra:
		if t.Year() < 1 {
			return int64(1 - t.Year())
		}
		return int64(t.Year())
	case fieldDayOfYear:
		return int64(t.YearDay())
	case fieldMonth:
		return int64(t.Month())
	case fieldDay:
		return int64(t.Day())
	case fieldQuarter:
		return int64(t.Month()-1)/3 + 1
	case fieldWeekday:
		return int64(t.Weekday()+6)%7 + 1
	case fieldLocalDay:
		return int64(t.Weekday()) + 1
	case fieldMonthWeek:
		first := t.AddDate(0, 0, 1-t.Day()).Weekday()
		return int64(t.Day()-1+int(first))/7 + 1
	case fieldMonthDay:
		return int64(t.Day()-1)%7 + 1
	case fieldWeek, fieldWeekYear:
		year, week := localWeek(t)
		if f == fieldWeek {
			return week
		}
		return year
	case fieldAMPM:
		return int64(t.Hour() / 12)
	case fieldHour:
		return int64(t.Hour())
	case fieldClockHour:
		return int64(t.Hour()+23)%24 + 1
	case fieldHourAMPM:
		return int64(t.Hour() % 12)
	case fieldClockAMPM:
		return int64(t.Hour()+11)%12 + 1
	case fieldMinute:
		return int64(t.Minute())
	case fieldSecond:
		return int64(t.Second())
	case fieldMilliOfDay:
		return ofDay / 1_000_000
	case fieldNanoOfDay:
		return ofDay
	default:
		return nano
	}
}

// localWeek is the week of the year as in the United States: weeks start on Sunday, the first is the one with January 1.
func localWeek(t time.Time) (year, week int64) {
	y, m, d := t.Date()
	saturday := time.Date(y, m, d+6-int(t.Weekday()), 0, 0, 0, 0, time.UTC)
	return int64(saturday.Year()), int64(saturday.YearDay()-1)/7 + 1
}

func appendZone(dst []byte, e *elem, t time.Time) []byte {
	name, secs := t.Zone()
	switch e.kind {
	case kindZoneID:
		return append(dst, t.Location().String()...)
	case kindZoneText:
		return append(dst, name...)
	}
	s := e.offset
	dst = append(dst, s.prefix...)
	if secs == 0 {
		return append(dst, e.text...)
	}
	sign := byte('+')
	if secs < 0 {
		sign, secs = '-', -secs
	}
	h, m, sec := int64(secs/3600), int64(secs/60%60), int64(secs%60)
	dst = append(dst, sign)
	if s.prefix != "" && !s.minutes {
		dst = appendPadded(dst, h, 1)
	} else {
		dst = appendPadded(dst, h, 2)
	}
	if !s.minutes && m == 0 {
		return dst
	}
	if s.colon {
		dst = append(dst, ':')
	}
	dst = appendPadded(dst, m, 2)
	if s.seconds && sec != 0 {
		if s.colon {
			dst = append(dst, ':')
		}
		dst = appendPadded(dst, sec, 2)
	}
	return dst
}
