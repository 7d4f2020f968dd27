package serde

import (
	"encoding/json"
	"testing"
)

func BenchmarkDecodeCardPayment(b *testing.B) {
	s, text := JSON[cardPayment](), []byte(cardText)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeCardPayment(b *testing.B) {
	s := JSON[cardPayment]()
	v, err := s.Decode([]byte(cardText))
	if err != nil {
		b.Fatal(err)
	}
	benchmarkEncode(b, s, v)
}

func BenchmarkDecodeLastFive(b *testing.B) {
	s := JSON[lastFive]()
	text, err := s.Append(nil, fivePayments())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeLastFive(b *testing.B) {
	benchmarkEncode(b, JSON[lastFive](), fivePayments())
}

func benchmarkEncode[T any](b *testing.B, s Serde[T], v T) {
	dst, err := s.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = s.Append(dst[:0], v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingJSON is the yardstick.
func BenchmarkEncodingJSON(b *testing.B) {
	five := fivePayments()
	b.Run("decode-card-payment", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v cardPayment
			if err := json.Unmarshal([]byte(cardText), &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode-last-five", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&five); err != nil {
				b.Fatal(err)
			}
		}
	})
}
