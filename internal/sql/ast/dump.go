package ast

import (
	"fmt"
	"reflect"
	"strings"
)

// Dump returns the tree of a node as indented text: a line for each node with its type and simple fields, then what it holds, by field.
// Spans are left out, and fields that are empty, except a literal's value.
func Dump(n Node) string {
	var w strings.Builder
	dumpNode(&w, "", "", reflect.ValueOf(n))
	return w.String()
}

var (
	nameType = reflect.TypeFor[Name]()
	spanType = reflect.TypeFor[Span]()
)

// dumpNode writes one node behind its label; the nodes in it stand one step deeper.
func dumpNode(w *strings.Builder, indent, label string, v reflect.Value) {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	fmt.Fprintf(w, "%s%s%s", indent, label, v.Type().Name())
	var inner []int
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Type() == spanType || f.IsZero() && v.Type().Field(i).Name != "Value":
		case simple(f):
			fmt.Fprintf(w, " %s=%s", v.Type().Field(i).Name, scalar(f))
		default:
			inner = append(inner, i)
		}
	}
	w.WriteByte('\n')
	for _, i := range inner {
		dumpField(w, indent+"  ", v.Type().Field(i).Name+": ", v.Field(i))
	}
}

func dumpField(w *strings.Builder, indent, label string, f reflect.Value) {
	if f.Kind() != reflect.Slice {
		dumpNode(w, indent, label, f)
		return
	}
	for i := range f.Len() {
		if e := f.Index(i); simple(e) {
			fmt.Fprintf(w, "%s%s%s\n", indent, label, scalar(e))
		} else {
			dumpNode(w, indent, label, e)
		}
	}
}

func simple(f reflect.Value) bool {
	switch f.Kind() {
	case reflect.Struct:
		return f.Type() == nameType
	case reflect.Interface, reflect.Pointer, reflect.Slice:
		return false
	}
	return true
}

func scalar(f reflect.Value) string {
	switch v := f.Interface().(type) {
	case Name:
		switch {
		case v.Quoted:
			return backQuote(v.Text)
		default:
			return v.String()
		}
	case fmt.Stringer:
		return v.String()
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(f.Interface())
}
