package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

const (
	// minInflate is the first size of an inflate buffer; it grows with the bytes that really arrive.
	minInflate = 16 << 10
	// maxPooled is the largest inflate buffer that Validate gives back to the pool.
	maxPooled = 1 << 20
	// maxSnappyRatio is above what a Snappy element can expand to (64 bytes from 3), so a larger announced length is a lie.
	maxSnappyRatio = 22
	// maxZstdWindow is zstd's window at its highest level; DecodeAll keeps no window besides its output.
	maxZstdWindow = 128 << 20
)

var (
	inflateBuffers = sync.Pool{New: func() any { return new([]byte) }}
	gzipReaders    = sync.Pool{New: func() any { return new(gzipReader) }}

	zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			panic(fmt.Sprintf("batch: zstd decoder options: %v", err))
		}
		return d
	})

	xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}
)

type gzipReader struct {
	source  bytes.Reader
	inflate gzip.Reader
}

func putInflateBuffer(b *[]byte) {
	if cap(*b) > maxPooled {
		*b = nil
	}
	inflateBuffers.Put(b)
}

// inflateInto returns the records of v: v's own bytes when they are not compressed, otherwise inflated into *buffer, which
// grows to at most maxInflated bytes and is kept for the next call.
func inflateInto(buffer *[]byte, v View, maxInflated int) ([]byte, error) {
	src := v.records()
	if v.Codec() == None {
		return src, nil
	}
	out, err := inflate((*buffer)[:0], v.Codec(), src, maxInflated)
	if cap(out) > cap(*buffer) {
		*buffer = out[:0]
	}
	if err == nil {
		return out, nil
	}
	return nil, v.inflateError(err, maxInflated)
}

// inflateError tells a limit that was reached from bytes that do not inflate.
func (v View) inflateError(err error, maxInflated int) error {
	if errors.Is(err, ErrTooLarge) {
		return fmt.Errorf("batch at offset %d: records inflate beyond %d bytes: %w", v.BaseOffset(), maxInflated, err)
	}
	return fmt.Errorf("batch at offset %d: codec %d: %w: %w", v.BaseOffset(), v.Codec(), ErrCorrupt, err)
}

// inflate decompresses src into dst's capacity and beyond, up to limit bytes. It returns the buffer even with an error.
func inflate(dst []byte, c Codec, src []byte, limit int) ([]byte, error) {
	switch c {
	case Gzip:
		return inflateGzip(dst, src, limit)
	case Snappy:
		return inflateSnappy(dst, src, limit)
	case LZ4:
		return inflateLZ4(dst, src, limit)
	case Zstd:
		return inflateZstd(dst, src, limit)
	default:
		return dst, errors.New("unknown codec")
	}
}

func inflateGzip(dst, src []byte, limit int) ([]byte, error) {
	r := gzipReaders.Get().(*gzipReader)
	defer gzipReaders.Put(r)
	r.source.Reset(src)
	defer r.source.Reset(nil)
	if err := r.inflate.Reset(&r.source); err != nil {
		return dst, err
	}
	return readCapped(dst, &r.inflate, limit)
}

// readCapped appends all of r to dst, growing it step by step so that an announced size costs nothing.
func readCapped(dst []byte, r io.Reader, limit int) ([]byte, error) {
	idle := 0
	for {
		if len(dst) == cap(dst) {
			dst = grow(dst, limit)
		}
		room := dst[len(dst):cap(dst)]
		if len(room) == 0 {
			// The buffer is as large as it may be: only the end may follow.
			room = make([]byte, 1)
		}
		n, err := r.Read(room)
		if len(dst)+n > limit {
			return dst, ErrTooLarge
		}
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		case n > 0:
			idle = 0
		case idle > 100:
			return dst, io.ErrNoProgress
		default:
			idle++
		}
	}
}

// grow doubles dst's capacity, at least to minInflate and at most to limit.
func grow(dst []byte, limit int) []byte {
	size := min(max(2*cap(dst), minInflate), limit)
	if size <= cap(dst) {
		return dst
	}
	grown := make([]byte, len(dst), size)
	copy(grown, dst)
	return grown
}

// inflateSnappy reads the framing of the Java client (xerial: a magic, two versions, then blocks with a length) or one bare
// block as librdkafka and Sarama send it.
func inflateSnappy(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		return inflateSnappyBlock(dst, src, limit)
	}
	const versions = 8
	if len(src) < len(xerialMagic)+versions {
		return dst, io.ErrUnexpectedEOF
	}
	src = src[len(xerialMagic)+versions:]
	dst = reserve(dst, min(snappySize(src), limit-len(dst)), limit) // once, not block by block
	for len(src) > 0 {
		if len(src) < 4 {
			return dst, io.ErrUnexpectedEOF
		}
		size := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(size) > uint64(len(src)) {
			return dst, io.ErrUnexpectedEOF
		}
		var err error
		if dst, err = inflateSnappyBlock(dst, src[:size], limit); err != nil {
			return dst, err
		}
		src = src[size:]
	}
	return dst, nil
}

// snappySize is what blocks of the Java client's framing inflate to; of hostile ones no more than Snappy can make of as many bytes.
func snappySize(src []byte) (size int) {
	for len(src) > 4 {
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			break
		}
		inflated, err := s2.DecodedLen(src[:n])
		if err != nil || inflated > maxSnappyRatio*int(n) {
			break
		}
		size += inflated
		src = src[n:]
	}
	return size
}

// inflateSnappyBlock appends one block to dst.
func inflateSnappyBlock(dst, block []byte, limit int) ([]byte, error) {
	size, err := s2.DecodedLen(block)
	if err != nil {
		return dst, err
	}
	if size > limit-len(dst) {
		return dst, ErrTooLarge
	}
	if size > maxSnappyRatio*len(block) {
		return dst, s2.ErrCorrupt
	}
	dst = reserve(dst, size, limit)
	end := len(dst) + size
	if _, err := s2.Decode(dst[len(dst):end:end], block); err != nil {
		return dst, err
	}
	return dst[:end], nil
}

// inflateZstd lets the frame say its size when it does, and otherwise tries growing buffers: the decoder writes into dst
// only, so memory never exceeds limit whatever window a frame announces.
func inflateZstd(dst, src []byte, limit int) ([]byte, error) {
	size := max(4*len(src), minInflate)
	var header zstd.Header
	if err := header.Decode(src); err == nil && header.HasFCS {
		if header.FrameContentSize > uint64(limit) {
			return dst, ErrTooLarge
		}
		size = max(int(header.FrameContentSize), minInflate)
	}
	for {
		if size = min(size, limit); cap(dst) < size {
			dst = make([]byte, 0, size)
		}
		room := min(cap(dst), limit)
		out, err := zstdDecoder().DecodeAll(src, dst[:0:room])
		switch {
		case err == nil:
			return out, nil
		case room < limit: // whatever it says: a block that does not fit looks like a corrupt one to the decoder
		case errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return dst, ErrTooLarge
		default:
			return dst, err
		}
		size = 4 * room
	}
}
