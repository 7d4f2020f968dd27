package journal

import (
	"errors"
	"fmt"
	"os"

	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// Replay hands every frame after `after` to fn in LSN order and leaves the journal ready to append behind the last whole frame.
// Frames at or before `after` may be missing (released). A gap or ErrCorrupt stops it; files stay untouched then. So does an
// error of fn, which is returned as it is.
//
// A block that a killed process wrote but did not sync counts when it is whole. Before Replay returns, the last block is
// therefore written again and synced: its page may be dirty, or marked clean after a failed sync.
func (j *Journal) Replay(after LSN, fn func(Frame) error) (Recovery, error) {
	j.flush.Lock()
	defer j.flush.Unlock()
	j.mu.Lock()
	files, state := j.mu.files, j.mu.err
	j.mu.Unlock()
	if !errors.Is(state, errNotReplayed) {
		return Recovery{}, errors.New("journal was replayed before or is closed")
	}
	if len(files) == 0 {
		return j.begin(after)
	}
	r := replay{fs: j.fs, dir: j.dir, files: files, after: after, fn: fn}
	if err := r.run(); err != nil {
		return Recovery{}, err
	}
	if err := j.resume(&r); err != nil {
		_, err = j.fail(err)
		return Recovery{}, err
	}
	return r.recovery, j.ready(r.recovery.Last)
}

// begin makes the first file of an empty journal.
func (j *Journal) begin(after LSN) (Recovery, error) {
	if after > 0 {
		return Recovery{}, fmt.Errorf("journal %s has no files, frames after %d are missing: %w", j.dir, after, ErrCorrupt)
	}
	if err := j.fs.MkdirAll(j.dir, 0o755); err != nil {
		return Recovery{}, fmt.Errorf("journal directory: %w", err)
	}
	if err := vfs.SyncDir(j.fs, j.fs.PathDir(j.dir)); err != nil {
		return Recovery{}, fmt.Errorf("journal directory %s: sync parent: %w", j.dir, err)
	}
	if err := j.roll(1); err != nil {
		return Recovery{}, err
	}
	return Recovery{}, j.ready(0)
}

func (j *Journal) ready(last LSN) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.next, j.mu.durable, j.mu.err = last+1, last, nil
	j.mu.left = j.flush.active.room()
	return nil
}

// resume opens the last file for writing behind the last block and makes everything that was read durable.
func (j *Journal) resume(r *replay) error {
	h := r.files[len(r.files)-1]
	path := j.fs.PathJoin(j.dir, h.name())
	f, err := j.fs.OpenReadWrite(path, vfs.Category)
	if err != nil {
		return fmt.Errorf("journal file %s: %w", path, err)
	}
	j.flush.active = activeFile{file: f, path: path, header: h, pos: r.end, zeroed: r.end}
	if h.recycled {
		j.flush.active.zeroed = h.size
	}
	if err := j.removeWaiting(); err != nil {
		return err
	}
	if len(r.lastBlock) > 0 {
		if _, err := f.WriteAt(r.lastBlock, r.end-int64(len(r.lastBlock))); err != nil {
			return fmt.Errorf("journal file %s: rewrite last block: %w", path, err)
		}
	}
	if err := f.SyncData(); err != nil {
		return fmt.Errorf("journal file %s: sync: %w", path, err)
	}
	if err := vfs.SyncDir(j.fs, j.dir); err != nil {
		return fmt.Errorf("journal directory %s: sync: %w", j.dir, err)
	}
	return nil
}

// removeWaiting removes what waited when an earlier run ended: its room may be needed before the next file is.
func (j *Journal) removeWaiting() error {
	for _, name := range []string{freshName, spareName} {
		if err := j.fs.Remove(j.fs.PathJoin(j.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("journal file %s: remove: %w", j.fs.PathJoin(j.dir, name), err)
		}
	}
	return nil
}

// replay reads the files; it writes nothing.
type replay struct {
	fs    vfs.FS
	dir   string
	files []header
	after LSN
	fn    func(Frame) error

	recovery  Recovery
	end       int64  // in the last file
	lastBlock []byte // of the last file, nil when it has none
}

func (r *replay) run() error {
	if r.files[0].first > r.after+1 {
		return fmt.Errorf("journal %s starts with frame %d, frames after %d are missing: %w", r.dir, r.files[0].first, r.after, ErrCorrupt)
	}
	// Files wholly at or before after are only waiting for their release: they are not read.
	i := 0
	for i+1 < len(r.files) && r.files[i+1].first <= r.after+1 {
		i++
	}
	r.recovery.Last = r.files[i].first - 1
	for ; i < len(r.files); i++ {
		if err := r.file(i); err != nil {
			return err
		}
	}
	if r.recovery.Last < r.after {
		return fmt.Errorf("journal %s ends with frame %d, a checkpoint covers %d: %w", r.dir, r.recovery.Last, r.after, ErrCorrupt)
	}
	return nil
}

// file reads the i-th file up to its last valid block. Only the last file may end in a torn block: before a file is
// created, everything in the one before it was synced.
func (r *replay) file(i int) error {
	h := r.files[i]
	path := r.fs.PathJoin(r.dir, h.name())
	if h.first != r.recovery.Last+1 {
		return fmt.Errorf("journal file %s starts with frame %d, expected %d: %w", path, h.first, r.recovery.Last+1, ErrCorrupt)
	}
	f, err := r.fs.Open(path)
	if err != nil {
		return fmt.Errorf("journal file %s: %w", path, err)
	}
	defer f.Close()
	s := scanner{file: f, path: path, header: h, next: h.first}
	if err := s.blocks(r.handOut); err != nil {
		return err
	}
	r.recovery.Last = s.next - 1
	if i < len(r.files)-1 {
		if r.files[i+1].first != s.next {
			return fmt.Errorf("journal file %s at %d: no valid block with frame %d, but file %s starts with frame %d: %w",
				path, s.pos, s.next, r.files[i+1].name(), r.files[i+1].first, ErrCorrupt)
		}
		return nil
	}
	dropped, err := s.tail()
	if err != nil {
		return err
	}
	if dropped > 0 {
		r.recovery.DroppedBytes, r.recovery.File, r.recovery.Offset = dropped, path, s.pos
	}
	r.end = s.pos
	r.lastBlock, err = s.lastBlock()
	return err
}

func (r *replay) handOut(f Frame) error {
	if f.LSN <= r.after && !(planted.Is(planted.ReplayedTwice) && f.LSN == r.after) {
		return nil
	}
	return r.fn(f)
}
