package expr

import (
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/row"
)

// cases makes CASE: the branches are brought to one type, and only the one that is chosen is computed.
func (c *compiler) cases(e *ast.Case) (*node, error) {
	var operand *node
	var err error
	if e.Operand != nil {
		if operand, err = c.compile(e.Operand); err != nil {
			return nil, err
		}
	}
	var whens, results []*node
	for i := range e.Whens {
		when, err := c.when(&e.Whens[i], operand)
		if err != nil {
			return nil, err
		}
		then, err := c.compile(e.Whens[i].Then)
		if err != nil {
			return nil, err
		}
		whens, results = append(whens, when), append(results, then)
	}
	otherwise := constant(e, nil, row.Null)
	if e.Else != nil {
		if otherwise, err = c.compile(e.Else); err != nil {
			return nil, err
		}
	}
	results, t, err := c.unify(append(results, otherwise))
	if err != nil {
		return nil, errorAt(e, CodeType, "Invalid Case expression. Type for all 'THEN' clauses should be the same. %s", err.Error()).hint("cast the results to one type")
	}
	tests, thens := evals(whens), evals(results)
	return c.fold(newNode(e, t, func(e env) (row.Value, error) {
		for i, test := range tests {
			v, err := test(e)
			if err != nil {
				return row.Null, err
			}
			if v.Boolean() {
				return thens[i](e)
			}
		}
		return thens[len(tests)](e)
	}), append(whens, results...)...), nil
}

// when compiles a condition, or for CASE x the comparison with x.
func (c *compiler) when(w *ast.When, operand *node) (*node, error) {
	n, err := c.compile(w.When)
	if err != nil {
		return nil, err
	}
	if operand != nil {
		return c.compare(w.When, ast.Eq, operand, n)
	}
	if n.typ != nil && n.typ.Kind != row.KindBoolean {
		return nil, errorAt(w, CodeType, "WHEN operand type should be boolean.\nType for '%s' is %s", ast.Format(w.When), n.typ).
			hint("CASE x WHEN value compares, CASE WHEN condition tests")
	}
	return n, nil
}

func evals(nodes []*node) []eval {
	out := make([]eval, len(nodes))
	for i, n := range nodes {
		out[i] = n.eval
	}
	return out
}
