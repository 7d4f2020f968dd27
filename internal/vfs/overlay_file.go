package vfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// An overlayFile is one open handle. Its position belongs to the caller; the node is shared.
type overlayFile struct {
	*node
	name string
	base File // nil when nothing of base counts
	at   int64
}

func (f *overlayFile) Close() error {
	if f.base == nil {
		return nil
	}
	return f.base.Close()
}

func (f *overlayFile) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.at)
	f.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (f *overlayFile) ReadAt(b []byte, off int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	want := len(b)
	if off >= f.size {
		return 0, io.EOF
	}
	b = b[:min(int64(want), f.size-off)]
	for done := 0; done < len(b); {
		n, err := f.readPageLocked(b[done:], off+int64(done))
		if err != nil {
			return done, err
		}
		done += n
	}
	if len(b) < want {
		return len(b), io.EOF
	}
	return len(b), nil
}

// readPageLocked fills the part of b that lies in the page of off.
func (f *overlayFile) readPageLocked(b []byte, off int64) (int, error) {
	number, in := off/pageSize, off%pageSize
	b = b[:min(int64(len(b)), pageSize-in)]
	if page := f.pages[number]; page != nil {
		return copy(b, page[in:]), nil
	}
	return len(b), f.readBaseLocked(b, off)
}

// readBaseLocked fills b with base's bytes, and zeros where there are none.
func (f *overlayFile) readBaseLocked(b []byte, off int64) error {
	clear(b)
	if f.base == nil || off >= f.known {
		return nil
	}
	b = b[:min(int64(len(b)), f.known-off)]
	n, err := f.base.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) { // the file has become shorter since it was opened
		return io.ErrUnexpectedEOF
	}
	return err
}

func (f *overlayFile) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, f.at)
	f.at += int64(n)
	return n, err
}

func (f *overlayFile) WriteAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for done := 0; done < len(b); {
		page, err := f.pageLocked((off + int64(done)) / pageSize)
		if err != nil {
			return done, err
		}
		done += copy(page[(off+int64(done))%pageSize:], b[done:])
	}
	f.size = max(f.size, off+int64(len(b)))
	return len(b), nil
}

// pageLocked returns a page for writing.
func (f *overlayFile) pageLocked(number int64) ([]byte, error) {
	if page := f.pages[number]; page != nil {
		return page, nil
	}
	page := make([]byte, pageSize)
	if err := f.readBaseLocked(page, number*pageSize); err != nil {
		return nil, err
	}
	if f.pages == nil {
		f.pages = map[int64][]byte{}
	}
	f.pages[number] = page
	return page, nil
}

func (f *overlayFile) Preallocate(int64, int64) error        { return nil }
func (f *overlayFile) Sync() error                           { return nil }
func (f *overlayFile) SyncTo(int64) (fullSync bool, _ error) { return false, nil }
func (f *overlayFile) SyncData() error                       { return nil }
func (f *overlayFile) Prefetch(int64, int64) error           { return nil }
func (f *overlayFile) Fd() uintptr                           { return vfs.InvalidFd }
func (f *overlayFile) Stat() (vfs.FileInfo, error)           { return f.info(f.name), nil }

func (n *node) info(path string) vfs.FileInfo {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return overlayInfo{name: filepath.Base(path), size: n.size, dir: n.dir}
}

// overlayInfo describes an entry; it knows no times.
type overlayInfo struct {
	name string
	size int64
	dir  bool
}

func (i overlayInfo) Name() string           { return i.name }
func (i overlayInfo) Size() int64            { return i.size }
func (i overlayInfo) ModTime() time.Time     { return time.Time{} }
func (i overlayInfo) IsDir() bool            { return i.dir }
func (i overlayInfo) Sys() any               { return nil }
func (i overlayInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

func (i overlayInfo) Mode() os.FileMode {
	if i.dir {
		return os.ModeDir | 0o700
	}
	return 0o600
}
