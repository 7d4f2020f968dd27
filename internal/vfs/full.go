package vfs

import (
	"errors"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// IsFull tells whether err says that the disk, or the user's share of it, has no room. Such an error of a write leaves what was
// there before as it was: the same write may be tried again. Of a sync it means no such thing: what was not synced may be lost.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Usage returns the bytes that dir's disk can still take from this process, and its size. ok is false where nobody knows.
func Usage(fs FS, dir string) (free, total int64, ok bool) {
	u, err := fs.GetDiskUsage(dir)
	if err != nil {
		return 0, 0, false // a disk that cannot answer is not known to be full; writing to it will tell
	}
	const most = 1 << 62
	return int64(min(u.AvailBytes, most)), int64(min(u.TotalBytes, most)), true
}

// ErrUnsupported of GetDiskUsage: the file system has no size.
var ErrUnsupported = vfs.ErrUnsupported
