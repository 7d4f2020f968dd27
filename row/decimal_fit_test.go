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

// TestShortAndLongDecimalsFitAlike: the way without big numbers must not be told from the other.
func TestShortAndLongDecimalsFitAlike(t *testing.T) {
	for _, text := range []string{
		"0", "0.00", "-1", "7", "1.5", "-1.50", "99.99", "100", "100.000", "0.001", "1234567890.12", "9223372036854775807", "-1844674407370955161.5",
		"1e-18", "0.000000000000000000001", "12300000000000000000000",
	} {
		d, err := ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		for precision := range 24 {
			for scale := range 24 {
				want, wantOK := d.fitLong(precision, scale)
				if got, ok := d.Fit(precision, scale); ok != wantOK || ok && got != want {
					t.Errorf("%s in DECIMAL(%d, %d): %v %v, want %v %v", text, precision, scale, got, ok, want, wantOK)
				}
			}
		}
	}
	d := NewDecimal(1999, 2)
	if n := testing.AllocsPerRun(100, func() { d.Fit(18, 3) }); n > 0 {
		t.Errorf("%v allocations", n)
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
