package query

import (
	"iter"
	"math"

	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// A Found is a row of a table as it is kept. The key has the bounds of its window, if there is one, behind its columns.
type Found struct {
	Bytes  []byte // by which rows are in order
	Key    row.Row
	Stored row.Row
	Time   record.Timestamp
}

// A Table looks up committed rows.
type Table interface {
	// Find yields the rows that an Access narrows a table to; there may be others among them.
	Find(a plan.Access) iter.Seq2[Found, error]
}

// Plain is a table whose keys are rows.
func Plain(v *store.View[row.Row, row.Row], windowed bool) Table { return plain{v, windowed} }

type plain struct {
	view     *store.View[row.Row, row.Row]
	windowed bool // keys have the bounds of windows, and so cannot be looked up without them
}

// Find implements Table.
func (t plain) Find(a plan.Access) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		if a.Keys == nil || t.windowed {
			for f, err := range t.view.Rows() {
				if !yield(Found{f.Bytes, f.Key, f.Value, f.Time}, err) || err != nil {
					return
				}
			}
			return
		}
		for _, key := range a.Keys {
			f, ok, err := t.view.Find(key)
			if err != nil || ok {
				if !yield(Found{f.Bytes, key, f.Value, f.Time}, err) || err != nil {
					return
				}
			}
		}
	}
}

// Windows is a table of windows.
type Windows struct {
	View      *store.View[windowed.Key[row.Row], row.Row]
	AppendKey func(dst []byte, key row.Row) ([]byte, error) // the key's bytes without a window
	// Size and Advance of the windows in ms; Size 0: sessions. Retention is how long they are kept, from their starts.
	Size, Advance, Retention int64
}

// Find implements Table.
func (t *Windows) Find(a plan.Access) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		if a.Start.From > a.Start.To || a.End.From > a.End.To {
			return
		}
		var rows iter.Seq2[store.Found[windowed.Key[row.Row], row.Row], error]
		first, last, few := t.starts(a)
		switch {
		case a.Keys == nil:
			rows = t.View.Rows()
		case t.Size == 0:
			rows = t.sessions(a.Keys)
		case few:
			rows = t.windows(a.Keys, first, last)
		default:
			rows = t.of(a.Keys)
		}
		for f, err := range rows {
			if err == nil && !within(f.Key, a) {
				continue
			}
			if !yield(Found{f.Bytes, flat(f.Key), f.Value, f.Time}, err) || err != nil {
				return
			}
		}
	}
}

func within(k windowed.Key[row.Row], a plan.Access) bool {
	s, e := int64(k.Start), int64(k.End)
	return s >= a.Start.From && s <= a.Start.To && e >= a.End.From && e <= a.End.To
}

// flat is a window's key as a row.
func flat(k windowed.Key[row.Row]) row.Row {
	var out row.Builder
	out.AddAll(k.Key)
	out.Add(row.NewBigint(int64(k.Start)))
	out.Add(row.NewBigint(int64(k.End)))
	return out.Row()
}

// starts are the first and the last start that a window may have. few tells that it takes less to look each of them up than to look at all
// rows.
func (t *Windows) starts(a plan.Access) (first, last int64, few bool) {
	if t.Size == 0 || t.Advance == 0 {
		return 0, 0, false
	}
	lowest, highest := t.View.Marks()
	first = max(a.Start.From, 0, int64(lowest)-t.Retention, max(a.End.From, 0)-t.Size)
	last = min(a.Start.To, int64(highest), max(a.End.To, 0)-t.Size)
	if last < first {
		return first, last, true
	}
	first = (first + t.Advance - 1) / t.Advance * t.Advance
	return first, last, (last-first)/t.Advance < int64(t.View.Len()/max(len(a.Keys), 1))
}

type windowRows = iter.Seq2[store.Found[windowed.Key[row.Row], row.Row], error]

// windows looks up each window of some keys.
func (t *Windows) windows(keys []row.Row, first, last int64) windowRows {
	return func(yield func(store.Found[windowed.Key[row.Row], row.Row], error) bool) {
		for _, key := range keys {
			for start := first; start <= last; start += t.Advance {
				at := record.Timestamp(start)
				f, ok, err := t.View.Find(windowed.Key[row.Row]{Key: key, Start: at, End: windowed.End(at, record.Timestamp(t.Size))})
				if err != nil || ok {
					if !yield(f, err) || err != nil {
						return
					}
				}
			}
		}
	}
}

// sessions reads those of some keys, which stand together.
func (t *Windows) sessions(keys []row.Row) windowRows {
	return func(yield func(store.Found[windowed.Key[row.Row], row.Row], error) bool) {
		for _, key := range keys {
			inner, err := t.AppendKey([]byte{}, key)
			if err != nil {
				yield(store.Found[windowed.Key[row.Row], row.Row]{}, err)
				return
			}
			from := windowed.AppendSession(nil, inner, 0, 0)
			to := windowed.AppendSession(nil, inner, math.MaxInt64, math.MaxInt64)
			for f, err := range t.View.Range(from, to) {
				if err == nil && !windowed.HasSessionKey(f.Bytes, inner) {
					continue
				}
				if !yield(f, err) || err != nil {
					return
				}
			}
		}
	}
}

// of looks at all rows for those of some keys.
func (t *Windows) of(keys []row.Row) windowRows {
	wanted := map[row.Row]bool{}
	for _, key := range keys {
		wanted[key] = true
	}
	return func(yield func(store.Found[windowed.Key[row.Row], row.Row], error) bool) {
		for f, err := range t.View.Rows() {
			if (err != nil || wanted[f.Key.Key]) && (!yield(f, err) || err != nil) {
				return
			}
		}
	}
}
