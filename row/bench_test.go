package row

import "testing"

// payment is a row as queries have them.
func payment() Row {
	amount, _ := ParseDecimal("1234.50")
	return NewRow(NewBigint(123456), FromDecimal(amount), NewBigint(4711), NewString("2018-08-01T01:01:15.000"), NewString("BANK_TRF"),
		NewString("123456******7890"), NewString("Ada Lovelace"), NewString("Bank of Somewhere"), NewString("ref 1234567"), NewString("IDR"))
}

func BenchmarkRow(b *testing.B) {
	r := payment()
	values := r.Values()
	list := NewRow(NewArray(NewStruct(values...), NewStruct(values...), NewStruct(values...), NewStruct(values...)))
	b.Run("At", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			for i := range 10 {
				v := r.At(i)
				n += len(v.Text())
			}
		}
	})
	b.Run("NewRow", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewRow(values...)
		}
	})
	b.Run("Builder", func(b *testing.B) {
		b.ReportAllocs()
		var out Builder
		for b.Loop() {
			out.AddAll(r)
			out.Row()
		}
	})
	b.Run("AddEach", func(b *testing.B) {
		b.ReportAllocs()
		var out Builder
		for b.Loop() {
			for _, v := range values {
				out.Add(v)
			}
			out.Row()
		}
	})
	b.Run("AtWide", func(b *testing.B) {
		n := 0
		for b.Loop() {
			e := list.At(0).Row()
			for i := range e.Len() {
				v := e.At(i)
				n += len(v.Row().At(0).Text())
			}
		}
	})
}
