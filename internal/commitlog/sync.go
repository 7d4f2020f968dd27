package commitlog

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// Sync makes everything appended so far durable: data, indexes and directory entries. It does nothing when nothing was
// appended since the last one. It may run beside Append, which does not wait for it. After an error every later Append and
// Sync fails: a page that failed to sync may be marked clean.
func (l *Log) Sync() error {
	l.upkeep.Lock()
	defer l.upkeep.Unlock()
	work, file, path, err := l.takeDirty()
	if err != nil {
		return fmt.Errorf("sync log %s: %w", l.dir, err)
	}
	if err := l.syncFiles(work, file, path); err != nil {
		return l.fail(err)
	}
	return nil
}

// takeDirty takes over what is to be done. The active segment's handle stays valid: only Sync, Close and AdvanceStart close
// handles, all under upkeep.
func (l *Log) takeDirty() (work dirty, file vfs.File, path string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err != nil {
		return dirty{}, nil, "", l.mu.err
	}
	work, l.mu.dirty = l.mu.dirty, dirty{}
	return work, l.mu.active.file, l.path(l.mu.active.base, logSuffix), nil
}

func (l *Log) syncFiles(work dirty, file vfs.File, path string) error {
	var errs []error
	for _, s := range work.sealed {
		errs = append(errs, l.syncSealed(s))
	}
	if work.active {
		if err := file.SyncData(); err != nil {
			errs = append(errs, fmt.Errorf("segment %s: sync: %w", path, err))
		}
	}
	if work.dir {
		if err := vfs.SyncDir(l.fs, l.dir); err != nil {
			errs = append(errs, fmt.Errorf("log directory %s: sync: %w", l.dir, err))
		}
	}
	if work.parent {
		if err := vfs.SyncDir(l.fs, l.fs.PathDir(l.dir)); err != nil {
			errs = append(errs, fmt.Errorf("log directory %s: sync parent: %w", l.dir, err))
		}
	}
	return errors.Join(errs...)
}

// syncSealed syncs and closes the files of a sealed segment, closing them also after an error.
func (l *Log) syncSealed(s sealed) error {
	err := errors.Join(s.data.SyncData(), s.index.SyncData())
	if err = errors.Join(err, s.close()); err != nil {
		return fmt.Errorf("segment %s: sync: %w", l.path(s.base, logSuffix), err)
	}
	return nil
}
