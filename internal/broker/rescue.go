package broker

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// A rescue keeps the batches that the journal holds for damaged partitions: the journal will be released, and what was acknowledged
// must not go with it. Each partition has one file, named by the checkpoint, so that a repeated recovery writes the same file again.
type rescue struct {
	fs    vfs.FS
	name  string
	files map[*partition]vfs.File
}

// keep appends one batch of p in directory dir.
func (r *rescue) keep(p *partition, dir string, b []byte) error {
	f := r.files[p]
	if f == nil {
		if err := r.fs.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("rescue batches of %v: %w", p.TopicPartition, err)
		}
		var err error
		if f, err = r.fs.Create(r.fs.PathJoin(dir, r.name), vfs.Category); err != nil {
			return fmt.Errorf("rescue batches of %v: %w", p.TopicPartition, err)
		}
		if r.files == nil {
			r.files = map[*partition]vfs.File{}
		}
		r.files[p] = f
	}
	// A file may change the bytes that it writes; b belongs to the journal.
	if _, err := f.Write(append([]byte(nil), b...)); err != nil {
		return fmt.Errorf("rescue batches of %v: %w", p.TopicPartition, err)
	}
	return nil
}

// finish makes the files durable and closes them.
func (r *rescue) finish(home logHome) error {
	var errs []error
	for p, f := range r.files {
		errs = append(errs, f.Sync(), f.Close(), vfs.SyncDir(r.fs, home.path(p.number)))
	}
	r.files = nil
	return errors.Join(errs...)
}
