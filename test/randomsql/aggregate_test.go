package randomsql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// An aggregate is a function over groups in both languages.
type aggregate struct {
	sql     string      // ksqlDB's, $1 and $2 are the arguments
	pg      string      // over the columns of the arguments
	args    []*row.Type // nil within: any type of keyTypes
	result  func(args []*row.Type) *row.Type
	undo    bool // also over tables
	ordered bool // depends on the order of rows
	set     bool // a list without order
}

func is(t *row.Type) func([]*row.Type) *row.Type {
	return func([]*row.Type) *row.Type { return t }
}
func sameType(args []*row.Type) *row.Type { return args[0] }
func listOf(args []*row.Type) *row.Type   { return row.ArrayType(args[0]) }

const known = " FILTER (WHERE $1 IS NOT NULL)"

// aggregates are those that are written. AVG and the deviations are computed as doubles on both sides.
var aggregates = []aggregate{
	{sql: "COUNT(*)", pg: "count(*)", result: is(row.Bigint), undo: true},
	{sql: "COUNT($1)", pg: "count($1)", args: []*row.Type{nil}, result: is(row.Bigint), undo: true},
	{sql: "SUM($1)", pg: "COALESCE(sum($1), 0)::int4", args: []*row.Type{row.Int}, result: sameType, undo: true},
	{sql: "SUM($1)", pg: "COALESCE(sum($1), 0)::int8", args: []*row.Type{row.Bigint}, result: sameType, undo: true},
	{sql: "SUM($1)", pg: "COALESCE(sum($1), 0)", args: []*row.Type{row.Double}, result: sameType, undo: true},
	{sql: "SUM($1)", pg: "COALESCE(sum($1), 0)", args: []*row.Type{short}, result: sameType, undo: true},
	{sql: "SUM($1)", pg: "COALESCE(sum($1), 0)", args: []*row.Type{long}, result: sameType, undo: true},
	{sql: "AVG($1)", pg: "COALESCE(avg($1::float8), 0)", args: []*row.Type{row.Int}, result: is(row.Double), undo: true},
	{sql: "AVG($1)", pg: "COALESCE(avg($1::float8), 0)", args: []*row.Type{row.Bigint}, result: is(row.Double), undo: true},
	{sql: "AVG($1)", pg: "COALESCE(avg($1), 0)", args: []*row.Type{row.Double}, result: is(row.Double), undo: true},
	{sql: "MIN($1)", pg: "min($1)", args: []*row.Type{row.Int}, result: sameType},
	{sql: "MAX($1)", pg: "max($1)", args: []*row.Type{row.Bigint}, result: sameType},
	{sql: "MIN($1)", pg: "min($1)", args: []*row.Type{row.StringType}, result: sameType},
	{sql: "MAX($1)", pg: "max($1)", args: []*row.Type{row.StringType}, result: sameType},
	{sql: "MAX($1)", pg: "max($1)", args: []*row.Type{short}, result: sameType},
	{sql: "MIN($1)", pg: "min($1)", args: []*row.Type{row.DateType}, result: sameType},
	{sql: "MAX($1)", pg: "max($1)", args: []*row.Type{row.TimestampType}, result: sameType},
	{sql: "MIN($1)", pg: "min($1)", args: []*row.Type{row.Double}, result: sameType},
	{sql: "MAX($1)", pg: "(array_agg($1 ORDER BY $1 DESC)" + known + ")[1]", args: []*row.Type{row.BytesType}, result: sameType},
	{sql: "MAX($1)", pg: "max($1)", args: []*row.Type{row.TimeType}, result: sameType},
	{sql: "COLLECT_LIST($1)", pg: "array_agg($1)", args: []*row.Type{nil}, result: listOf, undo: true, set: true},
	{sql: "COLLECT_SET($1)", pg: "array_agg(DISTINCT $1)", args: []*row.Type{nil}, result: listOf, set: true},
	{sql: "COUNT_DISTINCT($1)", pg: "count(DISTINCT $1)", args: []*row.Type{nil}, result: is(row.Bigint)},
	{sql: "LATEST_BY_OFFSET($1)", pg: "(array_agg($1 ORDER BY seq DESC)" + known + ")[1]", args: []*row.Type{nil}, result: sameType, ordered: true},
	{sql: "EARLIEST_BY_OFFSET($1)", pg: "(array_agg($1 ORDER BY seq)" + known + ")[1]", args: []*row.Type{nil}, result: sameType, ordered: true},
	{sql: "LATEST_BY_OFFSET($1, FALSE)", pg: "(array_agg($1 ORDER BY seq DESC))[1]", args: []*row.Type{nil}, result: sameType, ordered: true},
	{sql: "EARLIEST_BY_OFFSET($1, 2)", pg: "COALESCE((array_agg($1 ORDER BY seq)" + known + ")[1:2], '{}')", args: []*row.Type{nil}, result: listOf, ordered: true},
	{
		sql: "LATEST_BY_OFFSET($1, 3)", pg: "ARRAY(SELECT e FROM unnest((array_agg($1 ORDER BY seq DESC)" + known + ")[1:3]) WITH ORDINALITY u(e, o) ORDER BY o DESC)",
		args: []*row.Type{nil}, result: listOf, ordered: true,
	},
	{sql: "TOPK($1, 3)", pg: "COALESCE((array_agg($1 ORDER BY $1 DESC)" + known + ")[1:3], '{}')", args: []*row.Type{row.Int}, result: listOf},
	{sql: "TOPK($1, 2)", pg: "COALESCE((array_agg($1 ORDER BY $1 DESC)" + known + ")[1:2], '{}')", args: []*row.Type{row.StringType}, result: listOf},
	{sql: "TOPKDISTINCT($1, 2)", pg: "COALESCE((array_agg(DISTINCT $1 ORDER BY $1 DESC)" + known + ")[1:2], '{}')", args: []*row.Type{row.Bigint}, result: listOf},
	{sql: "SUM_LIST($1)", pg: "COALESCE(sum((SELECT sum(e) FROM unnest($1) e)), 0)::int4", args: []*row.Type{ints}, result: is(row.Int), undo: true},
	{sql: "STDDEV_SAMP($1)", pg: "COALESCE(var_samp($1::float8), 0)", args: []*row.Type{row.Int}, result: is(row.Double), undo: true},
	{sql: "STDDEV_SAMPLE($1)", pg: "COALESCE(stddev_samp($1), 0)", args: []*row.Type{row.Double}, result: is(row.Double)},
	{
		sql: "ATTR($1)", pg: "(CASE WHEN count(DISTINCT $1) + LEAST(count(*) - count($1), 1) = 1 THEN (array_agg($1))[1] END)",
		args: []*row.Type{nil}, result: sameType, undo: true,
	},
	{
		sql: "HISTOGRAM($1)", pg: "COALESCE((SELECT jsonb_object_agg(k, n) FROM (SELECT k, count(*) AS n FROM unnest(array_agg($1)) k WHERE k IS NOT NULL GROUP BY k) h), '{}')",
		args: []*row.Type{row.StringType}, result: is(row.MapType(row.StringType, row.Bigint)), undo: true,
	},
}

// An aggregateCall is an aggregate in a query. It stands in expressions as a leaf whose text in PostgreSQL names it.
type aggregateCall struct {
	*aggregate
	args []*expr
}

// result is the aggregate over the columns of its arguments.
func (a aggregateCall) result(n int) string {
	text := a.pg
	for i := range a.args {
		text = strings.ReplaceAll(text, fmt.Sprintf("$%d", i+1), fmt.Sprintf("a%d_%d", n, i))
	}
	return text
}

// aggregates lists the calls in the items and HAVING, each once.
func (q *query) aggregates() []*aggregateCall {
	var out []*aggregateCall
	var visit func(e *expr)
	visit = func(e *expr) {
		if e == nil {
			return
		}
		if e.call != nil && !slices.Contains(out, e.call) {
			out = append(out, e.call)
		}
		for _, a := range e.args {
			visit(a)
		}
	}
	for _, i := range q.items {
		visit(i.e)
	}
	visit(q.having)
	return out
}

// behind is an expression over groups and aggregates in PostgreSQL.
func (q *query) behind(e *expr, calls []*aggregateCall) string {
	var d dialect
	d = func(e *expr) string {
		switch {
		case e.call != nil:
			return fmt.Sprintf("r%d", slices.Index(calls, e.call))
		case e.group != nil:
			return fmt.Sprintf("g%d", slices.Index(q.group, e.group))
		}
		return e.inPG(d)
	}
	return d(e)
}
