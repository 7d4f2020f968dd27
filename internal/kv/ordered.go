package kv

import (
	"strings"

	pvfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// An orderedFS makes the names that Pebble's other files lean on durable at once. Pebble creates a manifest, then a marker
// that names it, then removes the old marker, and syncs the directory only behind all that. On a file system that keeps the
// order of such changes nothing can happen; on one that does not, a power failure may leave a marker without its manifest,
// and the database does not open any more, or no marker at all, and it looks new.
type orderedFS struct{ vfs.FS }

// Create implements vfs.FS.
func (o orderedFS) Create(name string, category pvfs.DiskWriteCategory) (vfs.File, error) {
	f, err := o.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	base := o.PathBase(name)
	if !strings.HasPrefix(base, "MANIFEST-") && !strings.HasPrefix(base, "marker.") {
		return f, nil
	}
	if err := vfs.SyncDir(o.FS, o.PathDir(name)); err != nil {
		_ = f.Close() // the sync's error is what matters
		return nil, err
	}
	return f, nil
}
