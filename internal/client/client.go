// Package client is the engine's only door to topics (DESIGN §2): reading partitions, committing epochs, administering topics.
//
// Two packages implement it: local (the embedded broker in this process) and remote (any Kafka cluster). Both pass the kit in
// package clienttest, so a pipeline cannot tell which one it runs on. Readers see committed data only, on either.
package client

import (
	"context"
	"errors"

	"github.com/mainstemio/mainstem/record"
)

// Sentinels. Errors wrap them with the topic, partition or application concerned.
var (
	// ErrFenced: a newer instance of the application has taken over; this one must stop.
	ErrFenced = errors.New("fenced by a newer instance")
	// ErrUnknownTopic: the topic or partition does not exist.
	ErrUnknownTopic = errors.New("unknown topic")
	// ErrGap: the position is no longer in the log (retention or deleted records); skipping would lose data, so it is never silent.
	ErrGap = errors.New("records are missing from the log")
	// ErrRecreated: the topic was deleted and made anew while it was being read.
	ErrRecreated = errors.New("topic was re-created")
	// ErrTooLarge: a record is larger than its topic accepts.
	ErrTooLarge = errors.New("record is too large")
)

// OwnerID is the transactional id whose producer has the right to run app alone. It never has a transaction, so its producer changes only when
// another instance claims that right; the application's own transactional id is just what fences the others. Both doors claim it.
func OwnerID(app string) string { return app + "/owner" }

// A Chunk is a run of consecutive records of one partition in columns. The columns have equal length and may be kept: nobody
// changes them or the bytes they point to. A nil key or value is null.
type Chunk struct {
	record.TopicPartition
	Offsets    []record.Offset
	Timestamps []record.Timestamp
	Keys       [][]byte
	Values     [][]byte
	Headers    [][]record.Header // nil when no record of the chunk has headers
	Next       record.Offset     // where reading goes on, behind control and aborted records
	End        record.Offset     // end of the committed log when the chunk was read: End - Next is the lag
}

// A Reader reads partitions from given positions. One goroutine uses it; another may call Pause and Resume while it waits in Poll.
type Reader interface {
	// Poll waits until at least one chunk is there (maybe with no records but a moved Next, or an End that tells of some) and returns
	// about maxBytes at most, one batch at least. It ends with ctx's error, or one of the sentinels.
	Poll(ctx context.Context, maxBytes int) ([]Chunk, error)
	// Pause and Resume stop and restart delivery from a partition; what was polled stays polled. A Poll that waits gives what Resume lets
	// through.
	Pause(tp record.TopicPartition)
	Resume(tp record.TopicPartition)
	Close()
}

// A Watcher is a Reader that tells when there may be something to read, so that nobody has to stand in Poll for as long as there is nothing.
type Watcher interface {
	Reader
	// Look is Poll that does not wait: there may be nothing.
	Look(maxBytes int) ([]Chunk, error)
	// News has a value when something may have come, gone wrong or been resumed since the last Look or Poll began.
	News() <-chan struct{}
}

// An Epoch gathers the outputs of one commit. It is filled by one goroutine and handed to Commit once.
type Epoch interface {
	// Append copies one record in.
	Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, headers []record.Header) error
	// Size is the bytes gathered, Count the records.
	Size() int
	Count() int
}

// A Producer commits epochs for one application. Opening it again, anywhere, fences this one.
type Producer interface {
	NewEpoch() Epoch
	// Commit makes e's records and the input positions (offset of the next record to read) durable in one step: all or nothing.
	// They are visible when it returns; on a remote cluster a moment later, when it has written the markers of the transaction:
	// until then readers, Ends and Committed show, or wait for, what was there before. An epoch without records and positions
	// does nothing. Epochs become durable in the order of calls; call it from one goroutine. After an error, whose outcome may be
	// unknown, the application must be reopened from its committed positions.
	Commit(ctx context.Context, e Epoch, positions map[record.TopicPartition]record.Offset) error
	// Rest gives back the memory that epochs before this call have used, for a producer that commits nothing for a while. Those not yet
	// committed stay good.
	Rest()
	Close()
}

// TopicInfo describes an existing topic.
type TopicInfo struct {
	Name       string
	ID         [16]byte
	Partitions int32
	Replicas   int32             // 0: not known
	Configs    map[string]string // those set on the topic; nil: not known
}

// A TopicSpec asks for a topic. Partitions 0 means the broker's default.
type TopicSpec struct {
	Name       string
	Partitions int32
	Configs    map[string]string
}

// A Door opens all of this on one broker or cluster. Safe for concurrent use.
type Door interface {
	// Topics describes the named topics; missing ones are absent from the map.
	Topics(ctx context.Context, names ...string) (map[string]TopicInfo, error)
	// Names returns the names of all topics that this door may see, in no order.
	Names(ctx context.Context) ([]string, error)
	// EnsureTopics creates what is missing and returns all; an existing topic is left as it is.
	EnsureTopics(ctx context.Context, specs ...TopicSpec) (map[string]TopicInfo, error)
	// FitTopic raises an existing topic's partitions to those of spec, sets the settings of spec, and returns what it is then. One that is so
	// already is left as it is; partitions are never taken away.
	FitTopic(ctx context.Context, spec TopicSpec) (TopicInfo, error)
	// DeleteTopics deletes topics with all that they hold, and returns when they are gone for this door. One that is not there is ignored.
	DeleteTopics(ctx context.Context, names ...string) error
	// Starts and Ends return first offsets and committed ends (last stable offsets).
	Starts(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error)
	Ends(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error)
	// Since returns the offsets of the first committed records with at least that time, in each partition's order of offsets; the committed end
	// where there is none.
	Since(ctx context.Context, ts record.Timestamp, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error)
	// SettledEnds returns the ends of what was in the logs when it was called, once no transaction is open there any more: behind the
	// positions of a worker that is gone, its changelogs are complete up to these. It waits for such transactions, at most for their timeout.
	SettledEnds(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error)
	// Trim deletes the records before the given offsets, which everybody has read. What is gone already, topics too, is ignored.
	Trim(ctx context.Context, before map[record.TopicPartition]record.Offset) error
	// Committed returns the application's durable input positions; partitions without one are absent. It is certain to be
	// complete after OpenProducer, which ends what an older instance left half done.
	Committed(ctx context.Context, app string) (map[record.TopicPartition]record.Offset, error)
	// OpenReader reads from the positions; every partition must exist and every position lie in its log (ErrGap).
	OpenReader(ctx context.Context, positions map[record.TopicPartition]record.Offset) (Reader, error)
	// OpenProducer starts committing for app; an older producer of app is fenced and its unfinished epoch discarded. One that takes the
	// place of a closed producer of the same door is refused (ErrFenced) when somebody else has taken over meanwhile: a process that was
	// stopped, replaced and continued ends and does not fence its successor.
	OpenProducer(ctx context.Context, app string) (Producer, error)
	// Join asks for a place among the workers that share an application, and ends an instance that runs it alone. The first round begins
	// with the first call of Next.
	Join(ctx context.Context, m Membership) (Member, error)
	// Workers returns the names of the workers that share an application now; one that was killed counts until its session ends.
	Workers(ctx context.Context, app string) ([]string, error)
	Close() error
}

// ReadAll calls f with what a partition holds at this moment, in its order.
func ReadAll(ctx context.Context, d Door, tp record.TopicPartition, f func(Chunk) error) error {
	starts, err := d.Starts(ctx, tp)
	if err != nil {
		return err
	}
	ends, err := d.Ends(ctx, tp)
	if err != nil || starts[tp] >= ends[tp] {
		return err
	}
	reader, err := d.OpenReader(ctx, map[record.TopicPartition]record.Offset{tp: starts[tp]})
	if err != nil {
		return err
	}
	defer reader.Close()
	for next := starts[tp]; next < ends[tp]; {
		chunks, err := reader.Poll(ctx, 1<<20)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			if err := f(c); err != nil {
				return err
			}
			next = c.Next
		}
	}
	return nil
}
