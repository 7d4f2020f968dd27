package sqltest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/cast"
	"github.com/mainstemio/mainstem/row"
)

// doubleTolerance is how far a double may be from its text, as in ksqlDB's test runner.
const doubleTolerance = 1e-6

// differ names what differs between a record that is wanted and one that is there.
func (c codec) differ(want, got expected) []string {
	out := differRows("key", c.key, want.key, got.key)
	if want.noKey != nil && *want.noKey != *got.noKey {
		out = append(out, fmt.Sprintf("key: expected %q, got %q", *want.noKey, *got.noKey))
	}
	if want.window != nil && (want.window.Start != got.window.Start || want.window.End != 0 && want.window.End != got.window.End) {
		out = append(out, fmt.Sprintf("window: expected %s, got %s", want.window, got.window))
	}
	out = append(out, differRows("value", c.value, want.value, got.value)...)
	if want.timestamp != nil && *want.timestamp != *got.timestamp {
		out = append(out, fmt.Sprintf("timestamp: expected %d, got %d", *want.timestamp, *got.timestamp))
	}
	if want.headers != nil && !slices.EqualFunc(*want.headers, *got.headers, header.equal) {
		out = append(out, fmt.Sprintf("headers: expected %s, got %s", showHeaders(*want.headers), showHeaders(*got.headers)))
	}
	return out
}

func (h header) equal(o header) bool {
	return h.Key == o.Key && (h.Value == nil) == (o.Value == nil) && string(h.Value) == string(o.Value)
}

func (w *window) String() string {
	if w == nil {
		return "none"
	}
	return fmt.Sprintf("%d to %d", w.Start, w.End)
}

func showHeaders(list []header) string {
	parts := make([]string, len(list))
	for i, h := range list {
		parts[i] = h.Key + "="
		if h.Value == nil {
			parts[i] += "null"
		} else {
			parts[i] += fmt.Sprintf("%q", h.Value)
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// differRows compares the columns of keys or values.
func differRows(name string, s side, want, got row.Row) []string {
	if want.IsNull() != got.IsNull() {
		return []string{fmt.Sprintf("%s: expected %s, got %s", name, s.show(want), s.show(got))}
	}
	if want.IsNull() {
		return nil
	}
	var out []string
	for i, col := range s.schema {
		at := name + "." + col.Name
		if s.unwrapped {
			at = name
		}
		out = append(out, differValues(at, col.Type, want.At(i), got.At(i))...)
	}
	return out
}

// differValues compares two values of a type and names the innermost places that differ.
func differValues(at string, t *row.Type, want, got row.Value) []string {
	if want.IsNull() || got.IsNull() || !t.Kind.IsNested() {
		if same(t, want, got) {
			return nil
		}
		return []string{fmt.Sprintf("%s: expected %s, got %s", at, cast.Text(want, t), cast.Text(got, t))}
	}
	a, b := want.Row(), got.Row()
	if a.Len() != b.Len() {
		return []string{fmt.Sprintf("%s: expected %s, got %s", at, cast.Text(want, t), cast.Text(got, t))}
	}
	var out []string
	for i := range a.Len() {
		inner, place := t.Elem, fmt.Sprintf("%s[%d]", at, i+1)
		switch t.Kind {
		case row.KindStruct:
			inner, place = t.Fields[i].Type, at+"->"+t.Fields[i].Name
		case row.KindMap: // keys and values take turns, in the order of the keys
			if i%2 == 0 {
				inner, place = t.Key, at+"'s keys"
			} else {
				place = at + "['" + a.At(i-1).Text() + "']"
			}
		}
		out = append(out, differValues(place, inner, a.At(i), b.At(i))...)
	}
	return out
}

func same(t *row.Type, a, b row.Value) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() == b.IsNull()
	}
	if t.Is(row.KindDouble) {
		x, y := a.Double(), b.Double()
		return x == y || math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) < doubleTolerance
	}
	order, ok := row.Compare(a, b)
	return ok && order == 0
}

// show is a record on one line.
func (c codec) show(e expected) string {
	var b strings.Builder
	switch {
	case len(c.key.schema) > 0:
		b.WriteString("key " + c.key.show(e.key) + "  ")
	case e.noKey != nil && *e.noKey != "":
		fmt.Fprintf(&b, "key %q  ", *e.noKey)
	}
	if e.window != nil {
		fmt.Fprintf(&b, "window %s  ", e.window)
	}
	b.WriteString("value " + c.value.show(e.value))
	if e.timestamp != nil {
		fmt.Fprintf(&b, "  at %d", *e.timestamp)
	}
	if e.headers != nil && len(*e.headers) > 0 {
		b.WriteString("  headers " + showHeaders(*e.headers))
	}
	return b.String()
}
