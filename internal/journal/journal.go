// Package journal is the shared write-ahead journal: every change of the broker is one frame in it, durable before it is
// acknowledged. One block and one fdatasync carry all the frames that gathered while the previous sync ran.
//
// The broker is its caller: it appends under its own sequencing, lets Run or Flush make frames durable, and releases what
// a checkpoint covers. The journal calls vfs only.
//
// A Journal owns its directory. Two locks: flush (held across I/O; guards the file being written) and mu (never held across
// I/O; guards the forming block, the positions and the list of files); flush is taken before mu. Append takes mu only, so it
// never waits for the disk. There are no goroutines and no timers here: Run is a loop that the owner starts. Large parts of frames may be
// lent: they are written from where they are, and belong to their owner again once their frame is durable or Stop was called.
//
// The format is in docs/format/journal.md and file.go, block.go: files journal-<sequence> of a fixed size, a header page,
// then blocks of frames. Only one block is ever unsynced. So an invalid block at the very end is a torn write that nobody
// was promised and is cut; an invalid block that a later valid one follows is damage, and ErrCorrupt. A file gets its name
// only after its header is durable, and a new salt for the checksums each time it is recycled, so that neither old blocks
// nor blocks inside a user's record bytes can be taken for blocks of the file.
//
// Not here: what frames mean, checkpoints, when to release, how much may be in flight.
package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// An LSN numbers frames from 1 without gaps; 0 is before the first.
type LSN uint64

// A Kind tells the owner of a frame how to read its body; the journal does not look at it. 0 is reserved.
type Kind uint8

// ErrCorrupt marks a damaged block that valid later blocks follow: acknowledged data is broken, nothing may be dropped.
var ErrCorrupt = errors.New("journal is corrupt")

// ErrTooLarge refuses a frame that no journal file can hold.
var ErrTooLarge = errors.New("journal frame is too large")

// ErrFull: the disk has no room for the next block. Nothing was written of it; the next Flush tries again.
var ErrFull = errors.New("no space for the journal")

// ErrNewerFormat refuses files of a newer format version.
var ErrNewerFormat = errors.New("journal has a newer format")

// errClosed and errNotReplayed are the sticky errors outside of the journal's working life.
var (
	errClosed      = errors.New("journal is closed")
	errNotReplayed = errors.New("journal was not replayed")
)

// A Frame is one entry. Body is valid during the call that hands it out.
type Frame struct {
	LSN  LSN
	Kind Kind
	Body []byte
}

const (
	defaultFileSize = 64 << 20
	minFileSize     = 16 << 10
	// minLent is the least size in bytes of a part that is written from where it is: a smaller one costs less to copy than to write apart.
	minLent = 32 << 10
)

// Options of Open.
type Options struct {
	FS  vfs.FS
	Dir string
	// FileSize is the preallocated size of a journal file in bytes; default 64 MiB, at least 16 KiB. A block, and so a frame,
	// may take at most half of it. Files of another size from earlier are read and then removed instead of recycled.
	FileSize int64
}

func (o Options) withDefaults() Options {
	if o.FileSize == 0 {
		o.FileSize = defaultFileSize
	}
	return o
}

func (o Options) validate() error {
	if o.FileSize < minFileSize || o.FileSize > 1<<31 {
		return fmt.Errorf("journal file size of %d bytes is not between %d and %d", o.FileSize, minFileSize, int64(1<<31))
	}
	return nil
}

// Recovery tells what Replay found.
type Recovery struct {
	Last         LSN    // the last whole frame
	DroppedBytes int64  // a torn, never acknowledged tail that was cut
	File         string // where the tail was cut, when DroppedBytes > 0
	Offset       int64
}

// Journal: Open, Replay once, then Append and Flush (or Run) until Close.
type Journal struct {
	fs       vfs.FS
	dir      string
	fileSize int64
	minLent  int // the constant, but in tests
	newSalt  func() uint32

	// wake has room for one signal: it stands for any number of waiting frames.
	wake chan struct{}

	flush struct {
		sync.Mutex
		active activeFile
		taken  formingBlocks // the buffer that is not forming: what is being written
		next   int           // the first block of taken that is not durable yet
	}

	mu struct {
		sync.Mutex
		forming formingBlocks
		next    LSN // of the next frame
		durable LSN
		files   []header // oldest first; the last one is active
		fresh   bool     // freshName holds a preallocated file of fileSize bytes; only the flusher changes it
		spare   bool     // spareName holds a recycled file of fileSize bytes
		using   bool     // a roll is at work on the file of that name: no other may get it
		left    int64    // bytes behind the last block of the active file
		err     error    // sticky
	}
}

// Open finds the journal files of dir and reads their headers; it writes nothing. The directory may be missing.
func Open(o Options) (*Journal, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	files, err := readHeaders(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{fs: o.FS, dir: o.Dir, fileSize: o.FileSize, minLent: minLent, newSalt: randomSalt, wake: make(chan struct{}, 1)}
	j.mu.files = files
	j.mu.err = errNotReplayed
	return j, nil
}

// randomSalt cannot be guessed by whoever writes record bytes.
func randomSalt() uint32 { return uint32(maphash.String(maphash.MakeSeed(), "journal")) }

// Append puts a frame into the forming block and returns its LSN; parts are joined, and copied unless they are lent. It does no I/O and
// may be called by one goroutine at a time, while another runs Flush. The forming frames are bounded by the caller only.
func (j *Journal) Append(kind Kind, parts ...Part) (LSN, error) {
	if kind == 0 {
		return 0, errors.New("journal append: kind 0 is reserved")
	}
	size := Size(parts)
	if limit := j.maxBlock() - blockHeaderSize - frameHeaderSize; int64(size) > limit {
		return 0, fmt.Errorf("journal append: %d bytes, at most %d: %w", size, limit, ErrTooLarge)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.err != nil {
		return 0, fmt.Errorf("journal append: %w", j.mu.err)
	}
	lsn := j.mu.next
	j.mu.forming.add(frameToAdd{lsn: lsn, kind: kind, parts: parts, size: size, minLent: j.minLent, maxBlock: j.maxBlock()})
	j.mu.next++
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return lsn, nil
}

// maxBlock is the largest block in bytes: a file has room for at least one.
func (j *Journal) maxBlock() int64 { return j.fileSize / 2 / blockAlign * blockAlign }

// Flush writes the forming block and syncs it; it returns the last durable LSN. A disk without room is ErrFull, and may be tried
// again. After any other I/O error every call returns it: the process must stop acknowledging (a page that failed to sync may be
// marked clean).
func (j *Journal) Flush() (LSN, error) {
	j.flush.Lock()
	defer j.flush.Unlock()
	if durable, err := j.writeTaken(); err != nil {
		return durable, err
	}
	if durable, err := j.swapForming(); err != nil {
		return durable, err
	}
	return j.writeTaken()
}

// writeTaken writes the blocks that were taken and are not durable yet.
func (j *Journal) writeTaken() (durable LSN, err error) {
	f := &j.flush
	if durable, err := j.state(); err != nil {
		return durable, err
	}
	for f.next < len(f.taken.blocks) {
		switch err := j.writeBlock(&f.taken, f.next); {
		case errors.Is(err, ErrFull):
			durable, _ := j.state()
			return durable, err
		case err != nil:
			return j.fail(err)
		}
		j.setDurable(f.taken.lastLSN(f.next))
		f.next++
	}
	f.taken.reset()
	f.next = 0
	return j.state()
}

// state is the last durable LSN and the sticky error.
func (j *Journal) state() (LSN, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.durable, j.mu.err
}

// swapForming makes the forming blocks the ones to write.
func (j *Journal) swapForming() (LSN, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.err != nil {
		return j.mu.durable, j.mu.err
	}
	j.flush.taken, j.mu.forming = j.mu.forming, j.flush.taken
	return j.mu.durable, nil
}

func (j *Journal) setDurable(lsn LSN) {
	left := j.flush.active.room()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.durable, j.mu.left = lsn, left
}

// fail makes err sticky, unless an earlier one is, and returns what Flush returns.
func (j *Journal) fail(err error) (LSN, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.err == nil || errors.Is(j.mu.err, errNotReplayed) {
		j.mu.err = err
	}
	return j.mu.durable, j.mu.err
}

// writeBlock writes one block and syncs it before the next: only one is ever unsynced.
func (j *Journal) writeBlock(taken *formingBlocks, i int) error {
	size := taken.size(i)
	if j.flush.active.room() < size {
		if err := j.roll(taken.blocks[i].first); err != nil {
			return err
		}
	}
	return j.flush.active.write(taken.seal(i, j.flush.active.header.salt), size)
}

// Rest gives back the memory of bursts that was not needed since the last call. The owner calls it now and then, for blocks that would tell
// may never come. It waits for a running Flush.
func (j *Journal) Rest() {
	j.flush.Lock()
	defer j.flush.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.flush.taken.rest()
	j.mu.forming.rest()
}

// Run flushes whenever frames wait and calls synced with each durable LSN, until ctx ends (then it flushes once more and
// returns nil) or an error.
func (j *Journal) Run(ctx context.Context, synced func(LSN)) error {
	for {
		ended := false
		select {
		case <-ctx.Done():
			ended = true
		case <-j.wake:
		}
		lsn, err := j.Flush()
		if err != nil {
			return err
		}
		synced(lsn)
		if ended {
			return nil
		}
	}
}

// Stop lets nothing more be written, for the reason err: frames that are not durable are lost, as in a crash, and what was lent is its
// owners' again. It waits for a running Flush.
func (j *Journal) Stop(err error) {
	j.flush.Lock()
	defer j.flush.Unlock()
	_, _ = j.fail(err) // the first error tells more
}

// Close closes the files; unflushed frames are lost, as in a crash. It waits for a running Flush.
func (j *Journal) Close() error {
	j.flush.Lock()
	defer j.flush.Unlock()
	j.mu.Lock()
	j.mu.err = errClosed
	j.mu.Unlock()
	return j.flush.active.close()
}
