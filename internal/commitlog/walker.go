package commitlog

import (
	"errors"
	"fmt"
	"io"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// Sizes of a walker's window in bytes: a search from an index entry is short, a scan is long.
const (
	walkFromEntry = 8 << 10
	walkAll       = 64 << 10
)

// A walker goes over the batch headers of one segment file and checks that they follow each other. It has its own handle.
type walker struct {
	file     vfs.File
	path     string
	position int64         // of the next batch
	offset   record.Offset // of the next batch, expected
	limit    int64         // the segment's bytes: nothing is read behind
	index    *index        // tells where offsets are missing; nil when none may be
	gaps     bool          // without an index: batches may leave offsets out

	window []byte
	start  int64 // of window in the file
	size   int   // of window when it is filled
}

// openWalker opens the segment at its first batch; limit is the file's size until the caller knows better.
func (l *Log) openWalker(s *segment, window int) (*walker, error) {
	path := l.pathOf(s, logSuffix)
	f, err := l.fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("segment %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // the first error tells more
		return nil, fmt.Errorf("segment %s: %w", path, err)
	}
	return &walker{file: f, path: path, offset: s.base, limit: info.Size(), size: window}, nil
}

func (w *walker) close() { _ = w.file.Close() } // opened for reading: nothing to lose

func (w *walker) corrupt(format string, args ...any) error {
	return fmt.Errorf("segment %s at %d: %s: %w", w.path, w.position, fmt.Sprintf(format, args...), ErrCorrupt)
}

// header returns the header of the next batch, which lies within the limit and has the expected offset. It is valid until
// the next call; its records and so its CRC were not looked at.
func (w *walker) header() (batch.View, error) {
	if w.limit-w.position < batch.HeaderSize {
		return nil, w.corrupt("no batch with offset %d: %d bytes are left", w.offset, w.limit-w.position)
	}
	b, err := w.read(w.position, batch.HeaderSize)
	if err != nil {
		return nil, err
	}
	size, err := batch.Size(b)
	if err != nil {
		return nil, w.corrupt("%v", err)
	}
	if int64(size) > w.limit-w.position {
		return nil, w.corrupt("batch of %d bytes, %d are left", size, w.limit-w.position)
	}
	v := batch.View(b)
	if w.gaps && v.BaseOffset() > w.offset {
		w.offset = v.BaseOffset()
	}
	if v.BaseOffset() != w.offset || v.LastOffset() < w.offset {
		return nil, w.corrupt("batch has offsets %d to %d, expected %d", v.BaseOffset(), v.LastOffset(), w.offset)
	}
	return v, nil
}

// skip goes behind the batch whose header v is.
func (w *walker) skip(v batch.View) {
	size, _ := batch.Size(v) // header checked it
	w.position += int64(size)
	w.offset = v.LastOffset() + 1
	if w.index != nil {
		w.offset = w.index.afterGap(w.offset)
	}
}

// read returns n bytes at off through the window.
func (w *walker) read(off int64, n int) ([]byte, error) {
	if off < w.start || off+int64(n) > w.start+int64(len(w.window)) {
		size := int(min(int64(max(n, w.size)), w.limit-off))
		if cap(w.window) < size {
			w.window = make([]byte, size)
		}
		w.window, w.start = w.window[:size], off
		if err := w.readAt(w.window, off); err != nil {
			w.window = w.window[:0]
			return nil, err
		}
	}
	return w.window[off-w.start:][:n:n], nil
}

// readAt fills b; a file that ends before is corrupt, since the limit says that the bytes were there.
func (w *walker) readAt(b []byte, off int64) error {
	n, err := w.file.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return w.corrupt("%d bytes expected, the file has %d", len(b), n)
	}
	return fmt.Errorf("segment %s: read %d bytes at %d: %w", w.path, len(b), off, err)
}
