package jsontext

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// room is what writing a number asks for: it has 20 digits at most, and a short one is written as eight.
const room = 20

// AppendInt appends v in decimal. Like AppendUint it may use more of dst's room than the number needs.
func AppendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return AppendUint(append(dst, '-'), -uint64(v))
	}
	return AppendUint(dst, uint64(v))
}

// AppendUint appends v in decimal, eight digits at a time: what they leave of dst's room behind the number is to be overwritten.
func AppendUint(dst []byte, v uint64) []byte {
	const eight = 100_000_000
	n := len(dst)
	if cap(dst)-n < room {
		dst = slices.Grow(dst, room)
	}
	to := dst[n : n+room]
	if v < eight {
		return dst[:n+putLeading(to, v)]
	}
	high, at := v/eight, 0
	if high < eight {
		at = putLeading(to, high)
	} else {
		at = putLeading(to, high/eight)
		putEight(to[at:], high%eight)
		at += 8
	}
	putEight(to[at:], v%eight)
	return dst[:n+at+8]
}

// putLeading writes v, which has at most eight digits, into room for eight, and returns how many it has.
func putLeading(to []byte, v uint64) int {
	d := eightDigits(v)
	zeros := bits.TrailingZeros64(d|1<<63) / 8
	binary.LittleEndian.PutUint64(to, (d|'0'*eachByte)>>(8*zeros&63))
	return 8 - zeros
}

// putEight writes all eight digits of v.
func putEight(to []byte, v uint64) { binary.LittleEndian.PutUint64(to, eightDigits(v)|'0'*eachByte) }

// Digits reads the digits at i as a number and returns the index behind them; fits is false if they are more than 64 bits hold. Where there
// are none end is i.
func Digits(b []byte, i int) (v uint64, end int, fits bool) {
	first := i
	for i+8 <= len(b) && i < first+16 { // 16 digits always fit
		d := binary.LittleEndian.Uint64(b[i:]) ^ '0'*eachByte
		n := bits.TrailingZeros64((d&^highBits+0x76*eachByte|d)&highBits) / 8 // the first byte above 9
		if n < 8 {
			return v*powers[n] + eightNumber(d<<(64-8*n)), i + n, true
		}
		v = v*100_000_000 + eightNumber(d)
		i += 8
	}
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		high, low := bits.Mul64(v, 10)
		sum, carry := bits.Add64(low, uint64(b[i]-'0'), 0)
		if high != 0 || carry != 0 {
			return 0, i, false
		}
		v = sum
	}
	return v, i, true
}

// powers are those of ten that a word's digits stand for.
var powers = [8]uint64{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000}

// eightNumber is the inverse of eightDigits: digits become twos, these fours and these a number.
func eightNumber(d uint64) uint64 {
	d = d*10 + d>>8
	return (d&(0xff<<32|0xff)*(1_000_000<<32|100) + d>>16&(0xff<<32|0xff)*(10_000<<32|1)) >> 32
}

// eightDigits returns the digits of v, which has at most eight, as the bytes of a word, the first as the lowest. Each step cuts all the
// numbers that lie in the word in half: by multiplying with the reciprocal of 100 and of 10, which is exact for numbers that small.
func eightDigits(v uint64) uint64 {
	fours := v/10_000 | v%10_000<<32
	hundreds := fours * 10486 >> 20 & (0x7f<<32 | 0x7f)
	twos := hundreds | (fours-100*hundreds)<<16
	tens := twos * 103 >> 10 & (0xf<<48 | 0xf<<32 | 0xf<<16 | 0xf)
	return tens | (twos-10*tens)<<8
}
