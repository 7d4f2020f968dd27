package ast

import (
	"strconv"
	"strings"
)

// Format returns the canonical text of a node on one line, a statement without its semicolon. It parses to the same tree, except that
// redundant quotes and parentheses are gone; a tree of long operator chains may be deeper in parentheses than the parser allows.
func Format(n Node) string {
	var w printer
	switch n := n.(type) {
	case nil:
		return ""
	case Expr:
		w.expr(n)
	case Type:
		w.typ(n)
	case Statement:
		w.statement(n)
	case *Query:
		w.query(n)
	case Relation:
		w.relation(n)
	case SelectItem:
		w.selectItem(n)
	case Name:
		w.name(n)
	}
	return w.String()
}

// Same says whether two expressions are alike, wherever and however they were written.
func Same(a, b Expr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return Format(a) == Format(b)
}

type printer struct{ strings.Builder }

func (w *printer) put(parts ...string) {
	for _, s := range parts {
		w.WriteString(s)
	}
}

// when writes the text if the condition holds.
func (w *printer) when(cond bool, text string) {
	if cond {
		w.WriteString(text)
	}
}

func (w *printer) name(n Name) { w.WriteString(n.String()) }

// nameNoKeyword quotes keywords of both kinds, for places where a word would begin another statement.
func (w *printer) nameNoKeyword(n Name) {
	if _, keyword := keywords[n.Text]; keyword && !n.Variable {
		w.put(backQuote(n.Text))
		return
	}
	w.name(n)
}

func (w *printer) number(n int64) { w.WriteString(strconv.FormatInt(n, 10)) }

func (w *printer) duration(d Duration) {
	w.number(d.Count)
	w.put(" ", d.Unit.String())
}

// list writes n parts with commas between them.
func (w *printer) list(n int, part func(i int)) {
	for i := range n {
		w.when(i > 0, ", ")
		part(i)
	}
}

func (w *printer) names(names []Name) { w.list(len(names), func(i int) { w.name(names[i]) }) }

func (w *printer) exprs(list []Expr) { w.list(len(list), func(i int) { w.expr(list[i]) }) }

func (w *printer) typ(t Type) {
	switch t := t.(type) {
	case *NamedType:
		w.typeName(t)
	case *DecimalType:
		w.put("DECIMAL(", strconv.Itoa(t.Precision), ", ", strconv.Itoa(t.Scale), ")")
	case *ArrayType:
		w.put("ARRAY<")
		w.typ(t.Elem)
		w.put(">")
	case *MapType:
		w.put("MAP<")
		w.typ(t.Key)
		w.put(", ")
		w.typ(t.Value)
		w.put(">")
	case *StructType:
		w.put("STRUCT<")
		w.list(len(t.Fields), func(i int) {
			w.name(t.Fields[i].Name)
			w.put(" ")
			w.typ(t.Fields[i].Type)
		})
		w.put(">")
	}
}

// typeName quotes a quoted name, since a type of the same name may be built in, and words that begin another type.
func (w *printer) typeName(t *NamedType) {
	switch {
	case t.Name.Quoted:
		w.put(backQuote(t.Name.Text))
	default:
		w.name(t.Name)
	}
	if len(t.Params) > 0 {
		w.put("(", strings.Join(t.Params, ", "), ")")
	}
}
