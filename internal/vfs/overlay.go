package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// NewOverlay returns a file system that shows base and keeps every change to itself, in memory: what runs on it believes that it
// writes, and base is only read. Changed files take memory by the pages that were written. Directories cannot be renamed. Locks are
// always granted: whoever needs base to stand still locks base itself.
func NewOverlay(base FS) FS { return &overlay{FS: base, nodes: map[string]*node{}} }

// overlay holds a node for every path that was opened or changed; all other paths are base's.
type overlay struct {
	FS
	mu    sync.Mutex
	nodes map[string]*node
}

// A node is a file or directory as the overlay knows it.
type node struct {
	gone bool
	dir  bool
	bare bool // a directory that shows nothing of base

	mu    sync.RWMutex
	from  string // the file in base that holds what is not in pages; empty for none
	known int64  // bytes of it that still count
	size  int64
	pages map[int64][]byte // by number, each of pageSize
}

const pageSize = 64 << 10

func (o *overlay) notExist(op, path string) error {
	return &os.PathError{Op: op, Path: path, Err: os.ErrNotExist}
}

// hiddenLocked tells whether base's entry at path was covered by what happened to a directory above it.
func (o *overlay) hiddenLocked(path string) bool {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if n := o.nodes[dir]; n != nil && (n.gone || n.bare) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// findLocked returns the node at path and makes one of base's entry.
func (o *overlay) findLocked(op, path string) (*node, error) {
	path = filepath.Clean(path)
	if n := o.nodes[path]; n != nil {
		if n.gone {
			return nil, o.notExist(op, path)
		}
		return n, nil
	}
	if o.hiddenLocked(path) {
		return nil, o.notExist(op, path)
	}
	info, err := o.FS.Stat(path)
	if err != nil {
		return nil, err
	}
	n := &node{dir: info.IsDir()}
	if !n.dir {
		n.from, n.known, n.size = path, info.Size(), info.Size()
	}
	o.nodes[path] = n
	return n, nil
}

func (o *overlay) find(op, path string) (*node, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.findLocked(op, path)
}

func (o *overlay) Create(path string, _ vfs.DiskWriteCategory) (File, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	path = filepath.Clean(path)
	if _, err := o.findLocked("create", filepath.Dir(path)); err != nil {
		return nil, err
	}
	n := &node{}
	o.nodes[path] = n
	return &overlayFile{node: n, name: path}, nil
}

func (o *overlay) Open(path string, _ ...vfs.OpenOption) (File, error) {
	n, err := o.find("open", path)
	if err != nil {
		return nil, err
	}
	return o.handle(n, path)
}

// handle opens base's file for what the node does not hold itself.
func (o *overlay) handle(n *node, path string) (File, error) {
	f := &overlayFile{node: n, name: path}
	n.mu.RLock()
	from := n.from
	n.mu.RUnlock()
	if from == "" {
		return f, nil
	}
	var err error
	f.base, err = o.FS.Open(from)
	return f, err
}

func (o *overlay) OpenReadWrite(path string, c vfs.DiskWriteCategory, _ ...vfs.OpenOption) (File, error) {
	f, err := o.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return o.Create(path, c)
	}
	return f, err
}

func (o *overlay) OpenDir(path string) (File, error) {
	n, err := o.find("open", path)
	if err != nil {
		return nil, err
	}
	return &overlayFile{node: n, name: path}, nil
}

func (o *overlay) Remove(path string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.findLocked("remove", path); err != nil {
		return err
	}
	o.nodes[filepath.Clean(path)] = &node{gone: true}
	return nil
}

func (o *overlay) RemoveAll(path string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	path = filepath.Clean(path)
	for p := range o.nodes {
		if strings.HasPrefix(p, path+string(filepath.Separator)) {
			delete(o.nodes, p)
		}
	}
	o.nodes[path] = &node{gone: true}
	return nil
}

func (o *overlay) Rename(from, to string) error {
	if err := o.Link(from, to); err != nil {
		return err
	}
	return o.Remove(from)
}

func (o *overlay) Link(from, to string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.findLocked("link", from)
	if err != nil {
		return err
	}
	if n.dir {
		return fmt.Errorf("overlay: %s is a directory: %w", from, errors.ErrUnsupported)
	}
	o.nodes[filepath.Clean(to)] = n
	return nil
}

func (o *overlay) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (File, error) {
	if err := o.Rename(from, to); err != nil {
		return nil, err
	}
	return o.OpenReadWrite(to, c)
}

func (o *overlay) MkdirAll(path string, _ os.FileMode) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var missing []string
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		n, err := o.findLocked("mkdir", p)
		if err == nil && !n.dir {
			return fmt.Errorf("overlay: %s is a file: %w", p, os.ErrExist)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrNotExist) || p == filepath.Dir(p) {
			return err
		}
		missing = append(missing, p)
	}
	for _, p := range missing {
		o.nodes[p] = &node{dir: true, bare: true}
	}
	return nil
}

// Lock implements FS; see NewOverlay.
func (o *overlay) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (o *overlay) List(dir string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	dir = filepath.Clean(dir)
	n, err := o.findLocked("list", dir)
	if err != nil {
		return nil, err
	}
	var names []string
	if !n.bare && !o.hiddenLocked(dir) {
		if names, err = o.FS.List(dir); err != nil {
			return nil, err
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return o.nodes[filepath.Join(dir, name)] != nil })
	for p, n := range o.nodes {
		if !n.gone && p != dir && filepath.Dir(p) == dir {
			names = append(names, filepath.Base(p))
		}
	}
	return names, nil
}

func (o *overlay) Stat(path string) (vfs.FileInfo, error) {
	n, err := o.find("stat", path)
	if err != nil {
		return nil, err
	}
	return n.info(path), nil
}

// Unwrap hides base: nobody may write around the overlay.
func (o *overlay) Unwrap() FS { return nil }
