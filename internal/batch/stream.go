package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// streamWindow is the bytes of inflated records that a recordStream holds.
const streamWindow = 32 << 10

// maxStreamWindow is the largest window of a zstd frame that is inflated as a stream, in bytes: what RFC 8878 asks every
// decoder to support and encoders not to exceed. The decoder allocates it.
const maxStreamWindow = 8 << 20

var (
	recordStreams = sync.Pool{New: func() any { return &recordStream{buf: make([]byte, streamWindow)} }}
	lz4Streams    = sync.Pool{New: func() any { return new(lz4Stream) }}
	zstdStreams   = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxStreamWindow))
		if err != nil {
			panic(fmt.Sprintf("batch: zstd stream options: %v", err))
		}
		return d
	}}

	// wideZstd lets one frame at a time be inflated as a whole because its window is larger than maxStreamWindow.
	wideZstd sync.Mutex
)

// validateInflated checks compressed records. Hostile bytes of a few kilobytes may inflate up to the limit, so they are
// never held as a whole where the codec allows it.
func (v View) validateInflated(maxInflated int) error {
	src := v.records()
	switch v.Codec() {
	case Gzip:
		r := gzipReaders.Get().(*gzipReader)
		defer gzipReaders.Put(r)
		defer r.source.Reset(nil)
		r.source.Reset(src)
		if err := r.inflate.Reset(&r.source); err != nil {
			return v.inflateError(err, maxInflated)
		}
		return v.validateStream(&r.inflate, maxInflated)
	case LZ4:
		r := lz4Streams.Get().(*lz4Stream)
		defer lz4Streams.Put(r)
		defer r.reset(nil)
		r.reset(src)
		return v.validateStream(r, maxInflated)
	case Zstd:
		return v.validateZstd(maxInflated)
	default:
		return v.validateWhole(maxInflated)
	}
}

// validateZstd inflates small batches as a whole, which needs no window, and others as a stream.
func (v View) validateZstd(maxInflated int) error {
	err := v.validateWhole(min(maxInflated, maxPooled))
	if err == nil || maxInflated <= maxPooled {
		return err
	}
	// Too large for that, or corrupt: the decoder does not tell them apart, the stream does.
	var header zstd.Header
	if err := header.Decode(v.records()); err == nil && header.HasFCS && header.FrameContentSize > uint64(maxInflated) {
		return v.inflateError(ErrTooLarge, maxInflated)
	}
	d := zstdStreams.Get().(*zstd.Decoder)
	defer zstdStreams.Put(d)
	source := bytes.NewReader(v.records())
	if err := d.Reset(source); err != nil {
		return v.inflateError(err, maxInflated)
	}
	defer func() { _ = d.Reset(nil) }() // lets go of the batch
	err = v.validateStream(d, maxInflated)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		wideZstd.Lock()
		defer wideZstd.Unlock()
		return v.validateWhole(maxInflated)
	}
	return err
}

// validateWhole inflates into a pooled buffer.
func (v View) validateWhole(maxInflated int) error {
	buffer := inflateBuffers.Get().(*[]byte)
	defer putInflateBuffer(buffer)
	records, err := inflateInto(buffer, v, maxInflated)
	if err != nil {
		return err
	}
	return v.validateRecords(records)
}

// validateStream checks the records that r inflates: the same rules as frame.parse, byte by byte.
func (v View) validateStream(r io.Reader, maxInflated int) error {
	s := recordStreams.Get().(*recordStream)
	defer recordStreams.Put(s)
	s.reset(r, maxInflated)
	defer s.reset(nil, 0)
	for i := range v.Count() {
		if !s.record(i) {
			if s.err != nil {
				return v.inflateError(s.err, maxInflated)
			}
			return fmt.Errorf("batch at offset %d: record %d is malformed: %w", v.BaseOffset(), i, ErrCorrupt)
		}
	}
	if _, more := s.byte(); more {
		return fmt.Errorf("batch at offset %d: bytes behind its %d records: %w", v.BaseOffset(), v.Count(), ErrCorrupt)
	}
	if !errors.Is(s.err, errStreamEnd) {
		return v.inflateError(s.err, maxInflated)
	}
	return nil
}

// errStreamEnd is the end of the inflated bytes. io.ErrUnexpectedEOF is not it: readers return that for a frame cut short.
var errStreamEnd = errors.New("end of records")

// A recordStream reads inflated records through a small window.
type recordStream struct {
	source    io.Reader
	buf       []byte
	pos, end  int
	read      int64 // bytes handed out
	left      int   // bytes that may still be inflated
	recordEnd int64 // where the current record ends, in bytes handed out
	err       error // errStreamEnd at the end
}

func (s *recordStream) reset(r io.Reader, limit int) {
	s.source, s.pos, s.end, s.read, s.left, s.recordEnd, s.err = r, 0, 0, 0, limit, math.MaxInt64, nil
}

// fill gets more bytes when none are left.
func (s *recordStream) fill() bool {
	if s.pos < s.end {
		return true
	}
	for idle := 0; s.err == nil; idle++ {
		n, err := s.source.Read(s.buf)
		s.pos, s.end, s.left = 0, n, s.left-n
		switch {
		case s.left < 0:
			s.err, s.end = ErrTooLarge, 0
		case n > 0:
			// An error that came with bytes comes again without.
			return true
		case errors.Is(err, io.EOF):
			s.err = errStreamEnd
		case err != nil:
			s.err = err
		case idle > 100:
			s.err = io.ErrNoProgress
		}
	}
	return false
}

func (s *recordStream) byte() (byte, bool) {
	if !s.fill() {
		return 0, false
	}
	s.pos++
	s.read++
	return s.buf[s.pos-1], true
}

// skip passes over n bytes of the current record.
func (s *recordStream) skip(n int64) bool {
	if n > s.recordEnd-s.read {
		return false
	}
	for n > 0 {
		if !s.fill() {
			return false
		}
		step := min(n, int64(s.end-s.pos))
		s.pos += int(step)
		s.read += step
		n -= step
	}
	return true
}

// varint reads a zigzag varint of 64 bits.
func (s *recordStream) varint() (int64, bool) {
	var u uint64
	for shift := 0; shift < 70; shift += 7 {
		b, ok := s.byte()
		if !ok || shift == 63 && b > 1 {
			return 0, false
		}
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1), true
		}
	}
	return 0, false
}

// length reads a varint of 32 bits.
func (s *recordStream) length() (int64, bool) {
	n, ok := s.varint()
	return n, ok && n >= math.MinInt32 && n <= math.MaxInt32
}

// nullable passes over a length and that many bytes; a negative length is null, where that is allowed.
func (s *recordStream) nullable(allowed bool) bool {
	n, ok := s.length()
	if !ok || n < 0 {
		return ok && allowed
	}
	return s.skip(n)
}

// record checks one record, whose offset delta has to be delta.
func (s *recordStream) record(delta int32) bool {
	size, ok := s.length()
	if !ok || size < 0 {
		return false
	}
	s.recordEnd = s.read + size
	defer func() { s.recordEnd = math.MaxInt64 }()
	if !s.skip(1) { // attributes
		return false
	}
	if _, ok := s.varint(); !ok { // timestamp delta
		return false
	}
	if d, ok := s.length(); !ok || d != int64(delta) {
		return false
	}
	for range 2 { // key and value
		if !s.nullable(true) {
			return false
		}
	}
	headers, ok := s.length()
	if !ok || headers < 0 {
		return false
	}
	for ; headers > 0; headers-- {
		// A header takes two bytes at least, so a hostile count ends with the record.
		if !s.nullable(false) || !s.nullable(true) {
			return false
		}
	}
	return s.read == s.recordEnd
}
