package datetime

import (
	"math/rand/v2"
	"testing"
	"time"
)

// general is a format without its layout.
func general(f *Format) *Format { return &Format{f.pattern, f.elems, nil} }

func TestALayoutReadsAndWritesAsItsPattern(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, pattern := range []string{
		"yyyy-MM-dd'T'HH:mm:ss.SSS", "uuuu/MM/dd", "dd.MM.yyyy HH:mm", "HH:mm:ss,SSSSSS dd-MM-uuuu", "yyyy-MM-dd HH:mm:ss.S", "ss.SSSSSSSSS-yyyy-MM-dd",
	} {
		f, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if f.layout == nil {
			t.Fatalf("%s has no layout", pattern)
		}
		for range 5000 {
			ms := random.Int64N(400_000_000_000_000) - 100_000_000_000_000 // the years -1200 to 11500
			want, err := general(f).Timestamp(ms, time.UTC)
			got, gotErr := f.Timestamp(ms, time.UTC)
			if got != want || (err == nil) != (gotErr == nil) {
				t.Fatalf("%s: %d is %q, %v, want %q, %v", pattern, ms, got, gotErr, want, err)
			}
			text := []byte(want)
			if random.IntN(3) > 0 { // most changes make another time, or none
				text[random.IntN(len(text))] = "0123456789-. T"[random.IntN(14)]
			}
			back, err := general(f).ParseTimestamp(string(text), time.UTC)
			read, gotErr := f.ParseTimestamp(string(text), time.UTC)
			if read != back || (err == nil) != (gotErr == nil) {
				t.Fatalf("%s: %q is %d, %v, want %d, %v", pattern, text, read, gotErr, back, err)
			}
		}
	}
}

func TestPatternsWithoutALayout(t *testing.T) {
	for _, pattern := range []string{
		"yyyyMMdd", "yy-MM-dd", "yyyy-M-d", "yyyy-MMM-dd", "yyyy-MM-dd[ HH]", "HH:mm", "yyyy-MM-dd hh:mm a", "yyyy-MM-dd'0'", "yyyy-MM-dd HH:mm:ss.SSSX",
		"yyyyy-MM-dd", "yyyy-MM-dd'ü'", "yyyy-uuuu-MM-dd", "ppMM-dd-yyyy", "yyyy-MM-dd yyyy",
	} {
		f, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if f.layout != nil {
			t.Errorf("%s has the layout %q", pattern, f.layout.form)
		}
	}
}

func BenchmarkTimestamp(b *testing.B) {
	f, err := Compile("yyyy-MM-dd'T'HH:mm:ss.SSS")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ms, err := f.ParseTimestamp("2018-05-11T21:58:33.042", time.UTC)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Timestamp(ms, time.UTC); err != nil {
			b.Fatal(err)
		}
	}
}
