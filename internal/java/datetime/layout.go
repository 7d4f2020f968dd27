package datetime

// A layout is how a pattern looks whose parts all have one width and stand apart, such as yyyy-MM-dd'T'HH:mm:ss.SSS. Texts that look so and
// name a time are read and written by it; all others are left to the pattern, which also says what is wrong with them.
type layout struct {
	form  string // the literals, and a 0 for each digit
	parts [fieldCount]run
}

// A run is where the digits of a field stand; to 0: nowhere.
type run struct{ from, to int }

// widths are those of the fields that a layout can have; that of fractions is given by their number of letters.
var widths = [fieldCount]int{
	fieldYear: 4, fieldYearOfEra: 4, fieldMonth: 2, fieldDay: 2, fieldHour: 2, fieldMinute: 2, fieldSecond: 2,
}

// layoutOf returns the layout of a pattern, nil: it has none.
func layoutOf(elems []elem) *layout {
	var l layout
	var form []byte
	apart := true
	for i := range elems {
		e := &elems[i]
		width := widths[e.field]
		switch {
		case e.pad > 0:
			return nil
		case e.kind == kindLiteral:
			if !plainText(e.text) {
				return nil
			}
			form, apart = append(form, e.text...), true
			continue
		case e.kind == kindFraction:
			width = e.min
		case e.kind != kindNumber || width == 0 || e.min != width:
			return nil
		case width == 2 && e.max != 2:
			return nil
		}
		if !apart || l.parts[e.field].to > 0 || width == 0 {
			return nil
		}
		l.parts[e.field] = run{len(form), len(form) + width}
		form, apart = append(form, "000000000"[:width]...), false
	}
	l.form = string(form)
	year := l.parts[fieldYear].to > 0
	if year == (l.parts[fieldYearOfEra].to > 0) || l.parts[fieldMonth].to == 0 || l.parts[fieldDay].to == 0 {
		return nil
	}
	if !year {
		l.parts[fieldYear] = l.parts[fieldYearOfEra]
	}
	return &l
}

// plainText tells literals whose bytes are characters, and none of them a digit, which could belong to a number in front.
func plainText(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i]-'0' <= 9 {
			return false
		}
	}
	return s != ""
}

// digits is the number of a field, 0 if it stands nowhere.
func (l *layout) digits(s string, f field) int64 {
	r := l.parts[f]
	return number(s[r.from:r.to])
}

// parse reads an instant of UTC in ms.
func (l *layout) parse(s string) (ms int64, ok bool) {
	if l == nil || len(s) != len(l.form) {
		return 0, false
	}
	for i := range len(s) {
		if c := l.form[i]; c != s[i] && (c != '0' || s[i]-'0' > 9) {
			return 0, false
		}
	}
	year, month, day := l.digits(s, fieldYear), l.digits(s, fieldMonth), l.digits(s, fieldDay)
	hour, minute, second := l.digits(s, fieldHour), l.digits(s, fieldMinute), l.digits(s, fieldSecond)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	fraction, r := l.digits(s, fieldNano), l.parts[fieldNano]
	for width := r.to - r.from; width > 3; width-- {
		fraction /= 10
	}
	for width := r.to - r.from; width < 3; width++ {
		fraction *= 10
	}
	return ((daysTo(year, month, day)*24+hour)*60+minute)*60_000 + second*1000 + fraction, true
}

// format writes an instant of UTC.
func (l *layout) format(ms int64) (string, bool) {
	if l == nil {
		return "", false
	}
	days := floorDiv(ms, msPerDay)
	year, month, day := dateOf(days)
	if year < 1 || year > 9999 {
		return "", false
	}
	rest := ms - days*msPerDay
	var room [64]byte
	out := append(room[:0], l.form...)
	l.put(out, fieldYear, year)
	l.put(out, fieldMonth, month)
	l.put(out, fieldDay, day)
	l.put(out, fieldHour, rest/3_600_000)
	l.put(out, fieldMinute, rest/60_000%60)
	l.put(out, fieldSecond, rest/1000%60)
	fraction, r := rest%1000*1_000_000, l.parts[fieldNano]
	for width := r.to - r.from; width < 9; width++ {
		fraction /= 10
	}
	l.put(out, fieldNano, fraction)
	return string(out), true
}

func (l *layout) put(out []byte, f field, v int64) {
	r := l.parts[f]
	for i := r.to - 1; i >= r.from; i-- {
		out[i] = byte('0' + v%10)
		v /= 10
	}
}

func daysIn(year, month int64) int64 {
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

// Days are counted in eras of 400 years, whose years begin in March: so the leap day is the last of its year, and the months before it
// have 31, 30, 31, 30 and 31 days again and again.
const (
	daysOfEra     = 146_097
	daysTo1970    = 719_468 // from March 1 of the year 0
	daysOf5Months = 153
)

// daysTo is a date as days since 1970-01-01.
func daysTo(year, month, day int64) int64 {
	m := month - 3
	if m < 0 {
		year, m = year-1, m+12
	}
	era := floorDiv(year, 400)
	y := year - era*400
	return era*daysOfEra + y*365 + y/4 - y/100 + (daysOf5Months*m+2)/5 + day - 1 - daysTo1970
}

// dateOf is the date so many days after 1970-01-01.
func dateOf(days int64) (year, month, day int64) {
	days += daysTo1970
	era := floorDiv(days, daysOfEra)
	d := days - era*daysOfEra
	y := (d - d/1460 + d/36_524 - d/(daysOfEra-1)) / 365
	d -= y*365 + y/4 - y/100
	m := (5*d + 2) / daysOf5Months
	year, month, day = era*400+y, m+3, d-(daysOf5Months*m+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}
