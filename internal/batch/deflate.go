package batch

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// xerialBlock is the block size of the Java client's Snappy stream in bytes.
const xerialBlock = 32 << 10

var (
	xerialVersions = []byte{0, 0, 0, 1, 0, 0, 0, 1} // version 1, readable since version 1

	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	lz4Writers  = sync.Pool{New: func() any {
		w := lz4.NewWriter(nil)
		// The batch has its own CRC. Kafka's Java client reads independent blocks only, and uses 64 KiB.
		mustDeflate(w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1)))
		return w
	}}

	zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10), zstd.WithZeroFrames(true))
		mustDeflate(err)
		return e
	})
)

// appender is a writer whose bytes end up in a slice; it never fails.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// deflate appends src, compressed, to dst.
func deflate(dst []byte, c Codec, src []byte) []byte {
	switch c {
	case None:
		return append(dst, src...)
	case Gzip:
		w := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(w)
		out := &appender{dst}
		w.Reset(out)
		_, err := w.Write(src)
		mustDeflate(err)
		mustDeflate(w.Close())
		return out.b
	case Snappy:
		return deflateSnappy(dst, src)
	case LZ4:
		w := lz4Writers.Get().(*lz4.Writer)
		defer lz4Writers.Put(w)
		out := &appender{dst}
		w.Reset(out)
		_, err := w.Write(src)
		mustDeflate(err)
		mustDeflate(w.Close())
		return out.b
	case Zstd:
		return zstdEncoder().EncodeAll(src, dst)
	default:
		panic(fmt.Sprintf("batch: builder has unknown codec %d", c))
	}
}

// deflateSnappy writes the xerial framing, which every client reads.
func deflateSnappy(dst, src []byte) []byte {
	dst = append(dst, xerialMagic...)
	dst = append(dst, xerialVersions...)
	for len(src) > 0 {
		block := src[:min(xerialBlock, len(src))]
		src = src[len(block):]
		start := len(dst) + 4
		need := start + s2.MaxEncodedLen(len(block))
		dst = slices.Grow(dst, need-len(dst))
		out := s2.EncodeSnappy(dst[start:need], block)
		binary.BigEndian.PutUint32(dst[start-4:start], uint32(len(out)))
		dst = dst[:start+len(out)]
	}
	return dst
}

// mustDeflate holds that compressing memory into memory cannot fail.
func mustDeflate(err error) {
	if err != nil {
		panic(fmt.Sprintf("batch: compress: %v", err))
	}
}
