package mainstem_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/sqlfunc"
)

// own are functions of a program: one that fails for some, one that panics for some, and an aggregate that does both.
func own() mainstem.Option {
	return mainstem.WithFunctions(
		sqlfunc.Function{
			Name: "initial", Description: "The first letter.", Author: "Ada", Version: "2",
			Overloads: []sqlfunc.Overload{sqlfunc.Scalar1(func(s string) (string, error) {
				if s == "" {
					panic("no letter")
				}
				return s[:1], nil
			})},
		},
		sqlfunc.New("longest", "The longest text.", sqlfunc.Aggregate1(sqlfunc.Fold1[string, string, string]{
			Add: func(best, s string) (string, error) {
				switch {
				case s == "bad":
					return "", errors.New("a bad one")
				case s == "worse":
					panic("a worse one")
				case len(s) > len(best):
					return s, nil
				}
				return best, nil
			},
		})),
	)
}

// ask sends statements to a node.
func (n *node) ask(statements string) {
	n.t.Helper()
	if _, err := n.SQL(within(n.t), statements, nil); err != nil {
		n.t.Fatal(err)
	}
}

// answer is the rows of a pull query, once everything that was published has gone through.
func (n *node) answer(statement string) []string {
	n.t.Helper()
	ctx := within(n.t)
	if err := n.Settle(ctx); err != nil {
		n.t.Fatal(err)
	}
	rows, err := n.Query(ctx, statement, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for r, err := range rows.All(ctx) {
		if err != nil {
			n.t.Fatal(err)
		}
		var parts []string
		for _, v := range r.Values.Values() {
			part := v.Text()
			if v.Kind().IsNumber() {
				part = strconv.FormatInt(v.Int64(), 10)
			}
			parts = append(parts, part)
		}
		out = append(out, strings.Join(parts, ","))
	}
	slices.Sort(out)
	return out
}

func TestFunctionsOfAProgramRunInQueriesThatSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, own())
	n.ask(`CREATE STREAM names (id VARCHAR KEY, name VARCHAR) WITH (kafka_topic='names', value_format='JSON', partitions=1);
		CREATE TABLE best AS SELECT initial(name) AS letter, longest(name) AS name FROM names GROUP BY initial(name);`)
	for _, name := range []string{"bo", "bad", "", "boris", "worse", "anna"} {
		n.ask("INSERT INTO names (id, name) VALUES ('x', '" + name + "');")
	}
	if diff := cmp.Diff([]string{"a,anna", "b,boris", "w,"}, n.answer("SELECT letter, name FROM best;")); diff != "" {
		t.Error(diff)
	}
	d := n.entities("DESCRIBE FUNCTION initial;")[0]
	if d["name"] != "INITIAL" || d["author"] != "Ada" || d["version"] != "2" || d["type"] != "SCALAR" || d["description"] != "The first letter." {
		t.Error(d)
	}
	n.close()

	n = open(t, dir, own())
	n.ask("INSERT INTO names (id, name) VALUES ('x', 'beatrice');")
	if diff := cmp.Diff([]string{"b,beatrice"}, n.answer("SELECT letter, name FROM best WHERE letter = 'b';")); diff != "" {
		t.Error(diff)
	}
	_, err := n.SQL(within(t), `CREATE TABLE t AS SELECT id, longest(name) AS n FROM names WINDOW SESSION (1 MINUTE) GROUP BY id;`, nil)
	if err == nil || !strings.Contains(err.Error(), "LONGEST cannot be applied over SESSION windows") {
		t.Error(err)
	}
	n.close()

	if _, err := mainstem.Open(within(t), dir); err == nil || !strings.Contains(err.Error(), "INITIAL") {
		t.Errorf("without its functions a node opened: %v", err)
	}
}

func TestAFunctionThatCannotBeOneDoesNotOpenANode(t *testing.T) {
	_, err := mainstem.Open(within(t), t.TempDir(), mainstem.WithFunctions(sqlfunc.New("f", "", sqlfunc.Scalar0(func() (string, error) { return "", nil }))))
	if err == nil || !strings.Contains(err.Error(), "function f") {
		t.Error(err)
	}
}
