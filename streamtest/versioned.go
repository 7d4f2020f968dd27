package streamtest

import (
	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/stream"
)

// VersionedView returns the rows of a table that is Versioned, and what they were.
func VersionedView[K, V any](d *Driver, t stream.Table[K, V]) *table.VersionsView[K, V] {
	v, err := VersionedViewOf[K, V](d, t.StoreName())
	d.fail(err)
	return v
}

// VersionedViewOf is VersionedView for the store with this name, which keeps keys and values of these types.
func VersionedViewOf[K, V any](d *Driver, storeName string) (*table.VersionsView[K, V], error) {
	if err := d.tryFlush(); err != nil {
		return nil, err
	}
	return table.ViewVersions[K, V](storeName, d.stores())
}
