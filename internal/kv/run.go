package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// runsDir holds the tables of runs that are being written. What a crash leaves there goes with the next start.
const runsDir = "runs"

// runTableBytes is how large the tables of a run become: Pebble merges whole ones.
const runTableBytes = 16 << 20

// A pebbleRun writes tables of its own, which the database takes over as they are. So its changes are written once, where those of a batch
// come to the log, to memory and from there to a table.
type pebbleRun struct {
	p      *pebbleStore
	paths  []string
	w      *sstable.Writer // of the last of paths; nil: it is complete
	size   int
	number uint64
}

func (p *pebbleStore) clearRuns() error { return p.fs.RemoveAll(p.fs.PathJoin(p.dir, runsDir)) }

// NewRun implements Store.
func (p *pebbleStore) NewRun() Run { return &pebbleRun{p: p, number: p.runs.Add(1)} }

func (r *pebbleRun) Put(key, value []byte) error {
	if err := r.room(len(key) + len(value)); err != nil {
		return err
	}
	return r.wrap(r.w.Set(key, value))
}

func (r *pebbleRun) Delete(key []byte) error {
	if err := r.room(len(key)); err != nil {
		return err
	}
	return r.wrap(r.w.Delete(key))
}

// room begins the next table if there is none, or the last one is large.
func (r *pebbleRun) room(n int) error {
	if r.size += n; r.w != nil && r.size <= runTableBytes {
		return nil
	}
	if err := r.complete(); err != nil {
		return err
	}
	r.size = n
	fs, dir := r.p.fs, r.p.fs.PathJoin(r.p.dir, runsDir)
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return r.wrap(err)
	}
	path := fs.PathJoin(dir, fmt.Sprintf("%d-%d.sst", r.number, len(r.paths)))
	f, err := fs.Create(path, vfs.Category)
	if err != nil {
		return r.wrap(err)
	}
	r.paths = append(r.paths, path)
	r.w = sstable.NewWriter(objstorageprovider.NewFileWritable(vfs.Gradually(f)), r.p.tables)
	return nil
}

// complete ends the last table and syncs it.
func (r *pebbleRun) complete() error {
	w := r.w
	if r.w = nil; w == nil {
		return nil
	}
	return r.wrap(w.Close())
}

// Commit implements Run. The database takes over all tables with one change of its manifest.
func (r *pebbleRun) Commit() error {
	return r.hand(func(ctx context.Context) error { return r.p.db.Ingest(ctx, r.paths) })
}

// Replace implements Run: the tables that held the keys before are cut, nothing is merged.
func (r *pebbleRun) Replace(from, to []byte) error {
	return r.hand(func(ctx context.Context) error {
		_, err := r.p.db.IngestAndExcise(ctx, r.paths, nil, nil, pebble.KeyRange{Start: from, End: to})
		return err
	})
}

// hand gives the tables to the database.
func (r *pebbleRun) hand(over func(ctx context.Context) error) (err error) {
	if err := r.p.broken(); err != nil {
		return r.wrap(err)
	}
	if err := r.complete(); err != nil || len(r.paths) == 0 {
		return err
	}
	defer r.p.recovered(&err)
	r.p.merges.begin()
	if err := over(context.Background()); err != nil {
		return r.wrap(err)
	}
	r.paths = nil // they are the database's
	return nil
}

// Close implements Run.
func (r *pebbleRun) Close() error {
	err := r.complete()
	for _, path := range r.paths {
		err = errors.Join(err, r.p.fs.Remove(path))
	}
	r.paths = nil
	return err
}

func (r *pebbleRun) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write a run of database %s: %w", r.p.dir, err)
}

// tableOptions are how runs write their tables: as the database would.
func tableOptions(o *pebble.Options) sstable.WriterOptions {
	return o.MakeWriterOptions(0, pebbleFormat.MaxTableFormat())
}
