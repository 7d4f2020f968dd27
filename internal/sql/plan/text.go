package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// Text is a plan for EXPLAIN: a line for each step, from the sink to the sources, with the columns of its rows below the steps that change
// them. A step that keeps state or moves rows has its name in brackets, with which the names of its stores and topics begin.
func Text(q *Query) string {
	w := &textWriter{names: Names(q), output: q.Output}
	w.node(q.Root, "")
	return w.out.String()
}

type textWriter struct {
	out    strings.Builder
	names  map[Node]string
	output []Output
}

func (w *textWriter) node(n Node, indent string) {
	word, details := stepText(n)
	w.out.WriteString(indent + word)
	if name, ok := w.names[n]; ok {
		w.out.WriteString(" [" + name + "]")
	}
	if details != "" {
		w.out.WriteString(" " + details)
	}
	w.out.WriteByte('\n')
	for _, line := range columnLines(n, w.output) {
		w.out.WriteString(indent + "    " + line + "\n")
	}
	for _, in := range n.Inputs() {
		w.node(in, indent+"  ")
	}
}

// stepText is a step in a word and what it does.
func stepText(n Node) (word, details string) {
	switch n := n.(type) {
	case *Source:
		details = fmt.Sprintf("%s %s of topic %s, key %s, value %s", n.Of.Kind(), n.Of.Name, n.Of.Topic, sideText(n.Of.Key, n.Of.KeyFormat), n.Of.ValueFormat.Name)
		if n.Alias != n.Of.Name {
			details += " as " + n.Alias
		}
		if n.Of.Time.Column != "" {
			details += ", time of " + n.Of.Time.Column
		}
		return "Source", details + windowText(n.Of.Window)
	case *Filter:
		return "Filter", n.What + " " + n.Test.String()
	case *Project:
		return "Project", ""
	case *Rekey:
		if n.Same {
			return "Move", "to the partition of the key"
		}
		return "Rekey", "by " + texts(n.Exprs)
	case *Expand:
		var calls []string
		for _, c := range n.Calls {
			calls = append(calls, c.String())
		}
		return "Expand", strings.Join(calls, ", ")
	case *Aggregate:
		return "Aggregate", n.details()
	case *Join:
		return "Join", n.details()
	case *ForeignJoin:
		return "ForeignJoin", kindWords[n.Kind] + " on " + n.Foreign.String()
	case *Sink:
		if n.To == nil {
			return "Result", ""
		}
		details = fmt.Sprintf("%s %s to topic %s, key %s, value %s", n.To.Kind(), n.To.Name, n.To.Topic, sideText(n.To.Key, n.To.KeyFormat), n.To.ValueFormat.Name)
		if n.To.Time.Column != "" {
			details += ", time of " + n.To.Time.Column
		}
		return "Sink", details + windowText(n.To.Window)
	}
	return fmt.Sprintf("%T", n), ""
}

func (n *Aggregate) details() string {
	var calls []string
	for _, c := range n.Calls {
		calls = append(calls, c.String())
	}
	text := "by the key"
	if !n.KeySame {
		text = "by " + texts(n.By)
	}
	text += ": " + strings.Join(calls, ", ")
	if w := n.Over; w != nil {
		text += " over " + string(w.Kind) + fmt.Sprintf(" %d ms", w.Size)
		if w.Kind == catalog.Hopping {
			text += fmt.Sprintf(" every %d ms", w.Advance)
		}
		if w.HasGrace {
			text += fmt.Sprintf(", grace %d ms", w.Grace)
		}
		if w.HasRetention {
			text += fmt.Sprintf(", retention %d ms", w.Retention)
		}
	}
	if n.Final {
		text += ", results when windows close"
	}
	return text
}

var kindWords = [...]string{Inner: "inner", Left: "left", Right: "right", Full: "full"}

func (n *Join) details() string {
	left, right := n.in[0].Layout().Table, n.in[1].Layout().Table
	switch {
	case left && right:
		return kindWords[n.Kind] + " of tables"
	case right:
		return kindWords[n.Kind] + " of a stream with a table"
	}
	text := fmt.Sprintf("%s of streams, %d ms before to %d ms after, grace %d ms", kindWords[n.Kind], n.Before, n.After, n.Grace)
	if n.Eager {
		text += ", results without a match at once"
	}
	return text
}

// columnLines are the lines below a step: what the rows have behind it.
func columnLines(n Node, output []Output) []string {
	var out []string
	layout := n.Layout()
	switch n := n.(type) {
	case *Sink:
		for i, x := range n.Exprs {
			if n.To == nil {
				out = append(out, columnText(row.Column{Name: output[i].Name, Type: output[i].Type}, x))
				continue
			}
			out = append(out, columnText(n.To.Value[i], x))
		}
	case *Project:
		types := layout.Types()
		for i, x := range n.Exprs {
			out = append(out, columnText(types[i], x))
		}
	case *Source:
		for i, r := range n.Reads {
			c := layout.Columns[i]
			out = append(out, row.Quote(c.Name)+" "+c.Type.String()+partWords[r.Part])
		}
	case *Rekey:
		out = append(out, "key "+sideText(layout.Key, layout.Format))
	}
	return out
}

var partWords = [...]string{
	FromValue: "", FromKey: " of the key", FromHeaders: " of the headers", RowTime: " of the record", RowPartition: " of the record", RowOffset: " of the record",
	WindowStart: " of the window", WindowEnd: " of the window",
}

func columnText(c row.Column, x *expr.Expr) string {
	return row.Quote(c.Name) + " " + c.Type.String() + " = " + x.String()
}

func texts(exprs []*expr.Expr) string {
	out := make([]string, len(exprs))
	for i, x := range exprs {
		out[i] = x.String()
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

// sideText is the columns of a key with their format.
func sideText(schema row.Schema, s catalog.Serialized) string {
	if len(schema) == 0 {
		return "none"
	}
	return "(" + schema.String() + ") " + s.Name
}

func windowText(w catalog.Window) string {
	switch {
	case !w.Windowed():
		return ""
	case w.SizeMs == 0:
		return ", windowed by " + string(w.Kind)
	}
	return fmt.Sprintf(", windowed by %s %d ms", w.Kind, w.SizeMs)
}

// Version is that of the rules by which plans are made: of what State says, and of how package lower names stores and topics. A plan of a
// higher one is of a newer program.
const Version = 1

// Names gives the steps that keep state or move rows their names. A name is the kind of the step behind the way to it from the sink, which
// counts the sides of joins only: so a step that comes or goes elsewhere changes no name, and the state stays where it was.
func Names(q *Query) map[Node]string {
	names, taken := map[Node]string{}, map[string]int{}
	var visit func(n Node, way string)
	visit = func(n Node, way string) {
		if kind := kindName(n); kind != "" {
			name := way + kind
			if taken[name]++; taken[name] > 1 {
				name += "-" + strconv.Itoa(taken[name])
			}
			names[n] = name
		}
		in := n.Inputs()
		if len(in) == 1 {
			visit(in[0], way)
			return
		}
		for i, x := range in {
			visit(x, way+[...]string{"Left-", "Right-"}[i])
		}
	}
	visit(q.Root, "")
	return names
}

// kindName is the beginning of the names of a step, empty if it has none.
func kindName(n Node) string {
	switch n.(type) {
	case *Source:
		return "Source"
	case *Rekey:
		return "Rekey"
	case *Aggregate:
		return "Aggregate"
	case *Join, *ForeignJoin:
		return "Join"
	}
	return ""
}

// State says what the stores and the internal topics of a query hold, a line for each step that has any. Two plans with equal State can go
// on with each other's.
func State(q *Query) []string {
	var lines []string
	names := Names(q)
	var visit func(n Node, kept bool)
	visit = func(n Node, kept bool) {
		if line := stateOf(n, kept); line != "" {
			lines = append(lines, names[n]+" "+line)
		}
		switch n := n.(type) {
		case *Aggregate: // the rows of a stream that does not move are folded as they come
			kept = kept || !n.KeySame || n.in[0].Layout().Table
		case *Join, *ForeignJoin:
			kept = true
		}
		for _, in := range n.Inputs() {
			visit(in, kept)
		}
	}
	visit(q.Root, false)
	return lines
}

// stateOf is the line of one step. kept tells that a step behind it keeps its rows.
func stateOf(n Node, kept bool) string {
	layout := n.Layout()
	key := sideText(layout.Key, layout.Format)
	switch n := n.(type) {
	case *Source:
		switch {
		case !kept:
			return ""
		case n.Of.Table:
			return "table of " + n.Of.Topic + ", key " + sideText(n.Of.Key, n.Of.KeyFormat) + ", value " + n.Of.ValueFormat.Name
		}
		return "rows (" + layout.Types().String() + ") of " + n.Of.Topic
	case *Rekey:
		if kept {
			return "key " + key + ", rows (" + layout.Types().String() + ")"
		}
	case *Aggregate:
		var states []string
		for _, c := range n.Calls {
			states = append(states, c.String()+" "+c.State().String())
		}
		return fmt.Sprintf("by %s, key %s: %s%s", texts(n.By), key, strings.Join(states, ", "), n.windowState())
	case *Join:
		if n.in[0].Layout().Table || n.in[1].Layout().Table {
			return kindWords[n.Kind] + ", key " + key
		}
		return fmt.Sprintf("%s, key %s, %d before, %d after, grace %d, eager %t", kindWords[n.Kind], key, n.Before, n.After, n.Grace, n.Eager)
	case *ForeignJoin:
		return kindWords[n.Kind] + ", key " + key + ", on " + n.Foreign.String()
	}
	return ""
}

func (n *Aggregate) windowState() string {
	w := n.Over
	if w == nil {
		return ""
	}
	text := fmt.Sprintf(", %s %d", w.Kind, w.Size)
	if w.Kind == catalog.Hopping {
		text += fmt.Sprintf(" every %d", w.Advance)
	}
	return text + fmt.Sprintf(", grace %d %t, final %t", w.Grace, w.HasGrace, n.Final)
}
