// Package regex runs regular expressions written for java.util.regex.
//
// Purpose: REGEXP_EXTRACT and its kin take the expressions that users wrote for the JVM.
//
// Callers and callees: functions of SQL call it; it uses Go's regexp, whose time is linear, wherever that understands the expression, and
// dlclark/regexp2, which backtracks, for look-around, back references and atomic groups.
//
// Owner and locks: a Regex does not change and is safe from any goroutine.
//
// Format: classes that only Java knows (\h, \p{Alpha}, …) are rewritten first; replacements use $1, ${name} and \.
//
// Not here: intersections of classes ([a-z&&[^b]]) and possessive quantifiers (a++), which are errors.
package regex

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"

	"github.com/mainstemio/mainstem/internal/clock"
)

// ErrPattern: the expression cannot be compiled.
var ErrPattern = errors.New("invalid regular expression")

// What one call may cost. Expressions that match nothing, or many small things, make much of little.
const (
	matchTimeout = 2 * time.Second // for all matches together of an expression that backtracks, and for each of them
	maxGroups    = 4_000_000       // texts of groups in all matches
	maxText      = 64 << 20        // bytes of a text with replacements
	maxSteps     = 200_000_000     // instructions of the expression times bytes of the text
)

// ErrTooMuch: there are too many matches, or what comes out is too long, or it takes too long.
var ErrTooMuch = errors.New("the regular expression makes too much of the text")

// A Regex is a compiled expression.
type Regex struct {
	fast *regexp.Regexp  // nil: slow is used
	slow *regexp2.Regexp // backtracks
	text string
	size int // instructions of fast
	// Forms of fast that need no machine, nil: it has another.
	set   *set
	whole *whole
}

// A Match is where an expression was found: for each group, 0 being the whole, its text and whether it took part.
type Match struct {
	start, end int // bytes of the text
	Groups     []string
	Present    []bool
}

// Compile compiles an expression; its error is ErrPattern.
func Compile(pattern string) (*Regex, error) {
	rewritten, err := rewrite(pattern)
	if err != nil {
		return nil, err
	}
	if fast, err := regexp.Compile(rewritten); err == nil {
		return &Regex{fast: fast, text: pattern, size: instructions(rewritten), set: setOf(rewritten), whole: wholeOf(rewritten)}, nil
	}
	slow, err := regexp2.Compile(rewritten, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrPattern, pattern, err)
	}
	slow.MatchTimeout = matchTimeout
	return &Regex{slow: slow, text: pattern}, nil
}

// instructions is how large an expression is that Go's regexp takes: its time grows with that and with the text.
func instructions(pattern string) int {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0 // regexp.Compile took it
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// GroupCount is the number of groups without the whole.
func (r *Regex) GroupCount() int {
	if r.fast != nil {
		return r.fast.NumSubexp()
	}
	return len(r.slow.GetGroupNumbers()) - 1
}

// Find returns the first match, nil: there is none. The error is that a match took too long.
func (r *Regex) Find(s string) (*Match, error) {
	all, err := r.find(s, 1)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// FindAll returns all matches, from left to right, without overlaps.
func (r *Regex) FindAll(s string) ([]Match, error) { return r.find(s, -1) }

func (r *Regex) find(s string, limit int) ([]Match, error) {
	all := limit < 0
	if all {
		limit = maxGroups/(r.GroupCount()+1) + 1
	}
	found, err := r.findUpTo(s, limit)
	if err == nil && all && len(found) == limit {
		err = ErrTooMuch
	}
	return found, err
}

// findUpTo returns the first matches.
func (r *Regex) findUpTo(s string, limit int) ([]Match, error) {
	if r.fast == nil {
		return r.findSlow(s, limit)
	}
	if r.size*(len(s)+1) > maxSteps {
		return nil, ErrTooMuch
	}
	found := r.fast.FindAllStringSubmatchIndex(s, limit)
	out := make([]Match, len(found))
	for i, at := range found {
		m := Match{start: at[0], end: at[1], Groups: make([]string, len(at)/2), Present: make([]bool, len(at)/2)}
		for g := range m.Groups {
			if from := at[2*g]; from >= 0 {
				m.Groups[g], m.Present[g] = s[from:at[2*g+1]], true
			}
		}
		out[i] = m
	}
	return out, nil
}

// Group returns the text of a group in the first match; ok is false if there is no match or the group took no part in it.
func (r *Regex) Group(s string, group int) (text string, ok bool, err error) {
	if r.fast == nil || r.size*(len(s)+1) > maxSteps {
		m, err := r.Find(s)
		if err != nil || m == nil {
			return "", false, err
		}
		return m.Groups[group], m.Present[group], nil
	}
	if r.whole != nil && group == 0 {
		if match, ok := r.whole.matches(s); ok && match {
			return s, true, nil
		} else if ok {
			return "", false, nil
		}
	}
	at := r.fast.FindStringSubmatchIndex(s)
	if at == nil || at[2*group] < 0 {
		return "", false, nil
	}
	return s[at[2*group]:at[2*group+1]], true, nil
}

func (r *Regex) findSlow(s string, limit int) ([]Match, error) {
	var out []Match
	bytesAt := runeOffsets(s)
	end := clock.System.Now().Add(matchTimeout)
	m, err := r.slow.FindStringMatch(s)
	for m != nil && err == nil && len(out) != limit {
		found := Match{start: bytesAt[m.Index], end: bytesAt[m.Index+m.Length]}
		for _, g := range m.Groups() {
			found.Groups, found.Present = append(found.Groups, g.String()), append(found.Present, len(g.Captures) > 0)
		}
		out = append(out, found)
		if clock.System.Now().After(end) {
			return nil, ErrTooMuch
		}
		m, err = r.slow.FindNextMatch(m)
	}
	if err != nil {
		return nil, fmt.Errorf("match %q: %w", r.text, err)
	}
	return out, nil
}

// runeOffsets has the byte at which each rune starts, and the end.
func runeOffsets(s string) []int {
	out := make([]int, 0, len(s)+1)
	for i := range s {
		out = append(out, i)
	}
	return append(out, len(s))
}

// Split cuts s at each match, as Pattern.split with a negative limit: an empty match at the start cuts nothing.
func (r *Regex) Split(s string) ([]string, error) {
	all, err := r.FindAll(s)
	if err != nil {
		return nil, err
	}
	var out []string
	from := 0
	for _, m := range all {
		if m.end == 0 || m.start == m.end && m.start == len(s) {
			continue
		}
		out = append(out, s[from:m.start])
		from = m.end
	}
	return append(out, s[from:]), nil
}

// ReplaceAll puts replacement in the place of each match; $n and ${name} stand for groups, \ takes the meaning from what follows.
func (r *Regex) ReplaceAll(s, replacement string) (string, error) {
	if r.set != nil && !strings.ContainsAny(replacement, `\$`) {
		if out, ok := r.set.replace(s, replacement); ok {
			return out, nil
		}
	}
	all, err := r.FindAll(s)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	from := 0
	for i := range all {
		b.WriteString(s[from:all[i].start])
		if err := r.expand(&b, replacement, &all[i]); err != nil {
			return "", err
		}
		if b.Len() > maxText {
			return "", ErrTooMuch
		}
		from = all[i].end
	}
	b.WriteString(s[from:])
	return b.String(), nil
}

func (r *Regex) expand(b *strings.Builder, replacement string, m *Match) error {
	for i := 0; i < len(replacement); i++ {
		switch c := replacement[i]; c {
		case '\\':
			if i++; i == len(replacement) {
				return fmt.Errorf("replacement %q ends with a \\", replacement)
			}
			b.WriteByte(replacement[i])
		case '$':
			group, next, err := r.reference(replacement, i+1)
			if err != nil {
				return err
			}
			if b.Len()+len(m.Groups[group]) > maxText {
				return ErrTooMuch
			}
			b.WriteString(m.Groups[group])
			i = next - 1
		default:
			b.WriteByte(c)
		}
	}
	return nil
}

// reference reads a group's number or name behind a $. Digits belong to the number as long as there is such a group.
func (r *Regex) reference(s string, at int) (group, next int, err error) {
	if at < len(s) && s[at] == '{' {
		if end := strings.IndexByte(s[at:], '}'); end > 0 {
			if n := r.groupNamed(s[at+1 : at+end]); n > 0 {
				return n, at + end + 1, nil
			}
		}
		return 0, 0, fmt.Errorf("replacement %q names no group at %d", s, at+1)
	}
	next = at
	for next < len(s) && s[next]-'0' <= 9 {
		n, _ := strconv.Atoi(s[at : next+1])
		if n > r.GroupCount() && next > at {
			break
		}
		group = n
		next++
	}
	if next == at || group > r.GroupCount() {
		return 0, 0, fmt.Errorf("replacement %q names no group at %d", s, at+1)
	}
	return group, next, nil
}

func (r *Regex) groupNamed(name string) int {
	if r.fast != nil {
		return r.fast.SubexpIndex(name)
	}
	return r.slow.GroupNumberFromName(name)
}

// classes are those of Java that Go lacks, as what stands between the brackets of a class.
var classes = map[string]string{
	"Lower": "a-z", "Upper": "A-Z", "ASCII": `\x00-\x7F`, "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
	"Punct": `!-/:-@\[-` + "`{-~", "Graph": "!-~", "Print": " -~", "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`, "XDigit": "0-9a-fA-F",
	"Space": ` \t\n\x0B\f\r`, "IsAlphabetic": `\p{L}`, "IsDigit": `\p{Nd}`, "IsLetter": `\p{L}`,
}

// rewrite puts Java's own classes in the form of the engines below.
func rewrite(pattern string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			n := rewriteEscape(&b, pattern[i:], inClass)
			i += n - 1
		case c == '[' && inClass:
			return "", fmt.Errorf("%w %q: a class within a class at %d", ErrPattern, pattern, i+1)
		case c == '&' && inClass && strings.HasPrefix(pattern[i:], "&&"):
			return "", fmt.Errorf("%w %q: && within a class at %d", ErrPattern, pattern, i+1)
		default:
			if c == '[' {
				inClass = true
			} else if c == ']' && inClass && pattern[i-1] != '[' && !strings.HasSuffix(pattern[:i], "[^") {
				inClass = false
			}
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// rewriteEscape writes what an escape at the start of s stands for and returns its length.
func rewriteEscape(b *strings.Builder, s string, inClass bool) int {
	switch s[1] {
	case 'Q': // quoted to \E, or to the end
		text, _, ended := strings.Cut(s[2:], `\E`)
		b.WriteString(regexp.QuoteMeta(text))
		if ended {
			return len(text) + 4
		}
		return len(text) + 2
	case 'h', 's':
		set := map[byte]string{'h': ` \t\x{A0}`, 's': ` \t\n\x0B\f\r`}[s[1]]
		writeClass(b, set, inClass, false)
		return 2
	case 'S':
		if !inClass {
			writeClass(b, ` \t\n\x0B\f\r`, false, true)
			return 2
		}
	case 'Z':
		b.WriteString(`(?:\n?\z)`)
		return 2
	case 'p', 'P':
		if end := strings.IndexByte(s, '}'); end > 3 && s[2] == '{' {
			if set, ok := classes[s[3:end]]; ok && (s[1] == 'p' || !inClass) {
				writeClass(b, set, inClass, s[1] == 'P')
				return end + 1
			}
		}
	}
	b.WriteString(s[:2])
	return 2
}

func writeClass(b *strings.Builder, set string, inClass, negated bool) {
	switch {
	case inClass:
		b.WriteString(set)
	case negated:
		b.WriteString("[^" + set + "]")
	default:
		b.WriteString("[" + set + "]")
	}
}
