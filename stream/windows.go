package stream

import (
	"time"

	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// millis are the whole milliseconds of d: what time is counted in.
func millis(d time.Duration) record.Timestamp { return record.Timestamp(d.Milliseconds()) }

// A windowKind is a way to cut time into windows.
type windowKind uint8

const (
	tumbling windowKind = iota + 1
	hopping
	sliding
	unlimited
	custom
)

var windowWords = [...]string{
	tumbling: "Tumbling", hopping: "Hopping", sliding: "Sliding", unlimited: "Unlimited", custom: "Custom",
}

// Windows says how records are put together by their time. The zero Windows can't be used; see Tumbling, Hopping, Sliding and
// Unlimited. A window is closed, and takes no more records, as soon as the highest time of any record that reached the step is at or
// behind its end and grace; for sliding windows: behind.
type Windows struct {
	kind      windowKind
	size      time.Duration // of sliding windows the time difference
	advance   time.Duration
	start     record.Timestamp                          // of unlimited windows
	starts    func(record.Timestamp) []record.Timestamp // of custom windows
	grace     time.Duration
	retention time.Duration // 0: the default
}

// Tumbling windows have one size, follow one another without gaps and begin at multiples of the size. grace is how late a record may
// come, measured behind the window's end; 0 takes no late records.
func Tumbling(size, grace time.Duration) Windows {
	return Windows{kind: tumbling, size: size, advance: size, grace: grace}
}

// Hopping windows have one size and begin at multiples of advance, which is at most the size: so they overlap, and a record falls
// into several. grace is as in Tumbling.
func Hopping(size, advance, grace time.Duration) Windows {
	return Windows{kind: hopping, size: size, advance: advance, grace: grace}
}

// Sliding windows are those of the given length of which a record is the last or just before the first: two records of a key are in
// one window if their times differ by at most difference. Both ends are inclusive. grace is as in Tumbling. With a difference of 0, which
// Kafka Streams builds too, every record is a bad record.
func Sliding(difference, grace time.Duration) Windows {
	return Windows{kind: sliding, size: difference, advance: difference, grace: grace}
}

// Unlimited is one window that begins at start and never ends; records before it are in none. Its state is kept for good.
func Unlimited(start record.Timestamp) Windows { return Windows{kind: unlimited, start: start} }

// Custom windows have one size and begin where starts says: it returns, in order, the starts of all windows that a time falls into,
// such as midnight in some place. It must give the same for the same time at all times, and windows that hold it: other starts make
// the record a bad record. grace is as in Tumbling.
func Custom(size, grace time.Duration, starts func(record.Timestamp) []record.Timestamp) Windows {
	return Windows{kind: custom, size: size, advance: time.Millisecond, starts: starts, grace: grace}
}

// Retention sets how long closed windows can be read, measured from their start: at least size and grace together (for sliding windows
// twice the difference, and grace), which is the default.
func (w Windows) Retention(d time.Duration) Windows {
	w.retention = d
	return w
}

// leastRetention is what the step itself needs.
func (w Windows) leastRetention() time.Duration {
	if w.kind == sliding {
		return 2*w.size + w.grace
	}
	return w.size + w.grace
}

// keptFor returns how long windows are kept, in ms from their start.
func (w Windows) keptFor() record.Timestamp {
	switch {
	case w.kind == unlimited:
		return windowed.Forever
	case w.retention == 0:
		return millis(w.leastRetention())
	}
	return millis(w.retention)
}

// keySize is the size that the serde of the keys needs, in ms.
func (w Windows) keySize() record.Timestamp {
	if w.kind == unlimited {
		return windowed.Forever
	}
	return millis(w.size)
}

// check records what is wrong with the windows of a step.
func (w Windows) check(b *Builder, step string) {
	if w.kind == 0 {
		b.mistake("%s: the windows are the zero Windows: make them with Tumbling, Hopping, Sliding or Unlimited", step)
		return
	}
	c := durations{b: b, step: step + " over " + windowWords[w.kind] + " windows"}
	if w.kind == unlimited {
		if w.start < 0 {
			b.mistake("%s: the start is %d, but must not be negative", c.step, w.start)
		}
		return
	}
	if w.kind == custom && w.starts == nil {
		b.mistake("%s: the function that gives the starts is nil", c.step)
	}
	if w.kind == sliding {
		c.atLeast("the time difference", w.size, 0)
	} else {
		c.atLeast("the size", w.size, time.Millisecond)
		c.atLeast("the advance", w.advance, time.Millisecond)
	}
	if w.advance > w.size {
		b.mistake("%s: the advance is %s, more than the size of %s: records between windows would be lost", c.step, w.advance, w.size)
	}
	c.atLeast("the grace", w.grace, 0)
	if w.retention != 0 {
		c.atLeast("the retention", w.retention, w.leastRetention())
	}
}

// A durations checks the durations of a step.
type durations struct {
	b    *Builder
	step string
}

// atLeast records a mistake unless d is at least least, and whole milliseconds.
func (c durations) atLeast(what string, d, least time.Duration) {
	switch {
	case d < least:
		c.b.mistake("%s: %s is %s, but must be at least %s", c.step, what, d, least)
	case d%time.Millisecond != 0:
		c.b.mistake("%s: %s is %s, but must be whole milliseconds", c.step, what, d)
	}
}

// SessionWindows puts records of a key together as long as the next one comes within a gap. The zero SessionWindows can't be used;
// see Sessions.
type SessionWindows struct {
	gap       time.Duration
	grace     time.Duration
	retention time.Duration // 0: the default
}

// Sessions end when no record came for a gap: two records of a key are in one session if their times differ by at most gap, or if
// others stand between. grace is how late a record may come, measured behind the session's end and gap.
func Sessions(gap, grace time.Duration) SessionWindows {
	return SessionWindows{gap: gap, grace: grace}
}

// Retention sets how long sessions can be read, measured from their end: at least gap and grace together, which is the default.
func (w SessionWindows) Retention(d time.Duration) SessionWindows {
	w.retention = d
	return w
}

// keptFor returns how long sessions are kept, in ms from their end.
func (w SessionWindows) keptFor() record.Timestamp {
	if w.retention == 0 {
		return millis(w.gap + w.grace)
	}
	return millis(w.retention)
}

// check records what is wrong with the windows of a step.
func (w SessionWindows) check(b *Builder, step string) {
	c := durations{b: b, step: step + " over sessions"}
	c.atLeast("the gap", w.gap, 0)
	c.atLeast("the grace", w.grace, 0)
	if w.retention != 0 {
		c.atLeast("the retention", w.retention, w.gap+w.grace)
	}
}

// Windowed is the key of a window: the records' Key, and the window's Start and End, in ms. The end is exclusive for tumbling,
// hopping and unlimited windows, and inclusive for sliding windows and sessions.
//
//	type Windowed[K any] struct {
//		Key        K
//		Start, End record.Timestamp
//	}
type Windowed[K any] = windowed.Key[K]

// WindowedSerde writes the keys of tumbling, hopping, sliding and unlimited windows as Kafka Streams does: the bytes that inner makes
// of the key, and the start, 8 bytes, big-endian. The end is not written: size, or for sliding windows the time difference, must be
// that of the windows. A key that inner writes as null makes the whole null. Serdes of the same size are equal if inner's are.
func WindowedSerde[K any](inner serde.Serde[K], size time.Duration) serde.Serde[Windowed[K]] {
	return windowed.Serde(inner, millis(size))
}

// SessionWindowedSerde writes the keys of sessions as Kafka Streams does: the bytes that inner makes of the key, then the end and the
// start, 8 bytes each, big-endian.
func SessionWindowedSerde[K any](inner serde.Serde[K]) serde.Serde[Windowed[K]] {
	return windowed.SessionSerde(inner)
}
