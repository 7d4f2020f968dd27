package randomsql

import (
	"math/rand/v2"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// An expr is an expression in both languages: texts with $1 to $9 for the arguments. An expr is not changed once it is made.
type expr struct {
	typ  *row.Type
	sql  string // ksqlDB's
	pg   string // empty: the same
	args []*expr

	call  *aggregateCall // of a leaf behind GROUP BY
	group *expr          // likewise
}

func leaf(t *row.Type, sql, pg string) *expr { return &expr{typ: t, sql: sql, pg: pg} }

func literal(v row.Value, t *row.Type) *expr { return leaf(t, sqlLiteral(v, t), pgLiteral(v, t)) }

func call(t *row.Type, sql, pg string, args ...*expr) *expr {
	return &expr{typ: t, sql: sql, pg: pg, args: args}
}

// A dialect writes an expression.
type dialect func(*expr) string

func fill(e *expr, template string, d dialect) string {
	if len(e.args) == 0 {
		return template
	}
	var b strings.Builder
	for i := 0; i < len(template); i++ {
		if template[i] == '$' && i+1 < len(template) && template[i+1]-'1' < byte(len(e.args)) {
			b.WriteString(d(e.args[template[i+1]-'1']))
			i++
			continue
		}
		b.WriteByte(template[i])
	}
	return b.String()
}

func ksql(e *expr) string {
	switch {
	case e.call != nil:
		return fill(&expr{args: e.call.args}, e.call.sql, ksql)
	case e.group != nil:
		return ksql(e.group)
	}
	return fill(e, e.sql, ksql)
}

func pgsql(e *expr) string { return e.inPG(pgsql) }

// inPG writes the expression in PostgreSQL's SQL with its arguments in parentheses, where casts and operators bind otherwise.
func (e *expr) inPG(d dialect) string {
	text := e.pg
	if text == "" {
		text = e.sql
	}
	return fill(e, text, func(arg *expr) string {
		if len(arg.args) == 0 {
			return d(arg)
		}
		return "(" + d(arg) + ")"
	})
}

// A scope is the columns that an expression may read.
type scope []*expr

func (s scope) of(r *rand.Rand, t *row.Type) *expr {
	var fit []*expr
	for _, c := range s {
		if c.typ.Equal(t) {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[r.IntN(len(fit))]
}

// An author writes expressions over a scope.
type author struct {
	r     *rand.Rand
	scope scope
}

func (a author) one(n int) bool { return a.r.IntN(n) == 0 }

// expr writes an expression of a type, at most so deep.
func (a author) expr(t *row.Type, depth int) *expr {
	if depth <= 0 || a.one(4) {
		return a.simple(t)
	}
	if a.one(6) {
		return a.choice(t, depth)
	}
	var e *expr
	switch t.Kind {
	case row.KindBoolean:
		e = a.boolean(depth)
	case row.KindInt:
		e = a.integer(depth)
	case row.KindBigint:
		e = a.bigint(depth)
	case row.KindDouble:
		e = a.double(depth)
	case row.KindDecimal:
		e = a.decimal(t, depth)
	case row.KindString:
		e = a.text(depth)
	case row.KindBytes:
		e = a.bytes(depth)
	case row.KindDate, row.KindTime, row.KindTimestamp:
		e = a.temporal(t, depth)
	case row.KindArray:
		e = a.array(t, depth)
	case row.KindMap:
		e = a.mapping(t, depth)
	default:
		e = a.structure(t, depth)
	}
	if e == nil {
		return a.simple(t)
	}
	return e
}

// simple is a column, or a literal where there is none.
func (a author) simple(t *row.Type) *expr {
	if c := a.scope.of(a.r, t); c != nil && !a.one(5) {
		return c
	}
	if t.Kind.IsNested() {
		return a.constructor(t, 0)
	}
	return literal(maybeNull(a.r, t, 12), t)
}

// choice is an expression that chooses between values of one type.
func (a author) choice(t *row.Type, depth int) *expr {
	x, y := a.expr(t, depth-1), a.expr(t, depth-1)
	switch a.r.IntN(6) {
	case 0:
		return call(t, "COALESCE($1, $2)", "", x, y)
	case 1:
		return call(t, "IFNULL($1, $2)", "COALESCE($1, $2)", x, y)
	case 2:
		if !t.Kind.IsNested() && t.Kind != row.KindDouble { // zeros of both signs are different to Java's equals
			return call(t, "NULLIF($1, $2)", "", x, y)
		}
	case 3:
		if t.Kind != row.KindBoolean && !t.Kind.IsNested() {
			return call(t, []string{"GREATEST($1, $2)", "LEAST($1, $2)"}[a.r.IntN(2)], "", x, y)
		}
	case 4:
		k := a.expr(row.Int, depth-1)
		return call(t, "(CASE $1 WHEN 1 THEN $2 WHEN 2 THEN $3 END)", "", k, x, y)
	}
	return call(t, "(CASE WHEN $1 THEN $2 ELSE $3 END)", "", a.expr(row.Boolean, depth-1), x, y)
}

// A form is an operator or a function: its result's type, its texts, and the types of its arguments.
type form struct {
	sql, pg string
	args    []*row.Type
}

func f(sql, pg string, args ...*row.Type) form { return form{sql, pg, args} }

// pick makes an expression of one of the forms.
func (a author) pick(t *row.Type, depth int, forms []form) *expr {
	c := forms[a.r.IntN(len(forms))]
	args := make([]*expr, len(c.args))
	for i, at := range c.args {
		args[i] = a.expr(at, depth-1)
	}
	return &expr{typ: t, sql: c.sql, pg: c.pg, args: args}
}

// constructor makes a nested value of its parts.
func (a author) constructor(t *row.Type, depth int) *expr {
	switch t.Kind {
	case row.KindArray:
		n := 1 + a.r.IntN(3)
		marks := []string{"$1", "$2", "$3"}[:n]
		args := make([]*expr, n)
		for i := range args {
			args[i] = a.expr(t.Elem, depth-1)
		}
		list := strings.Join(marks, ", ")
		return call(t, "ARRAY["+list+"]", "ARRAY["+list+"]::"+pgType(t), args...)
	case row.KindMap:
		x, y := a.expr(t.Elem, depth-1), a.expr(t.Elem, depth-1)
		return call(t, "MAP('a' := $1, 'k' := $2)", "jsonb_build_object('a', $1, 'k', $2)", x, y)
	}
	var sql, pg []string
	var args []*expr
	for i, f := range t.Fields {
		mark := "$" + string(rune('1'+i))
		sql, pg = append(sql, f.Name+" := "+mark), append(pg, quoted(f.Name)+", "+mark)
		args = append(args, a.expr(f.Type, depth-1))
	}
	return call(t, "STRUCT("+strings.Join(sql, ", ")+")", "jsonb_build_object("+strings.Join(pg, ", ")+")", args...)
}

func (a author) structure(t *row.Type, depth int) *expr { return a.constructor(t, depth) }
