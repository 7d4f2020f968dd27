package datetime

import (
	"fmt"
	"time"
)

// bounds are the values that a field may have.
var bounds = [fieldCount][2]int64{
	fieldEra: {0, 1}, fieldYear: {-999_999, 999_999}, fieldYearOfEra: {1, 999_999}, fieldWeekYear: {-999_999, 999_999},
	fieldDayOfYear: {1, 366}, fieldMonth: {1, 12}, fieldDay: {1, 31}, fieldQuarter: {1, 4}, fieldWeek: {1, 54},
	fieldWeekday: {1, 7}, fieldLocalDay: {1, 7}, fieldMonthWeek: {0, 6}, fieldMonthDay: {1, 7}, fieldAMPM: {0, 1}, fieldClockAMPM: {1, 12}, fieldHour: {0, 23},
	fieldClockHour: {1, 24}, fieldHourAMPM: {0, 11}, fieldMinute: {0, 59}, fieldSecond: {0, 59}, fieldNano: {0, 999_999_999},
	fieldMilliOfDay: {0, msPerDay - 1}, fieldNanoOfDay: {0, msPerDay*1_000_000 - 1},
}

func (p *parsed) check() error {
	for f := range fieldCount {
		if p.has(f) && (p.v[f] < bounds[f][0] || p.v[f] > bounds[f][1]) {
			return fmt.Errorf("%w: %d is out of the range %d to %d", ErrText, p.v[f], bounds[f][0], bounds[f][1])
		}
	}
	return nil
}

// or is a field's value, or what it is when it was not in the text.
func (p *parsed) or(f field, otherwise int64) int64 {
	if p.has(f) {
		return p.v[f]
	}
	return otherwise
}

// date puts year, month and day together. A day beyond its month's end is the last of the month, as Java's smart resolving has it.
func (p *parsed) date() (year, month, day int, err error) {
	if err := p.check(); err != nil {
		return 0, 0, 0, err
	}
	if (p.has(fieldMonthWeek) || p.has(fieldMonthDay)) && !p.has(fieldDay) {
		return 0, 0, 0, fmt.Errorf("%w: a week of a month (W, F) makes no date, the day is d", ErrText)
	}
	switch {
	case p.has(fieldYear):
		year = int(p.v[fieldYear])
	case p.has(fieldYearOfEra):
		if year = int(p.v[fieldYearOfEra]); p.or(fieldEra, 1) == 0 {
			year = 1 - year
		}
	case p.has(fieldWeekYear):
		return 0, 0, 0, fmt.Errorf("%w: a week-based year (Y) alone makes no date, the year is y", ErrText)
	case p.or(fieldMonth, 0) == 2 && p.or(fieldDay, 0) == 29:
		year = 1972 // the leap year nearest to the year that is assumed
	default:
		year = 1970
	}
	if p.has(fieldDayOfYear) && !p.has(fieldMonth) {
		t := time.Date(year, 1, int(p.v[fieldDayOfYear]), 0, 0, 0, 0, time.UTC)
		if t.Year() != year {
			return 0, 0, 0, fmt.Errorf("%w: the year %d has no day 366", ErrText, year)
		}
		return year, int(t.Month()), t.Day(), p.weekday(t)
	}
	first := int64(1)
	if p.has(fieldQuarter) {
		first = p.v[fieldQuarter]*3 - 2
	}
	month, day = int(p.or(fieldMonth, first)), int(p.or(fieldDay, 1))
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	day = min(day, last)
	return year, month, day, p.weekday(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC))
}

// weekday checks the name of the day, if the text had one.
func (p *parsed) weekday(t time.Time) error {
	if p.has(fieldWeekday) && p.v[fieldWeekday] != value(fieldWeekday, t) {
		return fmt.Errorf("%w: %s is no %s", ErrText, t.Format(time.DateOnly), longDays[p.v[fieldWeekday]-1])
	}
	return nil
}

// timeOfDay is the time in nanoseconds since midnight.
func (p *parsed) timeOfDay() (int64, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	if p.has(fieldNanoOfDay) {
		return p.v[fieldNanoOfDay], nil
	}
	if p.has(fieldMilliOfDay) {
		return p.v[fieldMilliOfDay] * 1_000_000, nil
	}
	var hour int64
	switch {
	case p.has(fieldHour):
		hour = p.v[fieldHour]
	case p.has(fieldClockHour):
		hour = p.v[fieldClockHour] % 24
	case p.has(fieldClockAMPM):
		hour = p.v[fieldClockAMPM]%12 + 12*p.or(fieldAMPM, 0)
	case p.has(fieldHourAMPM):
		hour = p.v[fieldHourAMPM] + 12*p.or(fieldAMPM, 0)
	}
	return ((hour*60+p.or(fieldMinute, 0))*60+p.or(fieldSecond, 0))*1_000_000_000 + p.or(fieldNano, 0), nil
}
