package lower_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/lower"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/record"
)

// tapOf plans a push query on one source and taps it. failed counts what its rows are told of.
func tapOf(t *testing.T, create, query string, failed *int) *lower.Tap {
	t.Helper()
	c := plan.Context{Catalog: catalog.New(), Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})}
	st, err := parse.Statement(create)
	if err != nil {
		t.Fatal(err)
	}
	source, err := plan.Define(c, st.(*ast.CreateSource))
	if err != nil {
		t.Fatal(err)
	}
	c.Catalog.Put(source)
	if st, err = parse.Statement(query); err != nil {
		t.Fatal(err)
	}
	s, err := plan.Own(c, st.(*ast.Select).Query)
	if err != nil {
		t.Fatal(err)
	}
	tap, err := lower.NewTap(s, lower.Env{Name: "tap", Failed: func(string, error) { *failed++ }})
	if err != nil {
		t.Fatal(err)
	}
	return tap
}

// one gives a tap one record; an empty text is null. It returns its row as text.
func one(tap *lower.Tap, key, value string) string {
	c := client.Chunk{Offsets: []record.Offset{7}, Timestamps: []record.Timestamp{99}, Keys: [][]byte{nil}, Values: [][]byte{nil}}
	c.Topic, c.Partition = "t", 3
	if key != "" {
		c.Keys[0] = []byte(key)
	}
	if value != "" {
		c.Values[0] = []byte(value)
	}
	values, gone, ok := tap.Row(&c, 0)
	if !ok {
		return "none"
	}
	text := ""
	for _, v := range values.Values() {
		if v.IsNull() {
			text += "null "
		} else {
			text += fmt.Sprint(v.Text(), v.Int64(), " ")
		}
	}
	if gone {
		text += "gone"
	}
	return text
}

const tableOfCups = "CREATE TABLE cups (k VARCHAR PRIMARY KEY, n INT) WITH (kafka_topic='t', value_format='JSON')"

func TestTaps(t *testing.T) {
	const streamOfCups = "CREATE STREAM cups (k VARCHAR KEY, n INT) WITH (kafka_topic='t', value_format='JSON')"
	for _, tt := range []struct{ create, query, key, value, want string }{
		{streamOfCups, "SELECT k, n * 2 AS m FROM cups EMIT CHANGES", "a", `{"n":4}`, "a0 8 "},
		{streamOfCups, "SELECT * FROM cups WHERE n > 4 EMIT CHANGES", "a", `{"n":4}`, "none"},
		{streamOfCups, "SELECT * FROM cups EMIT CHANGES", "", `{"n":4}`, "null 4 "},
		{streamOfCups, "SELECT * FROM cups EMIT CHANGES", "a", "", "none"},
		{streamOfCups, "SELECT rowtime, rowpartition, rowoffset FROM cups EMIT CHANGES", "a", `{}`, "99 3 7 "},
		{tableOfCups, "SELECT n, k FROM cups EMIT CHANGES", "a", "", "null a0 gone"},
		{tableOfCups, "SELECT n, k FROM cups EMIT CHANGES", "", `{"n":4}`, "none"},
		{tableOfCups, "SELECT n, k FROM cups WHERE n > 1 EMIT CHANGES", "a", "", "none"},
	} {
		failed := 0
		if got := one(tapOf(t, tt.create, tt.query, &failed), tt.key, tt.value); got != tt.want || failed != 0 {
			t.Errorf("%s %q %q: got %q, want %q; %d failures", tt.query, tt.key, tt.value, got, tt.want, failed)
		}
	}
	failed := 0
	if got := one(tapOf(t, streamOfCups, "SELECT * FROM cups EMIT CHANGES", &failed), "a", "no JSON"); got != "none" || failed != 1 {
		t.Errorf("a record that cannot be read gives %q and %d failures", got, failed)
	}
}

// What a client was shown and does not fit any more is told once. When there are too many keys to remember, all that do not fit are told.
func TestATapRemembersWhatItShowed(t *testing.T) {
	failed := 0
	tap := tapOf(t, tableOfCups, "SELECT k, n FROM cups WHERE n > 1 EMIT CHANGES", &failed)
	for _, step := range []struct{ key, value, want string }{
		{"a", `{"n":1}`, "none"},
		{"a", `{"n":2}`, "a0 2 "},
		{"a", `{"n":0}`, "a0 null gone"},
		{"a", ``, "none"},
		{"b", `{"n":5}`, "b0 5 "},
		{"b", ``, "b0 null gone"},
	} {
		if got := one(tap, step.key, step.value); got != step.want {
			t.Errorf("%s %s: got %q, want %q", step.key, step.value, got, step.want)
		}
	}
	for i := range 1<<16 + 1 {
		one(tap, fmt.Sprint(i), `{"n":2}`)
	}
	if got := one(tap, "never", `{"n":0}`); got != "never0 null gone" {
		t.Errorf("beyond what it remembers it tells %q", got)
	}
}
