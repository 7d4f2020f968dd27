package row

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParseDecimalWritesCanonicalPlainText(t *testing.T) {
	nines := strings.Repeat("9", 1000)
	for _, c := range []struct{ in, want string }{
		{"0", "0"},
		{"-0", "0"},
		{"+0", "0"},
		{"0.00", "0.00"},
		{"-0.0", "0.0"},
		{"007", "7"},
		{"00.50", "0.50"},
		{"1.50", "1.50"},
		{"+1.5", "1.5"},
		{"-12.340", "-12.340"},
		{"5.", "5"},
		{".5", "0.5"},
		{"-.05", "-0.05"},
		{"1e3", "1000"},
		{"1E+3", "1000"},
		{"1.50e1", "15.0"},
		{"1.50e2", "150"},
		{"1.50e4", "15000"},
		{"12e-3", "0.012"},
		{"100e-2", "1.00"},
		{"-1e-2", "-0.01"},
		{"0e5", "0"},
		{"0e-3", "0.000"},
		{"0.0e1", "0"},
		{"18446744073709551615", "18446744073709551615"},
		{"18446744073709551616", "18446744073709551616"},
		{"-1844674407370955161.6", "-1844674407370955161.6"},
		{"99999999999999999999.99", "99999999999999999999.99"},
		{"0.00000000000000000000000000000001", "0.00000000000000000000000000000001"},
		{nines, nines},
		{"1e999", "1" + strings.Repeat("0", 999)},
		{"1e-999", "0." + strings.Repeat("0", 998) + "1"},
		{strings.Repeat("0", 1500) + "1", "1"},
	} {
		d, err := ParseDecimal(c.in)
		if err != nil || d.String() != c.want {
			t.Errorf("ParseDecimal(%q) = %v, %v; want %s", c.in, d, err, c.want)
		}
	}
}

func TestParseDecimalErrorsDoNotQuoteTheText(t *testing.T) {
	for in, want := range map[string]error{
		"": ErrDecimalSyntax, "-": ErrDecimalSyntax, ".": ErrDecimalSyntax, "+.": ErrDecimalSyntax, "e5": ErrDecimalSyntax,
		"1e": ErrDecimalSyntax, "1e+": ErrDecimalSyntax, "1.2.3": ErrDecimalSyntax, "--1": ErrDecimalSyntax, " 1": ErrDecimalSyntax,
		"1 ": ErrDecimalSyntax, "1_000": ErrDecimalSyntax, "1,5": ErrDecimalSyntax, "NaN": ErrDecimalSyntax, "Inf": ErrDecimalSyntax,
		"0x1": ErrDecimalSyntax, "٣": ErrDecimalSyntax, "4111111111111111x": ErrDecimalSyntax, "1e5x": ErrDecimalSyntax,
		"1e1000": ErrDecimalRange, "1e-1000": ErrDecimalRange, "1e999999999999999999999": ErrDecimalRange, "0e99999": ErrDecimalRange,
		strings.Repeat("9", 1001): ErrDecimalRange, "0." + strings.Repeat("0", 1000): ErrDecimalRange, strings.Repeat("0", 5000): ErrDecimalRange,
	} {
		d, err := ParseDecimal([]byte(in))
		if !errors.Is(err, want) || d != (Decimal{}) {
			t.Errorf("ParseDecimal(%.20q) = %v, %v; want %v", in, d, err, want)
		}
		if err != nil && len(in) > 3 && strings.Contains(err.Error(), in) {
			t.Errorf("the error quotes the text: %v", err)
		}
	}
}

func TestDecimalComparesByNumberAndIsSameByText(t *testing.T) {
	ascending := []string{
		"-1e30", "-18446744073709551616", "-18446744073709551615", "-10", "-9.9", "-0.1", "-0.01", "0", "1e-20", "1e-19",
		"2e-19", "0.01", "0.1", "1", "1.0000000000000000001", "1.5", "9.99", "10", "18446744073709551615", "18446744073709551615.1", "18446744073709551616", "1e30",
	}
	for i, a := range ascending {
		for k, b := range ascending {
			want := 0
			if i < k {
				want = -1
			} else if i > k {
				want = 1
			}
			if got := parse(t, a).Cmp(parse(t, b)); got != want {
				t.Errorf("Cmp(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
	}
	for _, c := range []struct {
		a, b        string
		equal, same bool
	}{
		{"1.5", "1.50", true, false},
		{"1.50", "01.50", true, true},
		{"0", "0.00", true, false},
		{"-0", "0", true, true},
		{"1e3", "1000", true, true},
		{"36893488147419103232", "36893488147419103232.0", true, false},
		{"36893488147419103232", "3.6893488147419103232e19", true, true},
		{"1", "2", false, false},
	} {
		a, b := parse(t, c.a), parse(t, c.b)
		if a.Equal(b) != c.equal || (a == b) != c.same {
			t.Errorf("%s, %s: Equal %v, == %v", c.a, c.b, a.Equal(b), a == b)
		}
	}
}

func TestZeroDecimalIsZero(t *testing.T) {
	var d Decimal
	if d.String() != "0" || !d.IsZero() || d.Sign() != 0 || d != parse(t, "0") || !parse(t, "0.00").IsZero() || parse(t, "0.01").IsZero() {
		t.Fatal("the zero value is not 0")
	}
	if parse(t, "-1e40").Sign() != -1 || parse(t, "1e40").Sign() != 1 || parse(t, "-1").Sign() != -1 {
		t.Fatal("wrong sign")
	}
}

func TestDecimalIsAJSONNumber(t *testing.T) {
	type payment struct{ Amount, Fee Decimal }
	var p payment
	if err := json.Unmarshal([]byte(`{"Amount": 120.50, "Fee": "0.10"}`), &p); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(p)
	if err != nil || string(out) != `{"Amount":120.50,"Fee":0.10}` {
		t.Fatalf("%s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Amount": null}`), &p); err != nil || p.Amount.String() != "120.50" {
		t.Fatalf("null changed the value: %v, %v", p.Amount, err)
	}
	for _, bad := range []string{`{}`, `[1]`, `true`, `""`, `"x"`, `"\u0031"`, `"`} {
		if err := new(Decimal).ParseJSON([]byte(bad)); err == nil {
			t.Errorf("%s was read as a number", bad)
		}
	}
}

func TestFailedParseKeepsTheValue(t *testing.T) {
	d := parse(t, "1.50")
	if d.UnmarshalText([]byte("x")) == nil || d.String() != "1.50" {
		t.Fatalf("changed to %v", d)
	}
}

func TestShortDecimalsDoNotAllocate(t *testing.T) {
	token, dst := []byte("-123456789.25"), make([]byte, 0, 64)
	other := parse(t, "-123456789.250")
	var d Decimal
	allocs := testing.AllocsPerRun(100, func() {
		if err := d.ParseJSON(token); err != nil {
			t.Fatal(err)
		}
		dst, _ = d.AppendJSON(dst[:0])
		if !d.Equal(other) {
			t.Fatal("not equal")
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func parse(t *testing.T, text string) Decimal {
	t.Helper()
	d, err := ParseDecimal(text)
	if err != nil {
		t.Fatalf("ParseDecimal(%q): %v", text, err)
	}
	return d
}
