package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
)

// trains is a catalog of a stream, tables with keys of several kinds, and windowed ones.
func trains(t *testing.T) plan.Context {
	t.Helper()
	c := plan.Context{Catalog: catalog.New(), Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}), Settings: plan.Settings{}}
	for _, text := range []string{
		`CREATE STREAM arrivals (train VARCHAR KEY, late INT, tags STRUCT<line VARCHAR, cars INT>) WITH (kafka_topic='a', value_format='JSON')`,
		`CREATE TABLE stations (code VARCHAR PRIMARY KEY, tracks INT) WITH (kafka_topic='s', value_format='JSON')`,
		`CREATE TABLE tracks (code INT PRIMARY KEY, length BIGINT) WITH (kafka_topic='t', value_format='JSON')`,
		`CREATE TABLE seats (train VARCHAR PRIMARY KEY, seat INT PRIMARY KEY, taken BOOLEAN) WITH (kafka_topic='p', format='JSON')`,
		`CREATE TABLE hourly (train VARCHAR PRIMARY KEY, n BIGINT) WITH (kafka_topic='h', value_format='JSON', window_type='TUMBLING', window_size='1 HOUR')`,
	} {
		st, err := parse.Statement(text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := plan.Define(c, st.(*ast.CreateSource))
		if err != nil {
			t.Fatal(err)
		}
		c.Catalog.Put(s)
	}
	return c
}

func own(t *testing.T, c plan.Context, text string) (*plan.Select, error) {
	t.Helper()
	st, err := parse.Statement(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return plan.Own(c, st.(*ast.Select).Query)
}

// shown is a planned query as text: its columns, keys with a !, and where a pull query looks.
func shown(s *plan.Select) string {
	var b strings.Builder
	for i, c := range s.Output {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name + " " + c.Type.String())
		if c.Key {
			b.WriteString("!")
		}
	}
	if s.Push || !s.Of().Table {
		fmt.Fprintf(&b, " | by row %t", s.RowByRow)
	} else {
		b.WriteString(" | ")
		if s.Access.Keys == nil {
			b.WriteString("scan")
		}
		for _, k := range s.Access.Keys {
			for _, v := range k.Values() {
				fmt.Fprintf(&b, "(%s%d)", v.Text(), v.Int64())
			}
		}
		if s.Access.Start.From > -1<<62 || s.Access.Start.To < 1<<62 {
			fmt.Fprintf(&b, " start %d..%d", s.Access.Start.From, s.Access.Start.To)
		}
		if s.Access.End.From > -1<<62 || s.Access.End.To < 1<<62 {
			fmt.Fprintf(&b, " end %d..%d", s.Access.End.From, s.Access.End.To)
		}
	}
	if s.Limit != plan.NoLimit {
		fmt.Fprintf(&b, " | limit %d", s.Limit)
	}
	return b.String()
}

func TestQueriesOfTheirOwn(t *testing.T) {
	c := trains(t)
	for text, want := range map[string]string{
		"SELECT * FROM stations WHERE code = 'BER';":                                                             "CODE STRING!, TRACKS INTEGER | (BER0)",
		"SELECT tracks FROM stations;":                                                                           "TRACKS INTEGER | scan",
		"SELECT tracks t FROM stations s WHERE 'B' = s.code;":                                                    "T INTEGER | (B0)",
		"SELECT code FROM stations WHERE code = 'B' OR code = 'C';":                                              "CODE STRING! | (B0)(C0)",
		"SELECT code FROM stations WHERE code = 'B' OR tracks = 2;":                                              "CODE STRING! | scan",
		"SELECT code FROM stations WHERE code > 'B' AND code < 'C';":                                             "CODE STRING! | scan",
		"SELECT code FROM tracks WHERE code = 2 + 3;":                                                            "CODE INTEGER! | (5)",
		"SELECT code FROM tracks WHERE code = length;":                                                           "CODE INTEGER! | scan",
		"SELECT seat FROM seats WHERE train = 'X' AND seat IN (1, 2);":                                           "SEAT INTEGER! | (X0)(1)(X0)(2)",
		"SELECT seat FROM seats WHERE train = 'X';":                                                              "SEAT INTEGER! | scan",
		"SELECT * FROM hourly WHERE train = 'X';":                                                                "TRAIN STRING!, WINDOWSTART BIGINT!, WINDOWEND BIGINT!, N BIGINT | (X0)",
		"SELECT n FROM hourly WHERE train = 'X' AND windowstart = 7200;":                                         "N BIGINT | (X0) start 7200..7200",
		"SELECT n FROM hourly WHERE 10 <= windowstart AND windowend < 9;":                                        "N BIGINT | scan start 10..9223372036854775807 end -9223372036854775808..8",
		"SELECT n FROM hourly WHERE windowstart BETWEEN 5 AND 2 * 4;":                                            "N BIGINT | scan start 5..8",
		"SELECT n FROM hourly WHERE windowstart >= '1970-01-01T00:00:01' AND windowstart < '1970-01-01T24';":     "N BIGINT | scan start 1000..86399999",
		"SELECT n, rowtime FROM hourly WHERE rowtime > '1970' LIMIT 0;":                                          "N BIGINT, ROWTIME BIGINT | scan | limit 0",
		"SELECT * FROM arrivals;":                                                                                "TRAIN STRING!, LATE INTEGER, TAGS STRUCT<`LINE` STRING, `CARS` INTEGER> | by row true",
		"SELECT tags->* FROM arrivals;":                                                                          "LINE STRING, CARS INTEGER | by row true",
		"SELECT late * 2 FROM arrivals EMIT CHANGES LIMIT 3;":                                                    "KSQL_COL_0 INTEGER | by row true | limit 3",
		"SELECT rowpartition, rowoffset FROM arrivals EMIT CHANGES;":                                             "ROWPARTITION INTEGER, ROWOFFSET BIGINT | by row true",
		"SELECT train, COUNT(*) FROM arrivals GROUP BY train EMIT CHANGES;":                                      "TRAIN STRING!, KSQL_COL_0 BIGINT | by row false",
		"SELECT COUNT(*) n FROM arrivals EMIT CHANGES;":                                                          "N BIGINT | by row false",
		"SELECT windowstart, MAX(late) m FROM arrivals WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY train EMIT FINAL;": "WINDOWSTART BIGINT!, M INTEGER | by row false",
		"SELECT * FROM hourly EMIT CHANGES;":                                                                     "TRAIN STRING!, WINDOWSTART BIGINT!, WINDOWEND BIGINT!, N BIGINT | by row true",
		"SELECT a.train, s.tracks FROM arrivals a JOIN stations s ON a.train = s.code EMIT CHANGES;":             "TRAIN STRING!, TRACKS INTEGER | by row false",
		"SELECT late FROM arrivals PARTITION BY late EMIT CHANGES;":                                              "LATE INTEGER! | by row false",
		"SELECT train, EXPLODE(ARRAY[STRUCT(a := 1, b := 'x')])->* FROM arrivals EMIT CHANGES;":                  "TRAIN STRING!, A INTEGER, B STRING | by row false",
		"SELECT train, EXPLODE(ARRAY[1, 2]) x FROM arrivals EMIT CHANGES;":                                       "TRAIN STRING!, X INTEGER | by row false",
	} {
		s, err := own(t, c, text)
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		if got := shown(s); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestRefusedQueriesOfTheirOwn(t *testing.T) {
	for _, tt := range []struct{ settings, text, want string }{
		{"", "SELECT * FROM nowhere;", "NOWHERE does not exist"},
		{"", "SELECT * FROM stations s JOIN tracks t ON s.tracks = t.code;", "Pull queries don't support JOIN clauses."},
		{"", "SELECT code FROM stations GROUP BY code;", "Pull queries don't support GROUP BY clauses."},
		{"", "SELECT train FROM arrivals PARTITION BY train;", "Pull queries don't support PARTITION BY clauses."},
		{"", "SELECT * FROM arrivals WINDOW TUMBLING (SIZE 1 HOUR);", "Pull queries don't support WINDOW clauses."},
		{"", "SELECT code FROM stations HAVING tracks > 1;", "Pull queries don't support HAVING clauses."},
		{"", "SELECT COUNT(*) FROM stations;", "Pull queries don't support aggregate functions"},
		{"", "SELECT *, rowoffset FROM arrivals;", "in SELECT clauses: `ROWOFFSET`"},
		{"", "SELECT * FROM stations WHERE rowpartition = 1;", "in WHERE clauses: `ROWPARTITION`"},
		{"", "SELECT tracks, tracks FROM stations;", "Duplicate value columns found in schema: `TRACKS` INTEGER"},
		{"", "SELECT * FROM stations WHERE code = 3;", "Cannot compare"},
		{"", "SELECT * FROM stations WHERE windowstart = 3;", "cannot be resolved"},
		{"", "SELECT * FROM hourly WHERE windowstart > 'soon';", "Failed to parse timestamp 'soon'"},
		{"", "SELECT tracks + 1 FROM stations WHERE tracks;", "Should evaluate to boolean"},
		{"", "SELECT late FROM arrivals EMIT FINAL;", "EMIT FINAL is only supported for windowed aggregations"},
		{"", "SELECT COUNT(*), late FROM arrivals EMIT CHANGES;", "not part of GROUP BY"},
		{"ksql.query.pull.limit.clause.enabled", "SELECT * FROM stations LIMIT 1;", "LIMIT clause in pull queries is currently disabled"},
		{"ksql.pull.queries.enable", "SELECT * FROM stations;", "Pull queries are disabled"},
		{"ksql.query.pull.stream.enabled", "SELECT * FROM arrivals;", "Pull queries on streams are disabled"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM stations;", "Missing WHERE clause"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM stations WHERE tracks = 1;", "WHERE clause missing key column for disjunct: (TRACKS = 1)"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM stations WHERE code = 'B' OR tracks = 1;", "missing key column"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM stations WHERE code <> 'B';", "must currently be '='"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM tracks WHERE code + 1 = 3;", "must directly reference a key column"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM tracks WHERE code = length;", "a key column and a resolvable expression"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM tracks WHERE code > 3;", "Query requires table scan to be enabled"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM hourly WHERE train > 'X';", "Query requires table scan to be enabled"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM seats WHERE train = 'X';", "Multi-column sources must specify every key"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM tracks WHERE code = 1 AND code = 2;", "cannot be combined with other comparisons"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM stations WHERE code > 'A' AND code < 'B';", "cannot be combined with other comparisons"},
		{"ksql.query.pull.table.scan.enabled", "SELECT * FROM hourly WHERE windowstart > 3;", "missing key column"},
		{"", "SELECT * FROM tracks WHERE code IN ('1', 2);", "can not be converted to the type of the key column: CODE INTEGER KEY"},
	} {
		c := trains(t)
		if tt.settings != "" {
			c.Settings[tt.settings] = "false"
		}
		if s, err := own(t, c, tt.text); err == nil {
			t.Errorf("%s\naccepted: %s", tt.text, shown(s))
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestRangesOfTextKeysNeedNoScans(t *testing.T) {
	c := trains(t)
	c.Settings["ksql.query.pull.table.scan.enabled"] = "false"
	const text = "SELECT * FROM stations WHERE code > 'B' AND tracks = 3;"
	if _, err := own(t, c, text); err != nil {
		t.Error(err)
	}
	c.Settings["ksql.query.pull.range.scan.enabled"] = "false"
	if _, err := own(t, c, text); err == nil {
		t.Error("a range was accepted though ranges are off")
	}
}

// A condition with very many alternatives must neither take long nor much memory.
func TestConditionsThatExplode(t *testing.T) {
	c := trains(t)
	var b strings.Builder
	b.WriteString("SELECT * FROM tracks WHERE (code = 1 OR code = 2)")
	for range 40 {
		b.WriteString(" AND (length = 1 OR length = 2)")
	}
	s, err := own(t, c, b.String()+";")
	if err != nil || s.Access.Keys != nil {
		t.Errorf("access %v, error %v", s, err)
	}
}
