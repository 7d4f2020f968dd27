package decimal

import (
	"errors"
	"math/big"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/row"
)

func dec(t interface{ Fatal(...any) }, s string) row.Decimal {
	d, err := row.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTypes(t *testing.T) {
	a, b := row.DecimalType(4, 2), row.DecimalType(6, 3)
	for op, want := range map[Op]string{
		Add: "DECIMAL(7, 3)", Sub: "DECIMAL(7, 3)", Mul: "DECIMAL(11, 5)", Div: "DECIMAL(14, 9)", Rem: "DECIMAL(5, 3)",
	} {
		if got := Result(op, a, b).String(); got != want {
			t.Errorf("operation %d: %s, want %s", op, got, want)
		}
	}
	for text, want := range map[string]string{"0.05": "DECIMAL(3, 2)", "-12.5": "DECIMAL(3, 1)", "100": "DECIMAL(3, 0)", "0": "DECIMAL(1, 0)", "0.0": "DECIMAL(2, 1)"} {
		if got := TypeOf(dec(t, text)).String(); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	if got := Wider(a, row.DecimalType(10, 0)).String(); got != "DECIMAL(12, 2)" {
		t.Error(got)
	}
}

// TestComputeAgreesWithRationals: the short and the long way give what exact arithmetic gives, rounded half away from zero.
func TestComputeAgreesWithRationals(t *testing.T) {
	number := rapid.StringMatching(`-?[0-9]{1,17}(\.[0-9]{1,9})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := dec(t, number.Draw(t, "a")), dec(t, number.Draw(t, "b"))
		op := Op(rapid.IntRange(int(Add), int(Div)).Draw(t, "op"))
		scale := rapid.IntRange(0, 12).Draw(t, "scale")
		typ := row.DecimalType(60, scale)
		got, err := Compute(op, a, b, typ)
		if op == Div && b.IsZero() {
			if !errors.Is(err, ErrZero) {
				t.Fatal(err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		x, _ := new(big.Rat).SetString(a.String())
		y, _ := new(big.Rat).SetString(b.String())
		z := map[Op]func(x, y *big.Rat) *big.Rat{Add: x.Add, Sub: x.Sub, Mul: x.Mul, Div: x.Quo}[op](new(big.Rat).Set(x), y)
		if want := z.FloatString(scale); got.String() != want && "-"+got.String() != want { // FloatString keeps the sign of -0.00
			t.Fatalf("%s %d %s = %s, want %s", a, op, b, got, want)
		}
	})
}

func TestRemainderHasTheSignOfTheDividend(t *testing.T) {
	for _, c := range [][3]string{{"10.1", "2.0", "0.10"}, {"-10.1", "2", "-0.10"}, {"10.1", "-3", "1.10"}, {"123456789012345678901234567890", "7", "0.00"}} {
		got, err := Compute(Rem, dec(t, c[0]), dec(t, c[1]), row.DecimalType(40, 2))
		if err != nil || got.String() != c[2] {
			t.Errorf("%s %% %s = %s, %v; want %s", c[0], c[1], got, err, c[2])
		}
	}
	if _, err := Compute(Rem, dec(t, "1"), dec(t, "0"), row.DecimalType(4, 2)); !errors.Is(err, ErrZero) {
		t.Error(err)
	}
}

func TestFitAndRound(t *testing.T) {
	for _, c := range []struct {
		text string
		p, s int
		want string // empty: overflow
	}{
		{"0.99", 2, 1, "1.0"},
		{"10", 2, 1, ""},
		{"9.95", 2, 1, ""},
		{"-9.94", 2, 1, "-9.9"},
		{"0", 1, 1, "0.0"},
		{"0.5", 1, 1, "0.5"},
		{"1", 1, 1, ""},
		{"12345678901234567890123", 23, 0, "12345678901234567890123"},
		{"12345678901234567890123", 22, 0, ""},
		{"9223372036854775807", 19, 0, "9223372036854775807"},
	} {
		got, err := Fit(dec(t, c.text), row.DecimalType(c.p, c.s))
		if c.want == "" && !errors.Is(err, ErrOverflow) || c.want != "" && (err != nil || got.String() != c.want) {
			t.Errorf("%s as DECIMAL(%d, %d): %s, %v; want %q", c.text, c.p, c.s, got, err, c.want)
		}
	}
	for _, c := range []struct {
		text  string
		scale int
		mode  apd.Rounder
		want  string
	}{
		{"-1.5", 0, apd.RoundHalfDown, "-1"},
		{"1.25", 1, apd.RoundHalfUp, "1.3"},
		{"-1.1", 0, apd.RoundFloor, "-2"},
		{"1.1", 0, apd.RoundCeiling, "2"},
		{"1.9", 0, apd.RoundDown, "1"},
		{"1250", -2, apd.RoundHalfUp, "1300"},
		{"1", 3, apd.RoundDown, "1.000"},
		{"0.0254", 0, apd.RoundCeiling, "1"},
		{"-0.0254", 0, apd.RoundCeiling, "0"},
		{"-0.0254", 0, apd.RoundFloor, "-1"},
		{"0.0254", 0, apd.RoundFloor, "0"},
		{"0.0254", 0, apd.RoundHalfUp, "0"},
		{"0.0254", 1, apd.RoundUp, "0.1"},
		{"12", -4, apd.RoundCeiling, "10000"},
		{"12", -2147483648, apd.RoundHalfUp, "0"},
	} {
		if got, err := Round(dec(t, c.text), c.scale, c.mode); err != nil || got.String() != c.want {
			t.Errorf("%s to %d by %s: %s, %v; want %s", c.text, c.scale, c.mode, got, err, c.want)
		}
	}
}

func TestWholePartsWrap(t *testing.T) {
	for text, want := range map[string]int64{"12.9": 12, "-12.9": -12, "9223372036854775808": -9223372036854775808, "18446744073709551617.5": 1} {
		if got := Int64(dec(t, text)); got != want {
			t.Errorf("%s is %d, want %d", text, got, want)
		}
	}
}
