package plan

import (
	"github.com/mainstemio/mainstem/internal/java/datetime"
	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// withTimes returns the condition of a query with the texts of times that ROWTIME, WINDOWSTART and WINDOWEND are compared with as numbers:
// '2020-02-23T22:45' stands for ms since 1970, in UTC unless it names a zone.
func withTimes(where ast.Expr) (ast.Expr, error) {
	var wrong error
	number := func(beside, e ast.Expr) ast.Expr {
		text, ok := e.(*ast.StringLiteral)
		if !ok || !isTime(beside) {
			return e
		}
		ms, err := datetime.Instant(text.Value)
		if err != nil {
			if wrong == nil {
				wrong = errorAt(text, "Failed to parse timestamp '%s': %s", text.Value, err)
			}
			return e
		}
		return &ast.IntegerLiteral{Span: text.Span, Value: ms}
	}
	out := rewrite(where, func(e ast.Expr) ast.Expr {
		switch e := e.(type) {
		case *ast.Binary:
			if !e.Op.Comparison() {
				return nil
			}
			n := *e
			n.Left, n.Right = number(e.Right, e.Left), number(e.Left, e.Right)
			if n.Left != e.Left || n.Right != e.Right {
				return &n
			}
		case *ast.Between:
			n := *e
			n.Low, n.High = number(e.X, e.Low), number(e.X, e.High)
			if n.Low != e.Low || n.High != e.High {
				return &n
			}
		}
		return nil
	})
	return out, wrong
}

func isTime(e ast.Expr) bool {
	ref, ok := e.(*ast.ColumnRef)
	return ok && (ref.Name.Text == rowTime || ref.Name.Text == windowStart || ref.Name.Text == windowEnd)
}

// readTimes gives the query its condition with times.
func (p *planner) readTimes() error {
	where, err := withTimes(p.query.Where)
	if err != nil {
		return err
	}
	q := *p.query
	q.Where = where
	p.query = &q
	return nil
}
