package format

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/row"
)

// A scratch is the memory of decoding one object, used again for the next.
type scratch struct {
	spans   []span   // by field
	members []member // of objects before, by their places: the next object most likely has the same in the same order
	row     row.Builder
}

// A span is where a field's value stands in the text; to 0: nowhere.
type span struct {
	from, to int
	exact    bool // its name was written as the field's
	plain    bool // a string that stands for itself: without escapes, and ASCII
}

// A member is what a name in an object means.
type member struct {
	lead  []byte // from behind the value before to its own: comma, name, colon; empty: not remembered
	name  []byte // as it is written
	field int    // -1: none of the fields
	exact bool
}

// Names of members are remembered for so many of them, up to this size, and what stands around them.
const (
	maxMembers   = 256
	maxNameBytes = 64
	maxLeadBytes = maxNameBytes + 32
)

// object decodes the object at i.
func (c *jsonCodec) object(b []byte, i int) (row.Row, error) {
	s := c.scratch.Get().(*scratch)
	defer c.scratch.Put(s)
	clear(s.spans)
	end, reason := c.find(b, i, s)
	if err := c.whole(b, end, reason); err != nil {
		return "", err
	}
	for _, at := range c.checked {
		if p := s.spans[at]; p.to > 0 {
			if _, err := c.value(c.fields[at].Type, b[p.from:p.to]); err != nil {
				return "", c.fail(c.fields[at].Name, err.Error())
			}
		}
	}
	s.row.Reset()
	for _, at := range c.places {
		p := s.spans[at]
		t := c.fields[at].Type
		if p.to == 0 {
			s.row.AddNull()
		} else if p.plain && t.Kind == row.KindString {
			s.row.AddText(row.KindString, b[p.from+1:p.to-1])
		} else if err := c.add(&s.row, t, b[p.from:p.to]); err != nil {
			return "", c.fail(c.fields[at].Name, err.Error())
		}
	}
	return s.row.Row(), nil
}

// find checks the object at i and notes where the fields stand in it. A name as the field's beats one in other case.
func (c *jsonCodec) find(b []byte, i int, s *scratch) (end int, reason string) {
	for n := 0; ; n++ {
		m, from := s.expected(b, i, n)
		if m == nil {
			at, closed, reason := nextMember(b, i, n)
			if reason != "" || closed {
				return at, reason
			}
			name, value, reason := jsontext.Key(b, at)
			if reason != "" {
				return value, reason
			}
			m, from = c.member(s, n, name), value
			m.remember(b[i:value])
		}
		to, plain, reason := skip(b, from)
		if reason != "" {
			return to, reason
		}
		if m.field >= 0 && (m.exact || !s.spans[m.field].exact) {
			s.spans[m.field] = span{from, to, m.exact, plain}
		}
		i = to
	}
}

// expected returns the n-th member of objects before, and where its value stands, if that is what comes behind i; otherwise nil.
func (s *scratch) expected(b []byte, i, n int) (m *member, from int) {
	if n >= len(s.members) {
		return nil, 0
	}
	m = &s.members[n]
	end := i + len(m.lead)
	if end == i || end > len(b) || string(b[i:end]) != string(m.lead) {
		return nil, 0
	}
	return m, jsontext.Space(b, end)
}

// remember keeps what stands in front of a member's value.
func (m *member) remember(lead []byte) {
	m.lead = m.lead[:0]
	if len(lead) <= maxLeadBytes {
		m.lead = append(m.lead, lead...)
	}
}

// nextMember goes to the name of the n-th member: from the object's brace, or from behind the value before.
func nextMember(b []byte, i, n int) (at int, closed bool, reason string) {
	if n > 0 {
		return jsontext.Next(b, i, '}')
	}
	if i = jsontext.Space(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1, true, ""
	}
	return i, false, ""
}

// skip is jsontext.Skip for the value of a member, and tells strings that stand for themselves.
func skip(b []byte, i int) (end int, plain bool, reason string) {
	if i >= len(b) || b[i] != '"' {
		end, reason = jsontext.Skip(b, i, 1)
		return end, false, reason
	}
	end, escaped, ascii, reason := jsontext.ScanString(b, i+1)
	if reason != "" {
		return end, false, reason
	}
	return end + 1, ascii && !escaped, ""
}

// member finds out what the name of the n-th member means.
func (c *jsonCodec) member(s *scratch, n int, name []byte) *member {
	if n < len(s.members) && string(s.members[n].name) == string(name) {
		return &s.members[n]
	}
	m := c.lookUp(name)
	if n < maxMembers && len(name) <= maxNameBytes {
		if n < len(s.members) {
			m.name, m.lead = append(s.members[n].name[:0], name...), s.members[n].lead
			s.members[n] = m
			return &s.members[n]
		} else if n == len(s.members) {
			m.name = append([]byte(nil), name...)
			s.members = append(s.members, m)
			return &s.members[n]
		}
	}
	return &m
}

func (c *jsonCodec) lookUp(name []byte) member {
	if strings.IndexByte(string(name), '\\') >= 0 {
		name = jsontext.Unescape(nil, name)
	}
	if i := c.field(string(name)); i >= 0 {
		return member{field: i, exact: true}
	}
	return member{field: c.field(strings.ToUpper(string(name)))}
}

// field returns the field of a name, -1: none.
func (c *jsonCodec) field(name string) int {
	if c.byName == nil {
		return c.fields.Index(name)
	}
	if i, ok := c.byName[name]; ok {
		return i
	}
	return -1
}
