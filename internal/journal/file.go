package journal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// The header page of a file, big endian:
//
//	   0 magic           8 bytes  "MSTJRNL1"
//	   8 format version  uint32   1
//	  12 flags           uint32   bit 0: recycled, stale bytes may follow the last block
//	  16 sequence        uint64   the number in the file's name
//	  24 first LSN       uint64   of the first block of this file
//	  32 file size       int64    in bytes
//	  40 salt            uint32   of the blocks' checksums
//	  44 zero
//	4092 CRC-32C         uint32   of bytes 0..4092; magic, version and CRC keep their places in later versions
const (
	fileMagic      = "MSTJRNL1"
	fileVersion    = 1
	fileHeaderSize = 4096
	fileCRCPos     = fileHeaderSize - 4

	flagRecycled = 1
)

const (
	namePrefix = "journal-"
	spareName  = "spare" // a released file that waits for its next use
	freshName  = "fresh" // a new file that waits for its first use, or is being made

	// zeroAhead is how far a new file is written with zeros before its blocks, in bytes: overwriting allocated bytes is
	// several times cheaper to sync, and zeroing a whole file at once would cost seconds on a slow disk.
	zeroAhead = 256 << 10
)

var zeros [zeroAhead]byte

type header struct {
	recycled bool
	sequence uint64
	first    LSN
	size     int64
	salt     uint32
}

func fileName(sequence uint64) string { return fmt.Sprintf("%s%010d", namePrefix, sequence) }

func (h header) name() string { return fileName(h.sequence) }

func (h header) encode() []byte {
	b := make([]byte, fileHeaderSize)
	copy(b, fileMagic)
	binary.BigEndian.PutUint32(b[8:], fileVersion)
	if h.recycled {
		binary.BigEndian.PutUint32(b[12:], flagRecycled)
	}
	binary.BigEndian.PutUint64(b[16:], h.sequence)
	binary.BigEndian.PutUint64(b[24:], uint64(h.first))
	binary.BigEndian.PutUint64(b[32:], uint64(h.size))
	binary.BigEndian.PutUint32(b[40:], h.salt)
	binary.BigEndian.PutUint32(b[fileCRCPos:], checksum(0, b[:fileCRCPos]))
	return b
}

func decodeHeader(b []byte) (header, error) {
	switch {
	case string(b[:len(fileMagic)]) != fileMagic:
		return header{}, fmt.Errorf("header has no journal magic: %w", ErrCorrupt)
	case binary.BigEndian.Uint32(b[fileCRCPos:]) != checksum(0, b[:fileCRCPos]):
		return header{}, fmt.Errorf("header fails its CRC: %w", ErrCorrupt)
	case binary.BigEndian.Uint32(b[8:]) > fileVersion:
		return header{}, fmt.Errorf("format version %d, known is %d: %w", binary.BigEndian.Uint32(b[8:]), fileVersion, ErrNewerFormat)
	}
	return header{
		recycled: binary.BigEndian.Uint32(b[12:])&flagRecycled != 0,
		sequence: binary.BigEndian.Uint64(b[16:]),
		first:    LSN(binary.BigEndian.Uint64(b[24:])),
		size:     int64(binary.BigEndian.Uint64(b[32:])),
		salt:     binary.BigEndian.Uint32(b[40:]),
	}, nil
}

// readHeaders lists the journal files of dir, oldest first. A file gets its name after its header is durable, so a header
// that does not hold is damage and never a torn write.
func readHeaders(fs vfs.FS, dir string) ([]header, error) {
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list journal %s: %w", dir, err)
	}
	var files []header
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, namePrefix)
		if !ok {
			continue
		}
		sequence, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || fileName(sequence) != name {
			return nil, fmt.Errorf("journal file %s: the name has no sequence: %w", fs.PathJoin(dir, name), ErrCorrupt)
		}
		h, err := readHeader(fs, fs.PathJoin(dir, name))
		if err == nil && h.sequence != sequence {
			err = fmt.Errorf("header has sequence %d: %w", h.sequence, ErrCorrupt)
		}
		if err != nil {
			return nil, fmt.Errorf("journal file %s: %w", fs.PathJoin(dir, name), err)
		}
		files = append(files, h)
	}
	slices.SortFunc(files, func(a, b header) int { return cmp.Compare(a.sequence, b.sequence) })
	return files, nil
}

func readHeader(fs vfs.FS, path string) (header, error) {
	f, err := fs.Open(path)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	b := make([]byte, fileHeaderSize)
	if _, err := f.ReadAt(b, 0); errors.Is(err, io.EOF) {
		return header{}, fmt.Errorf("file is shorter than its header: %w", ErrCorrupt)
	} else if err != nil {
		return header{}, err
	}
	h, err := decodeHeader(b)
	if err != nil {
		return header{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return header{}, err
	}
	if h.size < fileHeaderSize || info.Size() < h.size {
		return header{}, fmt.Errorf("file has %d bytes, its header says %d: %w", info.Size(), h.size, ErrCorrupt)
	}
	return h, nil
}

// An activeFile is the file that blocks are written to.
type activeFile struct {
	file   vfs.File // nil before the first and after close
	path   string
	header header
	pos    int64 // where the next block goes
	zeroed int64 // bytes before are allocated and written
}

func (a *activeFile) room() int64 {
	if a.file == nil {
		return 0
	}
	return a.header.size - a.pos
}

// write puts one sealed block of size bytes at the end and syncs it: a write for each of its pieces and one fdatasync, and every zeroAhead
// bytes of a new file one more write. The file's size is final, so no metadata is written for it.
func (a *activeFile) write(block [][]byte, size int64) error {
	end := a.pos + size
	if end > a.zeroed {
		zeroed := min(end+zeroAhead, a.header.size)
		if _, err := a.file.WriteAt(zeros[:zeroed-end], end); err != nil {
			return fmt.Errorf("journal file %s: extend at %d: %w", a.path, end, orFull(err))
		}
		a.zeroed = zeroed
	}
	at := a.pos
	for _, piece := range block {
		if _, err := a.file.WriteAt(piece, at); err != nil {
			return fmt.Errorf("journal file %s: write at %d: %w", a.path, at, orFull(err))
		}
		at += int64(len(piece))
	}
	if planted.Is(planted.JournalUnsynced) {
		a.pos = end
		return nil
	}
	if err := a.file.SyncData(); err != nil && !planted.Is(planted.SyncErrorForgotten) {
		return fmt.Errorf("journal file %s: sync: %w", a.path, err)
	}
	a.pos = end
	return nil
}

// orFull marks an error of a write that may be tried again. One of a sync may not: what it did not reach may be marked clean.
func orFull(err error) error {
	if vfs.IsFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

func (a *activeFile) close() error {
	if a.file == nil {
		return nil
	}
	f := a.file
	a.file = nil
	return f.Close()
}

// roll makes the next file, whose first block starts with LSN first, the active one. Its order: the header is durable in
// the waiting file, then that gets its name, then the directory is synced, then blocks follow.
func (j *Journal) roll(first LSN) error {
	a := &j.flush.active
	waiting, sequence := j.takeWaiting()
	h := header{recycled: waiting == spareName, sequence: sequence, first: first, size: j.fileSize, salt: j.newSalt()}
	path := j.fs.PathJoin(j.dir, h.name())
	f, err := j.makeFile(h, waiting, path)
	j.spareUsed()
	if err != nil {
		return fmt.Errorf("journal file %s: create: %w", path, orFull(err)) // it is made anew by the next try
	}
	if err := a.close(); err != nil {
		_ = f.Close() // the first error tells more
		return fmt.Errorf("journal file %s: close: %w", a.path, err)
	}
	*a = activeFile{file: f, path: path, header: h, pos: fileHeaderSize, zeroed: fileHeaderSize}
	if h.recycled {
		a.zeroed = h.size
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.files = append(j.mu.files, h)
	j.mu.left = a.room()
	return nil
}

// takeWaiting names the file that waits, which is the caller's from now on, and the next sequence. No name: there is none.
func (j *Journal) takeWaiting() (name string, sequence uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.mu.fresh:
		name, j.mu.fresh = freshName, false
	case j.mu.spare:
		name, j.mu.spare, j.mu.using = spareName, false, true
	}
	if n := len(j.mu.files); n > 0 {
		return name, j.mu.files[n-1].sequence + 1
	}
	return name, 1
}

// spareUsed gives the spare's name free: the file has its own name now, or is given up.
func (j *Journal) spareUsed() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.using = false
}

// makeFile brings a file with header h durably to path.
func (j *Journal) makeFile(h header, waiting, path string) (vfs.File, error) {
	var f vfs.File
	var err error
	if waiting == "" {
		waiting = freshName
		f, err = j.createFresh()
	} else {
		f, err = j.openWaiting(j.fs.PathJoin(j.dir, waiting))
	}
	if err != nil {
		return nil, err
	}
	if err := j.publish(f, h, j.fs.PathJoin(j.dir, waiting), path); err != nil {
		_ = f.Close() // the first error tells more
		return nil, err
	}
	return f, nil
}

// openWaiting opens a file of the final size. Opening makes a file that is missing, so its size is looked at.
func (j *Journal) openWaiting(path string) (vfs.File, error) {
	f, err := j.fs.OpenReadWrite(path, vfs.Category)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < j.fileSize {
		err = fmt.Errorf("%s has %d bytes, expected %d", path, info.Size(), j.fileSize)
	}
	if err != nil {
		_ = f.Close() // the first error tells more
		return nil, err
	}
	return f, nil
}

// createFresh makes a file of the final size. A name of its own keeps it from meeting a spare that Release renames meanwhile.
// One of an earlier run is replaced, not reused: after a crash its bytes may also stand under a journal's name.
func (j *Journal) createFresh() (vfs.File, error) {
	f, err := j.fs.Create(j.fs.PathJoin(j.dir, freshName), vfs.Category)
	if err != nil {
		return nil, err
	}
	err = f.Preallocate(0, j.fileSize)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		err = nil
	}
	if err == nil {
		_, err = f.WriteAt([]byte{0}, j.fileSize-1) // preallocation does not set the size
	}
	if err != nil {
		_ = f.Close() // the first error tells more
		return nil, errors.Join(err, j.fs.Remove(j.fs.PathJoin(j.dir, freshName)))
	}
	return f, nil
}

func (j *Journal) publish(f vfs.File, h header, waiting, path string) error {
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := j.fs.Rename(waiting, path); err != nil {
		return err
	}
	if planted.Is(planted.JournalDirUnsynced) {
		return nil
	}
	return vfs.SyncDir(j.fs, j.dir)
}
