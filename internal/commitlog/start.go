package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"

	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// Two files hold an offset each: magic (8 bytes), offset (int64), CRC-32C of both (uint32). They are replaced by rename. "start"
// says up to where segments may be missing because AdvanceStart removed them, whatever an older mark says; it is there before
// they go. "clean" is a note of compaction's, of which a lost one costs work only.
const (
	startName    = "start"
	startTmpName = startName + tempSuffix
	startMagic   = "MSTSTRT1"
	startSize    = len(startMagic) + 8 + crc32.Size

	cleanName    = "clean"
	cleanTmpName = cleanName + tempSuffix
	cleanMagic   = "MSTCLEA1"
)

// AdvanceStart makes offsets below o unreadable and removes segments that lie wholly below it, never the active one. An o
// at or below Start changes nothing; beyond End it is ErrOutOfRange. It may run beside Append. On a disk without room for the
// start file (vfs.IsFull) the log stays as it was and usable: try again later.
func (l *Log) AdvanceStart(o record.Offset) error {
	l.upkeep.Lock()
	defer l.upkeep.Unlock()
	before := l.Start()
	removable, err := l.moveStart(o)
	if err != nil {
		return fmt.Errorf("advance start of log %s to %d: %w", l.dir, o, err)
	}
	if removable == 0 {
		return nil
	}
	err = l.noteStart(o, removable)
	if vfs.IsFull(err) {
		l.moveBack(before)
		return fmt.Errorf("advance start of log %s to %d: %w", l.dir, o, err)
	}
	if err == nil {
		err = vfs.SyncDir(l.fs, l.dir)
	}
	if err != nil {
		return l.fail(fmt.Errorf("advance start of log %s to %d: %w", l.dir, o, err))
	}
	segments, handles := l.dropSegments(removable)
	for _, s := range handles {
		err = errors.Join(err, s.close())
	}
	for _, s := range segments {
		err = errors.Join(err, l.removeSegment(s.fileName()))
	}
	if err != nil {
		return l.fail(fmt.Errorf("advance start of log %s to %d: %w", l.dir, o, err))
	}
	return nil
}

// moveStart moves Start and returns how many segments lie wholly below it.
func (l *Log) moveStart(o record.Offset) (removable int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err != nil {
		return 0, l.mu.err
	}
	if o > l.mu.active.end {
		return 0, fmt.Errorf("the log ends at %d: %w", l.mu.active.end, ErrOutOfRange)
	}
	if o <= l.mu.start {
		return 0, nil
	}
	l.mu.start = o
	for removable < len(l.mu.segments)-1 && l.mu.segments[removable].end <= o {
		removable++
	}
	return removable, nil
}

// noteStart puts the start file for o in its place before the first n segments go. What is to make room needs some itself: on a full disk the
// indexes of those segments go first, which a reader makes anew if it still needs one.
func (l *Log) noteStart(o record.Offset, n int) error {
	if planted.Is(planted.RemovedEarly) {
		return nil
	}
	err := l.writeOffset(startName, startMagic, o)
	if !vfs.IsFull(err) {
		return err
	}
	l.mu.RLock()
	going := l.mu.segments[:n:n]
	l.mu.RUnlock()
	for _, s := range going {
		if err := l.removeIndex(s.fileName()); err != nil {
			return err
		}
	}
	return l.writeOffset(startName, startMagic, o)
}

// moveBack makes offsets from o on readable again: their segments are all there.
func (l *Log) moveBack(o record.Offset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.start = o
}

// dropSegments cuts the first n segments off the list and returns them with the handles that Sync would have had.
func (l *Log) dropSegments(n int) (segments []*segment, handles []sealed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	segments = l.mu.segments[:n]
	l.mu.segments = slices.Clone(l.mu.segments[n:])
	first := l.mu.segments[0].base
	for _, s := range segments {
		l.mu.indexes.drop(s)
	}
	var kept []sealed
	for _, s := range l.mu.dirty.sealed {
		if s.base < first {
			handles = append(handles, s)
		} else {
			kept = append(kept, s)
		}
	}
	l.mu.dirty.sealed = kept
	return segments, handles
}

// removeSegment removes a segment's files, of which the index may be missing.
func (l *Log) removeSegment(n fileName) error {
	if err := l.removeIndex(n); err != nil {
		return err
	}
	path := l.fs.PathJoin(l.dir, n.String()+logSuffix)
	if err := l.fs.Remove(path); err != nil {
		return fmt.Errorf("segment %s: remove: %w", path, err)
	}
	return nil
}

func (l *Log) removeIndex(n fileName) error {
	path := l.fs.PathJoin(l.dir, n.String()+indexSuffix)
	if err := l.fs.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("index %s: remove: %w", path, err)
	}
	return nil
}

// Cleaned is the offset that SetCleaned noted, 0 without one.
func (l *Log) Cleaned() record.Offset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.cleaned
}

// SetCleaned notes durably up to where the log was compacted. What Rewrite did must come first, as it does.
func (l *Log) SetCleaned(o record.Offset) error {
	l.upkeep.Lock()
	defer l.upkeep.Unlock()
	if err := l.writable(); err != nil {
		return fmt.Errorf("note that log %s is clean up to %d: %w", l.dir, o, err)
	}
	err := l.writeOffset(cleanName, cleanMagic, o)
	if err == nil {
		err = vfs.SyncDir(l.fs, l.dir)
	}
	if err != nil {
		return fmt.Errorf("note that log %s is clean up to %d: %w", l.dir, o, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.cleaned = o
	return nil
}

// writeOffset makes the bytes of one of the two files durable and puts them in its place; the directory's sync is the caller's. An error
// leaves the file as it was.
func (l *Log) writeOffset(name, magic string, o record.Offset) error {
	b := binary.BigEndian.AppendUint64([]byte(magic), uint64(o))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	tmp := l.fs.PathJoin(l.dir, name+tempSuffix)
	f, err := l.fs.Create(tmp, vfs.Category)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return l.fs.Rename(tmp, l.fs.PathJoin(l.dir, name))
}

func (l *Log) readStart() (record.Offset, error) { return l.readOffset(startName, startMagic) }

// readOffset returns the offset of one of the files, 0 when there is none.
func (l *Log) readOffset(name, magic string) (record.Offset, error) {
	path := l.fs.PathJoin(l.dir, name)
	b, err := readFile(l.fs, path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("file %s: %w", path, err)
	}
	if len(b) != startSize || string(b[:8]) != magic || crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
		return 0, fmt.Errorf("file %s: CRC or length is wrong: %w", path, ErrCorrupt)
	}
	return record.Offset(binary.BigEndian.Uint64(b[8:])), nil
}
