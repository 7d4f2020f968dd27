package stream

import "github.com/mainstemio/mainstem/internal/operator"

// Reject returns an error that makes its record a bad record with this reason. The reason is shown and stored, so it must not
// contain anything from the record; the text of other errors is kept out of messages for that reason.
func Reject(reason string) error { return rejection(reason) }

type rejection string

func (r rejection) Error() string  { return string(r) }
func (r rejection) Reason() string { return string(r) }

// MapValues computes a new value for each record.
func MapValues[K, V, W any](s Stream[K, V], f func(V) W, opts ...Option) Stream[K, W] {
	s.need("MapValues", f != nil)
	return mapValues(s, func(_ K, v V) (W, error) { return f(v), nil }, opts)
}

// MapValuesWithKey is MapValues with a function that sees the key.
func MapValuesWithKey[K, V, W any](s Stream[K, V], f func(K, V) W, opts ...Option) Stream[K, W] {
	s.need("MapValuesWithKey", f != nil)
	return mapValues(s, func(k K, v V) (W, error) { return f(k, v), nil }, opts)
}

// TryMapValues is MapValues with a function that may fail: an error makes the record a bad record (see Reject).
func TryMapValues[K, V, W any](s Stream[K, V], f func(V) (W, error), opts ...Option) Stream[K, W] {
	s.need("TryMapValues", f != nil)
	return mapValues(s, func(_ K, v V) (W, error) { return f(v) }, opts)
}

func mapValues[K, V, W any](s Stream[K, V], f func(K, V) (W, error), opts []Option) Stream[K, W] {
	n, _ := s.named(kindMapValues, opts)
	n.Op = operator.MapValues[K, V, W]{Func: f}
	return Stream[K, W]{edge: s.add(n), key: s.key, keyChanged: s.keyChanged}
}

// Map computes a new key and a new value for each record.
func Map[K, V, L, W any](s Stream[K, V], f func(K, V) (L, W), opts ...Option) Stream[L, W] {
	s.need("Map", f != nil)
	return TryMap(s, func(k K, v V) (L, W, error) {
		l, w := f(k, v)
		return l, w, nil
	}, opts...)
}

// TryMap is Map with a function that may fail: an error makes the record a bad record (see Reject).
func TryMap[K, V, L, W any](s Stream[K, V], f func(K, V) (L, W, error), opts ...Option) Stream[L, W] {
	s.need("TryMap", f != nil)
	n, _ := s.named(kindMap, opts)
	n.Rekeys = true
	n.Op = operator.Map[K, V, L, W]{Func: f}
	return Stream[L, W]{edge: s.add(n), keyChanged: true}
}

// FlatMap computes any number of records from each record: f calls emit for each, before it returns.
func FlatMap[K, V, L, W any](s Stream[K, V], f func(k K, v V, emit func(L, W)), opts ...Option) Stream[L, W] {
	s.need("FlatMap", f != nil)
	n, _ := s.named(kindFlatMap, opts)
	n.Rekeys = true
	n.Op = operator.FlatMap[K, V, L, W]{Func: func(k K, v V, emit func(L, W)) error { f(k, v, emit); return nil }}
	return Stream[L, W]{edge: s.add(n), keyChanged: true}
}

// FlatMapValues computes any number of values from each value; all keep the key.
func FlatMapValues[K, V, W any](s Stream[K, V], f func(V) []W, opts ...Option) Stream[K, W] {
	s.need("FlatMapValues", f != nil)
	return flatMapValues(s, func(_ K, v V) []W { return f(v) }, opts)
}

// FlatMapValuesWithKey is FlatMapValues with a function that sees the key.
func FlatMapValuesWithKey[K, V, W any](s Stream[K, V], f func(K, V) []W, opts ...Option) Stream[K, W] {
	s.need("FlatMapValuesWithKey", f != nil)
	return flatMapValues(s, f, opts)
}

func flatMapValues[K, V, W any](s Stream[K, V], f func(K, V) []W, opts []Option) Stream[K, W] {
	n, _ := s.named(kindFlatMapValues, opts)
	n.Op = operator.FlatMapValues[K, V, W]{Func: func(k K, v V, emit func(W)) error {
		for _, w := range f(k, v) {
			emit(w)
		}
		return nil
	}}
	return Stream[K, W]{edge: s.add(n), key: s.key, keyChanged: s.keyChanged}
}

// SelectKey computes a new key from each value. The records stay in their partitions: Repartition moves them.
func SelectKey[K, V, L any](s Stream[K, V], f func(V) L, opts ...Option) Stream[L, V] {
	s.need("SelectKey", f != nil)
	return selectKey(s, func(_ K, v V) (L, error) { return f(v), nil }, opts)
}

// SelectKeyWithKey is SelectKey with a function that sees the old key.
func SelectKeyWithKey[K, V, L any](s Stream[K, V], f func(K, V) L, opts ...Option) Stream[L, V] {
	s.need("SelectKeyWithKey", f != nil)
	return selectKey(s, func(k K, v V) (L, error) { return f(k, v), nil }, opts)
}

func selectKey[K, V, L any](s Stream[K, V], f func(K, V) (L, error), opts []Option) Stream[L, V] {
	n, _ := s.named(kindSelectKey, opts)
	n.Rekeys = true
	n.Op = operator.SelectKey[K, V, L]{Func: f}
	return Stream[L, V]{edge: s.add(n), value: s.value, keyChanged: true}
}

// Nullable gives a stream values that can be null: functions then see a table's deletes as nil.
func Nullable[K, V any](s Stream[K, V]) Stream[K, *V] {
	n, _ := s.named(kindNullable, nil)
	n.Op = operator.Nullable[K, V]{}
	return Stream[K, *V]{edge: s.add(n), key: s.key, keyChanged: s.keyChanged}
}
