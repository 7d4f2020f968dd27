package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// A FileReport is what Inspect found in one journal file.
type FileReport struct {
	Path string
	Size int64
	// First and Last are the frames that were found; Last is First-1 when there is none.
	First, Last LSN
	// Covered: every frame of the file is at or before the checkpoint. Replay does not read it, only its header.
	Covered bool
	// End is the position behind the last whole block, Torn the bytes behind it that Replay cuts off.
	End, Torn int64
	Damage    []Damage
}

// Damage is one place where a file is broken. Replay refuses the journal for it, unless the file is Covered and the header holds.
type Damage struct {
	At       int64 // in the file
	Err      error
	Header   bool // of the file: nothing behind it can be read
	From, To LSN  // the frames that are lost with it; To is 0 when nobody knows
}

// Inspect reads all journal files of dir and goes on behind damage; it writes nothing, and the journal must not be open. after is
// the checkpoint's LSN. Every whole frame behind it is handed to fn in order. The reports come in the order of the files, the
// error is that of reading.
func Inspect(fs vfs.FS, dir string, after LSN, fn func(Frame)) ([]FileReport, error) {
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list journal %s: %w", dir, err)
	}
	var in inspection
	for _, name := range names {
		if strings.HasPrefix(name, namePrefix) {
			in.files = append(in.files, inspectHeader(fs, fs.PathJoin(dir, name), name))
		}
	}
	slices.SortFunc(in.files, func(a, b inspected) int { return cmp.Compare(a.header.sequence, b.header.sequence) })
	in.after, in.fn = after, fn
	for i := range in.files {
		if err := in.file(fs, i); err != nil {
			return nil, err
		}
	}
	if n := len(in.files); n > 0 && in.last < after && len(in.files[n-1].Damage) == 0 {
		f := &in.files[n-1]
		f.Damage = append(f.Damage, Damage{
			At: f.End, Err: fmt.Errorf("the journal ends with frame %d, a checkpoint covers %d: %w", in.last, after, ErrCorrupt),
			From: in.last + 1, To: after,
		})
	}
	reports := make([]FileReport, len(in.files))
	for i, f := range in.files {
		reports[i] = f.FileReport
	}
	return reports, nil
}

// OwnName tells whether the journal makes files of that name.
func OwnName(name string) bool {
	return strings.HasPrefix(name, namePrefix) || name == spareName || name == freshName
}

type inspection struct {
	files []inspected
	after LSN
	fn    func(Frame)
	last  LSN // the last frame that is accounted for, found or lost
}

type inspected struct {
	FileReport
	header header
	err    error
}

// inspectHeader checks what readHeaders checks. The sequence of a broken header is that of the name.
func inspectHeader(fs vfs.FS, path, name string) inspected {
	f := inspected{FileReport: FileReport{Path: path}}
	sequence, err := strconv.ParseUint(strings.TrimPrefix(name, namePrefix), 10, 64)
	if err != nil || fileName(sequence) != name {
		f.err = fmt.Errorf("the name has no sequence: %w", ErrCorrupt)
		return f
	}
	f.header, f.err = readHeader(fs, path)
	if f.err == nil && f.header.sequence != sequence {
		f.err = fmt.Errorf("header has sequence %d: %w", f.header.sequence, ErrCorrupt)
	}
	f.header.sequence = sequence
	f.Size = f.header.size
	return f
}

// nextFirst is the first frame of the next file whose header holds; 0 when there is none.
func (in *inspection) nextFirst(i int) LSN {
	for _, f := range in.files[i+1:] {
		if f.err == nil {
			return f.header.first
		}
	}
	return 0
}

func (in *inspection) file(fs vfs.FS, i int) error {
	f := &in.files[i]
	next := in.nextFirst(i)
	expected := in.last + 1
	if i == 0 {
		expected = in.after + 1
	}
	if f.err != nil {
		to := max(next, 1) - 1
		f.Damage = append(f.Damage, Damage{Err: f.err, Header: true, From: expected, To: to})
		in.last = max(in.last, to)
		return nil
	}
	f.Covered = next > 0 && next <= in.after+1
	f.First, f.Last = f.header.first, f.header.first-1
	if f.First > expected {
		f.Damage = append(f.Damage, Damage{
			Err:  fmt.Errorf("the file starts with frame %d, frame %d is missing: %w", f.First, expected, ErrCorrupt),
			From: expected, To: f.First - 1,
		})
	}
	file, err := fs.Open(f.Path)
	if err != nil {
		return fmt.Errorf("journal file %s: %w", f.Path, err)
	}
	defer file.Close()
	s := &scanner{file: file, path: f.Path, header: f.header, next: f.First}
	if err := in.blocks(f, s, next); err != nil {
		return err
	}
	if next == 0 && i == len(in.files)-1 {
		f.Torn, err = s.tail()
	}
	f.End, f.Last = s.pos, s.next-1
	in.last = max(f.Last, max(next, 1)-1)
	return err
}

// blocks reads the blocks of f and goes on behind broken ones. next is the first frame of the file behind, 0 for none.
func (in *inspection) blocks(f *inspected, s *scanner, next LSN) error {
	for {
		err := s.blocks(func(fr Frame) error {
			if fr.LSN > in.after {
				in.fn(fr)
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return err
		}
		at := s.pos
		found, pos, err := s.following(err != nil)
		if err != nil {
			return err
		}
		if pos > 0 {
			f.Damage = append(f.Damage, Damage{At: at, Err: s.broken(at), From: s.next, To: found.first - 1})
			s.pos, s.next = pos, found.first
			continue
		}
		if next > s.next {
			f.Damage = append(f.Damage, Damage{At: at, Err: s.broken(at), From: s.next, To: next - 1})
		}
		return nil
	}
}

func (s *scanner) broken(at int64) error {
	return fmt.Errorf("journal file %s at %d: no valid block with frame %d: %w", s.path, at, s.next, ErrCorrupt)
}

// following finds the next valid block at or behind pos that has a later frame than expected; pos is 0 when there is none.
func (s *scanner) following(skip bool) (h blockHeader, pos int64, err error) {
	off := s.pos
	if skip {
		off += blockAlign
	}
	for s.header.size-off >= blockHeaderSize {
		n := min(readAhead, s.header.size-off)
		b, err := s.at(off, n)
		if err != nil {
			return h, 0, err
		}
		found := bytes.Index(b, blockMagicBytes)
		if found < 0 {
			off += (n - blockHeaderSize + blockAlign) / blockAlign * blockAlign
			continue
		}
		if off += int64(found) / blockAlign * blockAlign; found%blockAlign == 0 {
			h, _, ok, err := s.block(off)
			if err != nil {
				return h, 0, err
			}
			if ok && h.first > s.next {
				return h, off, nil
			}
		}
		off += blockAlign
	}
	return h, 0, nil
}
