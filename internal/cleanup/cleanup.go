// Package cleanup decides what of a partition's log may go: whole segments by time and size (cleanup.policy=delete), and records
// that a later record of the same key replaces (cleanup.policy=compact).
//
// Package broker is the caller: it runs a Cleaner and gives it its logs, which commitlog keeps, and takes its commands. The package
// calls batch.
//
// A Cleaner works in the goroutine that runs it, one log at a time, and decides by pure functions: Retain and Roll for segments,
// Compactable and Groups for what to compact. A Pass is the compaction itself and keeps the offset map, whose bytes are bounded.
// There are no locks.
//
// A compaction is one or more passes, each in two walks. Learn walks the dirty section, which no pass saw before, and remembers the
// last offset of each key until the map is full. Transform then walks everything from the log's start to where Learn got, oldest
// first, and keeps: the last record of each key; tombstones and markers of transactions without records until their delete horizon,
// which the first pass that meets them writes into their batch (KIP-534); nothing of aborted transactions; all behind Learn.
//
//	tombstone       kept, no horizon ──► horizon = now + delete.retention.ms ──► horizon passed: gone
//	commit marker   kept while records of its transaction are; then as a tombstone
//	abort marker    kept while records of its transaction are, and as long as the broker lists the transaction; then as a tombstone
//
// Not here: files and crash safety (commitlog), what makes a new start durable (broker). The past of producers is in the broker's checkpoint, so no batch has to stay for its sequence alone.
package cleanup

import "github.com/mainstemio/mainstem/record"

// A Segment is one as commitlog describes it.
type Segment struct {
	Base, End record.Offset
	Size      int64 // bytes
	Active    bool
}
