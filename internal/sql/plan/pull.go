package plan

import (
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/row"
)

// The settings of pull queries.
const (
	settingPull      = "ksql.pull.queries.enable"
	settingTableScan = "ksql.query.pull.table.scan.enabled"
	settingRangeScan = "ksql.query.pull.range.scan.enabled"
	settingLimit     = "ksql.query.pull.limit.clause.enabled"
	settingStream    = "ksql.query.pull.stream.enabled"
)

// on tells whether a setting is on; all of pull queries are so by default, as in ksqlDB.
func (s Settings) on(name string) bool { return strings.ToLower(s.get(name, "true")) != "false" }

// pushInstead ends messages about what pull queries do not do. Where clients of ksqlDB compare messages the sentence with its link stands before.
const (
	pushInstead = "\nAdd EMIT CHANGES if you intended to issue a push query."
	pullHelp    = " See https://cnfl.io/queries for more info." + pushInstead
)

// pull plans a query of what is there.
func pull(c Context, q *ast.Query) (*Select, error) {
	if err := pullClauses(c.Settings, q); err != nil {
		return nil, err
	}
	p := newPlanner(c, q, "")
	p.own = true
	var err error
	if p.sources, err = p.from(q.From); err != nil {
		return nil, err
	}
	source := p.sources[0]
	if !source.Table && !c.Settings.on(settingStream) {
		return nil, errorAt(source.at, "Pull queries on streams are disabled. To enable them set %s=true.", settingStream)
	}
	root, err := p.pullRows()
	if err != nil {
		return nil, err
	}
	out, err := p.result(root)
	if err != nil {
		return nil, err
	}
	if source.Table {
		out.Access, err = p.access(root)
	}
	return out, err
}

// pullClauses refuses the clauses that pull queries do not have.
func pullClauses(s Settings, q *ast.Query) error {
	if !s.on(settingPull) {
		return errorf("Pull queries are disabled. To enable them set %s=true.", settingPull)
	}
	_, join := q.From.(*ast.Join)
	for _, clause := range []struct {
		there bool
		name  string
	}{
		{join, "JOIN"}, {q.Window != nil, "WINDOW"}, {q.GroupBy != nil, "GROUP BY"}, {q.PartitionBy != nil, "PARTITION BY"}, {q.Having != nil, "HAVING"},
	} {
		if clause.there {
			return errorf("Pull queries don't support %s clauses."+pullHelp, clause.name)
		}
	}
	switch {
	case q.Limit == nil:
	case !s.on(settingLimit):
		return errorAt(q.Limit, "LIMIT clause in pull queries is currently disabled. You can enable them by setting %s=true."+pullHelp, settingLimit)
	case q.Limit.Value < 0:
		return errorAt(q.Limit, "Pull queries don't support negative integers in the LIMIT clause."+pullHelp)
	}
	return nil
}

// pullRows plans the rows of the only source that the condition lets through.
func (p *planner) pullRows() (Node, error) {
	if err := p.readTimes(); err != nil {
		return nil, err
	}
	q := p.query
	p.all = columnSet{list: all(p.sources)}
	if err := p.expandItems(); err != nil {
		return nil, err
	}
	if calls := p.aggregates(); len(calls) > 0 {
		return nil, errorAt(calls[0], "Pull queries don't support aggregate functions: %s."+pushInstead, ast.Format(calls[0]))
	}
	var selected []ast.Expr
	for _, i := range p.items {
		selected = append(selected, i.expr)
	}
	if err := pullColumns("SELECT", selected...); err != nil {
		return nil, err
	}
	if err := pullColumns("WHERE", q.Where); err != nil {
		return nil, err
	}
	p.use(append(selected, q.Where)...)
	p.keys = sourceKeys(p.sources[0])
	root := Node(p.source(p.sources[0]))
	if q.Where != nil {
		var err error
		if root, err = p.filter(root, q.Where, "WHERE"); err != nil {
			return nil, err
		}
	}
	return p.expand(root)
}

// pullColumns refuses the pseudo columns that pull queries do not have.
func pullColumns(where string, exprs ...ast.Expr) error {
	var wrong []string
	for _, e := range exprs {
		eachColumn(e, func(ref *ast.ColumnRef) {
			name := row.Quote(ref.Name.Text)
			if (ref.Name.Text == rowPartition || ref.Name.Text == rowOffset) && !slices.Contains(wrong, name) {
				wrong = append(wrong, name)
			}
		})
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errorf("Pull queries don't support the following columns in %s clauses: %s", where, strings.Join(wrong, ", "))
}
