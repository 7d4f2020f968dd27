package expr

import (
	"errors"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/row"
)

const numbers = "i INT, j INT, b BIGINT, d DOUBLE, m DECIMAL(4, 2), n DECIMAL(6, 3), t STRING, f BOOLEAN, z INT"

func TestArithmeticHasTheTypesOfKsqlDB(t *testing.T) {
	s := columns(t, numbers)
	check(t, s, values(t, s, "7", "-2", "10000000000", "2.5", "10.10", "1.005", "'ab'", "true", "NULL"), [][2]string{
		{"i + j", "5 INTEGER"},
		{"i * b", "70000000000 BIGINT"},
		{"i / j", "-3 INTEGER"},
		{"i % j", "1 INTEGER"},
		{"i / 2", "3 INTEGER"},
		{"2147483647 + i", "-2147483642 INTEGER"},
		{"-b", "-10000000000 BIGINT"},
		{"i + d", "9.5 DOUBLE"},
		{"d / 0", "Infinity DOUBLE"},
		{"d * 1E7", "2.5E7 DOUBLE"},
		{"d % 2", "0.5 DOUBLE"},
		{"i / 0", "error: division by zero"},
		{"m / 0.0", "error: division by zero"},
		{"m + m", "20.20 DECIMAL(5, 2)"},
		{"m + n", "11.105 DECIMAL(7, 3)"},
		{"m - n", "9.095 DECIMAL(7, 3)"},
		{"m * n", "10.15050 DECIMAL(11, 5)"},
		{"m / n", "10.049751244 DECIMAL(14, 9)"},
		{"m % n", "0.050 DECIMAL(5, 3)"},
		{"m + i", "17.10 DECIMAL(13, 2)"},
		{"m + d", "12.6 DOUBLE"},
		{"-m", "-10.10 DECIMAL(4, 2)"},
		{"z + i", "null INTEGER"},
		{"t + 'c'", "abc STRING"},
		{"t || NULL || 'c'", "abc STRING"},
		{"0.05", "0.05 DECIMAL(3, 2)"},
		{"2.345", "2.345 DECIMAL(4, 3)"},
		{"123456789012 + 1", "123456789013 BIGINT"},
	})
	checkErrors(t, s, [][2]string{
		{"TRUE + 1.5", "Error processing expression: (true + 1.5). Unsupported arithmetic types. BOOLEAN DECIMAL"},
		{"t - 'a'", "Unsupported arithmetic types. STRING STRING"},
		{"t + i", "Unsupported arithmetic types. STRING INTEGER"},
		{"-t", "Unsupported arithmetic types. STRING"},
		{"m / NULL", "Error processing expression: (M / null). Arithmetic on types DECIMAL(4, 2) and null are not supported."},
	})
}

func TestComparisons(t *testing.T) {
	s := columns(t, numbers+", dt DATE, tm TIME, ts TIMESTAMP, bs BYTES, a ARRAY<INT>, rowtime BIGINT")
	r := values(t, s, "7", "-2", "10", "0.1", "10.10", "1.500", "'ab'", "true", "NULL", "'1970-01-11'", "'00:00:05'", "'1970-01-11T00:00:00'", "'YWI='",
		"ARRAY[1, 2]", "1514764800001")
	check(t, s, r, [][2]string{
		{"i > j", "true BOOLEAN"},
		{"i = b", "false BOOLEAN"},
		{"m > i", "true BOOLEAN"},
		{"d > 0.1", "false BOOLEAN"},
		{"n = 1.5", "true BOOLEAN"},
		{"t < 'b'", "true BOOLEAN"},
		{"z = 1", "false BOOLEAN"},
		{"z <> 1", "false BOOLEAN"},
		{"NOT z = 1", "true BOOLEAN"},
		{"z IS DISTINCT FROM 1", "true BOOLEAN"},
		{"z IS DISTINCT FROM NULL", "false BOOLEAN"},
		{"i IS NOT DISTINCT FROM 7", "true BOOLEAN"},
		{"dt > '1970-01-10'", "true BOOLEAN"},
		{"'1970-01-12' > dt", "true BOOLEAN"},
		{"dt = ts", "true BOOLEAN"},
		{"tm BETWEEN '00:00:04' AND '00:00:05.001'", "true BOOLEAN"},
		{"bs = 'YWI='", "true BOOLEAN"},
		{"a = ARRAY[1, 2]", "true BOOLEAN"},
		{"a <> ARRAY[1]", "true BOOLEAN"},
		{"rowtime > '2018-01-01'", "true BOOLEAN"},
		{"rowtime >= '2018-01-01T00:00:00.001+0000'", "true BOOLEAN"},
		{"rowtime BETWEEN '2019' AND '2020'", "false BOOLEAN"},
		{"i BETWEEN 7 AND 8", "true BOOLEAN"},
		{"i NOT BETWEEN 7 AND 8", "false BOOLEAN"},
		{"z BETWEEN 1 AND 2", "false BOOLEAN"},
	})
	checkErrors(t, s, [][2]string{
		{"i >= 'x'", "Cannot compare I (INTEGER) to 'x' (STRING) with GREATER_THAN_OR_EQUAL."},
		{"a < a", "Cannot compare A (ARRAY<INTEGER>) to A (ARRAY<INTEGER>) with LESS_THAN."},
		{"f > TRUE", "with GREATER_THAN."},
		{"NULL <> NULL", "Comparison with NULL not supported: NULL <> NULL"},
		{"i = NULL", "Comparison with NULL not supported: INTEGER = NULL\nUse 'IS NULL' or 'IS NOT NULL' instead.\nStatement: (I = null)"},
		{"i >= 'y'", "with GREATER_THAN_OR_EQUAL.\nStatement: (I >= 'y')"},
		{"i BETWEEN 1 AND 'x'", "Invalid expression: Cannot compare I (INTEGER) to 'x' (STRING) with LESS_THAN_OR_EQUAL."},
		{"dt = 'today'", "invalid input syntax for type DATE"},
	})
}

func TestLogicHasThreeValues(t *testing.T) {
	s := columns(t, "f BOOLEAN, g BOOLEAN, z BOOLEAN, i INT")
	check(t, s, values(t, s, "true", "false", "NULL", "0"), [][2]string{
		{"f AND z", "null BOOLEAN"},
		{"g AND z", "false BOOLEAN"},
		{"z AND g", "false BOOLEAN"},
		{"z OR f", "true BOOLEAN"},
		{"z OR g", "null BOOLEAN"},
		{"NOT z", "null BOOLEAN"},
		{"z AND z", "null BOOLEAN"},
		{"f OR 1 / i = 1", "true BOOLEAN"},
		{"g AND 1 / i = 1", "false BOOLEAN"},
		{"f AND 1 / i = 1", "error: division by zero"},
		{"z IS NULL AND f IS NOT NULL", "true BOOLEAN"},
		{"CASE WHEN z THEN 1 WHEN f THEN 2 ELSE 1 / i END", "2 INTEGER"},
		{"CASE WHEN g THEN 1 END", "null INTEGER"},
		{"CASE i WHEN 1 THEN 'a' WHEN 0 THEN 'b' END", "b STRING"},
		{"CASE WHEN f THEN 1 ELSE 2.5 END", "1.0 DECIMAL(11, 1)"},
		{"CASE WHEN g THEN NULL ELSE 'x' END", "x STRING"},
	})
	checkErrors(t, s, [][2]string{
		{"f AND i", "Unexpected boolean expression"},
		{"NOT i", "Unexpected boolean expression"},
		{"CASE WHEN i THEN 1 END", "WHEN operand type should be boolean."},
	})
}

func TestTheResultsOfACaseAreOfOneType(t *testing.T) {
	s := columns(t, "f BOOLEAN, i INT, b BIGINT, m DECIMAL(4, 2), t STRING, dt DATE, a ARRAY<BIGINT>, st STRUCT<A BIGINT, B STRING>")
	r := values(t, s, "true", "2", "3", "1.50", "'x'", "'1970-01-02'", "ARRAY[1]", "STRUCT(A := 1, B := 'x')")
	check(t, s, r, [][2]string{
		{"CASE WHEN f THEN i ELSE b END", "2 BIGINT"},
		{"CASE WHEN f THEN i WHEN NOT f THEN m END", "2.00 DECIMAL(12, 2)"},
		{"CASE WHEN f THEN m ELSE 1e0 END", "1.5 DOUBLE"},
		{"CASE WHEN f THEN NULL WHEN f THEN dt END", "null DATE"},
		{"CASE WHEN f THEN ARRAY[i] ELSE a END", "[2] ARRAY<BIGINT>"},
		{"CASE WHEN f THEN STRUCT(A := i, B := NULL) ELSE st END", "Struct{A=2} STRUCT<A BIGINT, B STRING>"},
		{"CASE WHEN f THEN st ELSE STRUCT(A := NULL, B := t) END", "Struct{A=1,B=x} STRUCT<A BIGINT, B STRING>"},
	})
	const thens, otherwise = "Type for all 'THEN' clauses should be the same", "Type for the default clause should be the same as for 'THEN' clauses"
	checkErrors(t, s, [][2]string{
		{"CASE WHEN f THEN 1 ELSE 'x' END", otherwise},
		{"CASE WHEN f THEN 1 ELSE '2' END", otherwise},
		{"CASE WHEN f THEN 'x' ELSE 1 END", otherwise + ". 1 is INTEGER, the results before it are STRING."},
		{"CASE WHEN f THEN t WHEN NOT f THEN 1.5 END", thens},
		{"CASE WHEN f THEN 'x' WHEN NOT f THEN TRUE ELSE 'y' END", thens + ". true is BOOLEAN"},
		{"CASE WHEN f THEN dt ELSE '1970-01-01' END", otherwise},
		{"CASE WHEN f THEN f ELSE 'yes' END", otherwise},
		{"CASE WHEN f THEN a ELSE i END", otherwise},
		{"CASE WHEN f THEN ARRAY[1] ELSE ARRAY['1'] END", otherwise},
		{"CASE WHEN f THEN a ELSE MAP('a' := 1) END", otherwise},
		{"CASE i WHEN 2 THEN 'x' WHEN 3 THEN i END", thens},
		{"TRANSFORM(a, x => CASE WHEN x > 1 THEN 'big' ELSE x END)", otherwise},
		{"CASE WHEN f THEN NULL END", "All case branches have NULL type"},
		{"CASE WHEN f THEN NULL ELSE NULL END = 1", "All case branches have NULL type"},
	})
	_, err := compileText(t, s, "CASE WHEN f THEN 'x' ELSE 1 + i END")
	var e *Error
	if !errors.As(err, &e) || e.Span.Start != 26 || e.Code != CodeType || e.Hint == "" {
		t.Errorf("the error %+v is not at the branch", err)
	}
}

func TestInBringsAllToOneType(t *testing.T) {
	s := columns(t, "i INT, b BIGINT, d DOUBLE, m DECIMAL(4, 2), t STRING, f BOOLEAN, z INT, a ARRAY<BIGINT>, mp MAP<STRING, BIGINT>, st STRUCT<F0 BIGINT>")
	r := values(t, s, "2", "2147483648", "4.0", "3.00", "'10.30'", "true", "NULL", "ARRAY[10]", "MAP('a' := 1)", "STRUCT(F0 := 10)")
	check(t, s, r, [][2]string{
		{"i IN (1, 2.0, '4.000')", "true BOOLEAN"},
		{"i IN (3, '2147483648')", "false BOOLEAN"},
		{"b IN (i, '2147483648')", "true BOOLEAN"},
		{"d IN (1, '4.000')", "true BOOLEAN"},
		{"m IN (3, i)", "true BOOLEAN"},
		{"t IN (true, 10, 10.30)", "true BOOLEAN"},
		{"t NOT IN (10.3)", "true BOOLEAN"},
		{"f IN ('yes')", "true BOOLEAN"},
		{"z IN (1, NULL)", "false BOOLEAN"},
		{"z NOT IN (1, NULL)", "true BOOLEAN"},
		{"i IN (NULL, z, 2)", "true BOOLEAN"},
		{"a IN (ARRAY['10'], ARRAY[1, 2])", "true BOOLEAN"},
		{"mp IN (MAP('a' := i), MAP('a' := '1'))", "true BOOLEAN"},
		{"st IN (STRUCT(`f0` := 1), STRUCT(F0 := 10, F1 := 2))", "false BOOLEAN"},
		{"st IN (STRUCT(F0 := 10))", "true BOOLEAN"},
	})
	checkErrors(t, s, [][2]string{
		{"f IN (true, 10)", "Invalid Predicate: operator does not exist: BOOLEAN = INTEGER (10)\nHint: You might need to add explicit type casts."},
		{"i IN (10, 'ten')", "Invalid Predicate: invalid input syntax for type INTEGER: \"ten\"."},
		{"i IN (10, true)", "operator does not exist: INTEGER = BOOLEAN (true)"},
		{"m IN (10, true)", "operator does not exist: DECIMAL(12, 2) = BOOLEAN (true)"},
		{"t IN (10, d)", "operator does not exist: STRING = DOUBLE (D)"},
		{"a IN (ARRAY[f])", "operator does not exist: ARRAY<BIGINT> = ARRAY<BOOLEAN> (ARRAY[F])"},
		{"a IN (ARRAY['no'])", "invalid input syntax for type BIGINT: \"no\""},
		{"mp IN (MAP('a' := f))", "operator does not exist: MAP<STRING, BIGINT> = MAP<STRING, BOOLEAN> (MAP('a':=F))"},
		{"st IN (STRUCT(F0 := f))", "operator does not exist: STRUCT<`F0` BIGINT> = STRUCT<`F0` BOOLEAN> (STRUCT(F0:=F))"},
	})
}

func TestLike(t *testing.T) {
	s := columns(t, "t STRING, p STRING, z STRING")
	check(t, s, values(t, s, "'foobär_%'", "'f__b%'", "NULL"), [][2]string{
		{"t LIKE 'foo%'", "true BOOLEAN"},
		{"t LIKE 'foo'", "false BOOLEAN"},
		{"t LIKE '%b_r%'", "true BOOLEAN"},
		{"t LIKE p", "true BOOLEAN"},
		{"t LIKE '%!_!%' ESCAPE '!'", "true BOOLEAN"},
		{"t LIKE '%x!%' ESCAPE '!'", "false BOOLEAN"},
		{"t NOT LIKE '%o%o%b%'", "false BOOLEAN"},
		{"t LIKE '_______%%'", "true BOOLEAN"},
		{"t LIKE '_________'", "false BOOLEAN"},
		{"'' LIKE '%'", "true BOOLEAN"},
		{"'' LIKE ''", "true BOOLEAN"},
		{"'a' LIKE ''", "false BOOLEAN"},
		{"'aab' LIKE 'a%ab'", "true BOOLEAN"},
		{"'ab' LIKE 'a%ab'", "false BOOLEAN"},
		{"z LIKE '%'", "null BOOLEAN"},
	})
	checkErrors(t, s, [][2]string{{"1 LIKE '1'", "The column type for Like condition must be VARCHAR. The column type is INTEGER: 1"}})
}

func TestNestedValues(t *testing.T) {
	s := columns(t, "a ARRAY<INT>, m MAP<STRING, INT>, st STRUCT<A INT, `b` STRUCT<C STRING>>, z ARRAY<ARRAY<INT>>, i INT, t STRING")
	r := values(t, s, "ARRAY[1, NULL, 3]", "MAP('k' := 5)", "STRUCT(A := 1, `b` := STRUCT(C := 'x'))", "NULL", "2", "'no date'")
	check(t, s, r, [][2]string{
		{"a[1]", "1 INTEGER"},
		{"a[-1]", "3 INTEGER"},
		{"a[i]", "null INTEGER"},
		{"a[4]", "null INTEGER"},
		{"a[0]", "null INTEGER"},
		{"z[1][2]", "null INTEGER"},
		{"m['k']", "5 INTEGER"},
		{"m['x']", "null INTEGER"},
		{"st->A", "1 INTEGER"},
		{"st->`b`->C", "x STRING"},
		{"ARRAY[1, '2e1', 10000000000]", "[1, 20, 10000000000] ARRAY<DECIMAL(19, 0)>"},
		{"ARRAY[NULL, STRUCT(X := 1), STRUCT(Y := 2)]", "[null, Struct{X=1}, Struct{Y=2}] ARRAY<STRUCT<X INTEGER, Y INTEGER>>"},
		{"ARRAY[44, STRINGTODATE(t, 'yyyy')]", "[44, null] ARRAY<INTEGER>"},
		{"ARRAY[i / (i - 2), 1]", "[null, 1] ARRAY<INTEGER>"},
		{"MAP('b' := 1, 'a' := i)", "{a=2, b=1} MAP<STRING, INTEGER>"},
		{"MAP(t := true, 10 := 'no')", "{10=false, no date=true} MAP<STRING, BOOLEAN>"},
		{"MAP(NULL := 1, 'a' := 2)", "{a=2, null=1} MAP<STRING, INTEGER>"},
		{"STRUCT(A := 1, B := 'x')", "Struct{A=1,B=x} STRUCT<A INTEGER, B STRING>"},
		{"STRUCT()", "Struct{} STRUCT<>"},
	})
	checkErrors(t, s, [][2]string{
		{"ARRAY[]", "Array constructor cannot be empty"},
		{"ARRAY[NULL]", "Cannot construct an array with all NULL elements"},
		{"MAP()", "Map constructor cannot be empty"},
		{"MAP('a' := NULL)", "Cannot construct a map with all NULL values"},
		{"MAP(NULL := 1)", "Cannot construct a map with all NULL keys"},
		{"MAP('a' := 1, 'b' := 'x')", "invalid input syntax for type INTEGER: \"x\"."},
		{"STRUCT(A := 1, A := 2)", "Duplicate field names found in STRUCT"},
		{"st->D", "Could not find field 'D' in 'ST'."},
		{"i->D", "Expected STRUCT type, got: INTEGER"},
		{"i[1]", "can be applied only to ARRAY or MAP"},
		{"a['x']", "The index of an ARRAY must be an INTEGER"},
		{"m[1]", "The key of a MAP<STRING, INTEGER> must be STRING, but 1 is INTEGER"},
		{"m[TRUE]", "The key of a MAP<STRING, INTEGER> must be STRING, but true is BOOLEAN"},
	})
}

func TestCasts(t *testing.T) {
	s := columns(t, "b BIGINT, d DOUBLE, m DECIMAL(6, 2), t STRING, ts TIMESTAMP, a ARRAY<BIGINT>, mp MAP<STRING, BIGINT>, st STRUCT<F0 BIGINT, F1 STRING>")
	r := values(t, s, "2147483648", "-3.7", "12.99", "'12.5'", "'1969-12-31T23:59:58'", "ARRAY[1, 2147483648]", "MAP('this' := 1)", "STRUCT(F0 := 1, F1 := '3')")
	check(t, s, r, [][2]string{
		{"CAST(b AS INT)", "-2147483648 INTEGER"},
		{"CAST(d AS INT)", "-3 INTEGER"},
		{"CAST(d AS BIGINT)", "-3 BIGINT"},
		{"CAST(m AS INT)", "12 INTEGER"},
		{"CAST(m AS DOUBLE)", "12.99 DOUBLE"},
		{"CAST(t AS DOUBLE)", "12.5 DOUBLE"},
		{"CAST(t AS DECIMAL(3, 0))", "13 DECIMAL(3, 0)"},
		{"CAST(b AS DECIMAL(12, 1))", "2147483648.0 DECIMAL(12, 1)"},
		{"CAST(10 AS DECIMAL(2, 1))", "error: Numeric field overflow: A field with precision 2 and scale 1 must round to an absolute value less than 10^1. Got 10.0"},
		{"CAST('0.99' AS DECIMAL(2, 1))", "1.0 DECIMAL(2, 1)"},
		{"CAST(' 7 ' AS INT)", "7 INTEGER"},
		{"CAST(t AS INT)", "error: invalid input syntax for type INTEGER: \"12.5\""},
		{"CAST('TRUE' AS BOOLEAN)", "true BOOLEAN"},
		{"CAST(' y ' AS BOOLEAN)", "true BOOLEAN"},
		{"CAST('tru' AS BOOLEAN)", "true BOOLEAN"},
		{"CAST('truest' AS BOOLEAN)", "false BOOLEAN"},
		{"CAST('' AS BOOLEAN)", "false BOOLEAN"},
		{"CAST(1E10 AS STRING)", "1.0E10 STRING"},
		{"CAST(d AS STRING)", "-3.7 STRING"},
		{"CAST(ts AS STRING)", "1969-12-31T23:59:58.000 STRING"},
		{"CAST(ts AS DATE)", "1969-12-31 DATE"},
		{"CAST(ts AS TIME)", "23:59:58 TIME"},
		{"CAST(CAST(ts AS DATE) AS TIMESTAMP)", "1969-12-31T00:00:00.000 TIMESTAMP"},
		{"CAST('1970-01' AS DATE)", "1970-01-01 DATE"},
		{"CAST('foo' AS DATE)", "error: text does not follow the pattern: \"foo\" is no date such as 2018-03-04"},
		{"CAST('2022-04-28T21:44:47.943Z' AS TIMESTAMP)", "2022-04-28T21:44:47.943 TIMESTAMP"},
		{"CAST(a AS STRING)", "[1, 2147483648] STRING"},
		{"CAST(a AS ARRAY<INT>)", "[1, -2147483648] ARRAY<INTEGER>"},
		{"CAST(a AS ARRAY<STRING>)", "[1, 2147483648] ARRAY<STRING>"},
		{"CAST(mp AS STRING)", "{this=1} STRING"},
		{"CAST(mp AS MAP<STRING, STRING>)", "{this=1} MAP<STRING, STRING>"},
		{"CAST(st AS STRING)", "Struct{F0=1,F1=3} STRING"},
		{"CAST(st AS STRUCT<F0 STRING, F3 STRING>)", "Struct{F0=1} STRUCT<F0 STRING, F3 STRING>"},
		{"CAST(NULL AS MAP<STRING, INT>)", "null MAP<STRING, INTEGER>"},
	})
	checkErrors(t, s, [][2]string{
		{"CAST(t AS MAP<STRING, INT>)", "Cast of STRING to MAP<STRING, INTEGER> is not supported"},
		{"CAST(t AS STRUCT<F0 STRING>)", "Cast of STRING to STRUCT<`F0` STRING> is not supported"},
		{"CAST(b AS BOOLEAN)", "is not supported"},
		{"CAST(b AS NOTHING)", "Cannot resolve unknown type: NOTHING"},
	})
}

func TestColumnsAndConstants(t *testing.T) {
	s := columns(t, "a INT, b INT, c INT")
	for _, c := range []struct {
		text     string
		columns  []int
		constant bool
	}{
		{"1 + 2 * 3", nil, true},
		{"c + a", []int{0, 2}, false},
		{"UCASE('x')", nil, true},
		{"RANDOM()", nil, false},
		{"ARRAY[b][1]", []int{1}, false},
		{"1 / 0", nil, false}, // fails for each row, not the statement
	} {
		x, err := compileText(t, s, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, constant := x.Constant(); !slices.Equal(x.Columns(), c.columns) || constant != c.constant {
			t.Errorf("%s reads %v, constant %v", c.text, x.Columns(), constant)
		}
	}
}

func TestErrorsOfPartsAreReported(t *testing.T) {
	x, err := compileText(t, columns(t, "i INT"), "ARRAY[1 / i, i, 2 % i]")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	v, err := x.EvalReport(row.NewRow(row.NewInt(0)), func(err error) { told = append(told, err.Error()) })
	if want := row.NewArray(row.Null, row.NewInt(0), row.Null); err != nil || v != want || len(told) != 2 {
		t.Errorf("%v, %v, told %q", v, err, told)
	}
}

func TestConvert(t *testing.T) {
	for _, c := range []struct{ text, typ, want string }{
		{"1", "BIGINT", "1 BIGINT"},
		{"1.1", "DECIMAL(4, 2)", "1.10 DECIMAL(4, 2)"},
		{"1", "DOUBLE", "1.0 DOUBLE"},
		{"'2020-01-01'", "DATE", "2020-01-01 DATE"},
		{"'YWI='", "BYTES", "ab BYTES"},
		{"NULL", "STRING", "null STRING"},
		{"ARRAY[1]", "ARRAY<DOUBLE>", "[1.0] ARRAY<DOUBLE>"},
		{"STRUCT(A := 1)", "STRUCT<A BIGINT, B STRING>", "Struct{A=1} STRUCT<A BIGINT, B STRING>"},
		{"1.5", "INT", "cannot be used as INTEGER"},
		{"CAST(1 AS BIGINT)", "INT", "cannot be used as INTEGER"},
	} {
		x, err := compileText(t, nil, c.text)
		if err != nil {
			t.Fatal(err)
		}
		typ := columns(t, "c "+c.typ)[0].Type
		got := ""
		if x, err = x.Convert(typ); err == nil {
			got = show(x, row.NewRow())
		} else {
			got = err.Error()
		}
		if len(got) < len(c.want) || got[len(got)-len(c.want):] != c.want {
			t.Errorf("%s as %s is %q, want %q", c.text, c.typ, got, c.want)
		}
	}
}

// TestColumnsAreCutOut: constructors of columns give the same as constructors of what has to be computed.
func TestColumnsAreCutOut(t *testing.T) {
	s := columns(t, "a INT, b STRING, c STRUCT<X INT>, d ARRAY<INT>, e BIGINT, f INT")
	r := values(t, s, "1", "'two'", "STRUCT(X := 3)", "ARRAY[4, NULL]", "NULL", "6")
	check(t, s, r, [][2]string{
		{"STRUCT(a := a, b := b, c := c, d := d, e := e, f := f)", "Struct{A=1,B=two,C=Struct{X=3},D=[4, null],F=6} STRUCT<A INTEGER, B STRING, C STRUCT<X INTEGER>, D ARRAY<INTEGER>, E BIGINT, F INTEGER>"},
		{"STRUCT(p := b, q := c)->q->X", "3 INTEGER"},
		{"STRUCT(p := f, q := a, r := b, s := a)", "Struct{P=6,Q=1,R=two,S=1} STRUCT<P INTEGER, Q INTEGER, R STRING, S INTEGER>"},
		{"ARRAY[f, a]", "[6, 1] ARRAY<INTEGER>"},
		{"ARRAY[a, e]", "[1, null] ARRAY<BIGINT>"},
		{"STRUCT(p := b, q := a) = STRUCT(p := 'two', q := a + 0)", "true BOOLEAN"},
		{"ARRAY[STRUCT(p := a, q := b), STRUCT(q := UCASE(b), p := f)][2]->p", "6 INTEGER"},
		{"TRANSFORM(d, x => STRUCT(y := x, z := a))[1]->z", "1 INTEGER"},
		{"TRANSFORM(ARRAY[STRUCT(p := a, q := b), NULL, STRUCT(p := 0, q := NULL)], x => x->q)", "[two, null, null] ARRAY<STRING>"},
		{"TRANSFORM(ARRAY[STRUCT(p := a, q := b), c], x => x->q)[1]", "two STRING"},
		{"TRANSFORM(FILTER(d, x => x > 9), x => c->X + x)", "[] ARRAY<INTEGER>"},
		{"TRANSFORM(TRANSFORM(d, x => STRUCT(y := x)), x => TRANSFORM(ARRAY[STRUCT(y := x)], y => x->y)[1])", "[4, null] ARRAY<INTEGER>"},
	})
}

// TestChosenElements: what is computed without making the array is the array.
func TestChosenElements(t *testing.T) {
	s := columns(t, "a ARRAY<STRUCT<X INT, Y STRUCT<Z INT>>>, b ARRAY<INT>, c ARRAY<INT>, i INT")
	r := values(t, s, "ARRAY[STRUCT(X := 1, Y := STRUCT(Z := 2)), NULL, STRUCT(X := 3, Y := NULL), STRUCT(X := 4, Y := STRUCT(Z := 5))]", "ARRAY[6, 7, 8]", "NULL", "2")
	for text, want := range map[string]string{
		"SLICE(b, i, 3)":                                                              "[7, 8] ARRAY<INTEGER>",
		"SLICE(b, NULL, i)":                                                           "[6, 7] ARRAY<INTEGER>",
		"SLICE(b, i, 1)":                                                              "[] ARRAY<INTEGER>",
		"SLICE(b, 0, i)":                                                              "null ARRAY<INTEGER>",
		"SLICE(c, 1, 1)":                                                              "null ARRAY<INTEGER>",
		"TRANSFORM(a, e => e->X)":                                                     "[1, null, 3, 4] ARRAY<INTEGER>",
		"TRANSFORM(SLICE(a, i, 3), e => e->X)":                                        "[null, 3] ARRAY<INTEGER>",
		"TRANSFORM(SLICE(a, 1, 9), e => e->X)":                                        "null ARRAY<INTEGER>",
		"SLICE(TRANSFORM(a, e => e->X), 3, NULL)":                                     "[3, 4] ARRAY<INTEGER>",
		"TRANSFORM(TRANSFORM(a, e => e->Y), e => e->Z)":                               "[2, null, null, 5] ARRAY<INTEGER>",
		"TRANSFORM(TRANSFORM(SLICE(a, 3, 4), e => e->Y), e => e->Z)":                  "[null, 5] ARRAY<INTEGER>",
		"TRANSFORM(SLICE(TRANSFORM(a, e => e->Y), 3, 4), e => e->Z)":                  "[null, 5] ARRAY<INTEGER>",
		"TRANSFORM(ARRAY[b], e => SLICE(e, 2, ARRAY_LENGTH(e)))[1]":                   "[7, 8] ARRAY<INTEGER>",
		"TRANSFORM(ARRAY[a], e => TRANSFORM(SLICE(e, i, i + 2), f => f->X))[1]":       "[null, 3, 4] ARRAY<INTEGER>",
		"TRANSFORM(ARRAY[c], e => SLICE(e, 1, 2))[1]":                                 "null ARRAY<INTEGER>",
		"TRANSFORM(ARRAY[a], e => TRANSFORM(SLICE(e, 1, 1 / (i - 2)), f => f->X))[1]": "error: transform: division by zero",
	} {
		check(t, s, r, [][2]string{{text, want}})
		x, err := compileText(t, s, text)
		if err != nil || !x.ChoosesElements() {
			t.Fatalf("%s: chooses %v, %v", text, err == nil && x.ChoosesElements(), err)
		}
		for range 2 { // memory is used again
			made, failed := x.Eval(r)
			got, err := x.EvalElements(r, nil)
			if err == nil && got.Array() != made || (err == nil) != (failed == nil) || err != nil && err.Error() != failed.Error() {
				t.Errorf("%s: %v, %v, want %v, %v", text, got.Array(), err, made, failed)
			}
		}
	}
	for _, text := range []string{"b", "SLICE(ARRAY[1, 2], 1, 1)", "TRANSFORM(b, e => e + 1)", "CAST(SLICE(b, 1, 1) AS ARRAY<BIGINT>)", "SLICE(b, 1, 1)[1]"} {
		if x, err := compileText(t, s, text); err != nil || x.ChoosesElements() {
			t.Errorf("%s chooses elements, %v", text, err)
		}
	}
}
