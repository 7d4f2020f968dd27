package table

import (
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A VersionsView reads the committed rows of a versioned table, of all its partitions, from any goroutine.
type VersionsView[K, V any] struct {
	name    string
	key     serde.Serde[K]
	history record.Timestamp
	tables  []*store.Table[VersionKey[K], Version[V]]
}

// ViewVersions returns a view of the versioned store with this name among the stores.
func ViewVersions[K, V any](name string, stores []store.Store) (*VersionsView[K, V], error) {
	v := &VersionsView[K, V]{name: name}
	for _, st := range stores {
		if st.Name() != name {
			continue
		}
		t, ok := st.(*store.Table[VersionKey[K], Version[V]])
		if !ok {
			return nil, fmt.Errorf("view of versioned store %s: it is a %T", name, st)
		}
		keys, ok := t.Key().(versionKeys[K])
		if !ok {
			return nil, fmt.Errorf("view of versioned store %s: it has another kind of keys", name)
		}
		v.key, v.history = keys.key, keys.history
		v.tables = append(v.tables, t)
	}
	if len(v.tables) == 0 {
		return nil, fmt.Errorf("view of versioned store %s: there is no such store", name)
	}
	return v, nil
}

// Get returns the newest value of a key and the time from which it is valid. The error is the key's serde's.
func (v *VersionsView[K, V]) Get(k K) (value V, from record.Timestamp, ok bool, err error) {
	return v.AsOf(k, math.MaxInt64)
}

// AsOf returns the value of a key that was valid at a time, and the time from which it was. Behind the history it finds the newest value
// only. The error is the key's serde's.
func (v *VersionsView[K, V]) AsOf(k K, asOf record.Timestamp) (value V, from record.Timestamp, ok bool, err error) {
	key, err := v.key.Append([]byte{}, k)
	if err != nil {
		return value, record.NoTimestamp, false, fmt.Errorf("key of versioned store %s: %w", v.name, err)
	}
	for _, t := range v.tables {
		if row, from, ok := t.Committed(appendNewest(nil, key)); ok && from <= asOf {
			return row.Value, from, true, nil
		}
		if asOf == math.MaxInt64 || asOf < record.Timestamp(t.CommittedMark(0))-v.history {
			continue
		}
		row, from, _, ok := t.First(appendEarlier(nil, key, asOf+1), append(appendEarlier(nil, key, math.MaxInt64), 0))
		if ok && from <= asOf && !row.Deleted {
			return row.Value, from, true, nil
		}
	}
	return value, record.NoTimestamp, false, nil
}
