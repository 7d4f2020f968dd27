package function

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/row"
)

// A pattern is the type of a parameter.
type pattern struct {
	kind      row.Kind // KindNull: one of the following
	generic   byte     // its letter
	any       bool
	unit      bool
	lambda    []*pattern // parameters, then the result
	elem, key *pattern
	exact     *row.Type // of a struct, and of a decimal with digits
	constant  bool
}

// A signature is what a function takes and gives.
type signature struct {
	text     string
	params   []*pattern
	variadic int // the parameter that comes any number of times, -1: none
	result   *pattern
}

var errSignature = errors.New("invalid signature")

func signatureError(name, text string, err error) error {
	return fmt.Errorf("function %s with signature %q: %w", name, text, err)
}

var kinds = map[string]row.Kind{
	"BOOLEAN": row.KindBoolean, "INT": row.KindInt, "INTEGER": row.KindInt, "BIGINT": row.KindBigint, "DOUBLE": row.KindDouble,
	"DECIMAL": row.KindDecimal, "STRING": row.KindString, "VARCHAR": row.KindString, "BYTES": row.KindBytes, "DATE": row.KindDate,
	"TIME": row.KindTime, "TIMESTAMP": row.KindTimestamp, "ARRAY": row.KindArray, "MAP": row.KindMap, "STRUCT": row.KindStruct,
}

type sigReader struct {
	text string
	at   int
}

func parseSignature(text string) (signature, error) {
	r := sigReader{text: text}
	s := signature{text: text, variadic: -1}
	if !r.take("(") {
		return s, errSignature
	}
	for !r.take(")") {
		if len(s.params) > 0 && !r.take(",") {
			return s, errSignature
		}
		p, err := r.pattern()
		if err != nil {
			return s, err
		}
		if r.take("...") {
			s.variadic = len(s.params)
		}
		p.constant = r.take("const")
		s.params = append(s.params, p)
	}
	var err error
	if s.result, err = r.pattern(); err != nil {
		return s, err
	}
	if r.space(); r.at != len(text) {
		return s, errSignature
	}
	return s, nil
}

func (r *sigReader) space() {
	for r.at < len(r.text) && r.text[r.at] == ' ' {
		r.at++
	}
}

func (r *sigReader) take(word string) bool {
	r.space()
	if !strings.HasPrefix(r.text[r.at:], word) {
		return false
	}
	r.at += len(word)
	return true
}

func (r *sigReader) word() string {
	r.space()
	start := r.at
	for r.at < len(r.text) && (r.text[r.at] >= 'A' && r.text[r.at] <= 'Z' || r.text[r.at] >= 'a' && r.text[r.at] <= 'z' ||
		r.text[r.at] == '_' || r.text[r.at]-'0' <= 9) {
		r.at++
	}
	return r.text[start:r.at]
}

func (r *sigReader) pattern() (*pattern, error) {
	word := r.word()
	switch {
	case word == "ANY":
		return &pattern{any: true}, nil
	case word == "INTERVALUNIT":
		return &pattern{unit: true}, nil
	case word == "FUNCTION":
		return r.lambda()
	case len(word) == 1:
		return &pattern{generic: word[0]}, nil
	}
	kind, ok := kinds[word]
	if !ok {
		return nil, errSignature
	}
	p := &pattern{kind: kind}
	var err error
	switch kind {
	case row.KindArray, row.KindMap:
		if !r.take("<") {
			return nil, errSignature
		}
		if p.elem, err = r.pattern(); err != nil {
			return nil, err
		}
		if kind == row.KindMap {
			p.key = p.elem
			if !r.take(",") {
				return nil, errSignature
			}
			if p.elem, err = r.pattern(); err != nil {
				return nil, err
			}
		}
		if !r.take(">") {
			return nil, errSignature
		}
	case row.KindStruct:
		return r.structure(p)
	case row.KindDecimal:
		return r.digits(p)
	}
	return p, nil
}

// digits reads those of DECIMAL(10, 2); without them it is any decimal.
func (r *sigReader) digits(p *pattern) (*pattern, error) {
	if !r.take("(") {
		return p, nil
	}
	precision, err := strconv.Atoi(r.word())
	comma := r.take(",")
	scale, err2 := strconv.Atoi(r.word())
	if err != nil || err2 != nil || !comma || !r.take(")") || precision < 1 || precision > row.MaxDecimalDigits || scale < 0 || scale > precision {
		return nil, errSignature
	}
	p.exact = row.DecimalType(precision, scale)
	return p, nil
}

// structure reads the fields of STRUCT<A STRING, B T>; without them it is any struct.
func (r *sigReader) structure(p *pattern) (*pattern, error) {
	if !r.take("<") {
		return p, nil
	}
	var fields []row.Field
	for !r.take(">") {
		if len(fields) > 0 && !r.take(",") {
			return nil, errSignature
		}
		quoted := r.take("`")
		name := r.word()
		if quoted && !r.take("`") {
			return nil, errSignature
		}
		f, err := r.pattern()
		if err != nil {
			return nil, err
		}
		fields = append(fields, row.Field{Name: name, Type: f.instance(&generics{}, nil)})
	}
	p.exact = row.StructType(fields...)
	return p, nil
}

func (r *sigReader) lambda() (*pattern, error) {
	p := &pattern{}
	if !r.take("(") {
		return nil, errSignature
	}
	for !r.take(")") {
		if len(p.lambda) > 0 && !r.take(",") {
			return nil, errSignature
		}
		param, err := r.pattern()
		if err != nil {
			return nil, err
		}
		p.lambda = append(p.lambda, param)
	}
	result, err := r.pattern()
	if err != nil {
		return nil, err
	}
	p.lambda = append(p.lambda, result)
	return p, nil
}

// generics are the types that stand for the letters of a signature.
type generics [26]*row.Type

func (g *generics) get(letter byte) *row.Type { return g[letter-'A'] }

// instance is the pattern as a type, for an argument of the type arg (nil: none or null). nil: nothing is known.
func (p *pattern) instance(g *generics, arg *row.Type) *row.Type {
	switch {
	case p.generic != 0:
		return g.get(p.generic)
	case p.any:
		return arg
	case p.exact != nil:
		return p.exact
	}
	switch p.kind {
	case row.KindNull:
		return nil
	case row.KindDecimal:
		return decimal.Of(arg)
	case row.KindArray:
		return row.ArrayType(p.elem.instance(g, elemOf(arg)))
	case row.KindMap:
		var key *row.Type
		if arg != nil {
			key = arg.Key
		}
		return row.MapType(p.key.instance(g, key), p.elem.instance(g, elemOf(arg)))
	case row.KindStruct:
		return arg
	}
	return simple[p.kind]
}

func elemOf(t *row.Type) *row.Type {
	if t == nil {
		return nil
	}
	return t.Elem
}

var simple = map[row.Kind]*row.Type{
	row.KindBoolean: row.Boolean, row.KindInt: row.Int, row.KindBigint: row.Bigint, row.KindDouble: row.Double, row.KindString: row.StringType,
	row.KindBytes: row.BytesType, row.KindDate: row.DateType, row.KindTime: row.TimeType, row.KindTimestamp: row.TimestampType,
}

// A Parameter is one of a signature, as DESCRIBE FUNCTION shows it.
type Parameter struct {
	Type     string
	Variadic bool // it may come any number of times
}

// Parameters takes the text of a signature of this library apart.
func Parameters(text string) (params []Parameter, result string) {
	r := sigReader{text: text}
	r.take("(")
	for !r.take(")") && r.at < len(text) {
		r.take(",")
		r.space()
		start := r.at
		if _, err := r.pattern(); err != nil {
			return params, ""
		}
		p := Parameter{Type: text[start:r.at]}
		p.Variadic = r.take("...")
		r.take("const")
		params = append(params, p)
	}
	r.space()
	return params, text[r.at:]
}
