package session_test

import (
	"context"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
)

var update = flag.Bool("update", false, "write the golden file anew")

const sensors = "CREATE STREAM sensors (id VARCHAR KEY, heat INT) WITH (kafka_topic='sensors', value_format='JSON', partitions=1);\n"

func open() *trial.Trial {
	return trial.New(trial.Options{Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})})
}

func TestAScriptStopsAtTheStatementThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		phase  session.Phase
		index  int
		line   int // 0: the whole statement, or a place in the message
		text   string
	}{
		"no statement":   {sensors + "CREATE STREAM SELECT;", session.Parse, 1, 0, "Syntax Error"},
		"no such column": {sensors + "CREATE STREAM hot AS\n SELECT id, cold FROM sensors;", session.Plan, 1, 3, "Line: 3, Col: 13: "},
		"no such source": {sensors + "CREATE STREAM hot AS SELECT * FROM nobody;", session.Plan, 1, 2, "NOBODY does not exist"},
		"no such type":   {"CREATE TYPE t AS INT; DROP TYPE t; DROP TYPE t;", session.Plan, 2, 1, "Type T does not exist"},
		"a bad value":    {sensors + "INSERT INTO sensors VALUES ('a', 'b');", session.Plan, 1, 2, "Expected type INTEGER for field `HEAT` but got STRING(b)"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open()
			results, err := tr.Exec(context.Background(), tt.script+" CREATE TYPE after AS INT;", nil)
			var at *session.StatementError
			if !errors.As(err, &at) {
				t.Fatalf("error %v", err)
			}
			if at.Phase != tt.phase || at.Index != tt.index || at.At.Line != tt.line || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("phase %d, statement %d, line %d: %v", at.Phase, at.Index, at.At.Line, err)
			}
			if len(results) != tt.index || tr.Catalog().Type("AFTER") != nil {
				t.Errorf("%d results; what stands behind was executed: %t", len(results), tr.Catalog().Type("AFTER") != nil)
			}
		})
	}
}

func TestPropertiesHoldForOneScript(t *testing.T) {
	tr := open()
	const bare = "CREATE STREAM bare (n INT) WITH (kafka_topic='bare', partitions=1);"
	setting := map[string]string{"ksql.persistence.default.format.value": "JSON"}
	if _, err := tr.Exec(context.Background(), bare, nil); err == nil {
		t.Fatal("a stream without a format was made")
	}
	if _, err := tr.Exec(context.Background(), bare, setting); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Exec(context.Background(), strings.ReplaceAll(bare, "bare", "other"), nil); err == nil {
		t.Fatal("the property is still there")
	}
}

func TestQueriesHaveIDsInTheOrderOfTheirMaking(t *testing.T) {
	tr := open()
	_, err := tr.Exec(context.Background(), sensors+`CREATE STREAM a AS SELECT * FROM sensors; CREATE TABLE b AS SELECT id, COUNT(*) AS n FROM sensors GROUP BY id;
		INSERT INTO a SELECT * FROM sensors; TERMINATE CSAS_A_0; CREATE STREAM c AS SELECT * FROM sensors;`, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, q := range tr.Queries() {
		ids = append(ids, q.ID)
	}
	if got := strings.Join(ids, " "); got != "CTAS_B_1 INSERTQUERY_2 CSAS_C_3" {
		t.Errorf("queries %s", got)
	}
}
