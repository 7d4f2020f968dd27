package guard

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A shape is one request's fields as written in the shapes table.
type shape struct {
	key      int16
	name     string
	flexible int16 // the first flexible version
	fields   []field
}

// The kinds of fields and steps.
const (
	plain     = 'n' // size bytes
	text      = 's'
	blob      = 'b'
	array     = '['
	structure = '{'
	optional  = '?' // a structure behind a presence byte
	tagged    = '#'
)

// A field is one element of a shape.
type field struct {
	name     string
	kind     byte
	size     int
	nullable bool
	lo, hi   int16
	fields   []field // of an array's element or a structure; an array of plain values has one field without a name
	tags     []tag
}

// A tag is a tagged field that kmsg decodes; others it keeps as bytes.
type tag struct {
	number uint32
	field  field
}

// parseShapes reads the table. A table that does not parse is a bug, found by the first test that runs.
func parseShapes(table string) []shape {
	var out []shape
	bodies := []string{}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		if strings.HasPrefix(line, "\t") {
			bodies[len(bodies)-1] += " " + strings.TrimSpace(line)
			continue
		}
		var s shape
		if _, err := fmt.Sscanf(line, "%d %s %d:", &s.key, &s.name, &s.flexible); err != nil {
			panic("shapes: " + line + ": " + err.Error())
		}
		out, bodies = append(out, s), append(bodies, "")
	}
	for i, body := range bodies {
		p := shapeParser{rest: body}
		out[i].fields = p.fields("")
	}
	return out
}

type shapeParser struct{ rest string }

// fields reads fields up to the closing character, which it consumes.
func (p *shapeParser) fields(end string) []field {
	var out []field
	for {
		p.rest = strings.TrimLeft(p.rest, " ")
		if p.rest == "" && end == "" {
			return out
		}
		if end != "" && p.take(end) {
			return out
		}
		out = append(out, p.field())
	}
}

func (p *shapeParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

// word reads up to one of the given characters.
func (p *shapeParser) word(until string) string {
	i := strings.IndexAny(p.rest, until)
	if i < 0 {
		i = len(p.rest)
	}
	w := p.rest[:i]
	p.rest = p.rest[i:]
	return w
}

func (p *shapeParser) field() field {
	if p.take("#(") {
		f := field{kind: tagged, hi: 99}
		for !p.take(")") {
			n, err := strconv.Atoi(p.word("="))
			if err != nil || !p.take("=") {
				panic("shapes: tag at " + p.rest)
			}
			f.tags = append(f.tags, tag{uint32(n), p.field()})
			p.rest = strings.TrimLeft(p.rest, " ")
		}
		return f
	}
	name := ""
	if i := strings.IndexAny(p.rest, ": []{}()"); i > 0 && p.rest[i] == ':' {
		name = p.word(":")
		p.take(":")
	}
	f := p.typ()
	f.name, f.hi = name, 99
	if p.take("@") {
		lo, hi, _ := strings.Cut(p.word(" ])}"), "-")
		f.lo = version(strings.TrimSuffix(lo, "+"))
		if hi != "" {
			f.hi = version(hi)
		}
	}
	return f
}

func version(s string) int16 {
	n, err := strconv.ParseInt(s, 10, 16)
	if err != nil {
		panic("shapes: version " + s)
	}
	return int16(n)
}

func (p *shapeParser) typ() field {
	switch {
	case p.take("["):
		return field{kind: array, fields: p.fields("]")}
	case p.take("?{"):
		return field{kind: optional, fields: p.fields("}")}
	case p.take("{"):
		return field{kind: structure, fields: p.fields("}")}
	case p.take("s"):
		return field{kind: text, nullable: p.take("?")}
	case p.take("b"):
		return field{kind: blob, nullable: p.take("?")}
	}
	n, err := strconv.Atoi(p.word(" @])}"))
	if err != nil {
		panic("shapes: type at " + p.rest)
	}
	return field{kind: plain, size: n}
}

// A step is a field compiled for one version, so that the guard tests neither versions nor flexibility while it walks.
type step struct {
	kind     byte
	nullable bool
	compact  bool
	size     int   // bytes to skip (plain)
	min      int   // bytes of the smallest element (array)
	cost     int64 // memory of one element (array) or of the structure (optional), in bytes
	steps    []step
	tags     []tagSteps
}

type tagSteps struct {
	number uint32
	steps  []step
}

// programs maps {key, version} to the steps of that request; it is made once.
var programs = sync.OnceValue(func() map[[2]int16][]step {
	out := map[[2]int16][]step{}
	for _, s := range parseShapes(shapes) {
		req := kmsg.RequestForKey(s.key)
		for v := int16(0); v <= req.MaxVersion(); v++ {
			c := compiler{version: v, flexible: v >= s.flexible}
			out[[2]int16{s.key, v}] = c.steps(s.fields, reflect.TypeOf(req).Elem())
		}
	}
	return out
})

// Keys returns the keys that have a shape. A table that does not parse is a bug and panics here, not with the first client.
func Keys() map[int16]bool {
	out := map[int16]bool{}
	for k := range programs() {
		out[k[0]] = true
	}
	return out
}

// A compiler makes the steps of one version. The Go type that kmsg decodes into tells what an element costs.
type compiler struct {
	version  int16
	flexible bool
}

func (c compiler) steps(fields []field, typ reflect.Type) []step {
	var out []step
	for _, f := range fields {
		if c.version < f.lo || c.version > f.hi || f.kind == tagged && !c.flexible {
			continue
		}
		ft := typ
		if f.name != "" {
			sf, ok := typ.FieldByName(f.name)
			if !ok {
				panic("shapes: " + typ.Name() + " has no field " + f.name)
			}
			ft = sf.Type
		}
		s := c.step(f, ft)
		if n := len(out); n > 0 && s.kind == plain && out[n-1].kind == plain {
			out[n-1].size += s.size
			continue
		}
		if s.kind == structure {
			out = append(out, s.steps...)
			continue
		}
		out = append(out, s)
	}
	return out
}

func (c compiler) step(f field, typ reflect.Type) step {
	s := step{kind: f.kind, nullable: f.nullable, compact: c.flexible, size: f.size}
	switch f.kind {
	case array, optional:
		elem := typ.Elem()
		s.steps = c.steps(f.fields, elem)
		s.min = minSize(s.steps)
		s.cost = int64(elem.Size())
	case structure:
		s.steps = c.steps(f.fields, typ)
	case tagged:
		for _, t := range f.tags {
			s.tags = append(s.tags, tagSteps{t.number, c.steps([]field{t.field}, typ)})
		}
	}
	return s
}

func minSize(steps []step) int {
	n := 0
	for _, s := range steps {
		switch {
		case s.kind == plain:
			n += s.size
		case s.compact || s.kind == tagged || s.kind == optional:
			n++
		case s.kind == text:
			n += 2
		default:
			n += 4
		}
	}
	return n
}
