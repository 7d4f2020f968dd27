package stream_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// Rows are written key=value@time, with ~ for null and headers behind it: a=x@5[h:v].
var (
	nullable = serde.Nullable(serde.String)
	number   = serde.Nullable(serde.Int64)
)

func ptr[T any](v T) *T { return &v }

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

func text(s *string) string {
	if s == nil {
		return "~"
	}
	return *s
}

// pipe writes rows given as text; a row may begin with its topic and a colon: in2:a=x@1.
func pipe(t *testing.T, d *streamtest.Driver, rows string) {
	t.Helper()
	for _, row := range strings.Fields(rows) {
		if err := pipeRow(t, d, row); err != nil {
			t.Fatalf("pipe %s: %v", row, err)
		}
	}
}

func pipeRow(t *testing.T, d *streamtest.Driver, row string) error {
	t.Helper()
	topic := "in"
	if before, after, found := strings.Cut(row, ":"); found && !strings.Contains(before, "=") {
		topic, row = before, after
	}
	row, headerText, hasHeader := strings.Cut(row, "[")
	key, rest, ok1 := strings.Cut(row, "=")
	value, at, ok2 := strings.Cut(rest, "@")
	ts, err := strconv.ParseInt(at, 10, 64)
	if !ok1 || !ok2 || err != nil {
		t.Fatalf("bad row %q", row)
	}
	var headers []record.Header
	if hasHeader {
		name, v, _ := strings.Cut(strings.TrimSuffix(headerText, "]"), ":")
		headers = []record.Header{{Key: name, Value: []byte(v)}}
	}
	r := record.Record{Timestamp: record.Timestamp(ts), Key: nullBytes(key), Value: nullBytes(value), Headers: headers}
	r.Topic = topic
	return d.TryPipe(r)
}

func nullBytes(s string) []byte {
	if s == "~" {
		return nil
	}
	return []byte(s)
}

// read returns what is left in a topic as text.
func read[V any](d *streamtest.Driver, topic string, value serde.Serde[V], show func(V) string) string {
	var rows []string
	for _, r := range streamtest.NewOutput(d, topic, nullable, value).ReadAll() {
		row := text(r.Key) + "="
		if r.ValueNull {
			row += "~"
		} else {
			row += show(r.Value)
		}
		row += fmt.Sprintf("@%d", r.Timestamp)
		for _, h := range r.Headers {
			row += fmt.Sprintf("[%s:%s]", h.Key, h.Value)
		}
		rows = append(rows, row)
	}
	return strings.Join(rows, " ")
}

func readText(d *streamtest.Driver, topic string) string { return read(d, topic, nullable, text) }

// source reads topic in with keys and values that may be null.
func source(b *stream.Builder) stream.Stream[*string, *string] {
	return stream.From(b, "in", nullable, nullable)
}

func to(s stream.Stream[*string, *string], topic string) { s.To(topic, nullable, nullable) }

func build(t *testing.T, b *stream.Builder) *stream.Topology {
	t.Helper()
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

func has(s string) func(*string) bool {
	return func(v *string) bool { return strings.Contains(text(v), s) }
}

func add(s string) func(*string) *string {
	return func(v *string) *string {
		if v == nil {
			return nil
		}
		return ptr(*v + s)
	}
}
