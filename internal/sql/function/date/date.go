// Package date holds the functions of SQL on dates, times and timestamps.
//
// Purpose: parsing and formatting by Java's patterns, sums with intervals, conversions between zones.
//
// Callers and callees: package builtin lists Functions; it calls java/datetime and a clock.
//
// Owner and locks: an Eval made by Bind remembers the last pattern and zone that it compiled, behind atomic pointers.
//
// Format: a TIMESTAMP has no zone of its own: as text it is UTC unless a zone is given.
//
// Not here: casts (cast), comparisons with texts (expr).
package date

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/java/datetime"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

const msPerDay = 24 * 60 * 60 * 1000

func doc(name, text string) function.Doc {
	return function.Doc{Name: name, Category: "DATE / TIME", Text: text}
}

// Functions are all functions of this package; clk says what time it is.
func Functions(clk clock.Clock) []function.Scalar {
	all := []function.Scalar{
		{Doc: doc("unix_timestamp", "The time now, or the given one, in milliseconds since 1970-01-01T00:00Z."), Overloads: []function.Overload{
			{Signature: "() BIGINT", Varies: true, Eval: func([]row.Value) (row.Value, error) { return row.NewBigint(clk.Now().UnixMilli()), nil }},
			{Signature: "(TIMESTAMP) BIGINT", Eval: func(args []row.Value) (row.Value, error) { return row.NewBigint(args[0].Int64()), nil }},
		}},
		{Doc: doc("unix_date", "The date today, or the given one, in days since 1970-01-01."), Overloads: []function.Overload{
			{Signature: "() INT", Varies: true, Eval: func([]row.Value) (row.Value, error) {
				return row.NewInt(int32(clk.Now().Unix() / (msPerDay / 1000))), nil
			}},
			{Signature: "(DATE) INT", Eval: func(args []row.Value) (row.Value, error) { return row.NewInt(int32(args[0].Int64())), nil }},
		}},
		{Doc: doc("from_unixtime", "The timestamp so many milliseconds after 1970-01-01T00:00Z."), Overloads: []function.Overload{{
			Signature: "(BIGINT) TIMESTAMP", Eval: func(args []row.Value) (row.Value, error) { return row.NewTimestamp(args[0].Int64()), nil },
		}}},
		{Doc: doc("from_days", "The date so many days after 1970-01-01."), Overloads: []function.Overload{{
			Signature: "(INT) DATE", Eval: func(args []row.Value) (row.Value, error) { return row.NewDate(args[0].Int64()), nil },
		}}},
		convertZone(),
	}
	return append(append(all, sums()...), texts()...)
}

// units are the intervals' lengths in ms.
var units = map[string]int64{
	"MILLISECONDS": 1, "SECONDS": 1000, "MINUTES": 60_000, "HOURS": 3_600_000, "DAYS": msPerDay,
}

// sums are the functions that add and subtract intervals.
func sums() (out []function.Scalar) {
	for _, v := range []struct {
		prefix, typ, what string
		value             func(v row.Value, ms int64) row.Value
	}{
		{"date", "DATE", "a date; parts of days count from midnight", func(v row.Value, ms int64) row.Value {
			return row.NewDate((v.Int64()*msPerDay + ms) / msPerDay)
		}},
		{"time", "TIME", "a time of day, around midnight", func(v row.Value, ms int64) row.Value {
			return row.NewTime(((v.Int64()+ms)%msPerDay + msPerDay) % msPerDay)
		}},
		{"timestamp", "TIMESTAMP", "a timestamp", func(v row.Value, ms int64) row.Value { return row.NewTimestamp(v.Int64() + ms) }},
	} {
		for name, sign := range map[string]int64{"add": 1, "sub": -1} {
			out = append(out, function.Scalar{
				Doc: doc(v.prefix+name, map[string]string{"add": "Adds an interval to ", "sub": "Subtracts an interval from "}[name]+v.what+"."),
				Overloads: []function.Overload{{
					Signature: "(INTERVALUNIT, INT, " + v.typ + ") " + v.typ,
					Eval: func(args []row.Value) (row.Value, error) {
						return v.value(args[2], sign*args[1].Int64()*units[args[0].Text()]), nil
					},
				}},
			})
		}
	}
	return out
}

// convertZone takes the timestamp as the time on the clocks of one zone and gives what those of another show then.
func convertZone() function.Scalar {
	return function.Scalar{Doc: doc("convert_tz", "What clocks of a zone show when those of another show the timestamp."), Overloads: []function.Overload{{
		Signature: "(TIMESTAMP, STRING, STRING) TIMESTAMP", Bind: func(function.Binding) function.Eval {
			var from, to zone
			return func(args []row.Value) (row.Value, error) {
				source, err := from.get(args[1].Text())
				if err != nil {
					return row.Null, err
				}
				target, err := to.get(args[2].Text())
				if err != nil {
					return row.Null, err
				}
				return row.NewTimestamp(wall(instant(args[0].Int64(), source), target)), nil
			}
		},
	}}}
}

// instant is when clocks of a zone show what UTC's show at ms.
func instant(ms int64, z *time.Location) time.Time {
	t := time.UnixMilli(ms).UTC()
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), z)
}

// wall is when clocks of UTC show what those of a zone show at t.
func wall(t time.Time, z *time.Location) int64 {
	t = t.In(z)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC).UnixMilli()
}

// A zone remembers the zone that was found last.
type zone struct{ last atomic.Pointer[namedZone] }

type namedZone struct {
	name string
	zone *time.Location
}

func (z *zone) get(name string) (*time.Location, error) {
	if n := z.last.Load(); n != nil && n.name == name {
		return n.zone, nil
	}
	loc, err := datetime.Zone(name)
	if err != nil {
		return nil, err
	}
	z.last.Store(&namedZone{name, loc})
	return loc, nil
}

// A pattern remembers the pattern that was compiled last.
type pattern struct {
	last atomic.Pointer[datetime.Format]
}

func (p *pattern) get(text string) (*datetime.Format, error) {
	if f := p.last.Load(); f != nil && f.Pattern() == text {
		return f, nil
	}
	f, err := datetime.Compile(text)
	if err != nil {
		return nil, err
	}
	p.last.Store(f)
	return f, nil
}

// a patterned function has a value, a pattern and maybe a zone.
type patterned func(f *datetime.Format, v row.Value, z *time.Location) (row.Value, error)

// by makes the overloads of a patterned function.
func by(compute patterned, signatures ...string) []function.Overload {
	out := make([]function.Overload, len(signatures))
	for i, s := range signatures {
		out[i] = function.Overload{Signature: s, Bind: func(function.Binding) function.Eval {
			var p pattern
			var z zone
			return func(args []row.Value) (row.Value, error) {
				f, err := p.get(args[1].Text())
				if err != nil {
					return row.Null, err
				}
				in := time.UTC
				if len(args) > 2 {
					if in, err = z.get(args[2].Text()); err != nil {
						return row.Null, err
					}
				}
				return compute(f, args[0], in)
			}
		}}
	}
	return out
}

// texts are the functions between texts and dates, times and timestamps.
func texts() []function.Scalar {
	formatted := func(s string, err error) (row.Value, error) { return row.NewString(s), err }
	timestamp := func(f *datetime.Format, v row.Value, z *time.Location) (row.Value, error) {
		return formatted(f.Timestamp(v.Int64(), z))
	}
	days := func(f *datetime.Format, v row.Value, _ *time.Location) (row.Value, error) {
		return formatted(f.Date(v.Int64()))
	}
	parse := func(value func(int64) row.Value, read func(*datetime.Format, string, *time.Location) (int64, error)) patterned {
		return func(f *datetime.Format, v row.Value, z *time.Location) (row.Value, error) {
			n, err := read(f, v.Text(), z)
			if err != nil {
				return row.Null, fmt.Errorf("parse %q: %w", v.Text(), err)
			}
			return value(n), nil
		}
	}
	date := func(f *datetime.Format, s string, _ *time.Location) (int64, error) { return f.ParseDate(s) }
	clockTime := func(f *datetime.Format, s string, _ *time.Location) (int64, error) { return f.ParseTime(s) }
	at := func(f *datetime.Format, s string, z *time.Location) (int64, error) { return f.ParseTimestamp(s, z) }
	return []function.Scalar{
		{Doc: doc("format_date", "A date as text by a pattern."), Overloads: by(days, "(DATE, STRING) STRING")},
		{Doc: doc("format_time", "A time of day as text by a pattern."), Overloads: by(
			func(f *datetime.Format, v row.Value, _ *time.Location) (row.Value, error) {
				return formatted(f.Time(v.Int64()))
			}, "(TIME, STRING) STRING")},
		{Doc: doc("format_timestamp", "A timestamp as text by a pattern, in UTC or the given zone."), Overloads: by(
			timestamp, "(TIMESTAMP, STRING) STRING", "(TIMESTAMP, STRING, STRING) STRING")},
		{Doc: doc("parse_date", "The date that a text names by a pattern."), Overloads: by(parse(row.NewDate, date), "(STRING, STRING) DATE")},
		{Doc: doc("parse_time", "The time of day that a text names by a pattern."), Overloads: by(parse(row.NewTime, clockTime), "(STRING, STRING) TIME")},
		{Doc: doc("parse_timestamp", "The timestamp that a text names by a pattern, in UTC or the given zone."), Overloads: by(
			parse(row.NewTimestamp, at), "(STRING, STRING) TIMESTAMP", "(STRING, STRING, STRING) TIMESTAMP")},
		{Doc: doc("datetostring", "Days since 1970-01-01 as text by a pattern; FORMAT_DATE takes a DATE."), Overloads: by(days, "(INT, STRING) STRING")},
		{Doc: doc("stringtodate", "The days since 1970-01-01 of the date that a text names; PARSE_DATE gives a DATE."), Overloads: by(
			parse(func(n int64) row.Value { return row.NewInt(int32(n)) }, date), "(STRING, STRING) INT")},
		{Doc: doc("timestamptostring", "Milliseconds since 1970-01-01T00:00Z as text by a pattern; FORMAT_TIMESTAMP takes a TIMESTAMP."), Overloads: by(
			timestamp, "(BIGINT, STRING) STRING", "(BIGINT, STRING, STRING) STRING")},
		{Doc: doc("stringtotimestamp", "The milliseconds since 1970-01-01T00:00Z of the time that a text names; PARSE_TIMESTAMP gives a TIMESTAMP."), Overloads: by(
			parse(row.NewBigint, at), "(STRING, STRING) BIGINT", "(STRING, STRING, STRING) BIGINT")},
	}
}
