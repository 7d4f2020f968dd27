package ast

// Inspect calls visit for the node and, while visit returns true, for the nodes below it, in the order of the text. It goes into queries,
// relations, select items and expressions, and into the queries and expressions of statements; types and names are not visited.
func Inspect(n Node, visit func(Node) bool) {
	if n == nil || !visit(n) {
		return
	}
	switch n := n.(type) {
	case Expr:
		for _, c := range Operands(n) {
			Inspect(c, visit)
		}
	case *Query:
		inspectQuery(n, visit)
	case *Join:
		Inspect(n.Left, visit)
		Inspect(n.Right, visit)
		inspectExpr(n.On, visit)
	case *SelectExpr:
		Inspect(n.Expr, visit)
	case *SelectFields:
		Inspect(n.Struct, visit)
	case *Select:
		Inspect(n.Query, visit)
	case *CreateAs:
		Inspect(n.Query, visit)
	case *InsertInto:
		Inspect(n.Query, visit)
	case *InsertValues:
		inspectAll(n.Values, visit)
	case *AssertValues:
		inspectAll(n.Values, visit)
	case *Explain:
		if n.Statement != nil {
			Inspect(n.Statement, visit)
		}
	}
}

func inspectQuery(q *Query, visit func(Node) bool) {
	for _, item := range q.Select {
		Inspect(item, visit)
	}
	Inspect(q.From, visit)
	inspectExpr(q.Where, visit)
	for _, g := range []*Grouping{q.GroupBy, q.PartitionBy} {
		if g != nil {
			inspectAll(g.Exprs, visit)
		}
	}
	inspectExpr(q.Having, visit)
}

func inspectExpr(e Expr, visit func(Node) bool) {
	if e != nil {
		Inspect(e, visit)
	}
}

func inspectAll(list []Expr, visit func(Node) bool) {
	for _, e := range list {
		Inspect(e, visit)
	}
}

// Operands returns the expressions directly below an expression, in the order of the text.
func Operands(e Expr) []Expr {
	switch e := e.(type) {
	case *FieldRef:
		return []Expr{e.Base}
	case *Subscript:
		return []Expr{e.Base, e.Index}
	case *Call:
		return e.Args
	case *Lambda:
		return []Expr{e.Body}
	case *Unary:
		return []Expr{e.X}
	case *Binary:
		return []Expr{e.Left, e.Right}
	case *IsNull:
		return []Expr{e.X}
	case *Like:
		return []Expr{e.X, e.Pattern}
	case *In:
		return append([]Expr{e.X}, e.List...)
	case *Between:
		return []Expr{e.X, e.Low, e.High}
	case *Cast:
		return []Expr{e.X}
	case *ArrayExpr:
		return e.Elems
	case *AtTimeZone:
		return []Expr{e.X}
	}
	return grouped(e)
}

// grouped returns the operands of expressions that hold them in pairs.
func grouped(e Expr) []Expr {
	var out []Expr
	switch e := e.(type) {
	case *Case:
		if e.Operand != nil {
			out = append(out, e.Operand)
		}
		for _, b := range e.Whens {
			out = append(out, b.When, b.Then)
		}
		if e.Else != nil {
			out = append(out, e.Else)
		}
	case *MapExpr:
		for _, entry := range e.Entries {
			out = append(out, entry.Key, entry.Value)
		}
	case *StructExpr:
		for _, f := range e.Fields {
			out = append(out, f.Value)
		}
	}
	return out
}
