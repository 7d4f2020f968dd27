package format_test

import (
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/row"
)

var accounts = row.Schema{
	{Name: "ID", Type: row.Bigint}, {Name: "NAME", Type: row.StringType}, {Name: "AGE", Type: row.Int}, {Name: "note", Type: row.StringType},
}

// codecOf reads some columns of accounts; none: all.
func codecOf(t *testing.T, columns ...int) format.Codec {
	t.Helper()
	c, err := format.New(format.Side{Spec: format.Spec{Name: format.JSON}, Schema: accounts, Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSomeColumnsOfAnObject(t *testing.T) {
	c := codecOf(t, 3, 0)
	got, err := c.Decode([]byte(`{"id": 7, "NAME": "x", "AGE": 3, "note": "n", "more": [1]}`))
	if want := row.NewRow(row.NewString("n"), row.NewBigint(7)); got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if text, err := c.Append(nil, got); string(text) != `{"note":"n","ID":7}` || err != nil {
		t.Errorf("written: %s, %v", text, err)
	}
	if got, err := codecOf(t).Decode([]byte(`{"AGE": 3}`)); got != row.NewRow(row.Null, row.Null, row.NewInt(3), row.Null) || err != nil {
		t.Errorf("all columns: %q, %v", got, err)
	}
}

// TestOtherColumnsAreChecked: a record is a bad one whichever columns are wanted of it.
func TestOtherColumnsAreChecked(t *testing.T) {
	c := codecOf(t, 0)
	for text, want := range map[string]string{
		`{"ID": 1, "AGE": true}`:            "column AGE",
		`{"ID": 1, "AGE": "x"}`:             "column AGE",
		`{"ID": true, "NAME": {}}`:          "column ID",
		`{"ID": 1, "NAME": "x}`:             "at byte",
		`{"ID": 1, "other": 01}`:            "leading zero at byte",
		`{"ID": 1} 2`:                       "more than one JSON value at byte 9",
		`{"ID": 1,}`:                        "not a field name at byte 9",
		`{"ID": 1, "NAME": 3, "note": [1]}`: "",
	} {
		_, err := c.Decode([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestObjectsOfManyShapes: what was learnt about the names of one object must not count for the next.
func TestObjectsOfManyShapes(t *testing.T) {
	c := codecOf(t, 0, 1)
	one, two := row.NewBigint(1), row.NewString("b")
	for range 2 {
		for text, want := range map[string]row.Row{
			`{"ID":1,"NAME":"b"}`:               row.NewRow(one, two),
			`{"NAME":"b","ID":1}`:               row.NewRow(one, two),
			`{"name":"b","id":1}`:               row.NewRow(one, two),
			`{"x":0,"ID":1,"y":0,"NAME":"b"}`:   row.NewRow(one, two),
			`{"ID":1}`:                          row.NewRow(one, row.Null),
			`{}`:                                row.NewRow(row.Null, row.Null),
			`{"id":9,"ID":1,"Id":8,"NAME":"b"}`: row.NewRow(one, two),
			`{"ID":9,"ID":1,"NAME":"b"}`:        row.NewRow(one, two),
			`{"\u0049D":1,"N\u0041ME":"b"}`:     row.NewRow(one, two),
			`{"ID":  1,"NAME": "b"}`:            row.NewRow(one, two),
			` { "ID" : 1 , "NAME" : "b" } `:     row.NewRow(one, two),
			`{"ID":1,` + strings.Repeat(" ", 200) + `"NAME":"b"}`:      row.NewRow(one, two),
			`{"ID":1,"NAME":"\u0062"}`:                                 row.NewRow(one, two),
			`{"` + strings.Repeat("x", 999) + `":0,"ID":1,"NAME":"b"}`: row.NewRow(one, two),
		} {
			if got, err := c.Decode([]byte(text)); got != want || err != nil {
				t.Errorf("%.60s: %q, %v", text, got, err)
			}
			for end := range len(text) - 2 { // nor for what is cut off
				if _, err := c.Decode([]byte(text)[:end]); err == nil {
					t.Errorf("%.60s: no error for its first %d bytes", text, end)
				}
			}
		}
	}
}

func TestARowOfAnObjectIsOneAllocation(t *testing.T) {
	c, text := codecOf(t, 0, 1), []byte(`{"id":7,"name":"x","age":3,"note":"n"}`)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.Decode(text); err != nil {
			t.Fatal(err)
		}
	}); n > 1.5 && !raceEnabled { // the pool may be emptied on the way; the race detector has it lose what it gets
		t.Errorf("%v allocations", n)
	}
}
