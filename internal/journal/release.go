package journal

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// Files is the number of journal files that hold unreleased frames: the owner checkpoints when it exceeds 1.
func (j *Journal) Files() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.mu.files)
}

// Room is how many bytes of blocks can be written without new space on the disk. Frames that wait for a Flush are not taken off.
func (j *Journal) Room() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	room := j.mu.left
	for _, waits := range []bool{j.mu.fresh, j.mu.spare} {
		if waits {
			room += j.fileSize - fileHeaderSize
		}
	}
	return room
}

// Reserve preallocates the next file when the active one is more than half full and none waits: then the journal goes on for a
// while on a disk that others have filled, and a roll does not wait for the file. It may run beside Append and Release. Without
// space it is ErrFull and changes nothing; no error of it is sticky, since nothing depends on the file yet.
func (j *Journal) Reserve() error {
	j.flush.Lock()
	defer j.flush.Unlock()
	j.mu.Lock()
	needed := j.mu.err == nil && !j.mu.fresh && !j.mu.spare && j.mu.left < j.fileSize/2
	j.mu.Unlock()
	if !needed {
		return nil
	}
	f, err := j.createFresh()
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("journal %s: reserve the next file: %w", j.dir, orFull(err))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.fresh = true
	return nil
}

// Release allows files whose frames are all at or before upTo to be recycled: a durable checkpoint covers them. The active
// file always stays. One file is kept as the spare that the next roll takes, others are removed. It may run beside Append
// and Flush, one Release at a time. An I/O error ends the journal as one in Flush does.
func (j *Journal) Release(upTo LSN) error {
	released, keep, err := j.takeReleased(upTo)
	if err != nil || len(released) == 0 {
		return err
	}
	if err := j.dispose(released, keep); err != nil {
		_, err = j.fail(err)
		return err
	}
	if keep >= 0 {
		j.mu.Lock()
		j.mu.spare = true
		j.mu.Unlock()
	}
	return nil
}

// takeReleased cuts the covered files off the list; keep is the one to recycle or -1.
func (j *Journal) takeReleased(upTo LSN) (released []header, keep int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.err != nil {
		return nil, -1, fmt.Errorf("journal release: %w", j.mu.err)
	}
	n := 0
	for n+1 < len(j.mu.files) && j.mu.files[n+1].first <= upTo+1 {
		n++
	}
	released, keep = j.mu.files[:n:n], -1
	j.mu.files = j.mu.files[n:]
	for i, h := range released {
		if !j.mu.spare && !j.mu.using && h.size == j.fileSize {
			keep = i
		}
	}
	return released, keep, nil
}

// dispose removes the files, oldest first so that a crash leaves no hole, and renames the one to keep. The directory is
// synced before the spare may be overwritten: until then a crash may bring its old name back.
func (j *Journal) dispose(released []header, keep int) error {
	for i, h := range released {
		path := j.fs.PathJoin(j.dir, h.name())
		if i == keep {
			if err := j.fs.Rename(path, j.fs.PathJoin(j.dir, spareName)); err != nil {
				return fmt.Errorf("journal file %s: recycle: %w", path, err)
			}
			continue
		}
		if err := j.fs.Remove(path); err != nil {
			return fmt.Errorf("journal file %s: remove: %w", path, err)
		}
	}
	if err := vfs.SyncDir(j.fs, j.dir); err != nil {
		return fmt.Errorf("journal directory %s: sync: %w", j.dir, err)
	}
	return nil
}
