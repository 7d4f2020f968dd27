package commitlog

import (
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
	nameDigits  = 20
)

// A segment is one file of batches. A sealed one never changes; its fields are then read-only.
type segment struct {
	base record.Offset
	end  record.Offset // the next segment's base; of a sealed segment only
	size int64         // bytes of a sealed segment, as the file system says after a start
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
	return fmt.Sprintf("%0*d%s", nameDigits, base, suffix)
}

func (l *Log) path(base record.Offset, suffix string) string {
	return l.fs.PathJoin(l.dir, segmentName(base, suffix))
}

// files is what a log's directory holds.
type files struct {
	logs    []record.Offset // ascending
	indexes []record.Offset
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
		if base, ok := parseName(name, logSuffix); ok {
			out.logs = append(out.logs, base)
		}
		if base, ok := parseName(name, indexSuffix); ok {
			out.indexes = append(out.indexes, base)
		}
		out.start = out.start || name == startName
	}
	slices.Sort(out.logs)
	return out, nil
}

// parseName reads a name of segmentName; files of other names are not the log's and stay untouched.
func parseName(name, suffix string) (record.Offset, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != nameDigits {
		return 0, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return record.Offset(base), err == nil && base >= 0
}
