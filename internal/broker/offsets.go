package broker

import (
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

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
