package trial_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	"github.com/mainstemio/mainstem/record"
)

// What a script may take at most. The machine may be busy: it is the order of magnitude that counts.
const (
	mostBytes = 2 << 30
	mostTime  = 3 * time.Minute
)

// world is what statements of fuzz targets find: sources of all kinds.
const world = `
CREATE TYPE address AS STRUCT<street STRING, no INT, tags ARRAY<STRING>>;
CREATE STREAM s (k INT KEY, a INT, b BIGINT, d DOUBLE, m DECIMAL(10,2), t STRING, f BOOLEAN, y BYTES, o TIMESTAMP) WITH (kafka_topic='s', format='JSON', partitions=1);
CREATE STREAM r (k STRING KEY, a INT, l ARRAY<INT>, h MAP<STRING, BIGINT>, u STRUCT<x INT, z ARRAY<STRUCT<q STRING>>>, w address) WITH (kafka_topic='r', value_format='AVRO', partitions=1);
CREATE STREAM n (a INT, hs BYTES HEADER('h')) WITH (kafka_topic='n', value_format='DELIMITED', partitions=1);
CREATE TABLE p (k INT PRIMARY KEY, a INT, t STRING) WITH (kafka_topic='p', format='JSON', partitions=1);
CREATE TABLE c (k STRING PRIMARY KEY, k2 INT PRIMARY KEY, a INT) WITH (kafka_topic='c', format='JSON', partitions=1);
CREATE STREAM w (k INT KEY, a INT) WITH (kafka_topic='w', key_format='KAFKA', value_format='JSON', partitions=1, window_type='SESSION');
CREATE TABLE g AS SELECT a, COUNT(*) AS n FROM s GROUP BY a;
`

// attempt runs a script in the world with a record for each source. It wants results or a *session.StatementError with its place, in bounded
// time and memory.
func attempt(t *testing.T, script string) {
	t.Helper()
	tr := trial.New(trial.Options{Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}), Schemas: registry.NewMemory()})
	exec(t, tr, world)
	before, start := allocated(), time.Now()
	_, err := tr.Exec(t.Context(), script, nil)
	var e *session.StatementError
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%.500s\n%T: %v", script, err, err)
	}
	if e != nil && (e.Error() == "" || e.At.Line < 0 || e.Offset < 0 || e.Offset > len(script)) {
		t.Fatalf("%.500s\n%v at %+v, byte %d", script, e, e.At, e.Offset)
	}
	for _, q := range tr.Queries() {
		for _, s := range q.Plan.Sources {
			rec := record.Record{Key: []byte("7"), Value: []byte(`{"A":1,"B":2,"D":1.5,"M":2.50,"T":"x","F":true,"Y":"AA==","O":5}`), Timestamp: 10}
			if err := tr.Pipe(q.ID, s.Topic, rec); err != nil {
				break // a query that ends says why
			}
		}
	}
	if bytes := allocated() - before; bytes > mostBytes {
		t.Errorf("%.500s\ntakes %d MB", script, bytes>>20)
	}
	if took := time.Since(start); took > mostTime {
		t.Errorf("%.500s\ntakes %v", script, took)
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// FuzzStatements executes any text.
func FuzzStatements(f *testing.F) {
	for _, pattern := range []string{"testdata/*.txt", "../parse/testdata/*.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no scripts at %s: %v", pattern, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for block := range strings.SplitSeq(string(raw), "\n====\n") {
				input, _, _ := strings.Cut(block, "\n----")
				f.Add(input)
			}
		}
	}
	f.Fuzz(attempt)
}

// FuzzQueries executes queries from the grammar over the world's columns, most of them wrong by their types.
func FuzzQueries(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { attempt(t, (&scribe{rand.New(rand.NewPCG(seed, 3))}).script()) })
}

// A scribe writes statements by chance.
type scribe struct{ r *rand.Rand }

func (s *scribe) one(list ...string) string { return list[s.r.IntN(len(list))] }

func (s *scribe) maybe(n int, text func() string) string {
	if s.r.IntN(n) > 0 {
		return ""
	}
	return text()
}

func (s *scribe) script() string {
	var b strings.Builder
	for i := range 1 + s.r.IntN(3) {
		kind := s.one("STREAM", "TABLE")
		switch s.r.IntN(8) {
		case 0:
			fmt.Fprintf(&b, "INSERT INTO %s %s;\n", s.source(), s.query())
		case 1:
			fmt.Fprintf(&b, "INSERT INTO %s (%s, %s) VALUES (%s, %s);\n", s.source(), s.column(), s.column(), s.expr(2), s.expr(2))
		case 2:
			fmt.Fprintf(&b, "CREATE OR REPLACE %s q%d AS %s;\n", kind, max(i-1, 0), s.query())
		case 3:
			fmt.Fprintf(&b, "CREATE %s o%d (%s %s%s, %s %s) WITH (kafka_topic='o', partitions=1, %s);\n", kind, i, s.column(), s.typ(2),
				s.one(" KEY", " PRIMARY KEY", "", " HEADERS"), s.column(), s.typ(3), s.with())
		default:
			fmt.Fprintf(&b, "CREATE %s q%d%s AS %s;\n", kind, i, s.maybe(3, func() string { return " WITH (" + s.with() + ")" }), s.query())
		}
	}
	return b.String()
}

func (s *scribe) with() string {
	return s.one("format", "value_format", "key_format") + "=" + s.one("'JSON'", "'AVRO'", "'KAFKA'", "'DELIMITED'", "'PROTOBUF'", "'NONE'", "'JSON_SR'", "'PROTOBUF_NOSR'", "'X'", "3") +
		s.maybe(4, func() string {
			return ", " + s.one("timestamp='a'", "timestamp='o'", "wrap_single_value=false", "window_type='HOPPING'", "value_delimiter='|'", "timestamp_format='yyyy'", "partitions=0")
		})
}

func (s *scribe) source() string { return s.one("s", "r", "n", "p", "c", "w", "g", "q0", "nothing") }

func (s *scribe) column() string {
	name := s.one("k", "k2", "a", "b", "d", "m", "t", "f", "y", "o", "l", "h", "u", "w", "hs", "n", "ROWTIME", "WINDOWSTART", "ROWKEY", "ROWOFFSET")
	if s.r.IntN(3) == 0 {
		return s.source() + "." + name
	}
	return name
}

func (s *scribe) typ(depth int) string {
	if depth > 0 && s.r.IntN(3) == 0 {
		return s.one("ARRAY<"+s.typ(depth-1)+">", "MAP<"+s.typ(depth-1)+", "+s.typ(depth-1)+">", "STRUCT<x "+s.typ(depth-1)+", y "+s.typ(depth-1)+">", "address")
	}
	return s.one("INT", "BIGINT", "DOUBLE", "DECIMAL(9,3)", "DECIMAL(1,5)", "STRING", "BOOLEAN", "BYTES", "DATE", "TIME", "TIMESTAMP", "nothing")
}

func (s *scribe) query() string {
	var b strings.Builder
	var items []string
	for range 1 + s.r.IntN(4) {
		items = append(items, s.one(s.expr(3), "*", s.source()+".*", s.column(), s.aggregate(), "u->*")+s.maybe(2, func() string { return " AS " + s.one("x", "y", "k", "ROWTIME", "`x`") }))
	}
	fmt.Fprintf(&b, "SELECT %s FROM %s", strings.Join(items, ", "), s.source())
	for s.r.IntN(3) == 0 {
		fmt.Fprintf(&b, " %s JOIN %s%s ON %s = %s", s.one("", "LEFT", "RIGHT", "FULL", "INNER", "LEFT OUTER"), s.source(),
			s.maybe(2, func() string {
				return s.one(" WITHIN 5 SECONDS", " WITHIN (1 HOUR, 0 MILLISECONDS) GRACE PERIOD 9223372036854775807 DAYS")
			}), s.expr(1), s.expr(1))
	}
	b.WriteString(s.maybe(4, func() string {
		return s.one(" WINDOW TUMBLING (SIZE 5 SECONDS)", " WINDOW HOPPING (SIZE 5 SECONDS, ADVANCE BY 9 DAYS)", " WINDOW SESSION (1 HOUR, GRACE PERIOD 0 SECONDS)", " WINDOW TUMBLING (SIZE 0 DAYS, RETENTION 1 SECOND)")
	}))
	b.WriteString(s.maybe(2, func() string { return " WHERE " + s.expr(3) }))
	b.WriteString(s.maybe(3, func() string { return " PARTITION BY " + s.expr(2) }))
	b.WriteString(s.maybe(2, func() string { return " GROUP BY " + s.expr(1) + s.maybe(2, func() string { return ", " + s.expr(2) }) }))
	b.WriteString(s.maybe(4, func() string { return " HAVING " + s.one(s.expr(2), s.aggregate()+" > 1") }))
	b.WriteString(s.one("", " EMIT CHANGES", " EMIT FINAL", " EMIT CHANGES LIMIT 3"))
	return b.String()
}

func (s *scribe) aggregate() string {
	return s.one("COUNT(*)", "SUM", "AVG", "MIN", "COLLECT_LIST", "LATEST_BY_OFFSET", "TOPK", "HISTOGRAM", "ATTR", "COUNT_DISTINCT", "EXPLODE", "CUBE_EXPLODE") + s.maybe(1, func() string {
		return "(" + s.expr(2) + s.maybe(4, func() string { return ", " + s.expr(1) }) + ")"
	})
}

func (s *scribe) expr(depth int) string {
	if depth <= 0 || s.r.IntN(4) == 0 {
		return s.one(s.column(), s.column(), "1", "-9223372036854775808", "1.50", "1e308", "'x'", "NULL", "TRUE", "DATE '2020-01-01'", "DAYS", "99999999999999999999", "(1 + 2)")
	}
	x, y := s.expr(depth-1), s.expr(depth-1)
	switch s.r.IntN(12) {
	case 0:
		return "(" + x + " " + s.one("+", "-", "*", "/", "%", "||") + " " + y + ")"
	case 1:
		return "(" + x + " " + s.one("=", "<>", "<", ">=", "AND", "OR", "IS DISTINCT FROM") + " " + y + ")"
	case 2:
		return s.one("NOT ", "-", "+") + x
	case 3:
		return "CASE WHEN " + x + " THEN " + y + s.maybe(2, func() string { return " ELSE " + s.expr(depth-1) }) + " END"
	case 4:
		return "CAST(" + x + " AS " + s.typ(2) + ")"
	case 5:
		return x + s.one(" IS NULL", " IN ("+y+", 3)", " BETWEEN 1 AND "+y, " LIKE "+y, "["+y+"]", "->x")
	case 6:
		return s.one("ARRAY["+x+", "+y+"]", "MAP("+x+" := "+y+")", "STRUCT(x := "+x+", y := "+y+")")
	case 7:
		return s.one("TRANSFORM", "FILTER", "REDUCE") + "(" + x + ", " + s.one("", y+", ") + s.one("v => "+y, "(v, w) => v", "(v, w, x) => w") + ")"
	}
	return s.one("COALESCE", "LEN", "ABS", "UCASE", "IFNULL", "NULLIF", "SLICE", "ARRAY_CONTAINS", "DATEADD", "TO_JSON_STRING", "AS_VALUE", "SUBSTRING", "GREATEST", "EXPLODE", "SUM", "NO_SUCH", "ROUND", "UUID") +
		"(" + x + s.maybe(2, func() string { return ", " + y }) + ")"
}

// TestLargeStatements executes what is large in one way each: an error or a result, in bounded time and memory.
func TestLargeStatements(t *testing.T) {
	repeat := func(n int, text string, separator string) string {
		return strings.TrimSuffix(strings.Repeat(text+separator, n), separator)
	}
	numbered := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	chained := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i+1, i)
		}
		return b.String()
	}
	const from = " FROM s;"
	for name, script := range map[string]string{
		"parentheses":         "CREATE STREAM q AS SELECT k, " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + " AS x" + from,
		"calls in calls":      "CREATE STREAM q AS SELECT k, " + strings.Repeat("ABS(", 190) + "a" + strings.Repeat(")", 190) + " AS x" + from,
		"types in types":      "CREATE STREAM q (x " + strings.Repeat("ARRAY<", 190) + "INT" + strings.Repeat(">", 190) + ") WITH (kafka_topic='q', value_format='AVRO', partitions=1);",
		"columns":             "CREATE STREAM q AS SELECT k, " + numbered(9_000, "a + 1 AS c%d") + from,
		"too many columns":    "CREATE STREAM q AS SELECT k, " + numbered(20_000, "a AS c%d") + from,
		"columns of a source": "CREATE STREAM q (" + numbered(3_000, "c%d INT") + ") WITH (kafka_topic='q', value_format='JSON', partitions=1); CREATE STREAM q2 AS SELECT * FROM q;",
		"cases":               "CREATE STREAM q AS SELECT k, CASE " + repeat(1_000, "WHEN a = 1 THEN 'x'", " ") + " END AS x" + from,
		"cases in cases":      "CREATE STREAM q AS SELECT k, " + strings.Repeat("CASE WHEN f THEN 1 ELSE ", 150) + "2" + strings.Repeat(" END", 150) + " AS x" + from,
		"a chain":             "CREATE STREAM q AS SELECT k FROM s WHERE " + repeat(3_900, "a = 1", " OR ") + "; CREATE STREAM q3 AS SELECT k, a FROM s WHERE " + repeat(3_900, "a = 1", " AND ") + ";",
		"a list":              "CREATE STREAM q AS SELECT k, a FROM s WHERE a IN (" + numbered(9_999, "%d") + ");",
		"an array":            "CREATE STREAM q AS SELECT k, ARRAY[" + numbered(9_999, "a + %d") + "] AS x" + from,
		"groups":              "CREATE TABLE q WITH (key_format='JSON') AS SELECT " + numbered(200, "a + %d AS g%[1]d") + ", COUNT(*) AS n FROM s GROUP BY " + numbered(200, "a + %d") + ";",
		"aggregates":          "CREATE TABLE q AS SELECT a, " + numbered(2_000, "SUM(b + %d) AS x%[1]d") + " FROM s GROUP BY a;",
		"a text":              "CREATE STREAM q AS SELECT k, '" + strings.Repeat("x", 1_000_000) + "' AS x" + from,
		"texts that add up":   "CREATE STREAM q AS SELECT k, REPLACE('" + strings.Repeat("x", 100_000) + "', 'x', '" + strings.Repeat("y", 100_000) + "') AS x" + from,
		"a text that doubles": "CREATE STREAM q AS SELECT k, REDUCE(GENERATE_SERIES(1, 1000), 'x', (v, w) => v + v) AS x" + from,
		"digits":              "CREATE STREAM q AS SELECT k, " + strings.Repeat("9", 100_000) + " AS x, " + strings.Repeat("9", 900) + "." + strings.Repeat("9", 900) + " AS y" + from,
		"decimals":            "CREATE STREAM q AS SELECT k, " + repeat(150, "CAST(m AS DECIMAL(900, 400))", " * ") + " AS x" + from,
		"a decimal type":      "CREATE STREAM q (x DECIMAL(2147483647, 2147483646)) WITH (kafka_topic='q', value_format='JSON', partitions=1);",
		"rounding":            "CREATE STREAM q AS SELECT k, ROUND(m, 2147483647) AS x, ROUND(m, -2147483647) AS y, TRUNC(d, -2147483648) AS z" + from,
		"an expression":       "CREATE STREAM q AS SELECT k, REGEXP_EXTRACT('" + strings.Repeat("(a+)+", 5_000) + "', t) AS x" + from,
		"statements":          strings.Repeat("SET 'a'='b';", 50_000),
		"fields":              "CREATE STREAM q (x STRUCT<" + numbered(2_000, "f%d INT") + ">) WITH (kafka_topic='q', value_format='PROTOBUF', partitions=1); CREATE STREAM q2 AS SELECT x->* FROM q;",
		"lambdas in lambdas":  "CREATE STREAM q AS SELECT k, " + strings.Repeat("TRANSFORM(ARRAY[1, 2, 3], v => ", 60) + "v" + strings.Repeat(")", 60) + " AS x FROM r;",
		"series in lambdas":   "CREATE STREAM q AS SELECT k, TRANSFORM(GENERATE_SERIES(1, 1000000), v => GENERATE_SERIES(1, 1000000)) AS x" + from,
		"types of types":      "CREATE TYPE t0 AS STRUCT<x INT, y INT>; " + chained(60, "CREATE TYPE t%d AS STRUCT<x t%d, y t%[2]d>; "),
		"columns of types":    "CREATE TYPE t0 AS STRUCT<x INT, y INT>; " + chained(12, "CREATE TYPE t%d AS STRUCT<x t%d, y t%[2]d>; ") + "CREATE STREAM q (" + numbered(9_000, "c%d t12") + ") WITH (kafka_topic='q', value_format='JSON', partitions=1);",
		"lambdas of structs":  "CREATE STREAM q AS SELECT k, " + strings.Repeat("TRANSFORM(ARRAY[", 60) + "a" + strings.Repeat("], v => STRUCT(x := v, y := v))", 60) + " = 1 AS x FROM r;",
		"names of groups":     "CREATE TABLE q WITH (key_format='JSON') AS SELECT " + numbered(3_000, "a + %d AS g%[1]d") + ", COUNT(*) AS n FROM s GROUP BY " + numbered(3_000, "a + %d") + ";",
		"names of fields":     "CREATE STREAM q AS SELECT k, " + repeat(9_000, "u->x", ", ") + " FROM r;",
		"behind groups":       "CREATE TABLE q AS SELECT a, COUNT(*) AS n FROM s GROUP BY a HAVING " + repeat(3_900, "a = COUNT(*)", " OR ") + ";",
		"columns of a join":   "CREATE STREAM q (k INT KEY, " + numbered(4_000, "c%d INT") + ") WITH (kafka_topic='q', format='JSON', partitions=1); CREATE STREAM q2 (k INT KEY, " + numbered(4_000, "c%d INT") + ") WITH (kafka_topic='q2', format='JSON', partitions=1); CREATE STREAM q3 AS SELECT * FROM q JOIN q2 WITHIN 1 SECOND ON q.k = q2.k;",
		"Avro columns":        "CREATE STREAM q WITH (value_format='AVRO') AS SELECT k, " + numbered(9_000, "a + 1 AS c%d") + from,
		"JSON Schema columns": "CREATE STREAM q WITH (value_format='JSON_SR') AS SELECT k, " + numbered(9_000, "a + 1 AS c%d") + from,
		"too long a chain":    "CREATE STREAM q AS SELECT k FROM s WHERE " + repeat(10_000, "a = 1", " OR ") + ";",
		"too deep":            "CREATE STREAM q AS SELECT k, " + strings.Repeat("NOT (CASE WHEN ", 500) + "f" + strings.Repeat(" THEN f END)", 500) + " AS x" + from,
		"texts in calls":      "CREATE STREAM q AS SELECT k, " + strings.Repeat("UCASE(", 190) + "'" + strings.Repeat("x", 1_000_000) + "'" + strings.Repeat(")", 190) + " AS x" + from,
		"Protobuf columns":    "CREATE STREAM q WITH (value_format='PROTOBUF') AS SELECT k, " + numbered(9_000, "a + 1 AS c%d") + from,
		"values":              "CREATE STREAM q (" + numbered(9_000, "c%d INT") + ") WITH (kafka_topic='q', value_format='JSON', partitions=1); INSERT INTO q (" + numbered(9_000, "c%d") + ") VALUES (" + repeat(9_000, "1", ", ") + ");",
		"explained":           "EXPLAIN (LOGICAL) CREATE STREAM q AS SELECT k, " + numbered(9_000, "a + 1 AS c%d") + from,
		"windows":             "CREATE TABLE q AS SELECT a, COUNT(*) AS n FROM s WINDOW HOPPING (SIZE 1000 DAYS, ADVANCE BY 1 MILLISECOND) GROUP BY a;",
	} {
		t.Run(name, func(t *testing.T) { attempt(t, script) })
	}
}
