package trial_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/streamtest"
)

// Both sides of a join move to the partitions of what they are joined on. Their columns have other names, and their own keys have two columns,
// which are written as an object: what they are joined on is not.
func TestPartnersMeetInOnePartitionWhateverTheirColumnsAreCalled(t *testing.T) {
	tr := trial.New(trial.Options{
		Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}), Driver: []streamtest.Option{streamtest.Partitions(4)},
	})
	exec(t, tr, `
		CREATE STREAM l (a INT KEY, b INT KEY, x INT) WITH (KAFKA_TOPIC='l', FORMAT='JSON', PARTITIONS=4);
		CREATE STREAM r (c INT KEY, d INT KEY, y INT) WITH (KAFKA_TOPIC='r', FORMAT='JSON', PARTITIONS=4);
		CREATE STREAM j AS SELECT x, y, a FROM l JOIN r WITHIN 1 SECOND ON x = y;`)
	const pairs = 8
	for i := range pairs {
		for topic, column := range map[string]string{"l": "x", "r": "y"} {
			rec := record.Record{Key: fmt.Appendf(nil, `{"%s":1,"%s":2}`, map[string]string{"x": "a", "y": "c"}[column], map[string]string{"x": "b", "y": "d"}[column])}
			rec.Value = fmt.Appendf(nil, `{"%s":%d}`, column, i)
			if err := tr.Pipe(tr.Queries()[0].ID, topic, rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := len(tr.Drain("J")); got != pairs {
		t.Errorf("%d of %d pairs", got, pairs)
	}
}

// Between workers groups of several expressions move as an object by their columns' names, and expressions have no names of their own.
func TestGroupsOfSeveralExpressionsKeepAllOfThem(t *testing.T) {
	tr := trial.New(trial.Options{
		Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}), Driver: []streamtest.Option{streamtest.Partitions(4), streamtest.Workers(2)},
	})
	exec(t, tr, `
		CREATE STREAM s (k INT KEY, x INT, p STRUCT<x INT>) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=4);
		CREATE TABLE t AS SELECT x + 1 AS a, x + 2 AS b, x AS c, p->x AS d, COUNT(*) AS n FROM s GROUP BY x + 1, x + 2, x, p->x;`)
	if err := tr.Pipe(tr.Queries()[0].ID, "s", record.Record{Key: []byte("7"), Value: []byte(`{"x":1,"p":{"x":5}}`)}); err != nil {
		t.Fatal(err)
	}
	got := tr.Drain("T")
	if want := `{"A":2,"B":3,"C":1,"D":5}`; len(got) != 1 || string(got[0].Key) != want {
		t.Errorf("%d records, the first is %s; should be one with the key %s", len(got), got, want)
	}
}

// A session whose only moment has several records is taken back by HAVING as any other.
func TestHavingTakesBackASessionOfOneMoment(t *testing.T) {
	tr := trial.New(trial.Options{Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})})
	exec(t, tr, `
		CREATE STREAM s (k INT KEY, x INT) WITH (KAFKA_TOPIC='s', KEY_FORMAT='KAFKA', VALUE_FORMAT='JSON', PARTITIONS=1);
		CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s WINDOW SESSION (1 SECOND) GROUP BY k HAVING COUNT(*) < 3;`)
	for range 4 {
		if err := tr.Pipe(tr.Queries()[0].ID, "s", record.Record{Key: []byte("\x00\x00\x00\x01"), Value: []byte(`{"x":1}`), Timestamp: 5000}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range tr.Drain("T") {
		got = append(got, string(r.Value))
	}
	if want := []string{`{"N":1}`, `{"N":2}`, ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
