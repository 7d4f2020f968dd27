package avrorow

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/mainstemio/mainstem/internal/format/column"
)

// appendDefault returns the bytes of a field's default.
func appendDefault(f field) ([]byte, error) {
	d := defaults{left: maxNodes}
	return d.append(nil, f.node, f.fallback, 0)
}

// A defaults bounds the work: defaults within defaults may multiply.
type defaults struct{ left int }

// append appends a default as the schema library gives it: the numbers of Go, string, []byte, []any and map[string]any.
func (d *defaults) append(dst []byte, n *node, v any, depth int) ([]byte, error) {
	if d.left--; d.left < 0 || depth > maxDepth {
		return nil, column.Errorf("a default with too many levels")
	}
	switch v := v.(type) {
	case nil:
		if n.kind == "union" {
			return d.branch(dst, n, v, depth)
		}
		if n.kind == "null" {
			return dst, nil
		}
	case map[string]any:
		return d.fields(dst, n, v, depth)
	case []any:
		if n.kind == "array" {
			return appendBlock(dst, len(v), func(dst []byte, i int) ([]byte, error) { return d.append(dst, n.elem, v[i], depth+1) })
		}
	}
	switch n.kind {
	case "union":
		return d.branch(dst, n, v, depth)
	case "enum":
		if s, ok := v.(string); ok && slices.Contains(n.symbols, s) {
			return binary.AppendVarint(dst, int64(slices.Index(n.symbols, s))), nil
		}
	case "fixed":
		if b, ok := v.([]byte); ok && len(b) == n.size {
			return append(dst, b...), nil
		}
	}
	return appendScalar(dst, n, v)
}

func appendScalar(dst []byte, n *node, v any) ([]byte, error) {
	switch v := v.(type) {
	case bool:
		if n.kind == "boolean" && v {
			return append(dst, 1), nil
		} else if n.kind == "boolean" {
			return append(dst, 0), nil
		}
	case int32:
		if n.kind == "int" {
			return binary.AppendVarint(dst, int64(v)), nil
		}
	case int64:
		if n.kind == "long" {
			return binary.AppendVarint(dst, v), nil
		}
	case float32:
		if n.kind == "float" {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v)), nil
		}
	case float64:
		if n.kind == "double" {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v)), nil
		}
	case string:
		if n.kind == "string" {
			return append(binary.AppendVarint(dst, int64(len(v))), v...), nil
		}
	case []byte:
		if n.kind == "bytes" {
			return append(binary.AppendVarint(dst, int64(len(v))), v...), nil
		}
	}
	return nil, column.Errorf("a default that is no %s", n.kind)
}

// branch appends a union's default: of the first type that takes it.
func (d *defaults) branch(dst []byte, n *node, v any, depth int) ([]byte, error) {
	for i, b := range n.branches {
		out, err := d.append(binary.AppendVarint(slices.Clip(dst), int64(i)), b, v, depth+1)
		if err == nil {
			return out, nil
		}
	}
	return nil, column.Errorf("a default that no type of the union takes")
}

func (d *defaults) fields(dst []byte, n *node, v map[string]any, depth int) ([]byte, error) {
	switch n.kind {
	case "union":
		return d.branch(dst, n, v, depth)
	case "map":
		keys := slices.Sorted(maps.Keys(v))
		return appendBlock(dst, len(keys), func(dst []byte, i int) ([]byte, error) {
			dst = append(binary.AppendVarint(dst, int64(len(keys[i]))), keys[i]...)
			return d.append(dst, n.elem, v[keys[i]], depth+1)
		})
	case "record":
		for _, f := range n.fields {
			value, given := v[f.name]
			if !given && !f.hasDefault {
				return nil, column.Errorf("a default without the field %s", f.name)
			} else if !given {
				value = f.fallback
			}
			var err error
			if dst, err = d.append(dst, f.node, value, depth+1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	}
	return nil, column.Errorf("a default that is no %s", n.kind)
}
