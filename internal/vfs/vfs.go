// Package vfs is the only door to files. It is Pebble's file system interface, so that the log and the engine's state
// stand on one layer of fault injection: NewCrashable loses what was not synced, errorfs fails the n-th operation.
package vfs

import (
	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS, File and MemFS are Pebble's.
type (
	FS    = vfs.FS
	File  = vfs.File
	MemFS = vfs.MemFS
)

// Category labels writes in Pebble's disk statistics.
const Category = vfs.WriteCategoryUnspecified

// Default is the file system of the machine.
var Default = vfs.Default

// NewCrashable returns an in-memory file system whose CrashClone drops unsynced writes.
func NewCrashable() *MemFS { return vfs.NewCrashableMem() }

// gradualBytes is small enough for others' syncs to pass between two pieces: a disk takes one in a few milliseconds.
const gradualBytes = 512 << 10

// Gradually is f, which is only written at its end, with what was written on its way to the disk while more comes. A Sync of all at once
// would keep the syncs of other files behind it.
func Gradually(f File) File {
	return vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: gradualBytes, NoSyncOnClose: true})
}

// SyncDir makes creations, renames and removals in dir durable.
func SyncDir(fs FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		_ = d.Close() // the sync error tells more
		return err
	}
	return d.Close()
}
