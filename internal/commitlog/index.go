package commitlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"sort"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

// The index file of a sealed segment, big endian:
//
//	 0 magic            8 bytes  "MSTSIDX1"
//	 8 format version   uint32   1, 2 of a segment that Rewrite made
//	12 entry count      uint32
//	16 epoch count      uint32
//	20 gap count        uint32   0 in version 1
//	24 base offset      int64
//	32 end offset       int64    the next segment's base
//	40 segment size     int64    bytes
//	48 max timestamp    int64    of all batches
//	56 its batch        int64    base offset of the first batch with it
//	64 entries: offset delta uint32, position uint32, max timestamp before int64
//	   epochs: offset delta uint32, leader epoch int32
//	   gaps: offset delta uint32, length uint32
//	   CRC-32C          uint32   of all bytes before
const (
	indexMagic      = "MSTSIDX1"
	appendedIndex   = 1
	rewrittenIndex  = 2
	indexHeaderSize = 64
	entrySize       = 16
	epochSize       = 8
	gapSize         = 8

	// indexInterval is the bytes of log between two entries, at least.
	indexInterval = 4 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An index tells where batches of a segment stand. That of the active segment grows by appending to its slices, so copies
// of the struct, taken under the lock, stay valid for readers.
type index struct {
	base      record.Offset
	end       record.Offset // of a sealed segment
	size      int64         // of a sealed segment
	maxTime   record.Timestamp
	maxBatch  record.Offset    // base offset of the first batch that has maxTime
	firstTime record.Timestamp // of the first batch; of an active segment only
	entries   []entry
	epochs    []epochRun
	gaps      []gap
	rewritten bool // of a segment that Rewrite made: offsets may be missing
	rebuilt   bool // made from the segment, because its file was missing or damaged
	nextEntry int64
	next      record.Offset // behind the last batch entered
}

// An entry is one batch's place.
type entry struct {
	delta    uint32 // base offset - base
	position uint32 // in the segment
	// maxBefore is the highest timestamp of the batches before position in this segment, so it never falls from entry to
	// entry even when timestamps do.
	maxBefore record.Timestamp
}

// An epochRun is where a leader epoch starts. The CRC of a batch does not cover its epoch; this does.
type epochRun struct {
	delta uint32
	epoch int32
}

// A gap is offsets that compaction removed: the batch before ends below it and the next one begins behind it. The CRC of a batch
// does not cover its base offset; this does.
type gap struct {
	delta  uint32
	length uint32
}

// place is an entry in absolute numbers.
type place struct {
	offset   record.Offset
	position int64
}

func newIndex(base record.Offset) *index {
	return &index{base: base, maxTime: math.MinInt64, maxBatch: base, firstTime: record.NoTimestamp, next: base}
}

// addAll enters whole batches that stand at position.
func (x *index) addAll(b []byte, position int64) {
	for len(b) > 0 {
		v, rest, err := batch.Next(b)
		if err != nil {
			panic(fmt.Sprintf("commitlog: index of unchecked bytes: %v", err))
		}
		x.add(v, position)
		position += int64(len(v))
		b = rest
	}
}

// add enters one batch, of which only the header is needed.
func (x *index) add(v batch.View, position int64) {
	delta := uint32(v.BaseOffset() - x.base)
	if v.BaseOffset() > x.next {
		x.gaps = append(x.gaps, gap{delta: uint32(x.next - x.base), length: uint32(v.BaseOffset() - x.next)})
	}
	x.next = v.LastOffset() + 1
	if len(x.entries) == 0 {
		x.firstTime = v.MaxTimestamp()
	}
	if position >= x.nextEntry {
		x.entries = append(x.entries, entry{delta: delta, position: uint32(position), maxBefore: x.maxTime})
		x.nextEntry = position + indexInterval
	}
	if n := len(x.epochs); n == 0 || x.epochs[n-1].epoch != v.LeaderEpoch() {
		x.epochs = append(x.epochs, epochRun{delta: delta, epoch: v.LeaderEpoch()})
	}
	if ts := v.MaxTimestamp(); ts > x.maxTime {
		x.maxTime, x.maxBatch = ts, v.BaseOffset()
	}
}

// afterGap is o, or the end of the gap that begins there.
func (x *index) afterGap(o record.Offset) record.Offset {
	if len(x.gaps) == 0 {
		return o
	}
	i := sort.Search(len(x.gaps), func(i int) bool { return x.base+record.Offset(x.gaps[i].delta) >= o })
	if i < len(x.gaps) && x.base+record.Offset(x.gaps[i].delta) == o {
		return o + record.Offset(x.gaps[i].length)
	}
	return o
}

// before is the last entry at or before offset o.
func (x *index) before(o record.Offset) place {
	i := sort.Search(len(x.entries), func(i int) bool { return x.base+record.Offset(x.entries[i].delta) > o })
	return x.place(i - 1)
}

// beforeTime is the last entry whose earlier batches all have timestamps below ts.
func (x *index) beforeTime(ts record.Timestamp) place {
	i := sort.Search(len(x.entries), func(i int) bool { return x.entries[i].maxBefore >= ts })
	return x.place(i - 1)
}

func (x *index) place(i int) place {
	if i < 0 {
		return place{offset: x.afterGap(x.base)}
	}
	return place{offset: x.base + record.Offset(x.entries[i].delta), position: int64(x.entries[i].position)}
}

// epochAt is the leader epoch of the batch at offset o.
func (x *index) epochAt(o record.Offset) int32 {
	i := sort.Search(len(x.epochs), func(i int) bool { return x.base+record.Offset(x.epochs[i].delta) > o })
	if i == 0 {
		return math.MinInt32
	}
	return x.epochs[i-1].epoch
}

func (x *index) encode(end record.Offset, size int64) []byte {
	version := uint32(appendedIndex)
	if x.rewritten {
		version = rewrittenIndex
	}
	b := make([]byte, 0, indexHeaderSize+entrySize*len(x.entries)+epochSize*len(x.epochs)+gapSize*len(x.gaps)+crc32.Size)
	b = append(b, indexMagic...)
	for _, n := range []uint32{version, uint32(len(x.entries)), uint32(len(x.epochs)), uint32(len(x.gaps))} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	for _, n := range []int64{int64(x.base), int64(end), size, int64(x.maxTime), int64(x.maxBatch)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, e := range x.entries {
		b = binary.BigEndian.AppendUint32(b, e.delta)
		b = binary.BigEndian.AppendUint32(b, e.position)
		b = binary.BigEndian.AppendUint64(b, uint64(e.maxBefore))
	}
	for _, e := range x.epochs {
		b = binary.BigEndian.AppendUint32(b, e.delta)
		b = binary.BigEndian.AppendUint32(b, uint32(e.epoch))
	}
	for _, g := range x.gaps {
		b = binary.BigEndian.AppendUint32(b, g.delta)
		b = binary.BigEndian.AppendUint32(b, g.length)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeIndex reads an index file; not ok when it is damaged or of another version: it is rebuilt then.
func decodeIndex(b []byte) (x *index, ok bool) {
	if len(b) < indexHeaderSize+crc32.Size || string(b[:8]) != indexMagic {
		return nil, false
	}
	version := binary.BigEndian.Uint32(b[8:])
	body := b[:len(b)-crc32.Size]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(body):]) {
		return nil, false
	}
	entries, epochs, gaps := binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	size := indexHeaderSize + uint64(entries)*entrySize + uint64(epochs)*epochSize + uint64(gaps)*gapSize
	if version < appendedIndex || version > rewrittenIndex || version == appendedIndex && gaps > 0 ||
		size != uint64(len(body)) || entries == 0 || epochs == 0 {
		return nil, false
	}
	x = &index{
		base:     record.Offset(binary.BigEndian.Uint64(b[24:])),
		end:      record.Offset(binary.BigEndian.Uint64(b[32:])),
		size:     int64(binary.BigEndian.Uint64(b[40:])),
		maxTime:  record.Timestamp(binary.BigEndian.Uint64(b[48:])),
		maxBatch: record.Offset(binary.BigEndian.Uint64(b[56:])),
		entries:  make([]entry, entries),
		epochs:   make([]epochRun, epochs),
		gaps:     make([]gap, gaps),

		rewritten: version == rewrittenIndex,
	}
	body = body[indexHeaderSize:]
	for i := range x.entries {
		x.entries[i] = entry{
			delta:     binary.BigEndian.Uint32(body),
			position:  binary.BigEndian.Uint32(body[4:]),
			maxBefore: record.Timestamp(binary.BigEndian.Uint64(body[8:])),
		}
		body = body[entrySize:]
	}
	for i := range x.epochs {
		x.epochs[i] = epochRun{delta: binary.BigEndian.Uint32(body), epoch: int32(binary.BigEndian.Uint32(body[4:]))}
		body = body[epochSize:]
	}
	for i := range x.gaps {
		x.gaps[i] = gap{delta: binary.BigEndian.Uint32(body), length: binary.BigEndian.Uint32(body[4:])}
		body = body[gapSize:]
	}
	return x, true
}
