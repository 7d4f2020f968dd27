package ast

import "strconv"

func (w *printer) expr(e Expr) {
	switch e := e.(type) {
	case *ColumnRef:
		if e.Source.Given() {
			w.name(e.Source)
			w.put(".")
		}
		w.name(e.Name)
	case *FieldRef:
		w.operand(e.Base)
		w.put("->")
		w.name(e.Field)
	case *Subscript:
		w.operand(e.Base)
		w.put("[")
		w.expr(e.Index)
		w.put("]")
	case *Call:
		w.call(e)
	case *Lambda:
		w.lambda(e)
	case *Unary:
		w.unary(e)
	case *Binary:
		w.put("(")
		w.expr(e.Left)
		w.put(" ", string(e.Op), " ")
		w.expr(e.Right)
		w.put(")")
	case *Case:
		w.cases(e)
	case *Cast:
		w.put("CAST(")
		w.expr(e.X)
		w.put(" AS ")
		w.typ(e.Type)
		w.put(")")
	case *ArrayExpr:
		w.put("ARRAY[")
		w.exprs(e.Elems)
		w.put("]")
	case *MapExpr:
		w.put("MAP(")
		w.list(len(e.Entries), func(i int) {
			w.expr(e.Entries[i].Key)
			w.put(":=")
			w.expr(e.Entries[i].Value)
		})
		w.put(")")
	case *StructExpr:
		w.put("STRUCT(")
		w.list(len(e.Fields), func(i int) {
			w.name(e.Fields[i].Name)
			w.put(":=")
			w.expr(e.Fields[i].Value)
		})
		w.put(")")
	case *AtTimeZone:
		w.put("(")
		w.operand(e.X)
		w.put(" AT TIME ZONE ", quoteString(e.Zone), ")")
	default:
		w.predicate(e)
	}
}

// predicate writes what tests a value; each in parentheses, since predicates do not chain.
func (w *printer) predicate(e Expr) {
	not := func(n bool) string {
		if n {
			return " NOT"
		}
		return ""
	}
	switch e := e.(type) {
	case *IsNull:
		w.put("(")
		w.expr(e.X)
		w.put(" IS", not(e.Not), " NULL)")
	case *Like:
		w.put("(")
		w.expr(e.X)
		w.put(not(e.Not), " LIKE ")
		w.expr(e.Pattern)
		if e.Escape != "" {
			w.put(" ESCAPE ", quoteString(e.Escape))
		}
		w.put(")")
	case *In:
		w.put("(")
		w.expr(e.X)
		w.put(not(e.Not), " IN (")
		w.exprs(e.List)
		w.put("))")
	case *Between:
		w.put("(")
		w.expr(e.X)
		w.put(not(e.Not), " BETWEEN ")
		w.expr(e.Low)
		w.put(" AND ")
		w.expr(e.High)
		w.put(")")
	default:
		w.literal(e)
	}
}

func (w *printer) literal(e Expr) {
	switch e := e.(type) {
	case *NullLiteral:
		w.put("null")
	case *BoolLiteral:
		w.put(strconv.FormatBool(e.Value))
	case *IntegerLiteral:
		w.number(e.Value)
	case *DecimalLiteral:
		w.put(e.Text)
	case *DoubleLiteral:
		w.put(e.Text)
	case *StringLiteral:
		w.put(quoteString(e.Value))
	case *TypedLiteral:
		w.put(Quote(e.Type), " ", quoteString(e.Value))
	case *Variable:
		w.put("${", e.Name, "}")
	case *IntervalUnit:
		w.put(e.Unit.String())
	}
}

// operand writes what stands before ->, [ or AT: those bind tighter than a sign, which therefore needs parentheses. A negative number does
// not, since its sign is its own.
func (w *printer) operand(e Expr) {
	if _, ok := e.(*Unary); ok {
		w.put("(")
		w.expr(e)
		w.put(")")
		return
	}
	w.expr(e)
}

func (w *printer) call(e *Call) {
	switch e.Name.Text {
	case "MAP", "STRUCT": // unquoted they would begin a literal
		w.put(backQuote(e.Name.Text))
	default:
		w.name(e.Name)
	}
	w.put("(")
	if e.Star {
		w.put("*")
	}
	w.exprs(e.Args)
	w.put(")")
}

func (w *printer) lambda(e *Lambda) {
	if len(e.Params) == 1 {
		w.name(e.Params[0])
	} else {
		w.put("(")
		w.names(e.Params)
		w.put(")")
	}
	w.put(" => ")
	w.expr(e.Body)
}

// unary keeps a sign apart from a number, which would swallow it, and from another sign, which would begin a comment.
func (w *printer) unary(e *Unary) {
	if e.Op == Not {
		w.put("(NOT ")
		w.expr(e.X)
		w.put(")")
		return
	}
	w.put(string(e.Op))
	if !signed(e.X) {
		w.expr(e.X)
		return
	}
	w.put("(")
	w.expr(e.X)
	w.put(")")
}

// signed says whether the text of an expression begins with a number or a sign.
func signed(e Expr) bool {
	for {
		switch x := e.(type) {
		case *IntegerLiteral, *DecimalLiteral, *DoubleLiteral:
			return true
		case *Unary:
			return x.Op != Not
		case *FieldRef:
			e = x.Base
		case *Subscript:
			e = x.Base
		default:
			return false
		}
		if _, ok := e.(*Unary); ok {
			return false // operand puts it in parentheses
		}
	}
}

func (w *printer) cases(e *Case) {
	w.put("(CASE")
	if e.Operand != nil {
		w.put(" ")
		w.expr(e.Operand)
	}
	for _, b := range e.Whens {
		w.put(" WHEN ")
		w.expr(b.When)
		w.put(" THEN ")
		w.expr(b.Then)
	}
	if e.Else != nil {
		w.put(" ELSE ")
		w.expr(e.Else)
	}
	w.put(" END)")
}
