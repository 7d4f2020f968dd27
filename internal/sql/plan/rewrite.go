package plan

import "github.com/mainstemio/mainstem/internal/sql/ast"

// rewrite returns e with every part for which f has an answer replaced by it, from the outside in. e itself is not changed.
func rewrite(e ast.Expr, f func(ast.Expr) ast.Expr) ast.Expr {
	if e == nil {
		return nil
	}
	if other := f(e); other != nil {
		return other
	}
	each := func(list []ast.Expr) []ast.Expr {
		out := make([]ast.Expr, len(list))
		for i, x := range list {
			out[i] = rewrite(x, f)
		}
		return out
	}
	switch e := e.(type) {
	case *ast.FieldRef:
		n := *e
		n.Base = rewrite(e.Base, f)
		return &n
	case *ast.Subscript:
		n := *e
		n.Base, n.Index = rewrite(e.Base, f), rewrite(e.Index, f)
		return &n
	case *ast.Call:
		n := *e
		n.Args = each(e.Args)
		return &n
	case *ast.Lambda:
		n := *e
		n.Body = rewrite(e.Body, shadowed(e.Params, f))
		return &n
	case *ast.Unary:
		n := *e
		n.X = rewrite(e.X, f)
		return &n
	case *ast.Binary:
		n := *e
		n.Left, n.Right = rewrite(e.Left, f), rewrite(e.Right, f)
		return &n
	case *ast.ArrayExpr:
		n := *e
		n.Elems = each(e.Elems)
		return &n
	case *ast.Cast:
		n := *e
		n.X = rewrite(e.X, f)
		return &n
	case *ast.AtTimeZone:
		n := *e
		n.X = rewrite(e.X, f)
		return &n
	}
	return rewriteTest(e, f, each)
}

// rewriteTest is rewrite for tests and constructors.
func rewriteTest(e ast.Expr, f func(ast.Expr) ast.Expr, each func([]ast.Expr) []ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.IsNull:
		n := *e
		n.X = rewrite(e.X, f)
		return &n
	case *ast.Like:
		n := *e
		n.X, n.Pattern = rewrite(e.X, f), rewrite(e.Pattern, f)
		return &n
	case *ast.In:
		n := *e
		n.X, n.List = rewrite(e.X, f), each(e.List)
		return &n
	case *ast.Between:
		n := *e
		n.X, n.Low, n.High = rewrite(e.X, f), rewrite(e.Low, f), rewrite(e.High, f)
		return &n
	case *ast.Case:
		n := *e
		n.Operand, n.Else = rewrite(e.Operand, f), rewrite(e.Else, f)
		n.Whens = append([]ast.When(nil), e.Whens...)
		for i, w := range n.Whens {
			n.Whens[i].When, n.Whens[i].Then = rewrite(w.When, f), rewrite(w.Then, f)
		}
		return &n
	case *ast.MapExpr:
		n := *e
		n.Entries = append([]ast.MapEntry(nil), e.Entries...)
		for i, x := range n.Entries {
			n.Entries[i].Key, n.Entries[i].Value = rewrite(x.Key, f), rewrite(x.Value, f)
		}
		return &n
	case *ast.StructExpr:
		n := *e
		n.Fields = append(n.Fields[:0:0], e.Fields...)
		for i, x := range n.Fields {
			n.Fields[i].Value = rewrite(x.Value, f)
		}
		return &n
	}
	return e
}

// shadowed is f without the parameters of a lambda, which are no columns.
func shadowed(params []ast.Name, f func(ast.Expr) ast.Expr) func(ast.Expr) ast.Expr {
	return func(e ast.Expr) ast.Expr {
		if ref, ok := e.(*ast.ColumnRef); ok && !ref.Source.Given() {
			for _, p := range params {
				if p.Text == ref.Name.Text {
					return e
				}
			}
		}
		return f(e)
	}
}

// eachColumn calls visit for the columns that e reads; parameters of lambdas are none.
func eachColumn(e ast.Expr, visit func(*ast.ColumnRef)) {
	rewrite(e, func(x ast.Expr) ast.Expr {
		if ref, ok := x.(*ast.ColumnRef); ok {
			visit(ref)
		}
		return nil
	})
}

// qualified returns e with the source of every column that has only one.
func qualified(e ast.Expr, columns *columnSet) ast.Expr {
	return rewrite(e, func(x ast.Expr) ast.Expr {
		ref, ok := x.(*ast.ColumnRef)
		if !ok || ref.Source.Given() {
			return nil
		}
		found := columns.named(ref.Name.Text)
		if len(found) != 1 || columns.list[found[0]].Source == "" {
			return nil
		}
		n := *ref
		n.Source = ast.Name{Text: columns.list[found[0]].Source, Quoted: true}
		return &n
	})
}

// canonical is an expression's text with every column qualified: two spellings of one column are the same.
func canonical(e ast.Expr, columns *columnSet) string { return ast.Format(qualified(e, columns)) }

// canonicals are the places of items by their canonical texts.
func (p *planner) canonicals(items []item) map[string][]int {
	out := make(map[string][]int, len(items))
	for i := range items {
		text := canonical(items[i].expr, &p.all)
		out[text] = append(out[text], i)
	}
	return out
}

// atMost tells whether an expression has at most so many parts, itself among them. It looks at hardly more.
func atMost(e ast.Expr, parts int) bool {
	ast.Inspect(e, func(ast.Node) bool {
		parts--
		return parts >= 0
	})
	return parts >= 0
}
