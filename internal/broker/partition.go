package broker

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/producer"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/commitlog"
	"github.com/mainstemio/mainstem/internal/meter"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// An epochStart says from which offset on a leader epoch wrote.
type epochStart struct {
	epoch int32
	start record.Offset
}

// A partition is one log with what its producers did. It has two faces: the fields up to shown are the pending state, owned by the
// sequencer; shown is what readers may see, moved forward only behind the journal's sync.
type partition struct {
	record.TopicPartition
	topic  TopicID
	number uint32 // never reused; names the directory
	rules  *atomic.Pointer[settings.Rules]

	next, start record.Offset
	producers   map[int64]*producer.Past
	open        []openTxn // by first offset
	aborted     []abortedTxn
	epochs      []epochStart // by epoch; never empty
	pend        []batch.View // appended in this round, not yet in the log
	dirty       bool         // is in state.dirty
	unsynced    bool         // the log has bytes that no checkpoint covers
	forgotten   int          // how often aborted transactions were forgotten since the start
	deleted     bool
	mark        commitlog.Mark // of the log that could not be opened

	traffic meter.Traffic
	// cut is the base of the segment where the newest durable mark stands: a start may cut the log there, and writes all behind it
	// anew. Compaction stays below.
	cut        atomic.Int64
	damage     atomic.Pointer[error]         // why the log could not be opened: it refuses everything
	readFailed atomic.Bool                   // the operator knows
	log        atomic.Pointer[commitlog.Log] // nil until the first batch: an empty partition costs no file

	shown struct {
		sync.RWMutex
		publication
		gone    bool
		waiters map[*Waiter]struct{}
	}
}

// A publication is what a round makes visible in one partition. The slices are never changed in place, only appended to.
type publication struct {
	high, stable, start record.Offset
	aborted             []abortedTxn
	epochs              []epochStart
	forgotten           int
}

// publication is the pending state in the form readers see it.
func (p *partition) publication() publication {
	return publication{p.next, p.lastStable(), p.start, p.aborted, p.epochs, p.forgotten}
}

// publish shows u to readers and wakes those who wait, if something they can see moved.
func (p *partition) publish(u publication) {
	p.shown.Lock()
	defer p.shown.Unlock()
	moved := u.high != p.shown.high || u.stable != p.shown.stable
	p.shown.publication = u
	if moved {
		p.wakeLocked()
	}
}

// retire tells readers that the partition has been deleted.
func (p *partition) retire() {
	p.shown.Lock()
	defer p.shown.Unlock()
	p.shown.gone = true
	p.wakeLocked()
}

func (p *partition) wakeLocked() {
	for w := range p.shown.waiters {
		select {
		case w.C <- struct{}{}:
		default: // it has a wake-up already
		}
	}
}

// look returns what readers may see, or why they may see nothing.
func (p *partition) look() (publication, *kerr.Error) {
	p.shown.RLock()
	defer p.shown.RUnlock()
	if p.shown.gone {
		return publication{}, kerr.UnknownTopicOrPartition
	}
	if p.damage.Load() != nil {
		return publication{}, kerr.KafkaStorageError
	}
	return p.shown.publication, nil
}

// refuses tells why nothing can be appended.
func (p *partition) refuses() *kerr.Error {
	switch {
	case p.deleted:
		return kerr.UnknownTopicOrPartition
	case p.damage.Load() != nil:
		return kerr.KafkaStorageError
	}
	return nil
}

func (p *partition) epoch() int32 { return p.epochs[len(p.epochs)-1].epoch }

// raiseEpoch begins the next leader epoch at the end of the log. The slice is made anew: readers hold the old one.
func (p *partition) raiseEpoch() {
	next := epochStart{p.epoch() + 1, p.next}
	keep := slices.Clone(p.epochs)
	if keep[len(keep)-1].start == p.next {
		keep = keep[:len(keep)-1] // that epoch wrote nothing
	}
	p.epochs = append(keep, next)
}

// advanceStart forgets everything below o. The log's files go later, once a checkpoint knows of it.
func (p *partition) advanceStart(o record.Offset) {
	if o <= p.start {
		return
	}
	p.start = o
	if n := slices.IndexFunc(p.aborted, func(a abortedTxn) bool { return a.last >= o }); n != 0 {
		if n < 0 {
			n = len(p.aborted)
		}
		p.aborted = slices.Clone(p.aborted[n:])
	}
}

// forgetAborts drops aborted transactions by their markers. The slice is made anew: readers hold the old one.
func (p *partition) forgetAborts(markers []record.Offset) {
	p.forgotten++
	p.aborted = slices.DeleteFunc(slices.Clone(p.aborted), func(a abortedTxn) bool { return slices.Contains(markers, a.last) })
}

// epochAt is the leader epoch that wrote offset o.
func epochAt(es []epochStart, o record.Offset) int32 {
	for i := len(es) - 1; i > 0; i-- {
		if es[i].start <= o {
			return es[i].epoch
		}
	}
	return es[0].epoch
}

// A logHome is where the logs of all partitions live.
type logHome struct {
	fs           vfs.FS
	dir          string
	segmentBytes int64
	back         *commitlog.WriteBack
}

func (h logHome) path(number uint32) string {
	return h.fs.PathJoin(h.dir, partitionDir(number))
}

func partitionDir(number uint32) string { return fmt.Sprintf("%08d", number) }

func (h logHome) options(p *partition) commitlog.Options {
	return commitlog.Options{
		FS: h.fs, Dir: h.path(p.number),
		SegmentBytes: h.limit(p), WriteBack: h.back,
	}
}

// limit is the size of a segment in bytes.
func (h logHome) limit(p *partition) int64 {
	return min(h.segmentBytes, max(p.rules.Load().SegmentBytes, minSegmentBytes))
}

// minSegmentBytes keeps a tiny segment.bytes from costing a file per batch.
const minSegmentBytes = 1 << 20

// write moves the round's batches of p into its log, as one write.
func (h logHome) write(p *partition, join *[]byte) error {
	if len(p.pend) == 0 {
		return nil
	}
	log, err := h.ensure(p)
	if err != nil {
		return err
	}
	log.SetSegmentBytes(h.limit(p))
	p.unsynced = true
	for pend := p.pend; len(pend) > 0; {
		b, n := joinSmall(pend, join)
		if err := log.Append(b); err != nil {
			p.pend = slices.Delete(p.pend, 0, len(p.pend)-len(pend)) // what is left may be tried again
			return fmt.Errorf("append to the log of %v: %w", p.TopicPartition, err)
		}
		pend = pend[n:]
	}
	clear(p.pend)
	p.pend = p.pend[:0]
	return nil
}

// joinBytes is how much is copied together to save write calls: above it the copy costs more than the call.
const joinBytes = 64 << 10

// joinSmall returns the first n batches in one piece; a batch that is large, or alone, is not copied.
func joinSmall(pend []batch.View, join *[]byte) (b []byte, n int) {
	size := 0
	for n < len(pend) && (n == 0 || size+len(pend[n]) <= joinBytes) {
		size += len(pend[n])
		n++
	}
	if n == 1 {
		return pend[0], 1
	}
	*join = (*join)[:0]
	for _, v := range pend[:n] {
		*join = append(*join, v...)
	}
	return *join, n
}

// ensure returns p's log and makes it before the first batch. What lies in the directory then was never acknowledged: a partition
// whose batches are durable has a log in the checkpoint, or all of them in the journal.
func (h logHome) ensure(p *partition) (*commitlog.Log, error) {
	if log := p.log.Load(); log != nil {
		return log, nil
	}
	if err := h.fs.RemoveAll(h.path(p.number)); err != nil {
		return nil, fmt.Errorf("clear the log directory of %v: %w", p.TopicPartition, err)
	}
	log, err := commitlog.Create(h.options(p))
	if err != nil {
		return nil, fmt.Errorf("create the log of %v: %w", p.TopicPartition, err)
	}
	p.log.Store(log)
	return log, nil
}
