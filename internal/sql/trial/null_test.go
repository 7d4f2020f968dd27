package trial_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
)

// TestNullsWithoutATypeAreRefused: no format has a column whose type, or a part of it, is not known.
func TestNullsWithoutATypeAreRefused(t *testing.T) {
	for _, statement := range []string{
		"CREATE STREAM q AS SELECT k, NULL AS x FROM r;",
		"CREATE STREAM q AS SELECT k, COALESCE(NULL, NULL) AS x FROM r;",
		"CREATE STREAM q AS SELECT k, STRUCT(a := NULL) AS x FROM r;",
		"CREATE STREAM q AS SELECT k, ARRAY[STRUCT(a := NULL)] AS x FROM r;",
		"CREATE STREAM q AS SELECT k, CASE WHEN a = 1 THEN STRUCT(a := NULL) END AS x FROM r;",
		"CREATE STREAM q AS SELECT k, TRANSFORM(l, v => NULL) AS x FROM r;",
		"CREATE STREAM q AS SELECT k, TRANSFORM(h, (key, v) => key, (key, v) => NULL) AS x FROM r;",
		"CREATE STREAM q AS SELECT k, EXPLODE(ARRAY[STRUCT(a := NULL)]) AS x FROM r;",
		"CREATE STREAM q AS SELECT * FROM r PARTITION BY STRUCT(a := NULL);",
		"CREATE STREAM q AS SELECT * FROM r PARTITION BY COALESCE(NULL, NULL);",
		"CREATE TABLE q AS SELECT k, COLLECT_LIST(NULL) AS x FROM r GROUP BY k;",
		"CREATE TABLE q AS SELECT k, LATEST_BY_OFFSET(STRUCT(a := NULL)) AS x FROM r GROUP BY k;",
		"CREATE TABLE q WITH (key_format='JSON') AS SELECT NULL AS x, COUNT(*) AS n FROM r GROUP BY NULL;",
		"CREATE TABLE q WITH (key_format='JSON') AS SELECT STRUCT(a := NULL) AS x, COUNT(*) AS n FROM r GROUP BY STRUCT(a := NULL);",
	} {
		tr := trial.New(trial.Options{Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}), Schemas: registry.NewMemory()})
		exec(t, tr, world)
		_, err := tr.Exec(t.Context(), statement, nil)
		var e *session.StatementError
		if !errors.As(err, &e) || !strings.Contains(e.Error(), "infer a type of null") || e.Offset == 0 {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
