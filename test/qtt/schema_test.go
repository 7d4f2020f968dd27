package qtt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A sqlType is a column's type.
type sqlType struct {
	name      string // "INTEGER", "STRING", "ARRAY", …: the longer of two names for one type
	precision int    // of DECIMAL
	scale     int    // of DECIMAL
	key       *sqlType
	element   *sqlType // of ARRAY, or the values of MAP
	fields    []column // of STRUCT
}

// A column is a column of a source, or a field of a struct.
type column struct {
	name string
	typ  *sqlType
	role string // "KEY", "HEADERS", "HEADER(k)"; "" for values
}

func (t *sqlType) String() string {
	switch t.name {
	case "DECIMAL":
		return fmt.Sprintf("DECIMAL(%d, %d)", t.precision, t.scale)
	case "ARRAY":
		return "ARRAY<" + t.element.String() + ">"
	case "MAP":
		return "MAP<" + t.key.String() + ", " + t.element.String() + ">"
	case "STRUCT":
		return "STRUCT<" + columnsText(t.fields) + ">"
	}
	return t.name
}

// columnsText writes columns the same way however they were written before.
func columnsText(columns []column) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = "`" + c.name + "` " + c.typ.String()
		if c.role != "" {
			texts[i] += " " + c.role
		}
	}
	return strings.Join(texts, ", ")
}

// keyColumns and valueColumns return the columns of a record's key and value.
func keyColumns(columns []column) []column   { return columnsOf(columns, "KEY") }
func valueColumns(columns []column) []column { return columnsOf(columns, "") }

func columnsOf(columns []column, role string) []column {
	var some []column
	for _, c := range columns {
		if c.role == role {
			some = append(some, c)
		}
	}
	return some
}

// parseColumns reads the columns of a CREATE statement: "ID INT KEY, `v` ARRAY<STRING>".
func parseColumns(text string) ([]column, error) {
	p := &schemaParser{tokens: schemaTokens(text)}
	columns, err := p.columns("")
	if err != nil {
		return nil, fmt.Errorf("schema %q: %w", text, err)
	}
	return columns, nil
}

// A schemaParser reads tokens, front to back. A quoted identifier keeps its back-quote in front.
type schemaParser struct{ tokens []string }

func schemaTokens(text string) []string {
	var tokens []string
	for i := 0; i < len(text); {
		switch b := text[i]; {
		case strings.IndexByte(" \t\r\n", b) >= 0:
			i++
		case b == '`' || b == '"' || b == '\'':
			end := strings.IndexByte(text[i+1:], b)
			if end < 0 {
				return append(tokens, text[i:])
			}
			quote := "`"
			if b == '\'' {
				quote = "'"
			}
			tokens = append(tokens, quote+text[i+1:i+1+end])
			i += end + 2
		case strings.IndexByte("<>(),", b) >= 0:
			tokens = append(tokens, text[i:i+1])
			i++
		default:
			end := strings.IndexAny(text[i:], " \t\r\n<>(),`\"'")
			if end < 0 {
				end = len(text) - i
			}
			tokens = append(tokens, text[i:i+end])
			i += end
		}
	}
	return tokens
}

func (p *schemaParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *schemaParser) next() string {
	t := p.peek()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

// word takes the next token if it is the word, in any case.
func (p *schemaParser) word(word string) bool {
	if !strings.EqualFold(p.peek(), word) {
		return false
	}
	p.next()
	return true
}

func (p *schemaParser) expect(token string) error {
	if got := p.next(); got != token {
		return fmt.Errorf("%q where %q must be", got, token)
	}
	return nil
}

// columns reads columns up to an end token, which it leaves.
func (p *schemaParser) columns(end string) ([]column, error) {
	var columns []column
	for p.peek() != end {
		if len(columns) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		c, err := p.column()
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

func (p *schemaParser) column() (c column, err error) {
	name := p.next()
	if name == "" {
		return c, errors.New("it ends where a column must be")
	}
	if quoted, ok := strings.CutPrefix(name, "`"); ok {
		c.name = quoted
	} else {
		c.name = strings.ToUpper(name)
	}
	if c.typ, err = p.typ(); err != nil {
		return c, err
	}
	switch {
	case p.word("PRIMARY"):
		p.word("KEY")
		c.role = "KEY"
	case p.word("KEY"):
		c.role = "KEY"
	case p.word("HEADERS"):
		c.role = "HEADERS"
	case p.word("HEADER"):
		if err := p.expect("("); err != nil {
			return c, err
		}
		c.role = "HEADER(" + strings.TrimPrefix(p.next(), "'") + ")"
		return c, p.expect(")")
	}
	return c, nil
}

func (p *schemaParser) typ() (*sqlType, error) {
	name := strings.ToUpper(strings.TrimPrefix(p.next(), "`"))
	t := &sqlType{name: name}
	switch name {
	case "INT":
		t.name = "INTEGER"
	case "VARCHAR":
		t.name = "STRING"
		if p.peek() == "(" {
			p.tokens = p.tokens[min(3, len(p.tokens)):]
		}
	case "BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP":
	case "DEC", "DECIMAL":
		return p.decimal()
	case "ARRAY":
		return p.array(t)
	case "MAP":
		return p.mapping(t)
	case "STRUCT":
		return p.structure(t)
	default:
		return nil, fmt.Errorf("%q is no type", name)
	}
	return t, nil
}

func (p *schemaParser) decimal() (t *sqlType, err error) {
	t = &sqlType{name: "DECIMAL"}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if t.precision, err = strconv.Atoi(p.next()); err != nil {
		return nil, fmt.Errorf("precision of a decimal: %w", err)
	}
	if p.peek() == "," {
		p.next()
		if t.scale, err = strconv.Atoi(p.next()); err != nil {
			return nil, fmt.Errorf("scale of a decimal: %w", err)
		}
	}
	return t, p.expect(")")
}

func (p *schemaParser) array(t *sqlType) (_ *sqlType, err error) {
	if err := p.expect("<"); err != nil {
		return nil, err
	}
	if t.element, err = p.typ(); err != nil {
		return nil, err
	}
	return t, p.expect(">")
}

func (p *schemaParser) mapping(t *sqlType) (_ *sqlType, err error) {
	if err := p.expect("<"); err != nil {
		return nil, err
	}
	if t.key, err = p.typ(); err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	if t.element, err = p.typ(); err != nil {
		return nil, err
	}
	return t, p.expect(">")
}

func (p *schemaParser) structure(t *sqlType) (_ *sqlType, err error) {
	if err := p.expect("<"); err != nil {
		return nil, err
	}
	if t.fields, err = p.columns(">"); err != nil {
		return nil, err
	}
	return t, p.expect(">")
}
