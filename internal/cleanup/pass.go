package cleanup

import (
	"errors"
	"fmt"
	"runtime"
	"sort"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

// ErrFull: the offset map takes no more keys. Learn until here, transform, and go on with another pass.
var ErrFull = errors.New("offset map is full")

// maxInflated bounds the records of one batch when they are looked at, in bytes. What is stored was validated against a lower limit
// of the broker.
const maxInflated = 1 << 30

// An AbortedTxn is a transaction that the broker lists for readers: its records from First on are to be skipped until Marker.
type AbortedTxn struct {
	Producer      int64
	First, Marker record.Offset
}

// Options of a Pass.
type Options struct {
	Plan     Plan
	MapBytes int64 // bound of the offset map, in bytes: 16 for a key, at least 16 KiB; up to a quarter more for what becomes of the records
	// Aborted are all those of the partition whose marker is not below the plan's base, in the order of their markers.
	Aborted         []AbortedTxn
	Now             record.Timestamp
	DeleteRetention int64 // delete.retention.ms
}

// A Pass compacts once: Learn with the batches of the dirty section in order, then Transform with those of all segments that begin
// below Until, in order.
type Pass struct {
	o       Options
	offsets *offsets
	deleted offsetSet // of the records learned, the tombstones
	until   record.Offset
	aborted map[int64][]AbortedTxn // by producer, in order
	reader  batch.Reader
	writer  batch.Rewriter
	looked  []looked // see look
	kept    []bool   // by record of the batch that is being transformed, see judge

	// While transforming:
	inflated bool                   // the reader has the batch's records
	filled   map[int64]bool         // producers with records since their last marker, outside aborted transactions
	seen     map[record.Offset]bool // aborted transactions, by marker, that had records
	empty    []record.Offset

	Stats Stats
}

// Stats tell what a pass did.
type Stats struct {
	Keys            int
	RecordsBefore   int64
	RecordsAfter    int64
	BytesBefore     int64
	BytesAfter      int64
	RecordsOfAborts int64 // of RecordsBefore
}

// NewPass begins a pass.
func NewPass(o Options) *Pass {
	p := &Pass{
		o: o, offsets: newOffsets(o.Plan.Dirty, o.MapBytes), deleted: offsetSet{base: o.Plan.Dirty}, until: o.Plan.Dirty,
		aborted: map[int64][]AbortedTxn{}, filled: map[int64]bool{}, seen: map[record.Offset]bool{},
	}
	for _, a := range o.Aborted {
		p.aborted[a.Producer] = append(p.aborted[a.Producer], a)
	}
	return p
}

// Until is the offset up to which this pass knows every key's last offset: the next pass's dirty section begins there.
func (p *Pass) Until() record.Offset { return p.until }

// EmptyAborts are the markers of listed aborted transactions of which the log holds no record any more, and did not when the
// transformation began: the broker may forget them, and a later pass drop the markers.
func (p *Pass) EmptyAborts() []record.Offset { return p.empty }

// Learn notes the keys of v. ErrFull ends the learning.
func (p *Pass) Learn(v batch.View) error {
	if v.LastOffset() < p.until {
		return nil // the pass before got this far into the segment
	}
	if !v.Control() && p.abortedAt(v) == nil {
		if err := p.learn(v); err != nil {
			return err
		}
	}
	p.until = v.LastOffset() + 1
	return nil
}

func (p *Pass) learn(v batch.View) error {
	if err := p.reader.Reset(v, maxInflated); err != nil {
		return err
	}
	for p.look() {
		for i := range p.looked {
			l := &p.looked[i]
			if l.offset < p.o.Plan.Dirty {
				continue
			}
			if !p.note(l) {
				p.until = l.offset
				return fmt.Errorf("%d keys up to offset %d: %w", p.offsets.used, p.until, ErrFull)
			}
		}
	}
	p.Stats.Keys = p.offsets.used
	return p.reader.Err()
}

// note remembers a record of the dirty section; false when there is no room for it.
func (p *Pass) note(l *looked) bool {
	switch {
	case !p.offsets.reaches(l.offset):
		return false
	case l.null:
		p.offsets.replaced.add(l.offset) // nothing can ever replace or ask for it, as in Kafka
		return true
	case !p.offsets.put(l.key, l.offset):
		return false
	case l.tombstone:
		p.deleted.add(l.offset)
	}
	return true
}

// look reads the next records of the batch that the reader was reset to, some at a time: what the map has of their keys comes into the
// processor's caches together. It returns false at the end and on an error. Before, whoever waits for the processor gets it: a pass goes
// on for long and nobody waits for it.
func (p *Pass) look() bool {
	const some = 128
	runtime.Gosched()
	p.looked = p.looked[:0]
	for len(p.looked) < some && p.reader.Next() {
		r := &p.reader
		p.looked = append(p.looked, looked{p.offsets.hash(r.Key), r.Offset, r.Key == nil, r.Value == nil})
	}
	p.offsets.touch(p.looked)
	return len(p.looked) > 0
}

// abortedAt returns the listed aborted transaction that v belongs to.
func (p *Pass) abortedAt(v batch.View) *AbortedTxn {
	if !v.Transactional() {
		return nil
	}
	all := p.aborted[v.ProducerID()]
	i := sort.Search(len(all), func(i int) bool { return all[i].Marker >= v.BaseOffset() })
	if i < len(all) && all[i].First <= v.LastOffset() {
		return &all[i]
	}
	return nil
}

// Transform returns the transformation of the segments that become one ending at end, as commitlog.Rewrite wants it. Groups are
// transformed in order: what replaces a record is durable before the record goes only if it stands behind it, and a tombstone may
// go only after what it deletes.
func (p *Pass) Transform(end record.Offset) func(dst []byte, v batch.View) ([]byte, error) {
	return func(dst []byte, v batch.View) ([]byte, error) {
		p.inflated = false
		before := len(dst)
		last := v.LastOffset()+1 == end
		var err error
		if v.Control() {
			dst, err = p.control(dst, v, last)
		} else {
			dst, err = p.data(dst, v, last)
		}
		p.Stats.BytesBefore += int64(len(v))
		p.Stats.BytesAfter += int64(len(dst) - before)
		return dst, err
	}
}

// control keeps a marker as long as somebody may need it. One that ends a segment stays.
func (p *Pass) control(dst []byte, v batch.View, last bool) ([]byte, error) {
	needed := p.markerNeeded(v)
	horizon, ok := v.DeleteHorizon()
	switch {
	case needed || last && ok:
		return append(dst, v...), nil
	case ok && horizon <= p.o.Now:
		return dst, nil
	case ok:
		return append(dst, v...), nil
	}
	return p.rewrite(dst, v, p.horizon(), func() bool { return true })
}

// markerNeeded tells whether records of the marker's transaction are left, or readers are still told of it.
func (p *Pass) markerNeeded(v batch.View) bool {
	if _, ok := batch.ParseEndMarker(v); !ok {
		return true // of a kind that this version does not know
	}
	filled := p.filled[v.ProducerID()]
	delete(p.filled, v.ProducerID())
	a := p.abortedAt(v)
	if a == nil || a.Marker != v.BaseOffset() {
		return filled
	}
	if !p.seen[a.Marker] {
		p.empty = append(p.empty, a.Marker)
	}
	return true
}

func (p *Pass) horizon() record.Timestamp {
	return p.o.Now + record.Timestamp(p.o.DeleteRetention)
}

// data keeps the records of a batch that are worth it: the batch itself when they all are, nothing when none is, unless it ends a
// segment.
func (p *Pass) data(dst []byte, v batch.View, last bool) ([]byte, error) {
	count := int64(v.Count())
	p.Stats.RecordsBefore += count
	aborted := p.abortedAt(v)
	switch {
	case aborted != nil && count > 0:
		p.seen[aborted.Marker] = true
		p.Stats.RecordsOfAborts += count
	case v.Transactional() && count > 0:
		p.filled[v.ProducerID()] = true
	}
	kept, tombstones, err := p.judge(v, aborted != nil)
	if err != nil {
		return dst, err
	}
	p.Stats.RecordsAfter += kept
	_, hasHorizon := v.DeleteHorizon()
	mark, next := tombstones && !hasHorizon, -1
	keep := func() bool { next++; return p.kept[next] }
	switch {
	case kept == 0 && !last:
		return dst, nil
	case kept == count && !mark:
		return append(dst, v...), nil
	case kept == 0:
		return p.rewrite(dst, v, record.NoTimestamp, func() bool { return false })
	case mark:
		return p.rewrite(dst, v, p.horizon(), keep)
	}
	return p.rewrite(dst, v, record.NoTimestamp, keep)
}

// judge decides which records of v are kept, how many they are, and whether there are tombstones among them.
func (p *Pass) judge(v batch.View, aborted bool) (kept int64, tombstones bool, err error) {
	p.kept = p.kept[:0]
	if aborted {
		return 0, false, nil
	}
	keep := func(l looked, replaced bool) {
		stays := p.keeps(v, l, replaced)
		p.kept = append(p.kept, stays)
		if stays {
			kept++
			tombstones = tombstones || l.tombstone
		}
	}
	if p.learned(v) {
		runtime.Gosched() // as look does
		for o := v.BaseOffset(); o <= v.LastOffset(); o++ {
			keep(looked{offset: o, tombstone: p.deleted.has(o)}, p.offsets.replaced.has(o))
		}
		return kept, tombstones, nil
	}
	if err := p.reader.Reset(v, maxInflated); err != nil {
		return 0, false, err
	}
	p.inflated = true
	for p.look() {
		for _, l := range p.looked {
			at, ok := p.offsets.get(l.key)
			keep(l, l.null || ok && at > l.offset)
		}
	}
	return kept, tombstones, p.reader.Err()
}

// learned tells whether Learn has noted what becomes of the records of v, by their offsets: of those below until; the others stay.
func (p *Pass) learned(v batch.View) bool {
	dense := v.LastOffset()-v.BaseOffset()+1 == record.Offset(v.Count())
	return dense && v.BaseOffset() >= p.o.Plan.Dirty
}

// keeps tells whether a record of v stays.
func (p *Pass) keeps(v batch.View, l looked, replaced bool) bool {
	if l.offset >= p.until {
		return true
	}
	horizon, ok := v.DeleteHorizon()
	return !replaced && (!l.tombstone || !ok || p.o.Now < horizon)
}

// rewrite appends v with the records that keep says.
func (p *Pass) rewrite(dst []byte, v batch.View, horizon record.Timestamp, keep func() bool) ([]byte, error) {
	if p.inflated {
		p.reader.Rewind()
	} else if err := p.reader.Reset(v, maxInflated); err != nil {
		return dst, err
	}
	p.writer.Reset(v, horizon)
	for p.reader.Next() {
		if keep() {
			p.writer.Append(&p.reader)
		}
	}
	if err := p.reader.Err(); err != nil {
		return dst, err
	}
	return p.writer.AppendTo(dst), nil
}
