package window

import (
	"bytes"
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
)

// final hands on, on behalf of a row, the windows that begin from from to to, both included, in order of start and key: also those that
// are gone for others by the retention. Kafka Streams loses these.
func (a *aggregation[K, A]) final(r *row[K, A], from, to record.Timestamp) error {
	a.closing = a.closing[:0]
	a.rows.Table.Timed(from, to, func(key []byte) bool {
		a.closing = append(a.closing, key)
		return true
	})
	slices.SortFunc(a.closing, byStart)
	a.rows.Table.Ahead(a.closing)
	for i, key := range a.closing {
		if i > 0 && bytes.Equal(key, a.closing[i-1]) {
			continue // the calendar may name a window twice
		}
		if err := a.finalWindow(r, key); err != nil {
			return err
		}
	}
	return nil
}

func (a *aggregation[K, A]) finalWindow(r *row[K, A], key []byte) error {
	v, ts, ok := a.rows.Table.Get(key)
	if !ok {
		return nil
	}
	a.rows.Row = r.i
	k, err := a.Key.Decode(windowed.Inner(key))
	a.rows.Row = operator.NoRow
	if err != nil {
		return operator.Uncodable(r.rows.Origins[r.i], a.node, "the key of a stored window cannot be read", err)
	}
	start := windowed.Start(key)
	return a.handOn(operator.Change[windowed.Key[K], A]{
		Key: windowed.Key[K]{Key: k, Start: start, End: windowed.End(start, a.size)}, KeyBytes: key,
		New: v, OldAbsent: true, Timestamp: ts,
	}, r)
}

// byStart orders windows by start and key.
func byStart(a, b []byte) int {
	an, bn := len(windowed.Inner(a)), len(windowed.Inner(b))
	if c := bytes.Compare(a[an:], b[bn:]); c != 0 {
		return c
	}
	return bytes.Compare(a[:an], b[:bn])
}
