package evolve

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// JSON compares two JSON schemas, with the texts that each refers to by their names. Formats, titles and defaults do not matter, but a
// default lets a property become required.
func JSON(older, newer Text) ([]Difference, error) {
	a, err := parse(older.Schema, older.Imports)
	if err != nil {
		return nil, err
	}
	b, err := parse(newer.Schema, newer.Imports)
	if err != nil {
		return nil, err
	}
	c := &comparing{left: new(int)}
	*c.left = maxWork
	c.compare("#", a.node(a.root), b.node(b.root))
	if *c.left < 0 {
		return nil, fmt.Errorf("JSON schemas whose branches cannot be compared within %d steps", maxWork)
	}
	return c.found, nil
}

// A Text is a schema with those that it refers to.
type Text struct {
	Schema  string
	Imports map[string]string
}

// A comparing collects differences.
type comparing struct {
	found []Difference
	depth int
	left  *int
}

func (c *comparing) tell(place, name, format string, args ...any) {
	c.found = append(c.found, Difference{name, place, fmt.Sprintf(format, args...)})
}

// tried are the differences of a comparison that may be one of several.
func (c *comparing) tried(place string, older, newer node) []Difference {
	sub := &comparing{depth: c.depth, left: c.left}
	sub.compare(place, older, newer)
	return sub.found
}

// compare looks at two schemas. Those that contain themselves are compared as deep as may be: what is below is the same again.
func (c *comparing) compare(place string, older, newer node) {
	if *c.left--; *c.left < 0 || c.depth == maxDepth || newer.kind == anything || older.kind == nothing {
		return
	}
	c.depth++
	defer func() { c.depth-- }()
	switch {
	case older.kind.combines() && newer.kind.combines():
		c.combinations(place, older, newer)
	case newer.kind.combines():
		c.into(place, older, newer)
	case older.kind.combines():
		c.outOf(place, older, newer)
	case older.kind == values:
		c.values(place, older, newer)
	case older.kind != newer.kind:
		c.tell(place, "TYPE_CHANGED", "the value was %s and is %s", older.kind, newer.kind)
	default:
		c.same(place, older, newer)
	}
}

// same compares two schemas of one kind.
func (c *comparing) same(place string, older, newer node) {
	switch older.kind {
	case text:
		c.limits(place, older, newer, "maxLength", "minLength")
		if was, is := older.fields["pattern"], newer.fields["pattern"]; is != nil && canonical(is) != canonical(was) {
			c.tell(place+"/pattern", changedOr(was, "PATTERN"), "texts must match another expression")
		}
	case number:
		c.limits(place, older, newer, "maximum", "minimum")
		c.limits(place, older, newer, "exclusiveMaximum", "exclusiveMinimum")
		c.multiples(place, older, newer)
		if newer.whole && !older.whole {
			c.tell(place, "TYPE_NARROWED", "numbers must be whole now")
		}
	case object:
		c.object(place, older, newer)
	case array:
		c.array(place, older, newer)
	case negation: // what was excluded may only become less
		for range c.tried(place, newer.doc.node(newer.fields["not"]), older.doc.node(older.fields["not"])) {
			c.tell(place+"/not", "NOT_TYPE_EXTENDED", "more is excluded than before")
			return
		}
	}
}

// changedOr is the name for something that was not there, or was another one.
func changedOr(was any, what string) string {
	if was == nil {
		return what + "_ADDED"
	}
	return what + "_CHANGED"
}

// limits compares an upper and a lower limit: neither may come up or get closer.
func (c *comparing) limits(place string, older, newer node, upper, lower string) {
	for _, l := range []struct {
		name, closer string
		sign         float64
	}{{upper, "_DECREASED", 1}, {lower, "_INCREASED", -1}} {
		was, had := older.float(l.name)
		is, has := newer.float(l.name)
		name := screaming(l.name)
		switch {
		case !has:
		case !had:
			c.tell(place+"/"+l.name, name+"_ADDED", "there was no such limit")
		case (was-is)*l.sign > 0:
			c.tell(place+"/"+l.name, name+l.closer, "the limit was %v and is %v", was, is)
		}
	}
}

// screaming is maxLength as MAX_LENGTH.
func screaming(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

func (c *comparing) multiples(place string, older, newer node) {
	was, had := older.float("multipleOf")
	is, has := newer.float("multipleOf")
	switch {
	case !has || had && (was == is || math.Mod(was, is) == 0):
	case !had:
		c.tell(place+"/multipleOf", "MULTIPLE_OF_ADDED", "any number was allowed")
	case math.Mod(is, was) == 0:
		c.tell(place+"/multipleOf", "MULTIPLE_OF_EXPANDED", "fewer numbers are allowed: %v stood here, now %v", was, is)
	default:
		c.tell(place+"/multipleOf", "MULTIPLE_OF_CHANGED", "other numbers are allowed: %v stood here, now %v", was, is)
	}
}

// values compares lists of values, or a list with a type that may take them all.
func (c *comparing) values(place string, older, newer node) {
	if newer.kind != values {
		for _, v := range older.values {
			if !newer.takes(v) {
				c.tell(place, "TYPE_CHANGED", "the value could be %s, which is not %s", v, newer.kind)
				return
			}
		}
		return
	}
	missing := slices.DeleteFunc(slices.Clone(older.values), func(v string) bool { return slices.Contains(newer.values, v) })
	if len(missing) == 0 {
		return
	}
	name := "ENUM_ARRAY_CHANGED"
	if !slices.ContainsFunc(newer.values, func(v string) bool { return !slices.Contains(older.values, v) }) {
		name = "ENUM_ARRAY_NARROWED"
	}
	c.tell(place+"/enum", name, "no longer allowed: %s", strings.Join(missing, ", "))
}

// nodes are the parts of a combination.
func (n *node) nodes() []node {
	out := make([]node, len(n.parts))
	for i, p := range n.parts {
		out[i] = n.doc.node(p)
	}
	return out
}

// into: a value must be what one of several says, or what all of them say.
func (c *comparing) into(place string, older, newer node) {
	if newer.kind == allOf {
		for i, part := range newer.nodes() {
			c.compare(place+"/allOf/"+strconv.Itoa(i), older, part)
		}
		return
	}
	for _, part := range newer.nodes() {
		if len(c.tried(place, older, part)) == 0 {
			return
		}
	}
	c.tell(place, "TYPE_CHANGED", "none of the branches of %s takes what was %s", newer.kind, older.kind)
}

// outOf: all that a value could be must be taken; of what it had to be all at once, one is enough.
func (c *comparing) outOf(place string, older, newer node) {
	taken := 0
	parts := older.nodes()
	for _, part := range parts {
		if len(c.tried(place, part, newer)) == 0 {
			taken++
		}
	}
	if taken == len(parts) || older.kind == allOf && taken > 0 {
		return
	}
	c.tell(place, "TYPE_CHANGED", "not every branch of %s is taken by %s", older.kind, newer.kind)
}

// combinations compares branches with branches: of anyOf and oneOf each old one needs a new one of its own, of allOf the other way round.
func (c *comparing) combinations(place string, older, newer node) {
	olds, news := older.nodes(), newer.nodes()
	switch {
	case older.kind == newer.kind, newer.kind == anyOf, len(olds) == 1 && (newer.kind == oneOf || len(news) == 1):
	default:
		c.tell(place, "COMBINED_TYPE_CHANGED", "%s became %s", older.kind, newer.kind)
		return
	}
	all := newer.kind == allOf
	switch {
	case all && len(news) > len(olds):
		c.tell(place, "PRODUCT_TYPE_EXTENDED", "values must satisfy more branches than before")
	case !all && len(news) < len(olds) && older.kind != allOf:
		c.tell(place, "SUM_TYPE_NARROWED", "there are fewer branches than before")
	}
	if matched(len(olds), len(news), func(i, j int) bool { return len(c.tried(place, olds[i], news[j])) == 0 }) < min(len(olds), len(news)) {
		c.tell(place, "COMBINED_TYPE_SUBSCHEMAS_CHANGED", "a branch changed so that it no longer takes what it took")
	}
}

// matched is how many of n can be paired with different ones of m (Kuhn's algorithm).
func matched(n, m int, fits func(i, j int) bool) (count int) {
	known := map[[2]int]bool{}
	for i := range n {
		for j := range m {
			known[[2]int{i, j}] = fits(i, j)
		}
	}
	owner := make([]int, m)
	for j := range owner {
		owner[j] = -1
	}
	var place func(i int, tried []bool) bool
	place = func(i int, tried []bool) bool {
		for j := range m {
			if !known[[2]int{i, j}] || tried[j] {
				continue
			}
			tried[j] = true
			if owner[j] < 0 || place(owner[j], tried) {
				owner[j] = i
				return true
			}
		}
		return false
	}
	for i := range n {
		if place(i, make([]bool, m)) {
			count++
		}
	}
	return count
}

// keys are the names in either of two objects, in order.
func keys(a, b map[string]any) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
