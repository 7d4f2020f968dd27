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
