package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"

	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// The file "start" says up to where segments may be missing because AdvanceStart removed them, whatever an older mark says:
// magic (8 bytes, "MSTSTRT1"), offset (int64), CRC-32C of both (uint32). It is replaced by rename before the removal.
const (
	startName    = "start"
	startTmpName = "start.tmp"
	startMagic   = "MSTSTRT1"
	startSize    = len(startMagic) + 8 + crc32.Size
)

// AdvanceStart makes offsets below o unreadable and removes segments that lie wholly below it, never the active one. An o
// at or below Start changes nothing; beyond End it is ErrOutOfRange. It may run beside Append.
func (l *Log) AdvanceStart(o record.Offset) error {
	l.upkeep.Lock()
	defer l.upkeep.Unlock()
	removable, err := l.moveStart(o)
	if err != nil {
		return fmt.Errorf("advance start of log %s to %d: %w", l.dir, o, err)
	}
	if removable == 0 {
		return nil
	}
	if err := l.writeStart(o); err != nil {
		return l.fail(fmt.Errorf("advance start of log %s to %d: %w", l.dir, o, err))
	}
	segments, handles := l.dropSegments(removable)
	for _, s := range handles {
		err = errors.Join(err, s.close())
	}
	for _, s := range segments {
		err = errors.Join(err, l.removeSegment(s.base))
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

// dropSegments cuts the first n segments off the list and returns them with the handles that Sync would have had.
func (l *Log) dropSegments(n int) (segments []*segment, handles []sealed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	segments = l.mu.segments[:n]
	l.mu.segments = slices.Clone(l.mu.segments[n:])
	first := l.mu.segments[0].base
	for _, s := range segments {
		l.mu.indexes.drop(s.base)
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
func (l *Log) removeSegment(base record.Offset) error {
	if err := l.removeIndex(base); err != nil {
		return err
	}
	path := l.path(base, logSuffix)
	if err := l.fs.Remove(path); err != nil {
		return fmt.Errorf("segment %s: remove: %w", path, err)
	}
	return nil
}

func (l *Log) removeIndex(base record.Offset) error {
	path := l.path(base, indexSuffix)
	if err := l.fs.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("index %s: remove: %w", path, err)
	}
	return nil
}

// writeStart makes the file durable: new bytes, sync, rename, directory sync.
func (l *Log) writeStart(o record.Offset) error {
	b := binary.BigEndian.AppendUint64([]byte(startMagic), uint64(o))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	tmp := l.fs.PathJoin(l.dir, startTmpName)
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
	if err := l.fs.Rename(tmp, l.fs.PathJoin(l.dir, startName)); err != nil {
		return err
	}
	return vfs.SyncDir(l.fs, l.dir)
}

// readStart returns the offset of the file, 0 when there is none.
func (l *Log) readStart() (record.Offset, error) {
	path := l.fs.PathJoin(l.dir, startName)
	b, err := readFile(l.fs, path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("start file %s: %w", path, err)
	}
	if len(b) != startSize || string(b[:8]) != startMagic || crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
		return 0, fmt.Errorf("start file %s: CRC or length is wrong: %w", path, ErrCorrupt)
	}
	return record.Offset(binary.BigEndian.Uint64(b[8:])), nil
}
