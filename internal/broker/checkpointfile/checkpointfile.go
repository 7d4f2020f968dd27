// Package checkpointfile keeps the broker's checkpoint in two files of the same content, so that a damaged one does not take everything
// along that the journal has let go since.
//
// The broker writes and reads checkpoints through it; tools that look at a data directory know its files by it. It calls package vfs.
//
// It has no state. One checkpoint is written at a time.
//
// Format: docs/format/broker.md. A header (magic, version, CRC-32C of what follows it, length of the body) and the body, which is
// package broker's. The file is named for the last frame that it holds; the second one has .copy behind that.
//
// What a checkpoint says is not here.
package checkpointfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/vfs"
)

const (
	magic = "MSBK"
	// Version is what Write gives its files.
	Version    = 2
	HeaderSize = 4 + 2 + 4 + 8 // magic, version, CRC-32C of what follows it, body length
	prefix     = "checkpoint-"
	copySuffix = ".copy"
	temp       = "checkpoint.tmp"
)

// Errors of Open and Read.
var (
	ErrDamaged = errors.New("checkpoint is damaged")
	ErrNewer   = errors.New("checkpoint has a newer format")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Name is what the name of a file in the broker's directory says.
type Name struct {
	LSN  uint64 // of the last frame: a journal.LSN
	Copy bool   // the second file
	Temp bool   // one that is or was being written: the rest is zero
}

// Parse reads a file name; ok is false when it is no checkpoint's.
func Parse(name string) (n Name, ok bool) {
	if name == temp {
		return Name{Temp: true}, true
	}
	hex, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return Name{}, false
	}
	hex, n.Copy = strings.CutSuffix(hex, copySuffix)
	if len(hex) != 16 {
		return Name{}, false
	}
	lsn, err := strconv.ParseUint(hex, 16, 64)
	n.LSN = lsn
	return n, err == nil
}

// String is the name of the file.
func (n Name) String() string {
	if n.Temp {
		return temp
	}
	name := fmt.Sprintf("%s%016x", prefix, n.LSN)
	if n.Copy {
		name += copySuffix
	}
	return name
}

// Seal puts the header before body.
func Seal(body []byte) []byte {
	b := make([]byte, 0, HeaderSize+len(body))
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, Version)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(len(body)))
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[6:], crc32.Checksum(b[10:], castagnoli))
	return b
}

// Open checks a file's bytes and returns its body: ErrNewer or ErrDamaged.
func Open(b []byte) (body []byte, version uint16, err error) {
	if len(b) < HeaderSize || string(b[:4]) != magic {
		return nil, 0, ErrDamaged
	}
	switch version = binary.BigEndian.Uint16(b[4:]); {
	case version == 0:
		return nil, 0, ErrDamaged
	case version > Version:
		return nil, version, fmt.Errorf("%w: format %d, this version reads up to %d", ErrNewer, version, Version)
	}
	if binary.BigEndian.Uint32(b[6:]) != crc32.Checksum(b[10:], castagnoli) ||
		binary.BigEndian.Uint64(b[10:]) != uint64(len(b)-HeaderSize) {
		return nil, 0, ErrDamaged
	}
	return b[HeaderSize:], version, nil
}

// ReadFile is Open of the file at path.
func ReadFile(files vfs.FS, path string) (body []byte, version uint16, err error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, 0, err
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, 0, err
	}
	return Open(b)
}

// A Checkpoint is what Read found.
type Checkpoint struct {
	LSN     uint64
	Path    string // of the file that was read
	Body    []byte
	Version uint16
	// Damaged says why the first file could not be read when Body is from its copy.
	Damaged error
}

// Reparable tells whether a copy that can be read counts in place of a file that could not be, for this reason. A format that looks newer
// is a damage if the copy's is not.
func Reparable(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer) || errors.Is(err, fs.ErrNotExist)
}

// Read returns the newest checkpoint in dir; found is false when there is none. A first file that is damaged or gone is made good by its
// copy.
func Read(files vfs.FS, dir string) (c Checkpoint, found bool, err error) {
	names, err := files.List(dir)
	if err != nil {
		return c, false, err
	}
	for _, name := range names {
		if n, ok := Parse(name); ok && !n.Temp {
			c.LSN, found = max(c.LSN, n.LSN), true
		}
	}
	if !found {
		return c, false, nil
	}
	c.Path = files.PathJoin(dir, Name{LSN: c.LSN}.String())
	c.Body, c.Version, err = ReadFile(files, c.Path)
	if err == nil || !Reparable(err) {
		return c, true, wrap(c.Path, err)
	}
	second := files.PathJoin(dir, Name{LSN: c.LSN, Copy: true}.String())
	body, version, copyErr := ReadFile(files, second)
	if copyErr != nil {
		return c, true, wrap(c.Path, fmt.Errorf("%w; its copy: %w", err, copyErr))
	}
	return Checkpoint{LSN: c.LSN, Path: second, Body: body, Version: version, Damaged: wrap(c.Path, err)}, true, nil
}

func wrap(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Write makes both files of a checkpoint durable under their names, then removes older ones.
func Write(files vfs.FS, dir string, lsn uint64, body []byte) error {
	sealed := Seal(body)
	for _, n := range []Name{{LSN: lsn}, {LSN: lsn, Copy: true}} {
		path := files.PathJoin(dir, temp)
		if err := writeFile(files, path, sealed); err != nil {
			return err
		}
		if err := files.Rename(path, files.PathJoin(dir, n.String())); err != nil {
			return err
		}
	}
	if err := vfs.SyncDir(files, dir); err != nil {
		return err
	}
	names, err := files.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if old, ok := Parse(name); ok && !old.Temp && old.LSN < lsn {
			if err := files.Remove(files.PathJoin(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeFile(files vfs.FS, path string, b []byte) error {
	f, err := files.Create(path, vfs.Category)
	if err != nil {
		return err
	}
	if _, err := f.Write(append([]byte(nil), b...)); err != nil { // a file may change the bytes that it writes
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
