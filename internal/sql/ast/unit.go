package ast

import "time"

// A Unit is a unit of time in windows, WITHIN, TIMEOUT and function arguments.
type Unit int

// The units of the dialect.
const (
	Millisecond Unit = iota + 1
	Second
	Minute
	Hour
	Day
)

var units = map[string]Unit{
	"MILLISECOND": Millisecond, "MILLISECONDS": Millisecond,
	"SECOND": Second, "SECONDS": Second,
	"MINUTE": Minute, "MINUTES": Minute,
	"HOUR": Hour, "HOURS": Hour,
	"DAY": Day, "DAYS": Day,
}

// UnitOf finds a unit by its word in upper case, singular or plural.
func UnitOf(word string) (Unit, bool) {
	u, ok := units[word]
	return u, ok
}

// String returns the plural word in upper case.
func (u Unit) String() string {
	switch u {
	case Millisecond:
		return "MILLISECONDS"
	case Second:
		return "SECONDS"
	case Minute:
		return "MINUTES"
	case Hour:
		return "HOURS"
	case Day:
		return "DAYS"
	}
	return "UNKNOWN"
}

// Length returns how long the unit is; a day has 24 hours.
func (u Unit) Length() time.Duration {
	switch u {
	case Millisecond:
		return time.Millisecond
	case Second:
		return time.Second
	case Minute:
		return time.Minute
	case Hour:
		return time.Hour
	case Day:
		return 24 * time.Hour
	}
	return 0
}

// A Duration is a count of units as written; the count may be negative, which is the binder's to refuse.
type Duration struct {
	Span
	Count int64
	Unit  Unit
}

// Millis returns the duration in milliseconds, or false when it does not fit.
func (d Duration) Millis() (int64, bool) {
	per := d.Unit.Length().Milliseconds()
	ms := d.Count * per
	return ms, per > 0 && ms/per == d.Count
}
