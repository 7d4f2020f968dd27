package commitlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// maxCachedIndexes bounds the indexes of sealed segments that a log keeps in memory, half a megabyte each at most with
// default sizes: a reader that catches up needs one at a time.
const maxCachedIndexes = 2

// An indexCache holds the indexes used last, oldest first. The log's mu guards it.
type indexCache struct{ kept []cachedIndex }

// A cachedIndex goes with its segment: one that replaces it has the same base and another index.
type cachedIndex struct {
	of *segment
	*index
}

func (c *indexCache) get(s *segment) *index {
	for _, x := range c.kept {
		if x.of == s {
			return x.index
		}
	}
	return nil
}

func (c *indexCache) put(s *segment, x *index) {
	c.drop(s)
	if len(c.kept) == maxCachedIndexes {
		c.kept = slices.Delete(c.kept, 0, 1)
	}
	c.kept = append(c.kept, cachedIndex{s, x})
}

func (c *indexCache) drop(s *segment) {
	c.kept = slices.DeleteFunc(c.kept, func(x cachedIndex) bool { return x.of == s })
}

// sealedIndex returns the index of a sealed segment: kept, loaded, or rebuilt when its file is missing or damaged.
func (l *Log) sealedIndex(s *segment) (*index, error) {
	l.mu.RLock()
	x := l.mu.indexes.get(s)
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
	l.keepIndex(s, x)
	return x, nil
}

func (l *Log) keepIndex(s *segment, x *index) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err == nil {
		l.mu.indexes.put(s, x)
	}
}

// loadIndex reads the index file; nil when it cannot be used.
func (l *Log) loadIndex(s *segment) (*index, error) {
	path := l.pathOf(s, indexSuffix)
	b, err := readFile(l.fs, path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", path, err)
	}
	x, ok := decodeIndex(b)
	if !ok || x.base != s.base || x.end != s.end || x.rewritten != s.rewritten() {
		return nil, nil
	}
	return x, nil
}

// rebuildIndex makes the index of a sealed segment from the headers of its batches. They end where the next segment
// starts: what follows in the file are stale bytes. In a segment that Rewrite made, gaps are believed as they stand there.
func (l *Log) rebuildIndex(s *segment) (*index, error) {
	w, err := l.openWalker(s, walkAll)
	if err != nil {
		return nil, err
	}
	defer w.close()
	w.gaps = s.rewritten()
	x := newIndex(s.base)
	x.rewritten = w.gaps
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
	l.keepIndex(s, x)
	return x, nil
}

func isMissing(err error) bool { return errors.Is(err, os.ErrNotExist) }

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
