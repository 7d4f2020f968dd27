package lower_test

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
)

var update = flag.Bool("update", false, "write the golden file anew")

const sources = `
CREATE STREAM rides (id VARCHAR KEY, city VARCHAR, km INT, fare DECIMAL(8,2), tags ARRAY<VARCHAR>) WITH (kafka_topic='rides', value_format='JSON', partitions=2);
CREATE STREAM stops (id VARCHAR KEY, street VARCHAR, moment BIGINT) WITH (kafka_topic='stops', value_format='DELIMITED', timestamp='moment', partitions=2);
CREATE STREAM notes (note VARCHAR, h ARRAY<STRUCT<key VARCHAR, value BYTES>> HEADERS) WITH (kafka_topic='notes', value_format='JSON', partitions=2);
CREATE TABLE cities (name VARCHAR PRIMARY KEY, country VARCHAR) WITH (kafka_topic='cities', value_format='JSON', partitions=2);
CREATE TABLE countries (code VARCHAR PRIMARY KEY, title VARCHAR) WITH (kafka_topic='countries', value_format='JSON', partitions=2);
CREATE TABLE mayors (name VARCHAR PRIMARY KEY, mayor VARCHAR) WITH (kafka_topic='mayors', value_format='JSON', partitions=2);
`

// TestExplain holds topologies and their tasks to what stands in testdata/explain.txt: a statement, a line of dashes, its topology and tasks, a line of equals signs.
func TestExplain(t *testing.T) {
	const file = "testdata/explain.txt"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tr := trial.New(trial.Options{Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})})
	if _, err := tr.Exec(context.Background(), sources, nil); err != nil {
		t.Fatal(err)
	}
	var out []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n====\n") {
		statement, want, _ := strings.Cut(block, "\n----\n")
		statement = strings.TrimSuffix(statement, "\n----")
		got := ""
		results, err := tr.Exec(context.Background(), "EXPLAIN (PHYSICAL) "+statement+" EXPLAIN (TASKS) "+statement, nil)
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = results[0].Shows.(session.Explanation).Text + strings.TrimSuffix(results[1].Shows.(session.Explanation).Text, "\n")
		}
		if got != strings.TrimSuffix(want, "\n") && !*update {
			t.Errorf("%s\ngives\n%s\nshould be\n%s", statement, got, want)
		}
		out = append(out, statement+"\n----\n"+got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n====\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
