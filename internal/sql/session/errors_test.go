package session_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/session"
)

const known = sensors + `
CREATE TABLE rooms (id VARCHAR PRIMARY KEY, floor INT) WITH (kafka_topic='rooms', value_format='JSON', partitions=1);
CREATE SOURCE STREAM taps (id VARCHAR KEY, n INT) WITH (kafka_topic='sensors', value_format='JSON');
CREATE STREAM far (id VARCHAR KEY, n INT) WITH (kafka_topic='far', value_format='JSON', partitions=3);
CREATE STREAM hot AS SELECT * FROM sensors WHERE heat > 50;
CREATE TABLE counts AS SELECT id, COUNT(*) AS n FROM sensors GROUP BY id;
CREATE TYPE place AS STRUCT<x INT, y INT>;
`

// TestErrors holds what wrong statements are told to what stands in testdata/errors.txt, one statement a block. Each has a code, and a mark
// under the place.
func TestErrors(t *testing.T) {
	const file = "testdata/errors.txt"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n====\n") {
		statement, want, _ := strings.Cut(block, "\n----\n")
		statement = strings.TrimSuffix(statement, "\n----")
		got := told(t, statement)
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

// told is what a person sees of a statement's error.
func told(t *testing.T, statement string) string {
	t.Helper()
	tr := open()
	if _, err := tr.Exec(context.Background(), known, nil); err != nil {
		t.Fatal(err)
	}
	_, err := tr.Exec(context.Background(), statement, nil)
	var failed *session.StatementError
	if !errors.As(err, &failed) {
		return fmt.Sprintf("no error: %v", err)
	}
	if failed.Code == "" {
		t.Errorf("%s: no code", statement)
	}
	text := failed.Code + ": " + strings.TrimSuffix(err.Error(), "\n")
	var p *parse.Error
	switch {
	case errors.As(err, &p):
		text += "\n" + p.Caret()
	case failed.At.Line > 0:
		text += "\n" + parse.CaretAt(statement, failed.At)
	}
	return strings.TrimSuffix(text, "\n")
}
