package broker

import (
	"errors"
	"sort"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/commitlog"
	"github.com/mainstemio/mainstem/internal/meter"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Fetch asks for one partition. Committed hides open and lists aborted transactions. LeaderEpoch -1 is not checked.
type Fetch struct {
	Ref         TopicRef
	Partition   int32
	Offset      record.Offset
	MaxBytes    int
	Committed   bool
	LeaderEpoch int32
	Below       record.Offset      // > 0: reading ends before it at the latest
	Memory      func(n int) []byte // for batches that have to come from disk, as commitlog.ReadTo; nil: of their own
}

// FetchResult holds whole batches (read-only bytes), also when they exceed MaxBytes: at least one, if any is there. The first may
// begin below the offset asked for. Offsets are -1 when they are not known.
type FetchResult struct {
	Err           *kerr.Error
	HighWatermark record.Offset
	LastStable    record.Offset
	LogStart      record.Offset
	Aborted       []Aborted
	Batches       []byte
	Traffic       *meter.Traffic // to be told of what was sent; nil with an error
}

// Aborted is a transaction whose records a read_committed consumer must skip from First on until its abort marker.
type Aborted struct {
	ProducerID int64
	First      record.Offset
}

// Fetch reads without waiting.
func (b *Broker) Fetch(f Fetch) FetchResult {
	none := FetchResult{HighWatermark: -1, LastStable: -1, LogStart: -1}
	p, err := b.partition(f.Ref, f.Partition)
	if err != nil {
		none.Err = err
		return none
	}
	now, err := p.look()
	if err == nil {
		err = checkLeaderEpoch(now.epochs, f.LeaderEpoch)
	}
	if err != nil {
		none.Err = err
		return none
	}
	out := FetchResult{HighWatermark: now.high, LastStable: now.stable, LogStart: now.start, Traffic: &p.traffic}
	if f.Offset < now.start || f.Offset > now.high {
		out.Err = kerr.OffsetOutOfRange
		return out
	}
	below := now.high
	if f.Committed && !planted.Is(planted.BeyondStable) {
		below = now.stable
	}
	if f.Below > 0 {
		below = min(below, f.Below)
	}
	log := p.log.Load()
	if log == nil || f.Offset >= below {
		return out
	}
	read := log.Read
	if f.Memory != nil {
		read = func(from, below record.Offset, maxBytes int) ([]byte, error) {
			return log.ReadTo(f.Memory, from, below, maxBytes)
		}
	}
	bytes, failed := read(f.Offset, below, max(f.MaxBytes, 1))
	if failed != nil {
		out.Err = b.readError(p, failed)
		return out
	}
	if later, err := p.look(); f.Committed && err == nil && later.forgotten != now.forgotten {
		return b.Fetch(f) // the list may name transactions whose markers are not among these batches any more
	}
	out.Batches = bytes
	if f.Committed && len(now.aborted) > 0 && len(bytes) > 0 {
		out.Aborted = abortedIn(now.aborted, f.Offset, endOf(bytes))
	}
	return out
}

// StableEnds gives each of fs a Below: the end of what readers of committed records see, all at one moment, -1 where they see nothing but an
// error. Whatever one transaction wrote to several partitions lies before these ends everywhere or nowhere.
func (b *Broker) StableEnds(fs []Fetch) {
	b.commits.showing.RLock()
	defer b.commits.showing.RUnlock()
	for i := range fs {
		fs[i].Below = -1
		if p, err := b.partition(fs[i].Ref, fs[i].Partition); err == nil {
			if now, err := p.look(); err == nil {
				fs[i].Below = now.stable
			}
		}
	}
}

// checkLeaderEpoch compares what a client believes with what is (KIP-320).
func checkLeaderEpoch(es []epochStart, want int32) *kerr.Error {
	switch have := es[len(es)-1].epoch; {
	case want < 0 || want == have:
		return nil
	case want < have:
		return kerr.FencedLeaderEpoch
	}
	return kerr.UnknownLeaderEpoch
}

// endOf is the offset behind the last of whole batches.
func endOf(b []byte) record.Offset {
	end := record.Offset(0)
	for len(b) > 0 {
		v, rest, err := batch.Next(b)
		if err != nil {
			break // the log checked them
		}
		end, b = v.LastOffset()+1, rest
	}
	return end
}

// abortedIn lists the aborted transactions that overlap [from, end). all is ordered by marker.
func abortedIn(all []abortedTxn, from, end record.Offset) []Aborted {
	var out []Aborted
	for i := sort.Search(len(all), func(i int) bool { return all[i].last >= from }); i < len(all); i++ {
		if all[i].first < end {
			out = append(out, Aborted{all[i].pid, all[i].first})
		}
		if all[i].stable >= end {
			break // whatever aborted later began at or behind this
		}
	}
	return out
}

// readError names what went wrong with a read. Damaged bytes are told to the operator once per partition; what is readable stays so.
func (b *Broker) readError(p *partition, err error) *kerr.Error {
	if _, gone := p.look(); gone != nil {
		return gone
	}
	if errors.Is(err, commitlog.ErrOutOfRange) {
		return kerr.OffsetOutOfRange
	}
	if p.readFailed.CompareAndSwap(false, true) {
		b.o.Events(Event{"read failed", []any{"topic", p.Topic, "partition", p.Partition, "error", err.Error()}})
	}
	return kerr.KafkaStorageError
}

// A Waiter wakes when a watched partition's high watermark or last stable offset moves, or the partition goes away. Watch before
// reading: then nothing that comes after the read is missed.
type Waiter struct {
	C     chan struct{} // capacity 1: a wake-up is never lost and never blocks the broker
	parts []*partition
}

// Watch registers a new Waiter with the partitions (unknown ones are ignored) until Unwatch.
func (b *Broker) Watch(tps []record.TopicPartition) *Waiter {
	w := &Waiter{C: make(chan struct{}, 1), parts: make([]*partition, 0, len(tps))}
	for _, tp := range tps {
		p, err := b.named(tp)
		if err != nil {
			continue
		}
		w.parts = append(w.parts, p)
		p.shown.Lock()
		if p.shown.waiters == nil {
			p.shown.waiters = map[*Waiter]struct{}{}
		}
		p.shown.waiters[w] = struct{}{}
		if p.shown.gone {
			p.wakeLocked()
		}
		p.shown.Unlock()
	}
	return w
}

// Unwatch ends w; it may be called once.
func (b *Broker) Unwatch(w *Waiter) {
	for _, p := range w.parts {
		p.shown.Lock()
		delete(p.shown.waiters, w)
		p.shown.Unlock()
	}
	w.parts = nil
}

// OffsetResult is an offset or why there is none.
type OffsetResult struct {
	Offset      record.Offset
	Timestamp   record.Timestamp // -1 when it means nothing
	LeaderEpoch int32
	Err         *kerr.Error
}

func noOffset(err *kerr.Error) OffsetResult {
	return OffsetResult{Offset: -1, Timestamp: record.NoTimestamp, LeaderEpoch: -1, Err: err}
}

// Times that ListOffset takes for special places (KIP-79, KIP-734, KIP-405, KIP-1005).
const (
	atEnd           = -1
	atStart         = -2
	atMaxTimestamp  = -3
	atLocalStart    = -4
	atLastTiered    = -5
	atFirstUntiered = -6
)

// ListOffset returns an offset by time: ts >= 0 the first at or after it, -1 the end (the last stable offset when committed), -2 the
// start, -3 the record with the highest timestamp, -4 and -5 as Kafka answers them without tiered storage (the start; none).
func (b *Broker) ListOffset(ref TopicRef, partition int32, ts int64, committed bool) OffsetResult {
	p, err := b.partition(ref, partition)
	if err != nil {
		return noOffset(err)
	}
	now, err := p.look()
	if err != nil {
		return noOffset(err)
	}
	below := now.high
	if committed {
		below = now.stable
	}
	switch ts {
	case atEnd:
		return OffsetResult{Offset: below, Timestamp: record.NoTimestamp, LeaderEpoch: now.epochs[len(now.epochs)-1].epoch}
	case atStart, atLocalStart:
		return OffsetResult{Offset: now.start, Timestamp: record.NoTimestamp, LeaderEpoch: epochAt(now.epochs, now.start)}
	case atLastTiered, atFirstUntiered:
		return noOffset(nil)
	}
	log := p.log.Load()
	if log == nil || ts < atFirstUntiered {
		return noOffset(nil)
	}
	var o record.Offset
	var at record.Timestamp
	var found bool
	var failed error
	if ts == atMaxTimestamp {
		o, at, found, failed = log.MaxTimestamp(below)
	} else {
		o, at, found, failed = log.OffsetForTime(record.Timestamp(ts), below)
	}
	if failed != nil {
		return noOffset(b.readError(p, failed))
	}
	if !found {
		return noOffset(nil)
	}
	return OffsetResult{Offset: max(o, now.start), Timestamp: at, LeaderEpoch: epochAt(now.epochs, o)}
}

// EndOfEpoch answers OffsetForLeaderEpoch: the end offset of the largest epoch <= epoch; -1 for one that is not known yet.
func (b *Broker) EndOfEpoch(tp record.TopicPartition, epoch int32) OffsetResult {
	p, err := b.named(tp)
	if err != nil {
		return noOffset(err)
	}
	now, err := p.look()
	if err != nil {
		return noOffset(err)
	}
	es := now.epochs
	if epoch > es[len(es)-1].epoch || epoch < 0 {
		return noOffset(nil)
	}
	end := now.high
	for i := len(es) - 1; i >= 0; i-- {
		if es[i].epoch <= epoch {
			return OffsetResult{Offset: end, Timestamp: record.NoTimestamp, LeaderEpoch: es[i].epoch}
		}
		end = es[i].start
	}
	return OffsetResult{Offset: end, Timestamp: record.NoTimestamp, LeaderEpoch: epoch} // before the first: where that begins
}

// LeaderEpoch of a partition; it rises by one after every unclean start. -1 when unknown.
func (b *Broker) LeaderEpoch(tp record.TopicPartition) int32 {
	p, err := b.named(tp)
	if err != nil {
		return -1
	}
	p.shown.RLock()
	defer p.shown.RUnlock()
	return p.shown.epochs[len(p.shown.epochs)-1].epoch
}

// LogSize is the bytes of a partition's segments; -1 when unknown.
func (b *Broker) LogSize(tp record.TopicPartition) int64 {
	p, err := b.named(tp)
	if err != nil || p.damage.Load() != nil {
		return -1
	}
	if log := p.log.Load(); log != nil {
		return log.Size()
	}
	return 0
}
