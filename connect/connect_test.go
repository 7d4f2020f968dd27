package connect_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/record"
)

var spec = connect.Spec{
	Name: "shelf",
	Options: []connect.Option{
		{Name: "path", Doc: "where it is", Required: true},
		{Name: "busy-timeout", Doc: "how long to wait", Kind: connect.Duration, Default: "2s"},
		{Name: "cache", Doc: "memory", Kind: connect.Size, Default: "4MiB"},
		{Name: "rows", Doc: "limit", Kind: connect.Int, Check: func(v string) error {
			if strings.HasPrefix(v, "-") {
				return errors.New("must not be negative")
			}
			return nil
		}},
		{Name: "strict", Doc: "no mercy", Kind: connect.Bool},
	},
}

func TestSpecFillsInDefaults(t *testing.T) {
	v, err := spec.Parse(map[string]string{"path": "/x", "rows": "7", "strict": "true"})
	if err != nil {
		t.Fatal(err)
	}
	if v.Text("path") != "/x" || v.Duration("busy-timeout") != 2*time.Second || v.Size("cache") != 4<<20 || v.Int("rows") != 7 || !v.Bool("strict") {
		t.Errorf("wrong values: %+v", v)
	}
	v, err = spec.Parse(map[string]string{"path": "/x"})
	if err != nil || v.Has("rows") || v.Int("rows") != 0 || !v.Has("cache") {
		t.Errorf("an option without value and default must have none: %+v, %v", v, err)
	}
}

func TestSpecReportsAllMistakesAtOnce(t *testing.T) {
	_, err := spec.Parse(map[string]string{"busy": "1s", "zoo": "1", "cache": "9EiB", "rows": "-1", "busy-timeout": "soon", "strict": "perhaps"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"option path is required", "unknown option busy; did you mean busy-timeout?", "unknown option zoo; there are path, busy-timeout",
		`"9EiB" is no size`, "option rows: must not be negative", `"soon" is no duration`, `"perhaps" is no bool`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in:\n%v", want, err)
		}
	}
}

func TestSizesAreCheckedForOverflow(t *testing.T) {
	for text, ok := range map[string]bool{"0": true, "1GiB": true, "-1": false, "8589934592GiB": false, "KiB": false, "1KB": false} {
		if _, err := spec.Parse(map[string]string{"path": "x", "cache": text}); (err == nil) != ok {
			t.Errorf("size %q: %v", text, err)
		}
	}
}

func TestSpecTableShowsEveryOption(t *testing.T) {
	table := spec.Table()
	for _, o := range spec.Options {
		if !strings.Contains(table, "| `"+o.Name+"` |") {
			t.Errorf("%s is missing in\n%s", o.Name, table)
		}
	}
}

type shelf struct{ connect.Sink }

func TestRegistry(t *testing.T) {
	kind := connect.SinkKind{Spec: spec, New: func(v connect.Values) (connect.Sink, error) { return shelf{}, nil }}
	r, err := connect.NewRegistry(kind)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.NewSink("shelf", map[string]string{"path": "x"}); err != nil || s == nil {
		t.Errorf("NewSink: %v, %v", s, err)
	}
	if _, err := r.NewSink("shelf", nil); err == nil {
		t.Error("options were not checked")
	}
	if _, err := r.NewSink("desk", nil); err == nil || !strings.Contains(err.Error(), "there are: shelf") {
		t.Errorf("unknown kind: %v", err)
	}
	if _, err := connect.NewRegistry(kind, kind); err == nil {
		t.Error("a kind listed twice was accepted")
	}
	if _, err := connect.NewRegistry(connect.SinkKind{Spec: spec}); err == nil {
		t.Error("a kind without constructor was accepted")
	}
}

func TestRetryMarksThroughWrapping(t *testing.T) {
	err := fmt.Errorf("write sink: %w", connect.Retry(context.DeadlineExceeded))
	if !connect.Retryable(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("mark or cause lost: %v", err)
	}
	if connect.Retryable(connect.ErrFenced) || connect.Retry(nil) != nil {
		t.Error("marked what was not")
	}
}

func ExampleRecordError() {
	err := &connect.RecordError{TopicPartition: record.TopicPartition{Topic: "orders", Partition: 3}, Offset: 1042, Err: errors.New("value is no JSON")}
	fmt.Println(err)
	// Output: record orders/3 at offset 1042: value is no JSON
}
