package serde

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/jsontext"
)

// An object is the plan for a struct: its JSON fields in the order in which they are written.
type object struct {
	fields   []field
	exact    map[string]int
	folded   map[string]int // the first field of each folded name
	required []int
}

// A field is one JSON field, possibly one of an embedded struct.
type field struct {
	name     string
	quoted   string // "name": as it most often stands in the input
	lead     jsontext.Lead
	node     *node
	offset   uintptr
	via      []step // embedded pointers to go through first; offset counts from the last
	omit     omission
	optional bool // it may be left out when it is written: for omit or for a nil pointer in via
	required bool
}

// A step leads through an embedded pointer.
type step struct {
	offset uintptr
	typ    reflect.Type // what it points to
}

type omission uint8

const (
	omitNever omission = 0
	omitEmpty omission = 1 << iota
	omitZero
)

// A candidate is a Go field that may become a JSON field, if no other of the same name is nearer to the top.
type candidate struct {
	field
	typ    reflect.Type
	index  []int
	tagged bool
	quote  bool
}

// embedding is a struct whose fields are looked at: the outermost one or one embedded in it.
type embedding struct {
	typ    reflect.Type
	index  []int
	offset uintptr
	via    []step
}

func (c *compiler) object(typ reflect.Type, path string) *object {
	o := &object{exact: map[string]int{}, folded: map[string]int{}}
	for _, found := range dominant(c.candidates(typ, path)) {
		at := strings.TrimPrefix(path+"."+found.name, ".")
		f := found.field
		f.node = c.node(found.typ, at)
		if found.quote {
			f.node = quotedNode(f.node)
		}
		f.quoted, f.lead = string(jsontext.AppendString(nil, f.name))+":", jsontext.NewLead(f.name)
		f.optional = f.omit != omitNever || f.via != nil
		i := len(o.fields)
		o.fields = append(o.fields, f)
		o.exact[f.name] = i
		if folded := string(fold(nil, []byte(f.name))); !has(o.folded, folded) {
			o.folded[folded] = i
		}
		if f.required {
			o.required = append(o.required, i)
		}
	}
	return o
}

func has(m map[string]int, key string) bool {
	_, ok := m[key]
	return ok
}

// candidates walks the embedded structs level by level. A type is entered on one level only: deeper fields of it would be
// hidden by the same ones above.
func (c *compiler) candidates(typ reflect.Type, path string) []candidate {
	var found []candidate
	entered := map[reflect.Type]bool{}
	for level := []embedding{{typ: typ}}; len(level) > 0; {
		var deeper []embedding
		for _, e := range level {
			entered[e.typ] = true
		}
		for _, e := range level {
			for i := range e.typ.NumField() {
				sf := e.typ.Field(i)
				if inner, ok := e.enter(sf); ok {
					if !entered[inner.typ] {
						deeper = append(deeper, inner)
					}
				} else if cand, ok := c.candidate(e, sf, path); ok {
					found = append(found, cand)
				}
			}
		}
		level = deeper
	}
	return found
}

// enter tells whether the field is an embedded struct whose fields count as those of the outer one.
func (e embedding) enter(sf reflect.StructField) (embedding, bool) {
	typ := sf.Type
	tag := sf.Tag.Get("json")
	if name, _, _ := strings.Cut(tag, ","); !sf.Anonymous || tag == "-" || validName(name) {
		return embedding{}, false
	}
	inner := embedding{typ: typ, index: e.at(sf), offset: e.offset + sf.Offset, via: e.via}
	if typ.Kind() == reflect.Pointer && typ.Name() == "" {
		inner.typ = typ.Elem()
		inner.via = append(slices.Clone(e.via), step{offset: inner.offset, typ: inner.typ})
		inner.offset = 0
	}
	return inner, inner.typ.Kind() == reflect.Struct
}

func (e embedding) at(sf reflect.StructField) []int {
	return append(slices.Clone(e.index), sf.Index...)
}

func (c *compiler) candidate(e embedding, sf reflect.StructField, path string) (candidate, bool) {
	tag := sf.Tag.Get("json")
	if tag == "-" || !sf.IsExported() {
		return candidate{}, false
	}
	name, options, _ := strings.Cut(tag, ",")
	cand := candidate{typ: sf.Type, index: e.at(sf), tagged: validName(name)}
	cand.name, cand.offset, cand.via = sf.Name, e.offset+sf.Offset, e.via
	if cand.tagged {
		cand.name = name
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			cand.omit |= omitEmpty
		case "omitzero":
			cand.omit |= omitZero
		case "string":
			cand.quote = quotable(sf.Type)
		}
	}
	switch option := sf.Tag.Get("serde"); option {
	case "":
	case "required":
		cand.required = true
	default:
		c.fail(strings.TrimPrefix(path+"."+cand.name, "."), "unknown serde tag option "+option)
	}
	return cand, true
}

// validName tells whether a name in a tag counts, by encoding/json's rule.
func validName(name string) bool {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) {
			return false
		}
	}
	return name != ""
}

// dominant chooses one field of each name by Go's rules, as encoding/json extends them: the nearest to the top; of several
// there the one with a tag; none if that does not decide. The result is in the order of the declaration.
func dominant(found []candidate) []candidate {
	byName := map[string][]candidate{}
	for _, cand := range found {
		byName[cand.name] = append(byName[cand.name], cand)
	}
	var chosen []candidate
	for _, same := range byName {
		slices.SortStableFunc(same, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(len(a.index), len(b.index)), -compareBool(a.tagged, b.tagged))
		})
		if len(same) > 1 && len(same[0].index) == len(same[1].index) && same[0].tagged == same[1].tagged {
			continue
		}
		chosen = append(chosen, same[0])
	}
	slices.SortFunc(chosen, func(a, b candidate) int { return slices.Compare(a.index, b.index) })
	return chosen
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// fold appends name in the form in which names that differ in case only are the same.
func fold(dst, name []byte) []byte {
	for i := 0; i < len(name); {
		c := name[i]
		if c < utf8.RuneSelf {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(name[i:])
		for { // the smallest rune of the orbit
			next := unicode.SimpleFold(r)
			if next <= r {
				r = next
				break
			}
			r = next
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

// A fieldSet remembers which fields came.
type fieldSet struct {
	low  uint64
	rest map[int]bool // from 64 on
}

// add reports whether i is new in the set.
func (s *fieldSet) add(i int) bool {
	if i < 64 {
		bit := uint64(1) << i
		isNew := s.low&bit == 0
		s.low |= bit
		return isNew
	}
	if s.rest[i] {
		return false
	}
	if s.rest == nil {
		s.rest = map[int]bool{}
	}
	s.rest[i] = true
	return true
}

func (s *fieldSet) has(i int) bool {
	if i < 64 {
		return s.low>>i&1 == 1
	}
	return s.rest[i]
}
