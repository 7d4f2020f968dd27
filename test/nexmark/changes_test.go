package nexmark_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/record"
)

// A fold is what a file of changes comes to, worked out without SQL: rows of the columns that the script gives.
type fold func(t *testing.T, records []record.Record) []json.RawMessage

// changeFiles are the samples of change data that SQL reads; nil: the file of expected customers says.
var changeFiles = map[string]fold{
	"debezium_log":                                  nil,
	"debezium_log_no_schema_field":                  nil,
	"debezium_mess_key":                             latest("order_id", "after"),
	"debezium_ignore_case_json":                     every("payload", "after"),
	"debezium_mongo_json_customers":                 mongo("payload"),
	"bug_bash":                                      every("payload", "after"),
	"maxwell_json":                                  latest("id", "data"),
	"cannal_json":                                   latest("id", "data", "0"),
	"canal_json_double_field":                       pairs,
	"upsert_json":                                   upserts,
	"kafka_4_partition_topic_with_100_message":      nested,
	"debezium_mongo_json_customers_no_schema_field": mongo(),
}

func TestChangeDataInItsFormats(t *testing.T) {
	dir := data(t, "cdc-formats")
	names := scripts(t, "testdata/cdc")
	if len(names) != len(changeFiles) {
		t.Errorf("%d scripts, %d cases", len(names), len(changeFiles))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(dir, name+".?"))
			if err != nil || len(files) != 1 {
				t.Fatalf("files %q, %v", files, err)
			}
			records := messages(t, files[0], "changes")
			got := runScript(t, script(t, "testdata/cdc/"+name+".sql"), map[string][]record.Record{"changes": records})
			var want []json.RawMessage
			if f := changeFiles[name]; f != nil {
				want = f(t, records)
			} else {
				want = lined(t, filepath.Join(dir, "expected-final-customers.jsonl"))
			}
			if len(want) == 0 {
				t.Fatal("nothing is expected")
			}
			if diff := firstDifference(canonicals(t, only(t, want, got)), canonicals(t, got)); diff != "" {
				t.Errorf("%d rows, want %d (-want +ours)\n%s", len(got), len(want), diff)
			}
		})
	}
}

// only leaves of the rows what is a column of ours.
func only(t *testing.T, rows, ours []json.RawMessage) []json.RawMessage {
	t.Helper()
	if len(ours) == 0 {
		return rows
	}
	columns := map[string]bool{}
	for name := range members(t, ours[0]) {
		columns[strings.ToLower(name)] = true
	}
	var out []json.RawMessage
	for _, r := range rows {
		kept := map[string]json.RawMessage{}
		for name, v := range members(t, r) {
			if columns[strings.ToLower(name)] {
				kept[name] = v
			}
		}
		out = append(out, object(t, kept))
	}
	return out
}

func object(t *testing.T, of any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// part goes down into a value; a number is an element.
func part(t *testing.T, value json.RawMessage, path ...string) json.RawMessage {
	t.Helper()
	for _, name := range path {
		if name == "0" {
			var elements []json.RawMessage
			if err := json.Unmarshal(value, &elements); err != nil {
				t.Fatal(err)
			}
			value = elements[0]
			continue
		}
		value = members(t, value)[name]
	}
	return value
}

// every takes a part of each record.
func every(path ...string) fold {
	return func(t *testing.T, records []record.Record) (out []json.RawMessage) {
		for _, r := range records {
			out = append(out, part(t, r.Value, path...))
		}
		return out
	}
}

// latest takes a part of the last record of each id, unless that is one of deletion.
func latest(id string, path ...string) fold {
	return func(t *testing.T, records []record.Record) (out []json.RawMessage) {
		last := map[string]json.RawMessage{}
		for _, r := range records {
			row := part(t, r.Value, path...)
			key := string(members(t, row)[id])
			last[key] = row
			if strings.EqualFold(string(members(t, r.Value)["type"]), `"delete"`) {
				delete(last, key)
			}
		}
		for _, row := range last {
			out = append(out, row)
		}
		return out
	}
}

// mongo takes the JSON that stands in a text.
func mongo(path ...string) fold {
	return func(t *testing.T, records []record.Record) (out []json.RawMessage) {
		for _, r := range records {
			var text string
			if err := json.Unmarshal(part(t, r.Value, append(path, "after")...), &text); err != nil {
				t.Fatal(err)
			}
			row := members(t, json.RawMessage(text))
			row["id"] = part(t, row["_id"], "$numberLong")
			out = append(out, object(t, row))
		}
		return out
	}
}

// pairs takes each row of a change with the change's type.
func pairs(t *testing.T, records []record.Record) (out []json.RawMessage) {
	for _, r := range records {
		var rows []map[string]json.RawMessage
		if err := json.Unmarshal(part(t, r.Value, "data"), &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			row["type"] = part(t, r.Value, "type")
			out = append(out, object(t, row))
		}
	}
	return out
}

// upserts takes the last value of each key, without deleted ones.
func upserts(_ *testing.T, records []record.Record) (out []json.RawMessage) {
	last := map[string]json.RawMessage{}
	for _, r := range records {
		last[string(r.Key)] = r.Value
	}
	for _, value := range last {
		if value != nil {
			out = append(out, value)
		}
	}
	return out
}

// nested takes elements and fields out of arrays and structures.
func nested(t *testing.T, records []record.Record) (out []json.RawMessage) {
	for _, r := range records {
		var row struct {
			V1 int    `json:"v1"`
			V2 string `json:"v2"`
			V3 []int  `json:"v3"`
			V4 struct {
				V5 int `json:"v5"`
				V6 int `json:"v6"`
			} `json:"v4"`
		}
		if err := json.Unmarshal(r.Value, &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, object(t, map[string]any{
			"v1": row.V1, "v2": row.V2, "first": row.V3[0], "last": row.V3[len(row.V3)-1], "length": len(row.V3), "v5": row.V4.V5, "v6": row.V4.V6,
		}))
	}
	return out
}
