package jsontext

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestNumbersAreWrittenAsStrconvDoes(t *testing.T) {
	numbers := []int64{0, math.MinInt64, math.MaxInt64, 99_999_999, 9_999_999_999_999_999}
	for v := int64(1); v > 0 && v <= math.MaxInt64/10; v *= 10 {
		numbers = append(numbers, v-1, v, v+1, -v, 5*v)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		numbers = append(numbers, int64(random.Uint64()>>random.IntN(64)))
	}
	for _, v := range numbers {
		for _, room := range []int{0, 1, 30} {
			dst := append(make([]byte, 0, 6+room), "before"...)
			if got, want := string(AppendInt(dst, v)), "before"+strconv.FormatInt(v, 10); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
			if got, want := string(AppendUint(dst, uint64(v))), "before"+strconv.FormatUint(uint64(v), 10); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		}
	}
}

func TestEightDigits(t *testing.T) {
	for half := range uint64(10_000) { // the halves are taken apart side by side
		for _, v := range []uint64{half, half * 10_000, half*10_000 + 9999 - half} {
			want, left := uint64(0), v
			for range 8 {
				want, left = want<<8|left%10, left/10
			}
			if got := eightDigits(v); got != want {
				t.Fatalf("%d: %x, want %x", v, got, want)
			}
		}
	}
}

func TestDigits(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	texts := []string{"", "0", "00000000", "18446744073709551615", "18446744073709551616", "99999999999999999999", "0000000000000000000000000000001"}
	for range 10_000 {
		texts = append(texts, strconv.FormatUint(random.Uint64()>>random.IntN(64), 10)+strings.Repeat("7", random.IntN(2)))
	}
	for _, digits := range texts {
		for _, behind := range []string{"", "/", ":", ".5", ",\"name\":1234567", "\xb0\xb9\xff\x80 and more", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
			got, end, fits := Digits([]byte("x"+digits+behind), 1)
			want, err := strconv.ParseUint("0"+digits, 10, 64)
			if fits != (err == nil) || fits && (got != want || end != 1+len(digits)) {
				t.Fatalf("%q: %d, %d, %v", digits+behind, got, end, fits)
			}
		}
	}
}

func BenchmarkDigits(b *testing.B) {
	for _, digits := range []string{"7", "4711", "1658712345678"} {
		text := []byte(digits + `,"name":"Ada"`)
		b.Run(digits, func(b *testing.B) {
			for b.Loop() {
				Digits(text, 0)
			}
		})
	}
}

func BenchmarkAppendInt(b *testing.B) {
	dst := make([]byte, 0, 64)
	for _, v := range []int64{7, 4711, 1658712345678, math.MaxInt64} {
		b.Run(strconv.FormatInt(v, 10), func(b *testing.B) {
			for b.Loop() {
				AppendInt(dst, v)
			}
		})
	}
}

func BenchmarkStrconvAppendInt(b *testing.B) {
	dst := make([]byte, 0, 64)
	for _, v := range []int64{7, 4711, 1658712345678, math.MaxInt64} {
		b.Run(strconv.FormatInt(v, 10), func(b *testing.B) {
			for b.Loop() {
				strconv.AppendInt(dst, v, 10)
			}
		})
	}
}
