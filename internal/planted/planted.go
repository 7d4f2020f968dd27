// Package planted holds bugs that can be switched on to see that the tests find them.
//
// Any package calls Is at the place where a bug would be; it calls nothing. Without the build tag plantedbugs Is is constantly false
// and its branches compile to nothing. With the tag, MAINSTEM_PLANTED_BUG names the one bug of the process.
//
// No state, no locks, no format. A new bug is a constant here, a branch at its place, and a row in the test, which shows that some
// check fails with it.
//
// Not here: faults of disks and networks (internal/vfs, test/crash).
package planted

// A Bug is named by what goes wrong.
type Bug string

// The bugs.
const (
	JournalUnsynced      Bug = "journal-unsynced"        // a block counts as durable without a sync
	JournalDirUnsynced   Bug = "journal-dir-unsynced"    // a new journal file's name is not made durable
	SyncErrorForgotten   Bug = "sync-error-forgotten"    // a failed sync of the journal is taken for a good one
	ReplayedTwice        Bug = "replayed-twice"          // the last frame of a checkpoint is applied again
	AcknowledgedEarly    Bug = "acknowledged-early"      // results are handed out before their sync
	ShownEarly           Bug = "shown-early"             // the high watermark moves before the sync
	LogsUnsynced         Bug = "logs-unsynced"           // a checkpoint does not sync the logs that it describes
	ReleasedEarly        Bug = "released-early"          // the journal is released before its checkpoint is durable
	RemovedEarly         Bug = "removed-early"           // segments go before the start file says so
	EpochUnchecked       Bug = "epoch-unchecked"         // an older producer epoch may write
	SequenceUnchecked    Bug = "sequence-unchecked"      // a gap in a producer's sequence is taken
	ProducersForgotten   Bug = "producers-forgotten"     // a restart forgets what producers have sent
	BeyondStable         Bug = "beyond-stable"           // committed reads go to the high watermark
	AbortedForgotten     Bug = "aborted-forgotten"       // an aborted transaction is not listed
	WriterUnfenced       Bug = "writer-unfenced"         // an older epoch writer may go on
	GroupCommitLost      Bug = "group-commit-lost"       // committed offsets never reach the journal
	PositionsLost        Bug = "positions-lost"          // an epoch is stored without its positions
	OffsetReused         Bug = "offset-reused"           // a result names the offset before the batch's own
	ChecksumUnchecked    Bug = "checksum-unchecked"      // batches are served with any CRC
	LeaderEpochUnchanged Bug = "leader-epoch-unchanged"  // an unclean start keeps the leader epochs
	TornTailKept         Bug = "damage-taken-for-torn"   // damage that valid blocks follow is cut off
	RoundTornByFull      Bug = "batch-dropped-when-full" // a round that found no room goes on without its batches
)
