package expr

import (
	"strings"
	"unicode/utf8"
)

// A likePattern is the pattern of LIKE: runs of text between %, where _ in a run is any character.
type likePattern struct {
	runs               []likeRun
	openStart, openEnd bool // % at the ends
}

// A likeRun is text to be found; any has the runes that stand for any character.
type likeRun struct {
	text  string
	runes []rune
	any   []bool // nil: no _ in it
}

// compileLike reads a pattern; escape takes the meaning from the character behind it, -1: there is none.
func compileLike(pattern string, escape rune) likePattern {
	var p likePattern
	var runes []rune
	var anys []bool
	wild, started := false, false
	flush := func() {
		if len(runes) == 0 {
			return
		}
		r := likeRun{text: string(runes), runes: runes}
		if wild {
			r.any = anys
		}
		p.runs = append(p.runs, r)
		runes, anys, wild = nil, nil, false
	}
	rs := []rune(pattern)
	for i := 0; i < len(rs); i++ {
		r := rs[i]
		switch {
		case r == escape && i+1 < len(rs):
			i++
			runes, anys = append(runes, rs[i]), append(anys, false)
		case r == '%':
			flush()
			if !started {
				p.openStart = true
			}
			p.openEnd = true
			started = true
			continue
		default:
			wild = wild || r == '_'
			runes, anys = append(runes, r), append(anys, r == '_')
		}
		p.openEnd, started = false, true
	}
	flush()
	return p
}

func (p *likePattern) match(s string) bool {
	runs := p.runs
	if len(runs) == 0 {
		return p.openStart || s == ""
	}
	if !p.openStart {
		n, ok := runs[0].prefix(s)
		if !ok {
			return false
		}
		s, runs = s[n:], runs[1:]
	}
	if !p.openEnd {
		if len(runs) == 0 {
			return s == ""
		}
		last := runs[len(runs)-1]
		start, ok := last.suffix(s)
		if !ok {
			return false
		}
		s, runs = s[:start], runs[:len(runs)-1]
	}
	for i := range runs {
		end := runs[i].find(s)
		if end < 0 {
			return false
		}
		s = s[end:]
	}
	return true
}

// prefix tells whether s starts with the run, and how many bytes that takes.
func (r *likeRun) prefix(s string) (int, bool) {
	if r.any == nil {
		return len(r.text), strings.HasPrefix(s, r.text)
	}
	at := 0
	for i, want := range r.runes {
		if at >= len(s) {
			return 0, false
		}
		c, n := utf8.DecodeRuneInString(s[at:])
		if !r.any[i] && c != want {
			return 0, false
		}
		at += n
	}
	return at, true
}

// suffix tells whether s ends with the run, and at which byte that starts.
func (r *likeRun) suffix(s string) (int, bool) {
	if r.any == nil {
		return len(s) - len(r.text), strings.HasSuffix(s, r.text)
	}
	at := len(s)
	for range r.runes {
		if at == 0 {
			return 0, false
		}
		_, n := utf8.DecodeLastRuneInString(s[:at])
		at -= n
	}
	n, ok := r.prefix(s[at:])
	return at, ok && at+n == len(s)
}

// find returns the byte behind the first place where the run stands, -1: nowhere.
func (r *likeRun) find(s string) int {
	if r.any == nil {
		if i := strings.Index(s, r.text); i >= 0 {
			return i + len(r.text)
		}
		return -1
	}
	for i := range s {
		if n, ok := r.prefix(s[i:]); ok {
			return i + n
		}
	}
	return -1
}
