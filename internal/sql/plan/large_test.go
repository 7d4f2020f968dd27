package plan_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
)

// worked is how many bytes a function allocates: a measure of its work that a busy machine does not change.
func worked(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestWorkGrowsWithTheStatement plans statements and ones four times as large: quadratic work would be sixteen times as much.
func TestWorkGrowsWithTheStatement(t *testing.T) {
	numbered := func(n int, format, separator string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
		}
		return strings.Join(parts, separator)
	}
	c := trains(t)
	for name, statement := range map[string]func(n int) string{
		"columns": func(n int) string {
			return "CREATE STREAM q AS SELECT train, " + numbered(n, "late + # AS c#", ", ") + " FROM arrivals;"
		},
		"fields of one name": func(n int) string {
			return "CREATE STREAM q AS SELECT train, " + numbered(n, "tags->line", ", ") + " FROM arrivals;"
		},
		"groups": func(n int) string {
			return "CREATE TABLE q WITH (key_format='JSON') AS SELECT " + numbered(n, "late + # AS g#", ", ") + ", COUNT(*) AS n FROM arrivals GROUP BY " + numbered(n, "late + #", ", ") + ";"
		},
		"keys": func(n int) string {
			return "CREATE STREAM q WITH (key_format='JSON') AS SELECT * FROM arrivals PARTITION BY " + numbered(n, "late + #", ", ") + ";"
		},
		"aggregates": func(n int) string {
			return "CREATE TABLE q AS SELECT train, " + numbered(n, "SUM(late + #) AS s#", ", ") + " FROM arrivals GROUP BY train;"
		},
		"conditions behind groups": func(n int) string {
			return "CREATE TABLE q AS SELECT train, COUNT(*) AS n FROM arrivals GROUP BY train HAVING " + numbered(n, "COUNT(*) > #", " OR ") + ";"
		},
		"conditions that hold together": func(n int) string {
			return "SELECT * FROM tracks WHERE (code = 1 OR code = 2) AND " + numbered(n, "length > #", " AND ") + ";"
		},
		"alternatives": func(n int) string { return "SELECT * FROM tracks WHERE " + numbered(n, "code = #", " OR ") + ";" },
		"branches": func(n int) string {
			return "CREATE STREAM q AS SELECT train, CASE " + numbered(n, "WHEN late = # THEN #", " ") + " END AS x FROM arrivals;"
		},
		"elements": func(n int) string {
			return "CREATE STREAM q AS SELECT train, ARRAY[" + numbered(n, "late + #", ", ") + "] AS x FROM arrivals;"
		},
	} {
		t.Run(name, func(t *testing.T) {
			work := func(n int) uint64 {
				st, err := parse.Statement(statement(n))
				if err != nil {
					t.Fatal(err)
				}
				return worked(func() {
					switch st := st.(type) {
					case *ast.CreateAs:
						_, err = plan.CreateAs(c, st)
					case *ast.Select:
						_, err = plan.Own(c, st.Query)
					}
					if err != nil {
						t.Fatal(err)
					}
				})
			}
			work(10) // what is made once
			few, many := work(500), work(2_000)
			if many > 8*few {
				t.Errorf("%d kB for 500, %d kB for 2,000", few>>10, many>>10)
			}
		})
	}
}
