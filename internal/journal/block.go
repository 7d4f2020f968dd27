package journal

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// A block is what one write carries, big endian:
//
//	 0 magic        uint32  "MSBK"
//	 4 header CRC   uint32  CRC-32C of the salt and of bytes 8..32
//	 8 body CRC     uint32  CRC-32C of the salt and of all bytes behind the header
//	12 length       uint32  of the whole block, a multiple of 8
//	16 first LSN    uint64
//	24 frame count  uint32
//	28 zero         uint32
//	32 frames, then up to 7 zero bytes
//
// A frame is the length of its body (uint32), its kind (uint8) and its body. Its LSN is the block's first plus its place.
const (
	blockMagic      = 0x4d53424b
	blockHeaderSize = 32
	blockAlign      = 8
	frameHeaderSize = 5
)

var blockMagicBytes = []byte("MSBK")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of the salt and b.
func checksum(salt uint32, b []byte) uint32 {
	var s [4]byte
	binary.BigEndian.PutUint32(s[:], salt)
	return crc32.Update(crc32.Checksum(s[:], castagnoli), castagnoli, b)
}

// maxKept is the largest buffer in bytes that is kept for good; a larger one is given up when the last patience blocks did not need it, or
// none did from one rest to the next: small bursts never grow a buffer anew, and large ones only when they are far apart.
const (
	maxKept  = 1 << 20
	patience = 64
)

// A Part is a piece of a frame's body.
type Part struct {
	Bytes []byte
	// Lent says that Bytes need not be copied nor summed: they stay as they are until the frame is durable, and Sum is their CRC-32C.
	Lent bool
	Sum  uint32
}

// Copied are parts whose bytes may change once they were appended.
func Copied(bytes ...[]byte) []Part {
	parts := make([]Part, len(bytes))
	for i, b := range bytes {
		parts[i].Bytes = b
	}
	return parts
}

// Size is how many bytes the parts have together.
func Size(parts []Part) (n int) {
	for i := range parts {
		n += len(parts[i].Bytes)
	}
	return n
}

// formingBlocks are frames on their way: one buffer with one block after the other, but for the bytes that were lent.
type formingBlocks struct {
	buf    []byte
	lent   []lentPart
	blocks []formingBlock
	little int  // resets since the buffer was needed
	rested bool // the buffer was not needed since the last rest
}

type formingBlock struct {
	start int   // in buf
	lent  int   // its first lent part, if it has any
	size  int64 // with what was lent
	first LSN
	count uint32
}

// A lentPart belongs between two bytes of a buffer.
type lentPart struct {
	at int // in buf
	Part
}

type frameToAdd struct {
	lsn      LSN
	kind     Kind
	parts    []Part
	size     int // of all parts
	minLent  int
	maxBlock int64
}

// add appends one frame, in a new block when the last one would grow beyond the limit.
func (f *formingBlocks) add(a frameToAdd) {
	n := len(f.blocks)
	if n == 0 || align(f.blocks[n-1].size+frameHeaderSize+int64(a.size)) > a.maxBlock {
		f.pad()
		f.blocks = append(f.blocks, formingBlock{start: len(f.buf), lent: len(f.lent), size: blockHeaderSize, first: a.lsn})
		var header [blockHeaderSize]byte
		f.buf = append(f.buf, header[:]...)
		n++
	}
	f.addFrame(a)
	f.blocks[n-1].size += frameHeaderSize + int64(a.size)
	f.blocks[n-1].count++
}

func (f *formingBlocks) addFrame(a frameToAdd) {
	copied := a.size
	for _, p := range a.parts {
		if p.Lent && len(p.Bytes) >= a.minLent {
			copied -= len(p.Bytes)
		}
	}
	f.buf = slices.Grow(f.buf, frameHeaderSize+copied+blockAlign) // once, not part by part
	f.buf = binary.BigEndian.AppendUint32(f.buf, uint32(a.size))
	f.buf = append(f.buf, byte(a.kind))
	for _, p := range a.parts {
		if p.Lent && len(p.Bytes) >= a.minLent {
			f.lent = append(f.lent, lentPart{len(f.buf), p})
		} else {
			f.buf = append(f.buf, p.Bytes...)
		}
	}
}

// pad fills the last block up to the alignment.
func (f *formingBlocks) pad() {
	if n := len(f.blocks); n > 0 {
		var zeros [blockAlign]byte
		last := &f.blocks[n-1]
		f.buf = append(f.buf, zeros[:align(last.size)-last.size]...)
		last.size = align(last.size)
	}
}

func align(n int64) int64 { return (n + blockAlign - 1) / blockAlign * blockAlign }

// parts are the i-th block, padded: what stands in the buffer, and between it what was lent.
func (f *formingBlocks) parts(i int) (bytes []byte, lent []lentPart) {
	b := &f.blocks[i]
	if i < len(f.blocks)-1 {
		next := &f.blocks[i+1]
		return f.buf[b.start:next.start], f.lent[b.lent:next.lent]
	}
	f.pad()
	return f.buf[b.start:], f.lent[b.lent:]
}

// size is the bytes of the i-th block, padded.
func (f *formingBlocks) size(i int) int64 { return align(f.blocks[i].size) }

// lastLSN is the LSN of the i-th block's last frame.
func (f *formingBlocks) lastLSN(i int) LSN {
	return f.blocks[i].first + LSN(f.blocks[i].count) - 1
}

// seal fills the i-th block's header and returns the block in the pieces that it is written in.
func (f *formingBlocks) seal(i int, salt uint32) (pieces [][]byte) {
	b, lent := f.parts(i)
	sum, from := checksum(salt, nil), blockHeaderSize
	written := 0
	for _, l := range lent {
		at := l.at - f.blocks[i].start
		sum = joinSums(crc32.Update(sum, castagnoli, b[from:at]), l.Sum, len(l.Bytes))
		pieces = append(pieces, b[written:at], l.Bytes)
		from, written = at, at
	}
	sum = crc32.Update(sum, castagnoli, b[from:])
	binary.BigEndian.PutUint32(b, blockMagic)
	binary.BigEndian.PutUint32(b[8:], sum)
	binary.BigEndian.PutUint32(b[12:], uint32(f.blocks[i].size))
	binary.BigEndian.PutUint64(b[16:], uint64(f.blocks[i].first))
	binary.BigEndian.PutUint32(b[24:], f.blocks[i].count)
	binary.BigEndian.PutUint32(b[28:], 0)
	binary.BigEndian.PutUint32(b[4:], checksum(salt, b[8:blockHeaderSize]))
	return append(pieces, b[written:])
}

// joinSums is the CRC-32C of bytes whose first have the sum a and whose last n have the sum b: a, moved by n bytes, and b. Moving by a byte
// is multiplying by x to the 8th, modulo Castagnoli's polynomial.
func joinSums(a, b uint32, n int) uint32 {
	for by := uint32(1 << (31 - 8)); n > 0; n, by = n>>1, multiply(by, by) {
		if n&1 != 0 {
			a = multiply(a, by)
		}
	}
	return a ^ b
}

// multiply is the product of two polynomials, whose highest bits are the coefficients of x to the 0th.
func multiply(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		product ^= b & -(a >> 31)
		b = b>>1 ^ crc32.Castagnoli&-(b&1)
	}
	return product
}

// reset empties f. A large buffer stays as long as the load needs one now and then: growing it anew copies every byte once more.
func (f *formingBlocks) reset() {
	if f.little++; len(f.buf) > cap(f.buf)/4 {
		f.little, f.rested = 0, false
	}
	if cap(f.buf) > maxKept && f.little > patience {
		f.buf, f.little = nil, 0
	}
	clear(f.lent)
	f.buf, f.lent, f.blocks = f.buf[:0], f.lent[:0], f.blocks[:0]
}

// rest gives up a large buffer that was not needed since the last rest, unless it holds frames.
func (f *formingBlocks) rest() {
	if f.rested && len(f.blocks) == 0 && cap(f.buf) > maxKept {
		f.buf, f.lent, f.blocks, f.little = nil, nil, nil, 0
	}
	f.rested = true
}

// A blockHeader is a header whose CRC holds: its length can be trusted.
type blockHeader struct {
	bodyCRC uint32
	length  int64
	first   LSN
	count   uint32
}

// parseBlockHeader reads the header at the start of b, which has at least blockHeaderSize bytes.
func parseBlockHeader(b []byte, salt uint32) (h blockHeader, ok bool) {
	if binary.BigEndian.Uint32(b) != blockMagic || binary.BigEndian.Uint32(b[4:]) != checksum(salt, b[8:blockHeaderSize]) {
		return blockHeader{}, false
	}
	h = blockHeader{
		bodyCRC: binary.BigEndian.Uint32(b[8:]),
		length:  int64(binary.BigEndian.Uint32(b[12:])),
		first:   LSN(binary.BigEndian.Uint64(b[16:])),
		count:   binary.BigEndian.Uint32(b[24:]),
	}
	ok = h.length > blockHeaderSize && h.length%blockAlign == 0 && h.count > 0 && h.first > 0
	return h, ok
}

// eachFrame hands the frames of a block's body, whose CRC held, to fn; false when they do not fill it exactly.
func (h blockHeader) eachFrame(body []byte, fn func(Frame) error) (whole bool, err error) {
	for i := range h.count {
		if len(body) < frameHeaderSize {
			return false, nil
		}
		size, kind := binary.BigEndian.Uint32(body), Kind(body[4])
		body = body[frameHeaderSize:]
		if uint64(size) > uint64(len(body)) || kind == 0 {
			return false, nil
		}
		if err := fn(Frame{LSN: h.first + LSN(i), Kind: kind, Body: body[:size:size]}); err != nil {
			return true, err
		}
		body = body[size:]
	}
	return len(body) < blockAlign, nil
}
