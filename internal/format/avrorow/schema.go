package avrorow

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/avro"

	"github.com/mainstemio/mainstem/internal/format/column"
)

// Limits of schemas from outside.
const (
	maxTextBytes = 1 << 20
	maxNodes     = 20_000
	maxDepth     = 64
)

// decimalPrecision is what Kafka Connect takes for a decimal whose schema does not say its precision.
const decimalPrecision = 64

// A Schema is a parsed Avro schema. It is immutable.
type Schema struct{ root *node }

// A node is a type of a schema with its references resolved: schemas may be cyclic.
type node struct {
	kind             string // of Avro: record, long, …
	logical          string
	name             string // without namespace
	precision, scale int
	size             int // of a fixed
	symbols          []string
	fields           []field
	elem             *node // of an array's items, of a map's values
	branches         []*node
}

type field struct {
	name       string
	node       *node
	fallback   any // the default, as the schema library gives it
	hasDefault bool
}

// Parse reads a schema's text.
func Parse(text string) (*Schema, error) {
	if len(text) > maxTextBytes {
		return nil, fmt.Errorf("Avro schema of %d bytes is longer than %d", len(text), maxTextBytes)
	}
	anyName := avro.WithLaxNames(nil)
	parsed, err := avro.Parse(text, anyName)
	if err != nil {
		if again, changed := strict(text); changed {
			parsed, err = avro.Parse(again, anyName)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("Avro schema: %s", cut(err.Error()))
	}
	r := resolver{named: map[string]*node{}}
	root, err := r.node(parsed.Root(), "", 0)
	if err != nil {
		return nil, fmt.Errorf("Avro schema: %w", err)
	}
	if err := r.link(); err != nil {
		return nil, fmt.Errorf("Avro schema: %w", err)
	}
	return &Schema{root}, nil
}

// cut shortens what the schema library says: its sentences repeat a part for every level.
func cut(s string) string {
	const longest = 200
	if len(s) > longest {
		return "…" + s[len(s)-longest:]
	}
	return s
}

// strict changes what Java's libraries let pass and this one does not: decimals get the precision that Kafka Connect takes for them, and
// arrays and maps lose their names.
func strict(text string) (string, bool) {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return "", false
	}
	changed := false
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		if depth > 4*maxDepth {
			return
		}
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x, depth+1)
			}
		case map[string]any:
			for _, x := range v {
				walk(x, depth+1)
			}
			if _, given := v["precision"]; !given && v["logicalType"] == "decimal" {
				v["precision"] = decimalPrecision
				changed = true
			}
			_, array := v["items"]
			_, mapping := v["values"]
			if _, named := v["name"]; named && (array || mapping) {
				delete(v, "name")
				changed = true
			}
		}
	}
	walk(v, 0)
	out, err := json.Marshal(v)
	return string(out), changed && err == nil
}

// A resolver turns the library's tree into nodes. Names are linked last, when all are known.
type resolver struct {
	named   map[string]*node
	links   []link
	visited int
}

// A link is a node that stands for a named one.
type link struct {
	to              **node
	name, namespace string
}

func (r *resolver) node(n *avro.SchemaNode, namespace string, depth int) (*node, error) {
	if r.visited++; r.visited > maxNodes || depth > maxDepth {
		return nil, column.Errorf("more than %d types or %d levels", maxNodes, maxDepth)
	}
	out := &node{
		kind: n.Type, logical: n.LogicalType, precision: n.Precision, scale: n.Scale, size: n.Size, symbols: n.Symbols,
		name: n.Name[strings.LastIndexByte(n.Name, '.')+1:],
	}
	if n.Name != "" {
		full := n.Name
		if n.Namespace != "" && !strings.Contains(full, ".") {
			full = n.Namespace + "." + full
		}
		namespace = full[:max(strings.LastIndexByte(full, '.'), 0)]
		r.named[full] = out
	}
	switch n.Type {
	case "null", "boolean", "int", "long", "float", "double", "string", "bytes", "enum", "fixed":
		return out, nil
	case "record", "error":
		out.kind = "record"
		out.fields = make([]field, len(n.Fields))
		for i := range n.Fields {
			f := &n.Fields[i]
			out.fields[i] = field{name: f.Name, fallback: f.Default, hasDefault: f.HasDefault}
			if err := r.into(&out.fields[i].node, &f.Type, namespace, depth); err != nil {
				return nil, column.At(f.Name, err)
			}
		}
		return out, nil
	case "array":
		return out, r.into(&out.elem, n.Items, namespace, depth)
	case "map":
		return out, r.into(&out.elem, n.Values, namespace, depth)
	case "union":
		out.branches = make([]*node, len(n.Branches))
		for i := range n.Branches {
			if err := r.into(&out.branches[i], &n.Branches[i], namespace, depth); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return nil, column.Errorf("a type that is not known")
}

// into resolves n to where it belongs, or notes that it is a name.
func (r *resolver) into(to **node, n *avro.SchemaNode, namespace string, depth int) (err error) {
	switch n.Type {
	case "null", "boolean", "int", "long", "float", "double", "string", "bytes", "enum", "fixed", "record", "error", "array", "map", "union":
		*to, err = r.node(n, namespace, depth+1)
		return err
	}
	r.links = append(r.links, link{to, n.Type, namespace})
	return nil
}

func (r *resolver) link() error {
	for _, l := range r.links {
		n := r.named[l.name]
		if n == nil && l.namespace != "" {
			n = r.named[l.namespace+"."+l.name]
		}
		if n == nil {
			return column.Errorf("a name that no type has")
		}
		*l.to = n
	}
	return nil
}

// isEntries tells whether an array stands for a map: Kafka Connect writes maps whose keys may be null as records of key and value.
func (n *node) isEntries() bool {
	if n.kind != "array" {
		return false
	}
	r, _ := n.elem.only()
	return r.kind == "record" && len(r.fields) == 2 && r.fields[0].name == keyField && r.fields[1].name == valueField
}

// only returns the type of values that are not null, and whether there is exactly one.
func (n *node) only() (*node, bool) {
	if n.kind != "union" {
		return n, true
	}
	var found *node
	for _, b := range n.branches {
		if b.kind == "null" {
			continue
		}
		if found != nil {
			return n, false
		}
		found = b
	}
	if found == nil {
		return n, false
	}
	return found, true
}
