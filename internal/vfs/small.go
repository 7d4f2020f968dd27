package vfs

import (
	"io"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A SmallDisk is a file system with a size: writes that would need more than it has fail with ENOSPC, and GetDiskUsage tells.
// Preallocated bytes are taken from the disk, so that writing them later needs nothing, as on ext4 and XFS. A test aid.
type SmallDisk struct {
	FS
	mu struct {
		sync.Mutex
		size, used int64
		files      map[string]*smallFile
	}
}

// smallFile is how much of the disk one file takes.
type smallFile struct{ taken int64 }

// NewSmallDisk gives fs, which is empty, the size in bytes.
func NewSmallDisk(fs FS, size int64) *SmallDisk {
	d := &SmallDisk{FS: fs}
	d.mu.size, d.mu.files = size, map[string]*smallFile{}
	return d
}

// Resize changes the size; less than what is used leaves no room, and loses nothing.
func (d *SmallDisk) Resize(size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.size = size
}

// Used is the bytes that files take.
func (d *SmallDisk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.used
}

// Unwrap returns what the disk is made of.
func (d *SmallDisk) Unwrap() FS { return d.FS }

// GetDiskUsage tells the size and what is left of it.
func (d *SmallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return vfs.DiskUsage{
		AvailBytes: uint64(max(0, d.mu.size-d.mu.used)), TotalBytes: uint64(d.mu.size), UsedBytes: uint64(d.mu.used),
	}, nil
}

// grow lets f take up to `to` bytes, or only some of them.
func (d *SmallDisk) grow(f *smallFile, to int64) (got int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	more := to - f.taken
	if more <= 0 {
		return to, nil
	}
	if room := max(0, d.mu.size-d.mu.used); more > room {
		more, err = room, syscall.ENOSPC
	}
	f.taken += more
	d.mu.used += more
	return f.taken, err
}

func (d *SmallDisk) create(name string) *smallFile {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetLocked(name)
	f := &smallFile{}
	d.mu.files[name] = f
	return f
}

func (d *SmallDisk) forgetLocked(name string) {
	if f := d.mu.files[name]; f != nil {
		d.mu.used -= f.taken
		f.taken = 0
		delete(d.mu.files, name)
	}
}

// Create implements FS; a directory entry is free.
func (d *SmallDisk) Create(name string, c vfs.DiskWriteCategory) (File, error) {
	f, err := d.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return &smallHandle{File: f, disk: d, size: d.create(name)}, nil
}

// OpenReadWrite implements FS.
func (d *SmallDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (File, error) {
	f, err := d.FS.OpenReadWrite(name, c, opts...)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	size := d.mu.files[name]
	d.mu.Unlock()
	if size == nil {
		size = d.create(name)
	}
	return &smallHandle{File: f, disk: d, size: size}, nil
}

// ReuseForWrite implements FS.
func (d *SmallDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (File, error) {
	if err := d.Rename(from, to); err != nil {
		return nil, err
	}
	return d.OpenReadWrite(to, c)
}

// Rename implements FS.
func (d *SmallDisk) Rename(from, to string) error {
	if err := d.FS.Rename(from, to); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.mu.files[from]; f != nil && from != to {
		d.forgetLocked(to)
		delete(d.mu.files, from)
		d.mu.files[to] = f
	}
	return nil
}

// Remove implements FS.
func (d *SmallDisk) Remove(name string) error {
	if err := d.FS.Remove(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetLocked(name)
	return nil
}

// RemoveAll implements FS.
func (d *SmallDisk) RemoveAll(name string) error {
	err := d.FS.RemoveAll(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	for file := range d.mu.files {
		if file == name || strings.HasPrefix(file, name+"/") {
			d.forgetLocked(file)
		}
	}
	return err
}

type smallHandle struct {
	File
	disk *SmallDisk
	size *smallFile
	at   int64 // of Write
}

func (h *smallHandle) Write(b []byte) (int, error) {
	n, err := h.write(b, h.at, h.File.Write)
	h.at += int64(n)
	return n, err
}

func (h *smallHandle) WriteAt(b []byte, off int64) (int, error) {
	return h.write(b, off, func(b []byte) (int, error) { return h.File.WriteAt(b, off) })
}

// write carries out what there is room for, as a disk does.
func (h *smallHandle) write(b []byte, off int64, do func([]byte) (int, error)) (int, error) {
	end, full := h.disk.grow(h.size, off+int64(len(b)))
	fits := max(0, min(int64(len(b)), end-off))
	if full == nil {
		fits = int64(len(b))
	}
	n := 0
	if fits > 0 || full == nil {
		var err error
		if n, err = do(b[:fits]); err != nil {
			return n, err
		}
	}
	if full == nil && n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, full
}

func (h *smallHandle) Preallocate(offset, length int64) error {
	h.disk.mu.Lock()
	before := h.size.taken
	h.disk.mu.Unlock()
	if _, err := h.disk.grow(h.size, offset+length); err != nil {
		h.disk.mu.Lock()
		defer h.disk.mu.Unlock()
		h.disk.mu.used -= h.size.taken - before
		h.size.taken = before
		return err
	}
	return h.File.Preallocate(offset, length)
}
