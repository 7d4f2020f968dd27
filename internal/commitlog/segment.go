package commitlog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

const (
	logSuffix   = ".log"
	indexSuffix = ".index"
	tempSuffix  = ".tmp" // behind logSuffix: being written by Rewrite, without meaning

	nameDigits       = 20
	generationDigits = 8
)

// A segment is one file of batches. A sealed one never changes; its fields are then read-only, but for time. Rewrite puts another
// one in its place.
type segment struct {
	base       record.Offset
	end        record.Offset // the next segment's base; of a sealed segment only
	size       int64         // bytes of a sealed segment, as the file system says after a start
	generation uint32        // 0: its batches stand as they were appended, without gaps; otherwise which Rewrite made it

	timed bool             // time is known; the log's mu guards both
	time  record.Timestamp // highest of the batches of a sealed segment
}

func (s *segment) rewritten() bool { return s.generation > 0 }

func (s *segment) fileName() fileName {
	if !s.rewritten() {
		return fileName{base: s.base}
	}
	return fileName{s.base, s.end, s.generation}
}

// A fileName is what the files of a segment are called without their suffixes. That of a rewritten one says what it replaces:
// all of lower generations from base up to end.
type fileName struct {
	base, end  record.Offset
	generation uint32
}

func (n fileName) String() string {
	if n.generation == 0 {
		return fmt.Sprintf("%0*d", nameDigits, n.base)
	}
	return fmt.Sprintf("%0*d-%0*d-%0*x", nameDigits, n.base, nameDigits, n.end, generationDigits, n.generation)
}

// replaces tells whether n was made from o.
func (n fileName) replaces(o fileName) bool {
	return n.generation > o.generation && o.base >= n.base && o.base < n.end
}

// active is what the newest segment has besides.
type active struct {
	base  record.Offset
	end   record.Offset
	size  int64
	index *index
	file  vfs.File // nil until the first append after Open
}

// sealed is a segment that Sync has yet to make durable; Sync and Close own the handles.
type sealed struct {
	base  record.Offset
	data  vfs.File
	index vfs.File
}

func (s sealed) close() error { return errors.Join(s.data.Close(), s.index.Close()) }

func segmentName(base record.Offset, suffix string) string {
	return fileName{base: base}.String() + suffix
}

// path of a file of an appended segment.
func (l *Log) path(base record.Offset, suffix string) string {
	return l.fs.PathJoin(l.dir, segmentName(base, suffix))
}

func (l *Log) pathOf(s *segment, suffix string) string {
	return l.fs.PathJoin(l.dir, s.fileName().String()+suffix)
}

// files is what a log's directory holds.
type files struct {
	logs    []fileName // by base, newer generations first
	indexes []fileName
	temps   []string
	start   bool
}

func (f files) empty() bool { return len(f.logs) == 0 && len(f.indexes) == 0 && !f.start }

func listFiles(fs vfs.FS, dir string) (files, error) {
	names, err := fs.List(dir)
	if err != nil {
		return files{}, err
	}
	var out files
	for _, name := range names {
		if n, ok := parseName(name, logSuffix); ok {
			out.logs = append(out.logs, n)
		}
		if n, ok := parseName(name, indexSuffix); ok {
			out.indexes = append(out.indexes, n)
		}
		if _, ok := parseName(name, logSuffix+tempSuffix); ok {
			out.temps = append(out.temps, name)
		}
		out.start = out.start || name == startName
	}
	slices.SortFunc(out.logs, func(a, b fileName) int {
		return cmp.Or(cmp.Compare(a.base, b.base), cmp.Compare(b.generation, a.generation))
	})
	return out, nil
}

// current is the segments that no other one replaces, by base.
func (f files) current() []fileName {
	var out []fileName
	for _, n := range f.logs {
		// One that replaces others holds all that its predecessors held: the last one kept is the only one to ask.
		if len(out) == 0 || !out[len(out)-1].replaces(n) {
			out = append(out, n)
		}
	}
	return out
}

// generation is the newest one.
func (f files) generation() (newest uint32) {
	for _, list := range [][]fileName{f.logs, f.indexes} {
		for _, n := range list {
			newest = max(newest, n.generation)
		}
	}
	return newest
}

// parseName reads a name of segmentName; files of other names are not the log's and stay untouched.
func parseName(name, suffix string) (n fileName, ok bool) {
	stem, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return fileName{}, false
	}
	parts := strings.Split(stem, "-")
	numbers := make([]int64, len(parts))
	for i, p := range parts {
		radix := 10
		if i == 2 {
			radix = 16
		}
		var err error
		if numbers[i], err = strconv.ParseInt(p, radix, 64); err != nil {
			return fileName{}, false
		}
	}
	switch len(parts) {
	case 1:
		n = fileName{base: record.Offset(numbers[0])}
	case 3:
		n = fileName{record.Offset(numbers[0]), record.Offset(numbers[1]), uint32(numbers[2])}
		ok = n.generation > 0 && n.end > n.base
	}
	return n, ok && n.base >= 0 && n.String() == stem
}
