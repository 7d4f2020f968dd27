package regex

import (
	"errors"
	"slices"
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

func TestReplaceAndSplit(t *testing.T) {
	for _, c := range []struct{ pattern, text, replacement, want string }{
		{`([a-z]+)(\d)`, "a1 bc2", "$2$1", "1a 2bc"},
		{`(?<w>a)`, "aa", `<${w}\$>`, "<a$><a$>"},
		{`a`, "banana", "$012", "ba12na12na12"},
		{`(a)`, "a", "$12", "a2"},
		{`(?=b)`, "ab", "-", "a-b"},
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
