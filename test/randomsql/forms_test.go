package randomsql

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/row"
)

// Where both systems mean different things by definition, forms say it so that both mean one:
//
//   - A comparison with NULL is false in ksqlDB: in PostgreSQL it stands within COALESCE(…, FALSE). LIKE is null in both.
//   - An expression that fails is null as a whole in ksqlDB and an error in PostgreSQL: nothing fails. Divisors are NULLIF(…, 0), texts that
//     are cast are those of numbers.
//   - Quotients of DECIMALs have ksqlDB's scale and are rounded half up once: PostgreSQL computes them from whole numbers (quotient).
//   - ROUND of ksqlDB goes up at halves, also below zero: FLOOR(x + 0.5).
//   - || passes over nulls in ksqlDB, as CONCAT in PostgreSQL does; + of texts does not, as ||.
//   - SUM and AVG of nothing are zero in ksqlDB.
//   - Within lambdas arithmetic with null fails: elements stand within COALESCE.
//   - Numbers that overflow wrap around in ksqlDB: none does, since those that are large by nature are taken modulo a small one.
//   - Zeros of both signs are one number, but two values: DOUBLEs are no keys and are not counted by value.
//   - PostgreSQL sorts by bytes (collation C), as ksqlDB compares.

// compared are the types that comparisons know, in pairs that go together.
var compared = [][2]*row.Type{
	{row.Int, row.Int},
	{row.Int, row.Bigint},
	{row.Bigint, row.Double},
	{row.Double, row.Int},
	{short, row.Int},
	{short, long},
	{long, row.Bigint},
	{row.StringType, row.StringType},
	{row.StringType, row.StringType},
	{row.BytesType, row.BytesType},
	{row.DateType, row.DateType},
	{row.TimeType, row.TimeType},
	{row.TimestampType, row.TimestampType},
	{row.DateType, row.TimestampType},
	{row.Double, row.Double},
}

var likes = []string{"a%", "%b", "%a%", "_", "a_", "%_b%", "a", "%", "", "_%_", "%漢%"}

func (a author) boolean(depth int) *expr {
	t := row.Boolean
	switch n := a.r.IntN(12); n {
	case 0, 1, 2, 3:
		pair := compared[a.r.IntN(len(compared))]
		op := []string{"=", "<>", "<", "<=", ">", ">="}[a.r.IntN(6)]
		return call(t, "($1 "+op+" $2)", "COALESCE($1 "+op+" $2, FALSE)", a.expr(pair[0], depth-1), a.expr(pair[1], depth-1))
	case 4:
		return a.pick(t, depth, []form{f("($1 AND $2)", "", t, t), f("($1 OR $2)", "", t, t), f("(NOT $1)", "", t)})
	case 5:
		x := a.expr(scalars[a.r.IntN(len(scalars))], depth-1)
		return call(t, []string{"($1 IS NULL)", "($1 IS NOT NULL)"}[a.r.IntN(2)], "", x)
	case 6:
		k := keyTypes[a.r.IntN(len(keyTypes))]
		args := []*expr{a.expr(k, depth-1), literal(value(a.r, k), k), literal(value(a.r, k), k)}
		if a.one(2) {
			return call(t, "($1 NOT IN ($2, $3))", "NOT COALESCE($1 IN ($2, $3), FALSE)", args...)
		}
		return call(t, "($1 IN ($2, $3))", "COALESCE($1 IN ($2, $3), FALSE)", args...)
	case 7:
		k := []*row.Type{row.Int, row.Bigint, row.Double, short, row.StringType, row.DateType}[a.r.IntN(6)]
		args := []*expr{a.expr(k, depth-1), a.expr(k, depth-1), a.expr(k, depth-1)}
		const pg = "(COALESCE($1 >= $2, FALSE) AND COALESCE($1 <= $3, FALSE))"
		if a.one(2) {
			return call(t, "($1 NOT BETWEEN $2 AND $3)", "NOT "+pg, args...)
		}
		return call(t, "($1 BETWEEN $2 AND $3)", pg, args...)
	case 8:
		p := quoted(likes[a.r.IntN(len(likes))])
		not := []string{"", "NOT "}[a.r.IntN(2)]
		return call(t, "($1 "+not+"LIKE "+p+")", "", a.expr(row.StringType, depth-1))
	case 9:
		k := keyTypes[a.r.IntN(len(keyTypes))]
		op := []string{"IS DISTINCT FROM", "IS NOT DISTINCT FROM"}[a.r.IntN(2)]
		return call(t, "($1 "+op+" $2)", "", a.expr(k, depth-1), a.expr(k, depth-1))
	case 10:
		at := []*row.Type{ints, bigints, texts}[a.r.IntN(3)]
		return call(t, "ARRAY_CONTAINS($1, $2)", "(array_position($1, $2) IS NOT NULL)", a.expr(at, depth-1), a.expr(at.Elem, depth-1))
	}
	at := []*row.Type{ints, texts}[a.r.IntN(2)]
	return call(t, "($1 = $2)", "COALESCE($1 = $2, FALSE)", a.expr(at, depth-1), a.expr(at, depth-1))
}

var integerForms = []form{
	f("($1 + $2)", "", row.Int, row.Int), f("($1 - $2)", "", row.Int, row.Int), f("($1 * 3)", "", row.Int), f("(-$1)", "", row.Int),
	f("($1 / NULLIF($2, 0))", "", row.Int, row.Int), f("($1 % NULLIF($2, 0))", "", row.Int, row.Int), f("ABS($1)", "", row.Int),
	f("LEN($1)", "length($1)", row.StringType), f("LEN($1)", "octet_length($1)", row.BytesType), f("INSTR($1, 'a')", "strpos($1, 'a')", row.StringType),
	f("CAST($1 % CAST(1000 AS BIGINT) AS INT)", "($1 % 1000)::int4", row.Bigint), f("CAST(CAST($1 AS BIGINT) % CAST(1000 AS BIGINT) AS INT)", "(trunc($1)::int8 % 1000)::int4", short),
	f("CAST(GREATEST(LEAST($1, CAST(1000 AS DOUBLE)), CAST(-1000 AS DOUBLE)) AS INT)", "trunc(GREATEST(LEAST($1, 1000), -1000))::int4", row.Double),
	f("CAST(CAST($1 AS STRING) AS INT)", "($1::text)::int4", row.Int), f("ARRAY_LENGTH($1)", "cardinality($1)", ints), f("ARRAY_LENGTH($1)", "cardinality($1)", texts),
	f("$1[2]", "($1)[2]", ints), f("$1[1]", "($1)[1]", ints), f("$1[-1]", "($1)[cardinality($1)]", ints), f("$1['a']", "($1->>'a')::int4", numbers),
	f("$1->F1", "($1->>'F1')::int4", pair), f("SIGN($1)", "sign($1)::int4", row.Double), f("UNIX_DATE($1)", "($1 - DATE '1970-01-01')", row.DateType),
	f("ARRAY_MAX($1)", "(SELECT max(e) FROM unnest($1) e)", ints), f("ARRAY_MIN($1)", "(SELECT min(e) FROM unnest($1) e)", ints),
	f("REDUCE($1, 1, (s, e) => s + COALESCE(e, 2))", "(CASE WHEN $1 IS NULL THEN 1 ELSE 1 + COALESCE((SELECT sum(COALESCE(e, 2)) FROM unnest($1) e), 0)::int4 END)", ints),
	f("FIELD($1, 'a', 'ab', 'b')", "COALESCE(array_position(ARRAY['a','ab','b'], $1), 0)", row.StringType),
}

func (a author) integer(depth int) *expr { return a.pick(row.Int, depth, integerForms) }

var bigintForms = []form{
	f("($1 + $2)", "", row.Bigint, row.Int), f("($1 - $2)", "", row.Bigint, row.Bigint), f("($1 * 2)", "", row.Bigint), f("(-$1)", "", row.Bigint),
	f("($1 / NULLIF($2, 0))", "", row.Bigint, row.Int), f("($1 % NULLIF($2, 0))", "", row.Bigint, row.Bigint), f("ABS($1)", "", row.Bigint),
	f("CAST($1 AS BIGINT)", "$1::int8", row.Int), f("ROUND($1)", "floor($1 + 0.5)::int8", row.Double), f("CEIL($1)", "$1", row.Bigint),
	f("CAST($1 AS BIGINT)", "trunc($1)::int8", long), f("(UNIX_TIMESTAMP($1) % CAST(100000 AS BIGINT))", "((extract(epoch FROM $1) * 1000)::int8 % 100000)", row.TimestampType),
	f("$1[1]", "($1)[1]", bigints), f("$1->F1", "($1->>'F1')::int8", account), f("TRUNC($1)", "trunc($1)::int8", row.Double),
	f("ARRAY_MAX($1)", "(SELECT max(e) FROM unnest($1) e)", bigints), f("CAST(CAST($1 AS STRING) AS BIGINT)", "($1::text)::int8", row.Bigint),
}

func (a author) bigint(depth int) *expr { return a.pick(row.Bigint, depth, bigintForms) }

var doubleForms = []form{
	f("($1 + $2)", "", row.Double, row.Double), f("($1 - $2)", "($1 - $2)", row.Double, row.Int), f("($1 * $2)", "", row.Double, row.Int), f("(-$1)", "", row.Double),
	f("($1 / CAST(2 AS DOUBLE))", "($1 / 2::float8)", row.Double), f("ABS($1)", "", row.Double), f("FLOOR($1)", "", row.Double), f("CEIL($1)", "", row.Double),
	f("CAST($1 AS DOUBLE)", "$1::float8", row.Int), f("CAST($1 AS DOUBLE)", "$1::float8", short), f("SQRT(ABS($1))", "", row.Double),
	f("$1->F2", "($1->>'F2')::float8", account), f("($1 + $2)", "($1 + $2::float8)", row.Double, row.Bigint),
}

func (a author) double(depth int) *expr {
	return a.pick(row.Double, 1+depth/2, doubleForms) // flat: products stay exact
}

// decimal is an operation on decimals, cast to the type.
func (a author) decimal(t *row.Type, depth int) *expr {
	types := []*row.Type{short, long, row.Int, row.Bigint}
	ops := []decimal.Op{decimal.Add, decimal.Sub, decimal.Mul, decimal.Rem, decimal.Div}
	n := a.r.IntN(9)
	if n > 4 {
		other := short
		if t == short {
			other = long
		}
		cast, pg := "CAST($1 AS "+t.String()+")", "$1::"+pgType(t)
		forms := []form{
			f(cast, pg, row.Int), f(cast, pg, other), f("ABS($1)", "", t), f("FLOOR($1)", "floor($1)::"+pgType(t), t), f("CEIL($1)", "ceil($1)::"+pgType(t), t), f("(-$1)", "", t),
			f("ROUND($1, 1)", "(floor($1 * 10 + 0.5) / 10)::"+pgType(t), t), f("TRUNC($1, 1)", "trunc($1, 1)::"+pgType(t), t),
			f("CAST(CAST($1 AS STRING) AS "+t.String()+")", "$1", t), f("CAST($1 AS "+t.String()+")", pg, row.Double),
		}
		if t == short {
			forms = append(forms, f("$1->F3", "($1->>'F3')::"+pgType(t), account))
		}
		return a.pick(t, depth, forms)
	}
	x, y := types[a.r.IntN(2)], types[a.r.IntN(4)]
	l, r := a.expr(x, min(depth-1, 1)), a.expr(y, min(depth-1, 1))
	op := []string{"+", "-", "*", "%", "/"}[n]
	if n < 3 {
		return call(t, "CAST($1 "+op+" $2 AS "+t.String()+")", "($1 "+op+" $2)::"+pgType(t), l, r)
	}
	sql := "CAST($1 " + op + " NULLIF($2, " + zero(y) + ") AS " + t.String() + ")"
	if n == 3 {
		return call(t, sql, "($1 % NULLIF($2, 0))::"+pgType(t), l, r)
	}
	scale := decimal.Result(ops[n], decimal.Of(x), decimal.Of(y)).Scale
	return call(t, sql, quotient(scale)+"::"+pgType(t), l, r)
}

func zero(t *row.Type) string {
	if t.Kind == row.KindDecimal {
		return "CAST(0 AS " + t.String() + ")"
	}
	return "0"
}

// quotient is $1 / $2 with digits behind the point, rounded half up, null for a division by zero.
func quotient(scale int) string {
	unit := "1" + strings.Repeat("0", scale)
	return fmt.Sprintf("(sign($1) * sign(NULLIF($2, 0)::numeric) * div(abs($1) * 2 * %s + abs($2), 2 * abs(NULLIF($2, 0)::numeric)) * 0.%s1)",
		unit, strings.Repeat("0", scale-1))
}

var textForms = []form{
	f("($1 || $2)", "concat($1, $2)", row.StringType, row.StringType), f("($1 + $2)", "($1 || $2)", row.StringType, row.StringType),
	f("CONCAT($1, '-', $2)", "concat($1, '-', $2)", row.StringType, row.StringType), f("CONCAT_WS(';', $1, $2)", "concat_ws(';', $1, $2)", row.StringType, row.StringType),
	f("UCASE($1)", "upper($1)", row.StringType), f("LCASE($1)", "lower($1)", row.StringType), f("TRIM($1)", "btrim($1)", row.StringType),
	f("SUBSTRING($1, 2)", "substr($1, 2)", row.StringType), f("SUBSTRING($1, 1, 2)", "substr($1, 1, 2)", row.StringType),
	f("REPLACE($1, 'a', 'zz')", "replace($1, 'a', 'zz')", row.StringType), f("LPAD($1, 4, 'xy')", "lpad($1, 4, 'xy')", row.StringType),
	f("RPAD($1, 3, '漢')", "rpad($1, 3, '漢')", row.StringType), f("CAST($1 AS STRING)", "$1::text", row.Int), f("CAST($1 AS STRING)", "$1::text", row.Bigint),
	f("CAST($1 AS STRING)", "$1::text", short), f("CAST($1 AS STRING)", "$1::text", row.Boolean), f("CAST($1 AS STRING)", "to_char($1, 'YYYY-MM-DD')", row.DateType),
	f("CAST($1 AS STRING)", "to_char($1, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS')", row.TimestampType), f("FORMAT_DATE($1, 'dd/MM/yyyy')", "to_char($1, 'DD/MM/YYYY')", row.DateType),
	f("FORMAT_TIMESTAMP($1, 'yyyyMMdd HH:mm')", "to_char($1, 'YYYYMMDD HH24:MI')", row.TimestampType), f("FORMAT_TIME($1, 'HH-mm-ss.SSS')", "to_char($1, 'HH24-MI-SS.MS')", row.TimeType),
	f("ARRAY_JOIN($1, '+')", "array_to_string($1, '+', 'null')", ints), f("$1[1]", "($1)[1]", texts), f("$1['k']", "($1->>'k')", names), f("$1->F2", "($1->>'F2')", pair),
	f("REGEXP_REPLACE($1, 'a+b?', '<$0>')", "regexp_replace($1, 'a+b?', '<\\&>', 'g')", row.StringType), f("REGEXP_EXTRACT('[0-9]+', $1)", "substring($1 FROM '[0-9]+')", row.StringType),
	f("FROM_BYTES($1, 'hex')", "upper(encode($1, 'hex'))", row.BytesType), f("SPLIT($1, 'a')[1]", "split_part($1, 'a', 1)", row.StringType),
	f("ELT(2, $1, $2)", "$2", row.StringType, row.StringType), f("MD5($1)", "md5($1)", row.StringType), f("TO_JSON_STRING($1)", "COALESCE($1::text, 'null')", row.Int),
}

func (a author) text(depth int) *expr { return a.pick(row.StringType, depth, textForms) }

var bytesForms = []form{
	f("CONCAT($1, $2)", "(COALESCE($1, '') || COALESCE($2, ''))", row.BytesType, row.BytesType), f("TO_BYTES($1, 'utf8')", "convert_to($1, 'UTF8')", row.StringType),
	f("SUBSTRING($1, 1, 1)", "substr($1, 1, 1)", row.BytesType), f("SUBSTRING($1, 2)", "substr($1, 2)", row.BytesType),
}

func (a author) bytes(depth int) *expr { return a.pick(row.BytesType, depth, bytesForms) }

var temporalForms = map[row.Kind][]form{
	row.KindDate: {
		f("DATEADD(DAYS, $1, $2)", "($2 + $1)", row.Int, row.DateType), f("DATESUB(DAYS, 3, $1)", "($1 - 3)", row.DateType), f("CAST($1 AS DATE)", "$1::date", row.TimestampType),
		f("FROM_DAYS($1)", "(DATE '1970-01-01' + $1)", row.Int), f("PARSE_DATE(FORMAT_DATE($1, 'yyyy.MM.dd'), 'yyyy.MM.dd')", "$1", row.DateType),
	},
	row.KindTime: {
		f("TIMEADD(MINUTES, $1, $2)", "($2 + $1 * interval '1 minute')", row.Int, row.TimeType), f("TIMESUB(HOURS, 5, $1)", "($1 - interval '5 hours')", row.TimeType),
		f("CAST($1 AS TIME)", "$1::time", row.TimestampType),
	},
	row.KindTimestamp: {
		f("TIMESTAMPADD(HOURS, $1, $2)", "($2 + $1 * interval '1 hour')", row.Int, row.TimestampType), f("TIMESTAMPSUB(MILLISECONDS, 7, $1)", "($1 - interval '7 milliseconds')", row.TimestampType),
		f("FROM_UNIXTIME($1)", "(timestamp 'epoch' + $1 * interval '1 millisecond')", row.Bigint), f("CAST($1 AS TIMESTAMP)", "$1::timestamp", row.DateType),
		f("CONVERT_TZ($1, 'UTC', 'Europe/Berlin')", "(($1 AT TIME ZONE 'UTC') AT TIME ZONE 'Europe/Berlin')", row.TimestampType),
		f("PARSE_TIMESTAMP(FORMAT_TIMESTAMP($1, 'yyyy-MM-dd HH:mm'), 'yyyy-MM-dd HH:mm')", "date_trunc('minute', $1)", row.TimestampType),
	},
}

func (a author) temporal(t *row.Type, depth int) *expr {
	return a.pick(t, depth, temporalForms[t.Kind])
}

func (a author) array(t *row.Type, depth int) *expr {
	if a.one(3) {
		return a.constructor(t, depth)
	}
	null := "(CASE WHEN $1 IS NULL THEN NULL ELSE "
	forms := []form{
		f("ARRAY_CONCAT($1, $2)", "array_cat($1, $2)", t, t), f("ARRAY_SORT($1)", null+"ARRAY(SELECT e FROM unnest($1) e ORDER BY e NULLS LAST) END)", t),
		f("ARRAY_DISTINCT($1)", null+"ARRAY(SELECT e FROM unnest($1) WITH ORDINALITY u(e, o) GROUP BY e ORDER BY min(o)) END)", t),
		f("SLICE($1, 1, 2)", "(CASE WHEN cardinality($1) >= 2 THEN ($1)[1:2] END)", t), f("ARRAY_REMOVE($1, $2)", "array_remove($1, $2)", t, t.Elem),
	}
	switch t {
	case ints:
		forms = append(forms, f("TRANSFORM($1, e => COALESCE(e, 0) + 1)", null+"ARRAY(SELECT COALESCE(e, 0) + 1 FROM unnest($1) WITH ORDINALITY u(e, o) ORDER BY o) END)", ints),
			f("FILTER($1, e => e > 1)", null+"ARRAY(SELECT e FROM unnest($1) WITH ORDINALITY u(e, o) WHERE e > 1 ORDER BY o) END)", ints),
			f("GENERATE_SERIES(1, 3)", "ARRAY[1,2,3]"), f("MAP_VALUES($1)", null+"ARRAY(SELECT value::int4 FROM jsonb_each_text($1) ORDER BY key) END)", numbers),
			f("TRANSFORM($1, e => LEN(e))", null+"ARRAY(SELECT length(e) FROM unnest($1) WITH ORDINALITY u(e, o) ORDER BY o) END)", texts))
	case texts:
		forms = append(forms, f("SPLIT($1, 'a')", "(CASE WHEN $1 = '' THEN ARRAY[''] ELSE string_to_array($1, 'a') END)", row.StringType),
			f("MAP_KEYS($1)", null+"ARRAY(SELECT k FROM jsonb_object_keys($1) k ORDER BY k) END)", numbers))
	}
	return a.pick(t, depth, forms)
}

func (a author) mapping(t *row.Type, depth int) *expr {
	if a.one(2) {
		return a.constructor(t, depth)
	}
	x, y := a.expr(t, depth-1), a.expr(t, depth-1)
	return call(t, "MAP_UNION($1, $2)", "(CASE WHEN $1 IS NULL THEN $2 WHEN $2 IS NULL THEN $1 ELSE $1 || $2 END)", x, y)
}
