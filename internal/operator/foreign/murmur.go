package foreign

import (
	"encoding/binary"
	"math/bits"
)

// murmur3 is MurmurHash3_x64_128 by Austin Appleby (public domain), with the seed that Kafka Streams takes.
func murmur3(data []byte) (h1, h2 uint64) {
	const seed = 104729
	return murmur3Seeded(data, seed)
}

const (
	murmurC1 = 0x87c37b91114253d5
	murmurC2 = 0x4cf5ad432745937f
)

func murmur3Seeded(data []byte, seed uint64) (h1, h2 uint64) {
	h1, h2 = seed, seed
	length := uint64(len(data))
	for ; len(data) >= 16; data = data[16:] {
		h1 ^= mix1(binary.LittleEndian.Uint64(data))
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= mix2(binary.LittleEndian.Uint64(data[8:]))
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	if len(data) > 0 {
		var tail [16]byte
		copy(tail[:], data)
		h1 ^= mix1(binary.LittleEndian.Uint64(tail[:]))
		h2 ^= mix2(binary.LittleEndian.Uint64(tail[8:]))
	}
	h1, h2 = h1^length, h2^length
	h1 += h2
	h2 += h1
	h1, h2 = finish(h1), finish(h2)
	h1 += h2
	h2 += h1
	return h1, h2
}

func mix1(k uint64) uint64 { return bits.RotateLeft64(k*murmurC1, 31) * murmurC2 }

func mix2(k uint64) uint64 { return bits.RotateLeft64(k*murmurC2, 33) * murmurC1 }

func finish(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
