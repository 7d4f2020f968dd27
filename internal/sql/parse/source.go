package parse

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// elements reads the columns of a stream or table in parentheses.
func (p *parser) elements(table bool) []ast.ColumnDef {
	p.expect("(")
	var defs []ast.ColumnDef
	p.commas("a list of columns", func() {
		c := p.columnDef()
		p.checkKey(c, table)
		defs = append(defs, c)
	})
	p.closeList()
	return defs
}

// closeList ends a list in parentheses, where a comma could stand as well.
func (p *parser) closeList() {
	if !p.accept(")") {
		p.expecting("','", "')'")
	}
}

func (p *parser) columnDefs() []ast.ColumnDef {
	var defs []ast.ColumnDef
	p.commas("a list of columns", func() { defs = append(defs, p.columnDef()) })
	return defs
}

func (p *parser) columnDef() ast.ColumnDef {
	from := p.i
	c := ast.ColumnDef{Name: p.name()}
	c.Type = p.typ()
	switch {
	case p.accept("PRIMARY", "KEY"):
		c.Constraint = ast.PrimaryKey
	case p.accept("KEY"):
		c.Constraint = ast.Key
	case p.accept("HEADERS"):
		c.Constraint = ast.Headers
	case p.accept("HEADER"):
		p.expect("(")
		c.Constraint, c.HeaderKey = ast.Header, p.expectString()
		p.expect(")")
	}
	c.Span = p.span(from)
	return c
}

// checkKey refuses PRIMARY KEY in a stream, where keys need not be unique, and KEY in a table, where they are.
func (p *parser) checkKey(c ast.ColumnDef, table bool) {
	is, want, kind := "PRIMARY KEY", "KEY", "streams"
	if table {
		is, want, kind = "KEY", "PRIMARY KEY", "tables"
	}
	if c.Constraint.String() != is || p.err != nil {
		return
	}
	p.fail(&Error{
		Code: CodeKey, Span: c.Span, Hint: "write " + want,
		Message: fmt.Sprintf("Column `%s` is a '%s' column: please use '%s' for %s.", shorten(c.Name.Text, maxTokenInError), is, want, kind),
	})
}

// with reads WITH (name=value, …), or nothing.
func (p *parser) with() []ast.Property {
	if !p.accept("WITH") {
		return nil
	}
	p.expect("(")
	var props []ast.Property
	p.commas("a list of properties", func() {
		from := p.i
		prop := ast.Property{}
		if t := p.tok(); t.kind == tokString {
			prop.Name = ast.Name{Text: p.expectString(), Quoted: true, Span: t.Span}
		} else {
			prop.Name = p.name()
		}
		p.expect("=")
		prop.Value = p.literal()
		prop.Span = p.span(from)
		props = append(props, prop)
	})
	p.closeList()
	return props
}

// typ reads a type.
func (p *parser) typ() ast.Type {
	p.enter()
	defer p.leave()
	from := p.i
	t := p.plainType()
	for n := 1; p.at("ARRAY") && p.peek(1).word != "<" && p.bounded(n, maxPostfix, "a type"); n++ {
		p.advance()
		t = &ast.ArrayType{Span: p.span(from), Elem: t}
	}
	return t
}

func (p *parser) plainType() ast.Type {
	from := p.i
	switch {
	case p.accept("ARRAY", "<"):
		t := &ast.ArrayType{Elem: p.typ()}
		p.expect(">")
		t.Span = p.span(from)
		return t
	case p.accept("MAP", "<"):
		t := &ast.MapType{Key: p.typ()}
		p.expect(",")
		t.Value = p.typ()
		p.expect(">")
		t.Span = p.span(from)
		return t
	case p.accept("STRUCT", "<>"):
		return &ast.StructType{Span: p.span(from)}
	case p.accept("STRUCT", "<"):
		return p.structType(from)
	case p.accept("DECIMAL"):
		return p.decimalType(from)
	}
	if !p.atName(0) {
		p.unexpectedHint("a type follows")
	}
	t := &ast.NamedType{Name: p.name()}
	if p.accept("(") {
		p.commas("a list of parameters", func() { t.Params = append(t.Params, p.typeParameter()) })
		p.closeList()
	}
	t.Span = p.span(from)
	return t
}

func (p *parser) structType(from int) ast.Type {
	t := &ast.StructType{}
	if !p.at(">") {
		p.commas("a list of fields", func() {
			at := p.i
			f := ast.FieldDef{Name: p.name()}
			f.Type = p.typ()
			f.Span = p.span(at)
			t.Fields = append(t.Fields, f)
		})
	}
	p.expect(">")
	t.Span = p.span(from)
	return t
}

func (p *parser) decimalType(from int) ast.Type {
	t := &ast.DecimalType{}
	p.expect("(")
	t.Precision = p.decimalBound()
	p.expect(",")
	t.Scale = p.decimalBound()
	p.expect(")")
	t.Span = p.span(from)
	return t
}

// decimalBound reads a precision or scale; its sense is the binder's, but it is an int32.
func (p *parser) decimalBound() int {
	n, at := p.wholeNumber()
	if n != int64(int32(n)) {
		p.badNumber(at, fmt.Sprintf("Invalid numeric literal: %d", n), "precision and scale of DECIMAL have 32 bits")
	}
	return int(n)
}

func (p *parser) typeParameter() string {
	t := p.tok()
	if t.word != "STRING" && t.kind != tokInteger {
		p.expecting("'STRING'", "INTEGER_VALUE")
		return ""
	}
	p.advance()
	if t.kind == tokInteger {
		return t.raw(p.text)
	}
	return t.word
}
