package trial_test

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	"github.com/mainstemio/mainstem/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestScripts runs the scripts of testdata. A file has cases between lines ====. Above the line ---- of a case stand statements, settings
// (set name=value) and records (> topic | key | value | time | header=value); below it what the queries write, record by record, what they
// leave out and the error that ends the script. Keys and values are text, hexadecimal after 0x, or null.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for block := range strings.SplitSeq(strings.TrimRight(string(raw), "\n"), "\n====\n") {
				input, want, _ := strings.Cut(block, "\n----")
				got := strings.TrimRight(newScript().run(t, input), "\n")
				if want = strings.TrimPrefix(want, "\n"); got != want && !*update {
					t.Errorf("%s\ngives\n%s\nshould be\n%s", input, got, want)
				}
				out = append(out, strings.TrimSpace(input)+"\n----\n"+got+"\n")
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.Join(out, "====\n")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A script is a trial with the account of what happened in it.
type script struct {
	trial *trial.Trial
	out   strings.Builder
}

func newScript() *script {
	s := &script{}
	s.trial = trial.New(trial.Options{
		Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}),
		Failed:    func(query, step string, err error) { fmt.Fprintf(&s.out, "left out by %s: %v\n", query, err) },
	})
	return s
}

func (s *script) run(t *testing.T, input string) string {
	t.Helper()
	var statements []string
	var records []record.Record
	settings := map[string]string{}
	for line := range strings.SplitSeq(input, "\n") {
		if text, ok := strings.CutPrefix(line, "> "); ok {
			records = append(records, recordOf(t, text))
		} else if text, ok := strings.CutPrefix(line, "set "); ok {
			name, value, _ := strings.Cut(text, "=")
			settings[name] = value
		} else {
			statements = append(statements, line)
		}
	}
	_, err := s.trial.Exec(context.Background(), strings.Join(statements, "\n"), settings)
	if err != nil {
		var at *session.StatementError
		if !errors.As(err, &at) {
			t.Fatal(err)
		}
		fmt.Fprintf(&s.out, "statement %d fails in phase %d: %v\n", at.Index+1, at.Phase, err)
	}
	for _, topic := range s.trial.Made() {
		for _, r := range s.trial.Drain(topic.Name) {
			r.Topic = topic.Name
			fmt.Fprintln(&s.out, shown(r))
			records = append([]record.Record{r}, records...)
		}
	}
	for _, r := range records {
		if err := s.pipe(r); err != nil {
			fmt.Fprintf(&s.out, "a query ends: %v\n", err)
			break
		}
	}
	return s.out.String()
}

// pipe gives a record to the queries that read its topic, then what they wrote to those that read that.
func (s *script) pipe(r record.Record) error {
	for _, q := range s.trial.Queries() {
		reads := false
		for _, source := range q.Plan.Sources {
			reads = reads || source.Topic == r.Topic
		}
		if !reads {
			continue
		}
		if err := s.trial.Pipe(q.ID, r.Topic, r); err != nil {
			return err
		}
		for _, w := range s.trial.Drain(q.Plan.Sink.Topic) {
			w.Topic = q.Plan.Sink.Topic
			fmt.Fprintln(&s.out, shown(w))
			if err := s.pipe(w); err != nil {
				return err
			}
		}
	}
	return nil
}

func recordOf(t *testing.T, line string) record.Record {
	t.Helper()
	fields := strings.Split(line, " | ")
	if len(fields) < 4 {
		t.Fatalf("record %q: want topic | key | value | time", line)
	}
	at, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		t.Fatalf("record %q: %v", line, err)
	}
	r := record.Record{Key: bytesOf(t, fields[1]), Value: bytesOf(t, fields[2]), Timestamp: record.Timestamp(at)}
	r.Topic = fields[0]
	for _, h := range fields[4:] {
		name, value, _ := strings.Cut(h, "=")
		r.Headers = append(r.Headers, record.Header{Key: name, Value: []byte(value)})
	}
	return r
}

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	if text == "null" {
		return nil
	}
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return []byte(text)
}

func shown(r record.Record) string {
	text := fmt.Sprintf("%s | %s | %s | %d", r.Topic, shownBytes(r.Key), shownBytes(r.Value), r.Timestamp)
	for _, h := range r.Headers {
		text += fmt.Sprintf(" | %s=%s", h.Key, h.Value)
	}
	return text
}

func shownBytes(b []byte) string {
	if b == nil {
		return "null"
	}
	for _, c := range string(b) {
		if c < ' ' || c == utf8.RuneError {
			return "0x" + hex.EncodeToString(b)
		}
	}
	return string(b)
}
