// Package randomsql writes random sources, records and queries and compares what the engine makes of them with what PostgreSQL answers to the
// same question over the same records.
//
// A case is made from its seed (newCase). Each query of it is two texts of one tree: one in ksqlDB's SQL, which the engine runs record by
// record (run), and one in PostgreSQL's, which computes over all records at once (oracle). A table must end as PostgreSQL's rows are; a stream
// must have had exactly these rows. Each case runs on one partition, and again with crashes at random records, between epochs and in the middle
// of them, shared over several partitions and workers unless its results depend on the order of records of several keys. Where the languages
// differ by definition the tree says it so that both mean the same: see forms.
//
// MAINSTEM_RANDOM_SQL is the number of cases, MAINSTEM_RANDOM_SQL_SEED the first seed. The first case that fails is made as small as it can be
// (shrink) and printed with both answers; MAINSTEM_RANDOM_SQL_ORACLE=1 prints what PostgreSQL was asked, too. MAINSTEM_RANDOM_SQL_ALL=1 goes on
// and prints all that fail as they are.
//
// Not here: pull queries, formats of records in themselves, ksqlDB's own cases (test/qtt).
package randomsql

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/mainstemio/mainstem/internal/need/postgres"
)

const defaultCases = 150

func number64(t *testing.T, name string, def uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestQueriesAnswerAsPostgreSQL runs cases.
func TestQueriesAnswerAsPostgreSQL(t *testing.T) {
	cases := number64(t, "MAINSTEM_RANDOM_SQL", defaultCases)
	first := number64(t, "MAINSTEM_RANDOM_SQL_SEED", 1)
	o := newOracle(t)
	for seed := first; seed < first+cases; seed++ {
		c := newCase(seed)
		if done := seed - first; done > 0 && done%500 == 0 {
			t.Logf("%d cases", done)
		}
		err := c.check(o)
		if err == nil {
			continue
		}
		if os.Getenv("MAINSTEM_RANDOM_SQL_ALL") != "" {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		c = shrink(c, o)
		t.Fatalf("seed %d\n%s\n%s\n%v", seed, c.script(), c.shownInputs(), c.check(o))
	}
}

// A difference is one between the engine and PostgreSQL.
type difference struct {
	mode, query, diff, oracle string
	side                      int // who has more rows: below 0 PostgreSQL, above 0 the engine
}

func (d *difference) Error() string {
	text := fmt.Sprintf("%s, %s: -PostgreSQL +engine\n%s", d.mode, d.query, d.diff)
	if os.Getenv("MAINSTEM_RANDOM_SQL_ORACLE") != "" {
		text += "\nPostgreSQL was asked\n" + d.oracle
	}
	return text
}

// An engineError is one of the engine.
type engineError struct {
	mode string
	err  error
}

func (e *engineError) Error() string { return e.mode + ": " + e.err.Error() }

// check runs a case in all modes. The error is a difference, an error of the engine, or one of PostgreSQL: a fault of what writes cases.
func (c *testCase) check(o *oracle) error {
	want := map[string][]string{}
	for _, m := range c.modes() {
		got, err := c.run(m)
		if err != nil {
			return &engineError{m.name, err}
		}
		for _, q := range c.queries {
			if _, asked := want[q.name]; !asked {
				if want[q.name], err = o.answer(c, q, got[q.name]); err != nil {
					return err
				}
			}
			if diff := gocmp.Diff(want[q.name], got[q.name].lines()); diff != "" {
				return &difference{m.name, q.name, diff, c.oracleText(q), cmp.Compare(len(got[q.name].lines()), len(want[q.name]))}
			}
		}
	}
	return nil
}

// sameKind tells whether two errors are of one kind: what is made smaller must stay wrong in the same way.
func sameKind(a, b error) bool {
	var d1, d2 *difference
	var e1, e2 *engineError
	switch {
	case errors.As(a, &d1):
		return errors.As(b, &d2) && d1.side == d2.side
	case errors.As(a, &e1):
		return errors.As(b, &e2) && firstWords(e1.err) == firstWords(e2.err)
	}
	return false
}

// firstWords leaves out what names a case's own things.
func firstWords(err error) string {
	text := err.Error()
	return text[max(strings.LastIndex(text[:min(len(text), 200)], ": "), 0):min(len(text), 200)]
}

func (c *testCase) shownInputs() string {
	var b strings.Builder
	for i, in := range c.inputs {
		var cells []string
		s := c.relation(in.source).(*source)
		for j, v := range in.values {
			if in.delete && j >= s.keys() {
				cells = append(cells, "DELETE")
				break
			}
			cells = append(cells, shown(v, s.columns[j].typ))
		}
		fmt.Fprintf(&b, "%3d %s @%d: %s\n", i, in.source, in.ts, strings.Join(cells, " | "))
	}
	return b.String()
}

// An oracle asks PostgreSQL.
type oracle struct {
	t  *testing.T
	db *pgx.Conn
}

func newOracle(t *testing.T) *oracle {
	dsn := postgres.Start(t)
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	if _, err := db.Exec(t.Context(), "SET jit = off; SET extra_float_digits = 3; SET statement_timeout = '2min'; SET intervalstyle = 'iso_8601'"); err != nil {
		t.Fatal(err)
	}
	return &oracle{t, db}
}

// oracleText is what PostgreSQL is asked for a query: its rows as arrays in JSON.
func (c *testCase) oracleText(q *query) string {
	var with []string
	for _, s := range c.sources {
		with = append(with, s.with(c))
	}
	var cells []string
	for _, col := range q.list() {
		cells = append(cells, "answer."+col.name)
	}
	if q.window != nil {
		cells = append(cells, "wstart", "wend")
	}
	if !q.table {
		cells = append(cells, "ts")
	}
	return fmt.Sprintf("WITH %s\nSELECT to_json(ARRAY[%s])::text FROM (%s) answer",
		strings.Join(with, ",\n"), "to_json("+strings.Join(cells, "), to_json(")+")", q.rows(c, ""))
}

// answer asks for a query's rows and writes them as the engine's result is written.
func (o *oracle) answer(c *testCase, q *query, like *result) ([]string, error) {
	rows, err := o.db.Query(o.t.Context(), c.oracleText(q), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, fmt.Errorf("ask PostgreSQL: %w\n%s", err, c.oracleText(q))
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("ask PostgreSQL: %w\n%s", err, c.oracleText(q))
	}
	out := make([]string, 0, len(texts))
	for _, text := range texts {
		var cells []json.RawMessage
		if err := json.Unmarshal([]byte(text), &cells); err != nil {
			return nil, fmt.Errorf("PostgreSQL's answer %s: %w", text, err)
		}
		line, err := like.line(q, cells)
		if err != nil {
			return nil, err
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out, nil
}

// line is a row of PostgreSQL's as result.add writes it.
func (r *result) line(q *query, cells []json.RawMessage) (string, error) {
	var keys, values []string
	for i, col := range q.list() {
		text, err := fromPostgres(cells[i], col.typ)
		if err != nil {
			return "", fmt.Errorf("column %s: %w", col.name, err)
		}
		switch {
		case col.key:
			keys = append(keys, text)
		case col.set:
			values = append(values, unordered(text))
		default:
			values = append(values, text)
		}
	}
	rest := cells[len(keys)+len(values):]
	if q.window != nil {
		keys = append(keys, string(rest[0]), string(rest[1]))
	}
	line := strings.Join(keys, " | ") + " => " + strings.Join(values, " | ")
	if !q.table {
		line += " @" + string(rest[0])
	}
	return line, nil
}
