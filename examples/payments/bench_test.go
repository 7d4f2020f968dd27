package payments_test

import (
	"testing"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
	"github.com/mainstemio/mainstem/serde"
)

// fullList returns a customer's list with as many payments as it holds, of both channels, and one more payment of theirs.
func fullList(b *testing.B) (payments.LastFive, payments.Payment) {
	b.Helper()
	source, err := generate.New(generate.Config{Customers: 1})
	if err != nil {
		b.Fatal(err)
	}
	var list payments.LastFive
	for i := range int64(payments.Keep) {
		if i%2 == 0 {
			list, _ = list.Add(source.Card(i).Common())
		} else {
			list, _ = list.Add(source.Transfer(i).Common())
		}
	}
	return list, source.Transfer(payments.Keep).Common()
}

func BenchmarkEncodeLastFive(b *testing.B) {
	list, _ := fullList(b)
	benchmarkEncode(b, payments.LastFiveJSON, list)
}

func BenchmarkEncodePayment(b *testing.B) {
	_, p := fullList(b)
	benchmarkEncode(b, payments.PaymentJSON, p)
}

func benchmarkEncode[T any](b *testing.B, s serde.Serde[T], v T) {
	dst := make([]byte, 0, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Append(dst, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLastFive(b *testing.B) {
	list, _ := fullList(b)
	benchmarkDecode(b, payments.LastFiveJSON, list)
}

func BenchmarkDecodePayment(b *testing.B) {
	_, p := fullList(b)
	benchmarkDecode(b, payments.PaymentJSON, p)
}

func benchmarkDecode[T any](b *testing.B, s serde.Serde[T], v T) {
	text, err := s.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	list, p := fullList(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, changed := list.Add(p); !changed {
			b.Fatal("nothing changed")
		}
	}
}
