package qtt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCasesAreExpandedAndNamed(t *testing.T) {
	cases, err := readCases("own", []byte(`{
		// a comment with a "quote
		"tests": [
			{"name": "two // formats", "format": ["JSON", "AVRO"], "statements": ["MAKE {FORMAT};"],
			 "topics": [{"name": "{FORMAT}", "valueFormat": "{FORMAT}"}]},
			{"name": "switch", "config": ["true", false], "properties": {"a.b": "{CONFIG}", "c": 5, "use.exact.numeric.comparison": false}},
			{"name": "off", "enabled": false}
		]}`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cases {
		names = append(names, c.full)
	}
	want := []string{
		"own - two // formats - JSON", "own - two // formats - AVRO", "own - switch - a.b=true", "own - switch - a.b=false", "own - off",
	}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if c := cases[1]; c.script() != "MAKE AVRO;" || c.Topics[0].ValueFormat != "AVRO" || c.Topics[0].Name != "{FORMAT}" {
		t.Errorf("%q, %+v", c.script(), c.Topics[0])
	}
	if s := cases[3].settings(); len(s) != 2 || s["a.b"] != "false" || s["c"] != "5" || cases[3].exact() || !cases[0].exact() {
		t.Errorf("settings %v, exact %t", s, cases[3].exact())
	}
	if cases[4].skipReason() == "" || cases[0].skipReason() != "" {
		t.Error("what is disabled is skipped, and nothing else")
	}
	for filter, want := range map[string]bool{"": true, "own": true, "own - switch": true, "own - two": false, "other": false, "switch": false} {
		if selected(cases[2], filter) != want {
			t.Errorf("%q takes %s: %t", filter, cases[2].full, !want)
		}
	}
}

func TestScriptsAreSplitWhereStatementsEnd(t *testing.T) {
	got := splitScript("A ';' B; -- x;\nC \"a;b\" `;`;/* ; */ D 'it''s;' ; ;E")
	want := []string{"A ';' B", "-- x;\nC \"a;b\" `;`", "/* ; */ D 'it''s;'", "E"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := splitScript("A 'open;"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestTopicsBeforeTheStatements(t *testing.T) {
	c := caseFrom(t, `"topics": [{"name": "d"}, {"name": "e", "partitions": 7, "replicas": 3}], "statements": [
		"CREATE STREAM A (K STRING KEY) WITH (kafka_topic='a', partitions=3, REPLICAS='2');",
		"create or replace source table B (ID INT PRIMARY KEY, V DECIMAL(4,2)) with (VALUE_FORMAT='JSON', Kafka_Topic='b''s');",
		"CREATE STREAM C WITH (kafka_topic='c', value_format='AVRO');",
		"CREATE STREAM D WITH (kafka_topic='d', partitions=128); CREATE STREAM E WITH (kafka_topic='e', partitions=128);",
		"CREATE STREAM F WITH (kafka_topic='f') AS SELECT * FROM A WHERE (1) = 1;",
		"CREATE TYPE T AS STRUCT<A INT>; DROP STREAM A;"],
		"inputs": [{"topic": "a"}, {"topic": "g"}], "outputs": [{"topic": "h"}]`)
	var got []string
	for _, topic := range c.allTopics() {
		got = append(got, fmt.Sprintf("%s %d %d", topic.Name, topic.Partitions, topic.Replicas))
	}
	if want := []string{"d 128 1", "e 7 3", "a 3 2", "b's 4 1", "g 4 1", "h 4 1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSchemasAreReadHoweverTheyAreWritten(t *testing.T) {
	for text, want := range map[string]string{
		"id int key, `v x` varchar":            "`ID` INTEGER KEY, `v x` STRING",
		"ID INTEGER PRIMARY KEY,\n V STRING":   "`ID` INTEGER KEY, `V` STRING",
		"A ARRAY<MAP<STRING,DECIMAL(4,2)>>":    "`A` ARRAY<MAP<STRING, DECIMAL(4, 2)>>",
		"S STRUCT<a INT, `b` STRUCT<C BYTES>>": "`S` STRUCT<`A` INTEGER, `b` STRUCT<`C` BYTES>>",
		"H BYTES HEADER('k'), I ARRAY<STRUCT<KEY STRING, VALUE BYTES>> HEADERS": "`H` BYTES HEADER(k), " +
			"`I` ARRAY<STRUCT<`KEY` STRING, `VALUE` BYTES>> HEADERS",
		"": "",
	} {
		columns, err := parseColumns(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := columnsText(columns); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
		if again, err := parseColumns(columnsText(columns)); err != nil || !strings.Contains(want, "HEADER(") && columnsText(again) != want {
			t.Errorf("%q again is %v, %v", text, again, err)
		}
	}
	for _, text := range []string{"A", "A INT B INT", "A FLOAT", "A ARRAY<INT", "A DECIMAL", "A MAP<STRING>", "A INT,"} {
		if columns, err := parseColumns(text); err == nil {
			t.Errorf("%q is %s", text, columnsText(columns))
		}
	}
}

func TestRatchetRemembers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "testdata", "passing.txt")
	first, second, third := &testCase{full: "f - first"}, &testCase{full: "f - second"}, &testCase{full: "f - third"}
	readRatchet(t, file).add(t, file, []verdict{{c: first, passed: true}, {c: second, passed: true}, {c: third, err: errors.New("x")}})
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "first") || strings.Count(string(text), "\n") != 2 {
		t.Errorf("%q, %v", text, err)
	}
	r := readRatchet(t, file)
	lost := r.lost([]verdict{{c: first, err: errors.New("x")}, {c: second, passed: true}, {c: third, err: errors.New("x")}})
	if len(lost) != 1 || lost[0].c != first {
		t.Errorf("lost %v", lost)
	}
	if lost := r.lost([]verdict{{c: first, skipped: "off"}}); len(lost) != 0 {
		t.Errorf("lost %v", lost)
	}
}

func TestReportGroupsByCause(t *testing.T) {
	bad := func(name, message string) verdict {
		return verdict{c: &testCase{file: "f", full: "f - " + name}, err: errors.New(message)}
	}
	verdicts := []verdict{
		bad("a", "topic OUT: record 1: value.A.b[2]: want 1, got 2"),
		bad("b", "analyse, statement 2 of 2: function 'CHR' is unknown"),
		bad("c", "topic IN: record 12: value.C: want \"x\", got null\nmore"),
		{c: &testCase{file: "f", full: "f - d"}, passed: true, negative: true, err: errors.New("text")},
		{c: &testCase{file: "g", full: "g - e"}, skipped: "off"},
		{c: &testCase{file: "g", full: "g - f"}, negative: true, text: true, err: errors.New("accepted")},
	}
	all := groups(verdicts)
	if len(all) != 3 || all[0].Count != 2 || all[0].Cause != "topic …: record #: value: a field differs" ||
		all[2].Cause != "analyse, statement # of #: function … is unknown" {
		t.Errorf("%+v", all)
	}
	text := table(verdicts)
	for _, want := range []string{
		"f                                                         4      1      3      0   1: 1, 0\n",
		"g                                                         2      0      1      1   1: 0, 1\n",
		"positive 0 of 3 (0.0 %), negative by class 1 of 2 (50.0 %), by text 1 of 2 (50.0 %)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
