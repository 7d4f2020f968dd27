package row

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var decimalGrammar = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

// FuzzDecimal compares with math/big: which texts are numbers, which number they are, and how two of them compare.
func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{"0", "-0.0", "1.50", "1e3", "12e-3", "18446744073709551616", "1e1000", "x", ".5", "5.", "+1", "99999999999999999999.9e-4"} {
		f.Add(seed, "1.5")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, xr, ok := checkDecimal(t, a)
		y, yr, ok2 := checkDecimal(t, b)
		if !ok || !ok2 {
			return
		}
		if got, want := x.Cmp(y), xr.Cmp(yr); got != want {
			t.Fatalf("Cmp(%s, %s) = %d, want %d", x, y, got, want)
		}
		if same := x == y; same != (x.String() == y.String()) {
			t.Fatalf("%s == %s is %v", x, y, same)
		}
	})
}

func checkDecimal(t *testing.T, text string) (Decimal, *big.Rat, bool) {
	t.Helper()
	d, err := ParseDecimal(text)
	if !decimalGrammar.MatchString(text) {
		if err == nil {
			t.Fatalf("%q was accepted as %s", text, d)
		}
		return d, nil, false
	}
	if tooLong(text) {
		if err == nil && len(d.String()) > MaxDecimalDigits+2 {
			t.Fatalf("%q was accepted with %d characters", text, len(d.String()))
		}
		return d, nil, false
	}
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	want, ok := new(big.Rat).SetString(text)
	got, ok2 := new(big.Rat).SetString(d.String())
	if !ok || !ok2 || got.Cmp(want) != 0 {
		t.Fatalf("%q became %s", text, d)
	}
	again, err := ParseDecimal(d.String())
	if err != nil || again != d || strings.ContainsAny(d.String(), "eE+") {
		t.Fatalf("%s read again is %s, %v", d, again, err)
	}
	return d, want, true
}

// tooLong tells, on the safe side, whether a text may be over the limits.
func tooLong(text string) bool {
	mantissa, exp, _ := strings.Cut(strings.ToLower(text), "e")
	n, err := strconv.Atoi(strings.TrimPrefix(exp, "+"))
	if exp == "" {
		n, err = 0, nil
	}
	return err != nil || n > 400 || n < -400 || len(mantissa) > 400
}
