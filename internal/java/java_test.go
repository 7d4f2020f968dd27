package java

import (
	"math"
	"strings"
	"testing"
)

func TestDoublesPrintAsInJava(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", -1.5: "-1.5", 0.001: "0.001", 0.00099: "9.9E-4", 9999999: "9999999.0", 1e7: "1.0E7", 12345678.5: "1.23456785E7",
		1.7976931348623157e308: "1.7976931348623157E308", 5e-324: "4.9E-324", 1e21: "1.0E21", math.Inf(-1): "-Infinity",
		4611686018427387904: "4.6116860184273879E18", 3074457345618258432: "3.0744573456182584E18", 1 << 54: "1.8014398509481984E16",
		-1e18: "-1.0E18", 9.3e18: "9.3E18",
	} {
		if got := Double(f); got != want {
			t.Errorf("%g prints as %s, want %s", f, got, want)
		}
	}
	if Double(math.NaN()) != "NaN" || Double(math.Copysign(0, -1)) != "-0.0" {
		t.Error("NaN or -0.0")
	}
}

func TestDoublesAreReadAsInJava(t *testing.T) {
	for text, want := range map[string]float64{" 1.5 ": 1.5, "1e3": 1000, "2d": 2, "+3F": 3, "-Infinity": math.Inf(-1), "1e999": math.Inf(1), ".5": 0.5} {
		if got, err := ParseDouble(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1_0", "inf", "0x10", "1.2.3", "d"} {
		if got, err := ParseDouble(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestConversionsSaturate(t *testing.T) {
	if ToInt32(1e10) != math.MaxInt32 || ToInt32(math.NaN()) != 0 || ToInt64(-1e30) != math.MinInt64 || ToInt32(-1.9) != -1 || Round(-2.5) != -2 || Round(2.5) != 3 {
		t.Error("a conversion differs from Java's")
	}
}

func TestUTF16(t *testing.T) {
	const s = "aé😀b"
	if Length(s) != 5 || Length("") != 0 || Length("abc") != 3 {
		t.Error("lengths", Length(s))
	}
	for _, c := range []struct {
		from, to int
		want     string
	}{{0, 2, "aé"}, {2, 4, "😀"}, {4, 9, "b"}, {1, 2, "é"}, {3, 2, ""}, {-4, 1, "a"}} {
		if got := Substring(s, c.from, c.to); got != c.want {
			t.Errorf("[%d, %d) is %q, want %q", c.from, c.to, got, c.want)
		}
	}
	if Index(s, "b", 0, 1) != 4 || Index(s, "a", 1, 1) != -1 || Index("aa", "a", 9, 1) != -1 || LastIndex("abab", "ab", 1, 1) != 0 || LastIndex(s, "b", 9, 1) != 4 {
		t.Error("positions")
	}
}

func TestURIs(t *testing.T) {
	for _, c := range []struct {
		text string
		want URI
	}{
		{"http://u@a.b:80/p?q#f", URI{Scheme: "http", Host: "a.b", Path: "/p", Query: "q", Fragment: "f", HasScheme: true, HasHost: true, HasPath: true, HasQuery: true, HasFragment: true, Port: 80}},
		{"www.a.b", URI{Path: "www.a.b", HasPath: true, Port: -1}},
		{"mailto:x@y", URI{Scheme: "mailto", HasScheme: true, Port: -1}},
		{"http://a_b/", URI{Scheme: "http", HasScheme: true, Path: "/", HasPath: true, Port: -1}},
		{"http://[::1]:9?", URI{Scheme: "http", HasScheme: true, Host: "[::1]", HasHost: true, HasPath: true, HasQuery: true, Port: 9}},
	} {
		if got, err := ParseURI(c.text); err != nil || got != c.want {
			t.Errorf("%q is %+v, %v", c.text, got, err)
		}
	}
	for _, text := range []string{"http://a b", "a:", "1a:b", "%zz", "a#b#c", "x{y}", "http://"} {
		if got, err := ParseURI(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestOccurrencesAreCounted(t *testing.T) {
	const s = "aaa😀aa" // units: 0 1 2, 3 and 4, 5 6
	for _, c := range []struct{ got, want int }{
		{Index(s, "aa", 0, 2), 1},
		{Index(s, "aa", 0, 3), 5},
		{Index(s, "aa", 0, 4), -1},
		{Index(s, "😀", 0, 1), 3},
		{Index(s, "a", 3, 1), 5},
		{LastIndex(s, "aa", 9, 1), 5},
		{LastIndex(s, "aa", 9, 2), 1},
		{LastIndex(s, "aa", 9, 3), 0},
		{LastIndex(s, "aa", 9, 4), -1},
		{LastIndex(s, "a", 4, 1), 2},
	} {
		if c.got != c.want {
			t.Errorf("%d, want %d", c.got, c.want)
		}
	}
	long := strings.Repeat("a", 1<<20) // at once, not from the start for each
	if i, j := Index(long, "a", 0, 1<<20), LastIndex(long, "a", 1<<20, 1<<20); i != 1<<20-1 || j != 0 {
		t.Errorf("%d and %d", i, j)
	}
}
