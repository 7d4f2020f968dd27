package regex

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          []string // the first match's groups; nil: none
	}{
		{`b+`, "abbc", []string{"bb"}},
		{`(a)|(b)`, "b", []string{"b", "", "b"}},
		{`x`, "abc", nil},
		{`(?<=a)b`, "cb ab", []string{"b"}},
		{`(.)\1`, "é😀😀", []string{"😀😀", "😀"}},
		{`(?>a+)b`, "aab", []string{"aab"}},
		{`\p{Punct}`, "a;b", []string{";"}},
		{`[\p{Alpha}_]+`, "1a_b", []string{"a_b"}},
		{`\P{Digit}`, "12x", []string{"x"}},
		{`\Qa.b\E+`, "axb a.bb", []string{"a.bb"}},
		{`\h\S`, "a \tb", []string{"\tb"}},
		{`a\Z`, "a\n", []string{"a\n"}},
	} {
		r, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		m, err := r.Find(c.text)
		var got []string
		if m != nil {
			got = m.Groups
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s in %q: %q, %v; want %q", c.pattern, c.text, got, err, c.want)
		}
	}
}

func TestGroup(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		group         int
		want          string
		ok            bool
	}{
		{`b(c+)?`, "abcc", 0, "bcc", true},
		{`b(c+)?`, "abcc", 1, "cc", true},
		{`b(c+)?`, "ab", 1, "", false},
		{`b`, "a", 0, "", false},
		{`(?<=a)(b)`, "ab", 1, "b", true},
		{`(?<=a)(b)`, "b", 1, "", false},
	} {
		r, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok, err := r.Group(c.text, c.group); err != nil || got != c.want || ok != c.ok {
			t.Errorf("group %d of %s in %q: %q, %t, %v", c.group, c.pattern, c.text, got, ok, err)
		}
	}
}

func TestReplaceAndSplit(t *testing.T) {
	for _, c := range []struct{ pattern, text, replacement, want string }{
		{`([a-z]+)(\d)`, "a1 bc2", "$2$1", "1a 2bc"},
		{`(?<w>a)`, "aa", `<${w}\$>`, "<a$><a$>"},
		{`a`, "banana", "$012", "ba12na12na12"},
		{`(a)`, "a", "$12", "a2"},
		{`(?=b)`, "ab", "-", "a-b"},
		{`[^0-9]`, "card 12-34", "", "1234"},
		{`[^0-9]`, "é1ü2", "", "12"},
		{`[^0-9]`, "1234", "-", "1234"},
		{`[a-c]`, "abcd", "xy", "xyxyxyd"},
		{`[a-c]`, "abcd", `\$`, "$$$d"},
		{`(?i)[a]`, "aAb", "", "b"},
	} {
		r, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.ReplaceAll(c.text, c.replacement); err != nil || got != c.want {
			t.Errorf("%s in %q by %q: %q, %v; want %q", c.pattern, c.text, c.replacement, got, err, c.want)
		}
	}
	r, _ := Compile(",")
	if got, _ := r.Split(",a,,b,"); !slices.Equal(got, []string{"", "a", "", "b", ""}) {
		t.Errorf("%q", got)
	}
	if _, err := r.ReplaceAll("a,b", "$1"); err == nil {
		t.Error("a group that is not there was taken")
	}
}

func TestPatternsThatCannotBeCompiled(t *testing.T) {
	for _, p := range []string{"(", "[a-z&&[^b]]", "a{2,1}", `\p{Nothing}`, "*"} {
		if _, err := Compile(p); !errors.Is(err, ErrPattern) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestWhatMatchesMakeIsBounded(t *testing.T) {
	long := strings.Repeat("a", 1<<16)
	for _, c := range []struct {
		pattern string
		call    func(r *Regex) error
	}{
		{strings.Repeat("()", 2000), func(r *Regex) error { _, err := r.FindAll(long); return err }},
		{strings.Repeat("(", 90) + strings.Repeat(")", 90), func(r *Regex) error { _, err := r.FindAll(long); return err }},
		{long, func(r *Regex) error { _, err := r.Find(long); return err }},
		{"a", func(r *Regex) error { _, err := r.ReplaceAll(long, long); return err }},
		{"(a+)", func(r *Regex) error { _, err := r.ReplaceAll(long, strings.Repeat("$1", 2000)); return err }},
	} {
		r, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.call(r); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%.40s: %v", c.pattern, err)
		}
	}
}

// TestExpressionsOfWholeTexts compares the form that needs no machine with the machine.
func TestExpressionsOfWholeTexts(t *testing.T) {
	for _, pattern := range []string{`^[0-9]{3,}$`, `^[0-9]{2,3}$`, `^\d+$`, `^[a-f]*$`, `^[^0-9]?$`, `^[ab]$`, `^\w{2}$`, `\A\p{Lower}+?\z`} {
		r, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if r.whole == nil {
			t.Errorf("%s has no such form", pattern)
		}
		for _, text := range []string{"", "1", "12", "123", "1234", "a", "ab", "abc", "12\n", "\n", "12a", "é", "éa", "٣٣", "a1"} {
			_, want, err := (&Regex{fast: r.fast, size: r.size}).Group(text, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok, err := r.Group(text, 0); err != nil || ok != want || ok && got != text {
				t.Errorf("%s in %q: %q, %v, %v, want %v", pattern, text, got, ok, err, want)
			}
		}
	}
	for _, pattern := range []string{`^[0-9]+`, `[0-9]+$`, `(?m)^[0-9]+$`, `^([0-9]+)$`, `^[0-9]+-$`, `^ab$`, `^(?:ab)+$`} {
		if r, err := Compile(pattern); err != nil || r.whole != nil {
			t.Errorf("%s has the form of a whole text, or %v", pattern, err)
		}
	}
}
