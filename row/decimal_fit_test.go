package row

import (
	"math"
	"testing"
)

func TestDecimalFits(t *testing.T) {
	for _, c := range []struct {
		in               string
		precision, scale int
		want             string
		ok               bool
	}{
		{"1.5", 4, 2, "1.50", true},
		{"1.50", 4, 1, "1.5", true},
		{"1.55", 4, 1, "", false},
		{"100", 4, 2, "", false},
		{"-99.99", 4, 2, "-99.99", true},
		{"0", 2, 2, "0.00", true},
		{"123456789012345678901234567890", 40, 5, "123456789012345678901234567890.00000", true},
	} {
		d, _ := ParseDecimal(c.in)
		got, ok := d.Fit(c.precision, c.scale)
		if ok != c.ok || ok && got.String() != c.want {
			t.Errorf("%s in DECIMAL(%d, %d): %s, %v", c.in, c.precision, c.scale, got, ok)
		}
	}
}

func TestDecimalWrapsAsJava(t *testing.T) {
	for in, want := range map[string]int64{
		"1.9": 1, "-1.9": -1, "9223372036854775808": math.MinInt64, "18446744073709551617": 1, "-9223372036854775809": math.MaxInt64,
	} {
		d, _ := ParseDecimal(in)
		if got := d.Wrapped(); got != want {
			t.Errorf("%s: %d, want %d", in, got, want)
		}
	}
}
