package vfs

import (
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// OnOp wraps fs so that f is called before every operation, on the file system and on its files, with the operation's
// name (as "create", "write-at", "sync-data") and the path. Together with CrashClone it visits every crash point of a
// workload: the state before operation n+1 is the state after operation n. A test aid; f must be safe for concurrent calls
// when the workload is concurrent.
func OnOp(fs FS, f func(op, path string)) FS {
	return FailOp(fs, func(op, path string) error {
		f(op, path)
		return nil
	})
}

// FailOp wraps fs as OnOp does; an error that f returns is the operation's result, and the operation is not carried out.
func FailOp(fs FS, f func(op, path string) error) FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		return f(opNames[op.Kind], op.Path)
	}))
}

// IsWriteOp tells whether an operation name of OnOp changes what a crash may leave behind.
func IsWriteOp(op string) bool {
	switch op {
	case "open", "open-dir", "list", "stat", "disk-usage", "read", "read-at", "file-stat", "lock", "close", "flush":
		return false
	default:
		return true
	}
}

var opNames = map[errorfs.OpKind]string{
	errorfs.OpCreate:          "create",
	errorfs.OpLink:            "link",
	errorfs.OpOpen:            "open",
	errorfs.OpOpenDir:         "open-dir",
	errorfs.OpRemove:          "remove",
	errorfs.OpRemoveAll:       "remove-all",
	errorfs.OpRename:          "rename",
	errorfs.OpReuseForWrite:   "reuse-for-write",
	errorfs.OpMkdirAll:        "mkdir-all",
	errorfs.OpLock:            "lock",
	errorfs.OpList:            "list",
	errorfs.OpFilePreallocate: "preallocate",
	errorfs.OpStat:            "stat",
	errorfs.OpGetDiskUsage:    "disk-usage",
	errorfs.OpFileClose:       "close",
	errorfs.OpFileRead:        "read",
	errorfs.OpFileReadAt:      "read-at",
	errorfs.OpFileWrite:       "write",
	errorfs.OpFileWriteAt:     "write-at",
	errorfs.OpFileStat:        "file-stat",
	errorfs.OpFileSync:        "sync",
	errorfs.OpFileSyncData:    "sync-data",
	errorfs.OpFileSyncTo:      "sync-to",
	errorfs.OpFileFlush:       "flush",
}
