package batch

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format, little endian: magic, flags, block descriptor, optional content size and dictionary id, header
// checksum; then blocks {size uint32, data, optional checksum} until a size of 0; then an optional checksum of the content.
// The frame is read here and only its blocks by the library, whose frame reader allocates the announced block size (up to
// 4 MiB twice) for a frame of a few bytes. Checksums are passed over: the batch's CRC covers them.
const (
	lz4Magic          = 0x184d2204
	lz4SkippableMagic = 0x184d2a50 // to 0x184d2a5f
	lz4Version        = 0x40       // of the flags' upper two bits
	lz4Linked         = 0x20       // 0: blocks refer to those before
	lz4BlockChecksum  = 0x10
	lz4ContentSize    = 0x08
	lz4ContentSum     = 0x04
	lz4DictID         = 0x01
	lz4RawBlock       = 1 << 31
	lz4Window         = 64 << 10
	lz4LargestBlock   = 4 << 20
	lz4MaxRatio       = 255
)

var errLZ4Frame = errors.New("malformed lz4 frame")

// lz4Blocks walks the blocks of concatenated frames.
type lz4Blocks struct {
	rest     []byte
	flags    byte
	maxBlock int // bytes, inflated; 0 between frames
}

// next returns the next block; raw when it is not compressed; io.EOF behind the last frame.
func (l *lz4Blocks) next() (block []byte, raw bool, err error) {
	for {
		if l.maxBlock == 0 {
			if err := l.header(); err != nil {
				return nil, false, err
			}
		}
		word, err := l.take(4)
		if err != nil {
			return nil, false, err
		}
		size := binary.LittleEndian.Uint32(word)
		if size == 0 {
			l.maxBlock = 0
			if l.flags&lz4ContentSum != 0 {
				if _, err := l.take(4); err != nil {
					return nil, false, err
				}
			}
			continue
		}
		raw = size&lz4RawBlock != 0
		if size &^= lz4RawBlock; int64(size) > int64(l.maxBlock) {
			return nil, false, errLZ4Frame
		}
		if block, err = l.take(int(size)); err == nil && l.flags&lz4BlockChecksum != 0 {
			_, err = l.take(4)
		}
		return block, raw, err
	}
}

// header reads the start of a frame, passing over skippable ones.
func (l *lz4Blocks) header() error {
	for {
		if len(l.rest) == 0 {
			return io.EOF
		}
		word, err := l.take(4)
		if err != nil {
			return err
		}
		magic := binary.LittleEndian.Uint32(word)
		if magic == lz4Magic {
			break
		}
		if magic&^0xf != lz4SkippableMagic {
			return errLZ4Frame
		}
		if word, err = l.take(4); err != nil {
			return err
		}
		size := binary.LittleEndian.Uint32(word)
		if uint64(size) > uint64(len(l.rest)) {
			return io.ErrUnexpectedEOF
		}
		l.rest = l.rest[size:]
	}
	head, err := l.take(2)
	if err != nil {
		return err
	}
	l.flags = head[0]
	code := head[1] >> 4 & 7
	if l.flags&0xc0 != lz4Version || l.flags&lz4DictID != 0 || code < 4 {
		return errLZ4Frame
	}
	l.maxBlock = 1 << (8 + 2*code)
	optional := 1 // the header's checksum
	if l.flags&lz4ContentSize != 0 {
		optional += 8
	}
	_, err = l.take(optional)
	return err
}

func (l *lz4Blocks) take(n int) ([]byte, error) {
	if n > len(l.rest) {
		return nil, io.ErrUnexpectedEOF
	}
	b := l.rest[:n]
	l.rest = l.rest[n:]
	return b, nil
}

// appendBlock inflates the next block behind dst, whose last bytes are what linked blocks refer to; dst grows up to limit.
func (l *lz4Blocks) appendBlock(dst []byte, limit int) ([]byte, error) {
	block, raw, err := l.next()
	if err != nil {
		return dst, err
	}
	if raw {
		if len(block) > limit-len(dst) {
			return dst, ErrTooLarge
		}
		return append(dst, block...), nil
	}
	room := min(l.maxBlock, lz4MaxRatio*len(block)+minInflate, limit-len(dst))
	if room <= 0 {
		return dst, ErrTooLarge
	}
	for size := min(room, max(4*len(block), minInflate)); ; size = min(4*size, room) {
		dst = reserve(dst, size, limit)
		var dict []byte
		if l.flags&lz4Linked == 0 {
			dict = dst[max(0, len(dst)-lz4Window):]
		}
		n, err := lz4.UncompressBlockWithDict(block, dst[len(dst):len(dst)+size], dict)
		switch {
		case err == nil:
			return dst[:len(dst)+n], nil
		case size < room:
		case room == limit-len(dst):
			return dst, ErrTooLarge
		default:
			return dst, err
		}
	}
}

// reserve makes room for size more bytes behind dst, doubling it but not beyond limit.
func reserve(dst []byte, size, limit int) []byte {
	if cap(dst)-len(dst) >= size {
		return dst
	}
	grown := make([]byte, len(dst), max(min(2*cap(dst), limit), len(dst)+size))
	copy(grown, dst)
	return grown
}

func inflateLZ4(dst, src []byte, limit int) ([]byte, error) {
	blocks := lz4Blocks{rest: src}
	for {
		var err error
		if dst, err = blocks.appendBlock(dst, limit); errors.Is(err, io.EOF) {
			return dst, nil
		} else if err != nil {
			return dst, err
		}
	}
}

// An lz4Stream reads the same block by block, holding one block and the window before it.
type lz4Stream struct {
	blocks lz4Blocks
	buf    []byte
	pos    int
}

func (s *lz4Stream) reset(src []byte) {
	if cap(s.buf) > maxPooled {
		s.buf = nil
	}
	s.blocks, s.buf, s.pos = lz4Blocks{rest: src}, s.buf[:0], 0
}

func (s *lz4Stream) Read(p []byte) (int, error) {
	for s.pos == len(s.buf) {
		kept := copy(s.buf, s.buf[max(0, len(s.buf)-lz4Window):])
		s.buf, s.pos = s.buf[:kept], kept
		var err error
		if s.buf, err = s.blocks.appendBlock(s.buf, lz4Window+lz4LargestBlock+1); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.pos:])
	s.pos += n
	return n, nil
}
