package datetime

import (
	"fmt"
	"strings"
	"time"
)

// parsed is what was read so far.
type parsed struct {
	set  uint32
	v    [fieldCount]int64
	zone *time.Location
}

func (p *parsed) has(f field) bool { return p.set&(1<<f) != 0 }

// put notes a field; one that was read twice must have the same value.
func (p *parsed) put(f field, v int64) bool {
	if p.has(f) && p.v[f] != v {
		return false
	}
	p.set |= 1 << f
	p.v[f] = v
	return true
}

func (f *Format) parse(text string) (*parsed, error) {
	var p parsed
	at, ok := parseElems(&p, f.elems, text, 0)
	if !ok {
		return nil, fmt.Errorf("%w %q: %q at %d", ErrText, f.pattern, text, at+1)
	}
	if at != len(text) {
		return nil, fmt.Errorf("%w %q: %q has more text at %d", ErrText, f.pattern, text, at+1)
	}
	return &p, nil
}

func parseElems(p *parsed, elems []elem, s string, at int) (int, bool) {
	for i := range elems {
		e := &elems[i]
		if e.kind == kindOptional {
			try := *p
			if next, ok := parseElems(&try, e.group, s, at); ok {
				*p, at = try, next
			}
			continue
		}
		for range e.pad - 1 {
			if at < len(s) && s[at] == ' ' {
				at++
			}
		}
		next, ok := parseElem(p, e, s, at)
		if !ok {
			return at, false
		}
		at = next
	}
	return at, true
}

func parseElem(p *parsed, e *elem, s string, at int) (int, bool) {
	switch e.kind {
	case kindLiteral:
		end := at + len(e.text)
		return end, end <= len(s) && strings.EqualFold(s[at:end], e.text)
	case kindText:
		return parseText(p, e, s, at)
	case kindFraction:
		n := digitRun(s, at, e.max)
		if n < e.min {
			return at, false
		}
		v := number(s[at : at+n])
		for range 9 - n {
			v *= 10
		}
		return at + n, p.put(fieldNano, v)
	case kindReduced:
		if digitRun(s, at, 2) < 2 {
			return at, false
		}
		return at + 2, p.put(e.field, 2000+number(s[at:at+2]))
	case kindOffset, kindZoneText, kindZoneID:
		return parseZone(p, e, s, at)
	}
	return parseNumber(p, e, s, at)
}

func digitRun(s string, at, limit int) int {
	n := 0
	for n < limit && at+n < len(s) && s[at+n]-'0' <= 9 {
		n++
	}
	return n
}

func number(s string) (v int64) {
	for i := range len(s) {
		v = v*10 + int64(s[i]-'0')
	}
	return v
}

func parseNumber(p *parsed, e *elem, s string, at int) (int, bool) {
	neg, plus := false, false
	if e.min != e.max && at < len(s) && (s[at] == '-' || s[at] == '+' && e.signed) {
		neg, plus = s[at] == '-', s[at] == '+'
		at++
	}
	n := digitRun(s, at, 18)
	if e.subsequent > 0 {
		n = max(n-e.subsequent, min(n, e.min))
	}
	n = min(n, e.max)
	if n < e.min || n == 0 || e.signed && !neg && plus == (n <= e.min) {
		return at, false
	}
	v := number(s[at : at+n])
	if neg {
		v = -v
	}
	return at + n, p.put(e.field, v)
}

func parseText(p *parsed, e *elem, s string, at int) (int, bool) {
	best, which := 0, -1
	for i, name := range e.names {
		if n := len(name); n > best && at+n <= len(s) && strings.EqualFold(s[at:at+n], name) {
			best, which = n, i
		}
	}
	if which < 0 {
		return at, false
	}
	return at + best, p.put(e.field, int64(which)+e.field.first())
}

// maxZoneName is more than the longest name of a zone with an offset has.
const maxZoneName = 64

func parseZone(p *parsed, e *elem, s string, at int) (int, bool) {
	rest := s[at:]
	if e.kind == kindOffset {
		if e.text != "" && len(rest) >= len(e.text) && strings.EqualFold(rest[:len(e.text)], e.text) {
			p.zone = time.UTC
			return at + len(e.text), true
		}
		prefix := len(e.offset.prefix)
		if len(rest) < prefix || !strings.EqualFold(rest[:prefix], e.offset.prefix) {
			return at, false
		}
		if rest = rest[prefix:]; rest == "" || rest[0] != '+' && rest[0] != '-' {
			p.zone = time.UTC
			return at + prefix, prefix > 0
		}
		secs, n := scanOffset(rest)
		if n == 0 || strings.Contains(rest[:n], ":") != (e.offset.colon && n > 3) {
			return at, false
		}
		p.zone = time.FixedZone(rest[:n], secs)
		return at + prefix + n, true
	}
	n := 0
	for n < len(rest) && (rest[n]|0x20 >= 'a' && rest[n]|0x20 <= 'z' || rest[n]-'0' <= 9 || strings.IndexByte("/_+-:", rest[n]) >= 0) {
		n++
	}
	for n = min(n, maxZoneName); n > 0; n-- { // the longest name that is a zone
		id := rest[:n]
		zone, err := Zone(id)
		if err != nil {
			zone, err = Zone(strings.ToUpper(id))
		}
		if err == nil {
			p.zone = zone
			return at + n, true
		}
	}
	return at, false
}
