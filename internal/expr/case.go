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
	results, t, err := c.branches(e, append(results, otherwise))
	if err != nil {
		return nil, err
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

// branches brings the results of a CASE to one type: numbers to the widest, nested values part by part. Otherwise than in lists of values the
// text of a literal stands for nothing else, as in ksqlDB: the branch that is wrong may be the one that is seldom taken.
func (c *compiler) branches(e *ast.Case, nodes []*node) ([]*node, *row.Type, error) {
	var t *row.Type
	for i, n := range nodes {
		merged := mergeTypes(t, n.typ)
		if merged == nil && t != nil {
			clause := "all 'THEN' clauses should be the same"
			if i == len(e.Whens) {
				clause = "the default clause should be the same as for 'THEN' clauses"
			}
			return nil, nil, errorAt(n.e, CodeType, "Invalid Case expression. Type for %s. %s is %s, the results before it are %s.",
				clause, ast.Format(n.e), n.typ, t).hint("cast the results to one type")
		}
		t = merged
	}
	if t == nil {
		return nil, nil, errorAt(e, CodeType, "Invalid Case expression. All case branches have NULL type.").hint("CAST(NULL AS STRING) says which type is meant")
	}
	out := make([]*node, len(nodes))
	for i, n := range nodes {
		var err error
		if out[i], err = c.convert(n, t); err != nil {
			return nil, nil, err
		}
	}
	return out, t, nil
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
