package row

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func number(t *testing.T, text string) Decimal {
	t.Helper()
	d, err := ParseDecimal(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return d
}

func TestSumsAreExactAndKeepTheLongerScale(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"0", "0", "0"},
		{"0", "0.00", "0.00"},
		{"1.50", "0.5", "2.00"},
		{"0.1", "0.2", "0.3"},
		{"1.5", "-1.50", "0.00"},
		{"-2", "0.75", "-1.25"},
		{"-0.75", "-0.25", "-1.00"},
		{"18446744073709551615", "1", "18446744073709551616"},
		{"18446744073709551616", "-1", "18446744073709551615"},
		{"18446744073709551615", "0.1", "18446744073709551615.1"},
		{"1e30", "1e-30", "1" + strings.Repeat("0", 30) + "." + strings.Repeat("0", 29) + "1"},
	} {
		a, b := number(t, c.a), number(t, c.b)
		for _, got := range []Decimal{a.Add(b), b.Add(a)} {
			if got != number(t, c.want) || got.String() != c.want {
				t.Errorf("%s + %s = %s, want %s", c.a, c.b, got, c.want)
			}
		}
	}
}

func TestNewDecimalsAreThoseThatAreRead(t *testing.T) {
	for text, got := range map[string]Decimal{
		"1.50": NewDecimal(150, 2), "0": NewDecimal(0, 0), "0.00": NewDecimal(0, 2), "-0.007": NewDecimal(-7, 3), "220": NewDecimal(220, 0),
		"-9223372036854775808": NewDecimal(math.MinInt64, 0),
	} {
		if want := number(t, text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSumsEqualThoseOfFractions(t *testing.T) {
	text := rapid.StringMatching(`-?[0-9]{1,24}(\.[0-9]{1,24})?`)
	rapid.Check(t, func(t *rapid.T) {
		x, y := text.Draw(t, "x"), text.Draw(t, "y")
		a, errA := ParseDecimal(x)
		b, errB := ParseDecimal(y)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		sum := a.Add(b)
		xr, _ := new(big.Rat).SetString(x)
		yr, _ := new(big.Rat).SetString(y)
		_, xs, _ := strings.Cut(x, ".")
		_, ys, _ := strings.Cut(y, ".")
		want := xr.Add(xr, yr).FloatString(max(len(xs), len(ys)))
		if sum.String() != want {
			t.Fatalf("%s + %s = %s, want %s", x, y, sum, want)
		}
		if again, err := ParseDecimal(want); err != nil || again != sum {
			t.Fatalf("%s is not the same as what was read from it", sum)
		}
	})
}

func TestASumThatIsTooLongPanics(t *testing.T) {
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, ErrDecimalRange) {
			t.Errorf("recovered %v", err)
		}
	}()
	number(t, "1e999").Add(number(t, "0.1"))
}
