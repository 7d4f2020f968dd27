package nexmark_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/record"
)

// TestArroyosGoldens runs what Arroyo published as inputs, and compares with its outputs; of those that update, with their final rows.
func TestArroyosGoldens(t *testing.T) {
	dir := data(t, "arroyo-golden")
	sources := script(t, "testdata/arroyo/sources.sql")
	inputs := map[string][]record.Record{}
	for topic, file := range map[string]string{"cars": "cars.json", "impulse": "impulse.json", "orders": "aggregate_updates.json"} {
		inputs[topic] = messages(t, filepath.Join(dir, "inputs", file), topic)
	}
	for _, name := range scripts(t, "testdata/arroyo") {
		if name == "sources" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "most_active_driver_last_hour" {
				t.Skip("each ride is in 60 windows")
			}
			got := canonicals(t, runScript(t, sources+script(t, "testdata/arroyo/"+name+".sql"), inputs))
			want := canonicals(t, folded(t, lined(t, filepath.Join(dir, "golden_outputs", name+".json"))))
			if diff := firstDifference(want, got); diff != "" {
				t.Errorf("%d rows, want %d (-golden +ours)\n%s", len(got), len(want), diff)
			}
		})
	}
}

// scripts are the names of a folder's SQL files.
func scripts(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".sql")
	}
	return files
}

func script(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// runScript runs statements over what their topics get, in three parts with a crash after each, and returns the values of RESULT.
func runScript(t *testing.T, statements string, inputs map[string][]record.Record) []json.RawMessage {
	t.Helper()
	w := newWorld(t, statements)
	const parts = 3
	for part := range parts {
		for _, records := range inputs {
			w.publish(records[part*len(records)/parts : (part+1)*len(records)/parts]...)
		}
		w.settle(t)
		if part < parts-1 {
			w.crash(t)
		}
	}
	s := w.Catalog().Source("RESULT")
	if s == nil {
		t.Fatal("the script makes no RESULT")
	}
	return values(s, w.log[s.Topic])
}

// lined are the lines of a file, without empty ones.
func lined(t *testing.T, path string) []json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []json.RawMessage
	for line := range bytes.Lines(raw) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, line)
		}
	}
	return out
}

// messages are the lines of a file as records of a topic: what stands before a ^ is the key, nothing behind it no value.
func messages(t *testing.T, path, topic string) []record.Record {
	t.Helper()
	var out []record.Record
	for i, line := range lined(t, path) {
		r := record.Record{TopicPartition: record.TopicPartition{Topic: topic}, Value: line, Timestamp: record.Timestamp(i)}
		if key, value, ok := bytes.Cut(line, []byte("^")); ok {
			r.Key, r.Value = key, value
			if len(value) == 0 {
				r.Value = nil
			}
		}
		out = append(out, r)
	}
	return out
}

// folded are the rows that a changelog of before and after leaves, or all lines where they are none.
func folded(t *testing.T, lines []json.RawMessage) []json.RawMessage {
	t.Helper()
	count, rows := map[string]int{}, map[string]json.RawMessage{}
	for _, line := range lines {
		m := members(t, line)
		if m["op"] == nil {
			return lines
		}
		for part, n := range map[string]int{"before": -1, "after": 1} {
			if string(m[part]) != "null" {
				key := canonical(t, m[part])
				count[key], rows[key] = count[key]+n, m[part]
			}
		}
	}
	var out []json.RawMessage
	for key, n := range count {
		out = append(out, slices.Repeat([]json.RawMessage{rows[key]}, n)...)
	}
	return out
}

func canonicals(t *testing.T, values []json.RawMessage) []string {
	t.Helper()
	var out []string
	for _, v := range values {
		out = append(out, canonical(t, v))
	}
	slices.Sort(out)
	return out
}

// canonical is an object as one text: names in lower case and in order, times as ms, one text for each number.
func canonical(t *testing.T, object json.RawMessage) string {
	t.Helper()
	lower := map[string]json.RawMessage{}
	for name, value := range members(t, object) {
		lower[strings.ToLower(name)] = value
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(lower)) {
		value := bytes.TrimSpace(lower[name])
		text := number(string(value))
		if value[0] == '"' {
			if err := json.Unmarshal(value, &text); err != nil {
				t.Fatal(err)
			}
			text = instant(text)
		}
		parts = append(parts, name+"="+text)
	}
	return strings.Join(parts, " ")
}

// instant is a text that is a time as ms, any other as it is.
func instant(text string) string {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			return strconv.FormatInt(at.UnixMilli(), 10)
		}
	}
	return text
}

// firstDifference shows where two sorted lists part.
func firstDifference(want, got []string) string {
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			return cmp.Diff(want[min(i, len(want)):min(i+3, len(want))], got[min(i, len(got)):min(i+3, len(got))])
		}
	}
	return ""
}
