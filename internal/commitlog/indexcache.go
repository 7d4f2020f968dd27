package commitlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// maxCachedIndexes bounds the indexes of sealed segments that a log keeps in memory, half a megabyte each at most with
// default sizes: a reader that catches up needs one at a time.
const maxCachedIndexes = 2

// An indexCache holds the indexes used last, oldest first. The log's mu guards it.
type indexCache struct{ kept []*index }

func (c *indexCache) get(base record.Offset) *index {
	for _, x := range c.kept {
		if x.base == base {
			return x
		}
	}
	return nil
}

func (c *indexCache) put(x *index) {
	c.drop(x.base)
	if len(c.kept) == maxCachedIndexes {
		c.kept = slices.Delete(c.kept, 0, 1)
	}
	c.kept = append(c.kept, x)
}

func (c *indexCache) drop(base record.Offset) {
	c.kept = slices.DeleteFunc(c.kept, func(x *index) bool { return x.base == base })
}

// sealedIndex returns the index of a sealed segment: kept, loaded, or rebuilt when its file is missing or damaged.
func (l *Log) sealedIndex(s *segment) (*index, error) {
	l.mu.RLock()
	x := l.mu.indexes.get(s.base)
	l.mu.RUnlock()
	if x != nil {
		return x, nil
	}
	x, err := l.loadIndex(s)
	if err != nil {
		return nil, err
	}
	if x == nil {
		return l.rebuildIndex(s)
	}
	l.keepIndex(x)
	return x, nil
}

func (l *Log) keepIndex(x *index) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err == nil {
		l.mu.indexes.put(x)
	}
}

// loadIndex reads the index file; nil when it cannot be used.
func (l *Log) loadIndex(s *segment) (*index, error) {
	path := l.path(s.base, indexSuffix)
	b, err := readFile(l.fs, path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", path, err)
	}
	x, ok := decodeIndex(b)
	if !ok || x.base != s.base || x.end != s.end {
		return nil, nil
	}
	return x, nil
}

// rebuildIndex makes the index of a sealed segment from the headers of its batches. They end where the next segment
// starts: what follows in the file are stale bytes.
func (l *Log) rebuildIndex(s *segment) (*index, error) {
	w, err := l.openWalker(s.base, walkAll)
	if err != nil {
		return nil, err
	}
	defer w.close()
	x := newIndex(s.base)
	for w.offset < s.end {
		v, err := w.header()
		if err != nil {
			return nil, err
		}
		x.add(v, w.position)
		w.skip(v)
	}
	if w.offset != s.end {
		return nil, w.corrupt("batches end at offset %d, the next segment starts at %d", w.offset, s.end)
	}
	x.end, x.size, x.rebuilt = s.end, w.position, true
	l.keepIndex(x)
	return x, nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
