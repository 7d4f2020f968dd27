package regex

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// A set is an expression that stands for one character, such as [^0-9], where the text is ASCII: whether each belongs to it.
type set [utf8.RuneSelf]bool

// setOf returns the set of an expression that Go's regexp takes, nil: it is no single character.
func setOf(pattern string) *set {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || tree.Op != syntax.OpCharClass {
		return nil
	}
	return setIn(tree)
}

// setIn is the set of a class of characters.
func setIn(class *syntax.Regexp) *set {
	var s set
	for i := 0; i < len(class.Rune); i += 2 {
		for r := class.Rune[i]; r <= class.Rune[i+1] && r < utf8.RuneSelf; r++ {
			s[r] = true
		}
	}
	return &s
}

// A whole is an expression that takes a text as a whole, from min to max characters of a set: ^[0-9]{4,}$. max -1 is no bound.
type whole struct {
	set      *set
	min, max int
}

// wholeOf returns the whole of an expression that Go's regexp takes, nil: it is none.
func wholeOf(pattern string) *whole {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || len(tree.Sub) != 3 || tree.Sub[0].Op != syntax.OpBeginText || tree.Sub[2].Op != syntax.OpEndText {
		return nil
	}
	w := &whole{min: 1, max: 1}
	class := tree.Sub[1]
	switch class.Op {
	case syntax.OpStar:
		w.min, w.max = 0, -1
	case syntax.OpPlus:
		w.max = -1
	case syntax.OpQuest:
		w.min = 0
	case syntax.OpRepeat:
		w.min, w.max = class.Min, class.Max
	}
	if class.Op != syntax.OpCharClass {
		if len(class.Sub) != 1 || class.Sub[0].Op != syntax.OpCharClass {
			return nil
		}
		class = class.Sub[0]
	}
	w.set = setIn(class)
	return w
}

// matches tells whether the expression takes s. ok is false if s is not ASCII.
func (w *whole) matches(s string) (match, ok bool) {
	match = len(s) >= w.min && (w.max < 0 || len(s) <= w.max)
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return false, false
		}
		match = match && w.set[c]
	}
	return match, true
}

// replace puts a text in the place of each character of the set. ok is false if s is not ASCII, or too much comes out.
func (m *set) replace(s, by string) (out string, ok bool) {
	count := 0
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return "", false
		}
		if m[c] {
			count++
		}
	}
	size := len(s) - count + count*len(by)
	if count == 0 || size > maxText {
		return s, count == 0
	}
	var b strings.Builder
	b.Grow(size)
	for i := range len(s) {
		if c := s[i]; m[c] {
			b.WriteString(by)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String(), true
}
