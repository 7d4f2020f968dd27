package commitlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// InspectOptions of Inspect.
type InspectOptions struct {
	FS  vfs.FS
	Dir string
	// Mark is where the log will be opened; nil when it is not known: then the newest segment ends where its batches end.
	Mark *Mark
	// EpochAt is the leader epoch that the owner remembers for an offset; nil when it is not known.
	EpochAt func(record.Offset) int32
	// Read is told how many bytes were read; may be nil.
	Read func(n int64)
}

// A Report is what Inspect found in a log's directory.
type Report struct {
	Segments, Batches, Records, Bytes int64

	Start   record.Offset // nothing below can be read
	Damage  []Damage
	Unknown []string // names of files that are not the log's
}

// A Part is what of a log is damaged.
type Part int

const (
	// PartData is record batches: the offsets [From, To) cannot be read.
	PartData Part = iota
	// PartIndex is an index file that is missing or does not hold: it is made again from its segment when somebody reads it.
	PartIndex
	// PartWrongIndex is an index file that holds and describes another segment than the one beside it.
	PartWrongIndex
	// PartStart is the start file: the log cannot be opened.
	PartStart
	// PartNote is the note of compaction: without it, compaction begins again at the start of the log.
	PartNote
)

// Damage is one broken place. Offsets that are whole but cannot be found any more, because the way to them leads over it, count as
// lost: reading begins at an entry of the index and goes from batch to batch.
type Damage struct {
	Part     Part
	Path     string
	At       int64 // position in the file
	Err      error
	From, To record.Offset
}

// Inspect reads every batch of the log in o.Dir and goes on behind damage. It writes nothing; nobody may have the log open. The
// error is that of listing or reading. What lies behind the mark is not looked at: Open cuts it off.
func Inspect(o InspectOptions) (Report, error) {
	in := &inspection{o: o, log: &Log{fs: o.FS, dir: o.Dir}}
	if in.o.Read == nil {
		in.o.Read = func(int64) {}
	}
	if err := in.run(); err != nil {
		return in.r, fmt.Errorf("inspect log %s: %w", o.Dir, err)
	}
	return in.r, nil
}

type inspection struct {
	o   InspectOptions
	log *Log // closed; its methods read files
	r   Report
}

func (in *inspection) damage(d Damage) { in.r.Damage = append(in.r.Damage, d) }

func (in *inspection) run() error {
	names, err := in.o.FS.List(in.o.Dir)
	if err != nil {
		return err
	}
	all, err := listFiles(in.o.FS, in.o.Dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if !ownName(name) {
			in.r.Unknown = append(in.r.Unknown, name)
		}
	}
	start, err := in.log.readStart()
	if errors.Is(err, ErrCorrupt) {
		in.damage(Damage{Part: PartStart, Path: in.o.FS.PathJoin(in.o.Dir, startName), Err: err})
		start, err = 0, nil
	}
	if err != nil {
		return err
	}
	if _, err := in.log.readOffset(cleanName, cleanMagic); errors.Is(err, ErrCorrupt) {
		in.damage(Damage{Part: PartNote, Path: in.o.FS.PathJoin(in.o.Dir, cleanName), Err: err})
	} else if err != nil {
		return err
	}
	keep, end := in.plan(all, start)
	for i, n := range keep {
		to, last := end, i == len(keep)-1
		if !last {
			to = keep[i+1].base
		}
		if err := in.segment(n, to, last); err != nil {
			return err
		}
	}
	return nil
}

// ownName tells whether the log makes files of that name.
func ownName(name string) bool {
	for _, suffix := range []string{logSuffix, indexSuffix, logSuffix + tempSuffix} {
		if _, ok := parseName(name, suffix); ok {
			return true
		}
	}
	return slices.Contains([]string{startName, startTmpName, cleanName, cleanTmpName}, name)
}

// plan returns the segments that count; each must end where the next one begins, the last one at end (-1: not known).
func (in *inspection) plan(all files, removedBelow record.Offset) (keep []fileName, end record.Offset) {
	keep, end = all.current(), -1
	first := removedBelow
	if m := in.o.Mark; m != nil {
		keep, end = in.upToMark(keep, removedBelow)
		first = min(max(m.Start, removedBelow), m.End)
	}
	in.r.Start = first
	for len(keep) > 1 && keep[1].base <= first {
		keep = keep[1:]
	}
	if len(keep) > 0 && keep[0].base > first && in.o.Mark != nil {
		in.damage(Damage{
			Path: in.o.Dir, From: first, To: keep[0].base,
			Err: fmt.Errorf("the first segment starts at %d, the log at %d: %w", keep[0].base, first, ErrCorrupt),
		})
	}
	return keep, end
}

// upToMark cuts off what lies behind the mark, as Open does.
func (in *inspection) upToMark(all []fileName, removedBelow record.Offset) (keep []fileName, end record.Offset) {
	m := in.o.Mark
	keep, err := upTo(m.Segment, all)
	if err != nil {
		in.damage(Damage{Path: in.o.Dir, From: m.Start, To: m.End, Err: err})
		return nil, m.End
	}
	if len(keep) > 0 && keep[len(keep)-1] == (fileName{base: m.Segment}) {
		return keep, m.End
	}
	if removedBelow >= m.End {
		return nil, m.End
	}
	in.damage(Damage{
		Path: in.log.path(m.Segment, logSuffix), Err: fmt.Errorf("the segment is missing: %w", ErrCorrupt),
		From: max(m.Start, removedBelow, m.Segment), To: m.End,
	})
	return keep, m.Segment
}

func (in *inspection) path(n fileName, suffix string) string {
	return in.o.FS.PathJoin(in.o.Dir, n.String()+suffix)
}

// segment reads one segment whose batches must end at offset end.
func (in *inspection) segment(n fileName, end record.Offset, last bool) error {
	of := &segment{base: n.base, end: end, generation: n.generation}
	w, err := in.log.openWalker(of, walkAll)
	if err != nil {
		return err
	}
	defer w.close()
	in.r.Segments++
	if m := in.o.Mark; last && m != nil && n == (fileName{base: m.Segment}) {
		w.limit = min(w.limit, m.Size)
	}
	s := &segmentCheck{inspection: in, walker: w, end: end, sealed: !last, built: newIndex(n.base)}
	s.built.rewritten = of.rewritten()
	before := len(in.r.Damage)
	raw := []byte(nil)
	if !last {
		if s.stored, raw, err = in.storedIndex(of); err != nil {
			return err
		}
	}
	s.end = of.end
	if w.gaps = of.rewritten() && s.stored == nil; of.rewritten() && s.stored != nil {
		w.index, w.offset = s.stored, s.stored.afterGap(n.base)
	}
	if err := s.batches(); err != nil {
		return err
	}
	if s.stored != nil && len(in.r.Damage) == before && !bytes.Equal(raw, s.built.encode(s.end, w.position)) {
		in.damage(Damage{
			Part: PartWrongIndex, Path: in.path(n, indexSuffix),
			Err: fmt.Errorf("the index does not describe its segment: %w", ErrCorrupt),
		})
	}
	return nil
}

// storedIndex reads the index of a sealed segment and reports one that cannot be used.
func (in *inspection) storedIndex(s *segment) (x *index, raw []byte, err error) {
	path := in.log.pathOf(s, indexSuffix)
	raw, err = readFile(in.o.FS, path)
	if errors.Is(err, os.ErrNotExist) {
		in.damage(Damage{Part: PartIndex, Path: path, Err: errors.New("the index is missing")})
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("index %s: %w", path, err)
	}
	in.o.Read(int64(len(raw)))
	x, ok := decodeIndex(raw)
	if ok && x.base == s.base && x.end < s.end && x.rewritten == s.rewritten() {
		in.damage(Damage{ // the index is of no use to the log now: nothing from here to the next segment can be found
			Path: in.log.path(x.end, logSuffix), From: s.base, To: s.end, Err: fmt.Errorf("the segment is missing: %w", ErrCorrupt),
		})
		s.end = x.end
		return x, raw, nil
	}
	if !ok || x.base != s.base || x.end != s.end || x.rewritten != s.rewritten() {
		in.damage(Damage{Part: PartIndex, Path: path, Err: fmt.Errorf("CRC, length or range is wrong: %w", ErrCorrupt)})
		return nil, raw, nil
	}
	return x, raw, nil
}

// A segmentCheck goes over one segment.
type segmentCheck struct {
	*inspection
	*walker
	end    record.Offset // -1: not known
	built  *index
	stored *index // nil: none that can be used
	sealed bool
}

// batches reads up to the segment's end, over damaged places.
func (s *segmentCheck) batches() error {
	for !s.finished() {
		size, err := s.next()
		switch {
		case err == nil:
			s.o.Read(int64(size))
		case !errors.Is(err, ErrCorrupt):
			return err
		case s.end < 0 && s.position > 0 && s.limit-s.position < batch.HeaderSize:
			return nil // nobody knows whether more was there
		default:
			if more, err := s.over(err); err != nil || !more {
				return err
			}
		}
	}
	if s.end >= 0 && s.offset != s.end {
		s.damage(Damage{
			Path: s.walker.path, At: s.position, From: min(s.offset, s.end), To: max(s.offset, s.end),
			Err: s.corrupt("batches end at offset %d, expected %d", s.offset, s.end),
		})
	}
	return nil
}

// finished: a sealed segment may have stale bytes behind its last batch.
func (s *segmentCheck) finished() bool {
	if s.end >= 0 && s.offset >= s.end {
		return true
	}
	return s.end < 0 && s.position >= s.limit
}

// next checks the batch at the position and goes behind it.
func (s *segmentCheck) next() (size int, err error) {
	v, err := s.header()
	if err != nil {
		return 0, err
	}
	size, _ = batch.Size(v) // header checked it
	b, err := s.read(s.position, size)
	if err != nil {
		return 0, err
	}
	v = batch.View(b)
	if err := v.CheckCRC(); err != nil {
		return 0, s.corrupt("%v", err)
	}
	if s.end >= 0 && v.LastOffset() >= s.end {
		return 0, s.corrupt("batch has offsets up to %d, the segment ends at %d", v.LastOffset(), s.end)
	}
	if want, ok := s.epoch(v.BaseOffset()); ok && v.LeaderEpoch() != want {
		return 0, s.corrupt("batch has leader epoch %d, expected %d", v.LeaderEpoch(), want)
	}
	s.built.add(v, s.position)
	s.r.Batches++
	s.r.Records += int64(v.Count())
	s.r.Bytes += int64(size)
	s.skip(v)
	return size, nil
}

// epoch is the leader epoch that the batch at o must have, as far as anybody knows.
func (s *segmentCheck) epoch(o record.Offset) (int32, bool) {
	if s.stored != nil {
		return s.stored.epochAt(o), true
	}
	if s.o.EpochAt != nil {
		return s.o.EpochAt(o), true
	}
	return 0, false
}

// over notes the damage at the position and goes to the next whole batch; false when there is none.
func (s *segmentCheck) over(why error) (more bool, err error) {
	d := Damage{Path: s.walker.path, At: s.position, Err: why, From: s.offset, To: s.end}
	position, base, framed, err := s.resync()
	if err != nil {
		return false, err
	}
	switch {
	case base >= 0 && framed:
		d.To = base
	case base >= 0 && s.stored != nil:
		d.To = s.stored.entryFrom(position)
	case s.sealed:
		d.From = s.built.base // without an index, nothing in the segment can be found
	}
	s.damage(d)
	if base < 0 {
		return false, nil
	}
	s.o.Read(position - s.position)
	s.position, s.offset = position, base // a gap behind the damage cannot be told from it
	return true, nil
}

// entryFrom is the offset of the first entry at or behind a position, or the segment's end.
func (x *index) entryFrom(position int64) record.Offset {
	i := sort.Search(len(x.entries), func(i int) bool { return int64(x.entries[i].position) >= position })
	if i == len(x.entries) {
		return x.end
	}
	return x.place(i).offset
}

// resync finds the next whole batch behind the position whose offsets may follow: right behind the damaged one by its length, or
// anywhere. base is -1 when there is none. framed: the damaged one's header leads to it.
func (s *segmentCheck) resync() (position int64, base record.Offset, framed bool, err error) {
	if s.limit-s.position >= batch.HeaderSize {
		b, err := s.read(s.position, batch.HeaderSize)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return 0, -1, false, err
		}
		if size, bad := batch.Size(b); err == nil && bad == nil {
			v := batch.View(b)
			first, last := v.BaseOffset(), v.LastOffset()
			if base, err := s.wholeAt(s.position + int64(size)); err != nil || base >= 0 {
				return s.position + int64(size), base, first == s.offset && last+1 == base, err
			}
		}
	}
	position, base, err = s.scan()
	return position, base, false, err
}

// scan finds a whole batch anywhere behind the position.
func (s *segmentCheck) scan() (position int64, base record.Offset, err error) {
	for at := s.position + 1; s.limit-at >= batch.HeaderSize; {
		b, err := s.read(at, int(min(s.limit-at, walkAll)))
		if err != nil {
			return 0, -1, err
		}
		i, n := 0, len(b)-batch.HeaderSize+1
		for i < n && (b[i+magicPosition] != magicNow || !s.plausible(record.Offset(binary.BigEndian.Uint64(b[i:])))) {
			i++
		}
		at += int64(i)
		if i == n {
			continue
		}
		if base, err := s.wholeAt(at); err != nil || base >= 0 {
			return at, base, err
		}
		at++
	}
	return 0, -1, nil
}

// Where the magic byte of a batch stands, and what it is.
const (
	magicPosition = 16
	magicNow      = 2
)

func (s *segmentCheck) plausible(base record.Offset) bool {
	return base > s.offset && (s.end < 0 || base < s.end)
}

// wholeAt returns the base offset of the whole batch at a position, -1 when there is none that may follow.
func (s *segmentCheck) wholeAt(at int64) (record.Offset, error) {
	if s.limit-at < batch.HeaderSize {
		return -1, nil
	}
	b, err := s.read(at, batch.HeaderSize)
	if err != nil {
		return -1, err
	}
	size, bad := batch.Size(b)
	if bad != nil || int64(size) > s.limit-at || !s.plausible(batch.View(b).BaseOffset()) {
		return -1, nil
	}
	if b, err = s.read(at, size); err != nil {
		return -1, err
	}
	v := batch.View(b)
	if v.CheckCRC() != nil || v.LastOffset() < v.BaseOffset() {
		return -1, nil
	}
	return v.BaseOffset(), nil
}
