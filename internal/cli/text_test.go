package cli

import (
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/fsck"
	"github.com/mainstemio/mainstem/internal/server/httpapi"
)

func TestFiguresAreWrittenForPeople(t *testing.T) {
	for got, want := range map[string]string{
		sizeText(-1): "-", sizeText(1023): "1023 B", sizeText(1536): "1.5 KiB", sizeText(5 << 30): "5.0 GiB",
		countText(0): "0", countText(999): "999", countText(1234567): "1,234,567", countText(-1000): "-1,000",
		rateText(0.25): "0.2", rateText(1234.4): "1,234",
		spanText(-1): "-", spanText(999): "999 ms", spanText(1500): "1.5 s", spanText(600_000): "10 min", spanText(7_200_000): "2 h",
		spanText(400_000_000): "4 days", short("a-very-long-name", 6): "…-name", short("short", 6): "short",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// widest is the longest line in characters.
func widest(text string) (n int) {
	for _, line := range strings.Split(text, "\n") {
		n = max(n, len([]rune(line)))
	}
	return n
}

func TestAStatusFitsEightyColumnsAndEndsWithWhatIsWrong(t *testing.T) {
	name := strings.Repeat("very-long-name-", 6)
	s := httpapi.Status{
		Flow: httpapi.Flow{
			Node:      httpapi.Node{Version: "v1.2.3", Kafka: "127.0.0.1:9092", Directory: "/var/lib/mainstem", UptimeMs: 123456},
			Topics:    []httpapi.Topic{{Name: name, Partitions: 10000, Records: 123_456_789_012, Bytes: 1 << 40, Rate: 123456}},
			Pipelines: []httpapi.Pipeline{{Name: name, State: "restoring", Processed: 123_456_789, Rate: 99999, Lag: 1_000_000, BehindMs: 3_000_000}},
			Sinks:     []httpapi.Sink{{Name: name, State: "running", Delivered: 123_456_789, Lag: 1_000_000, FreshnessP50: 12, FreshnessP99: 3_000_000}},
		},
		Storage: &httpapi.Storage{Partitions: 10_000, LogBytes: 1 << 40, FreeBytes: 1 << 40, TotalBytes: 1 << 42, SyncP50Ms: 0.4, SyncP99Ms: 1234.5},
		Groups:  []httpapi.Group{{Name: name, State: "CompletingRebalance", Members: 12, Lag: 123_456_789_012, BehindMs: 3_000_000}},
	}
	calm := statusText(s)
	if widest(calm) > textWidth || !strings.HasSuffix(calm, "\nAll is well.\n") {
		t.Errorf("%d columns:\n%s", widest(calm), calm)
	}
	s.Problems = []httpapi.Problem{{
		Severity: httpapi.SeverityError, Code: "pipeline_failed", Object: "totals", Next: "mend the cause " + strings.Repeat("and then go on ", 10),
		Message: strings.Repeat("something happened ", 10),
	}}
	wrong := statusText(s)
	if widest(wrong) > textWidth || !strings.Contains(wrong, "  error   totals: something") || !strings.Contains(wrong, "          next: mend the cause") {
		t.Errorf("%d columns:\n%s", widest(wrong), wrong)
	}
	if broken(s.Problems) == nil || broken(nil) != nil || broken([]httpapi.Problem{{Severity: httpapi.SeverityWarning}}) != nil {
		t.Error("only errors make the command fail")
	}
}

func TestAFindingSaysWhatWhereAndWhatNext(t *testing.T) {
	text := findingText(fsck.Finding{
		Severity: fsck.Damage, Code: "records_damaged", File: "broker/x.log", At: 4711, Topic: "orders", Partition: 3, From: 10, To: 20,
		About: "CRC is wrong", Node: "it refuses", Next: "restore",
	})
	want := "DAMAGE [records_damaged] broker/x.log at 4711\n  orders/3, offsets 10 to 19\n  what  CRC is wrong\n  node  it refuses\n  next  restore\n"
	if text != want {
		t.Errorf("got\n%s", text)
	}
}

func TestResetTargetsAreRead(t *testing.T) {
	for text, want := range map[string]target{
		"earliest": {kind: toEarliest}, "latest": {kind: toLatest}, "42": {toOffset, 42}, "+3": {toShift, 3}, "-3": {toShift, -3},
		"2026-01-31T12:00:00Z": {toTime, 1769860800000},
	} {
		if got, err := parseTarget(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "soon", "1.5", "2026-13-01"} {
		if _, err := parseTarget(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	only, err := parseTopics([]string{"a", "b:0,2"})
	if err != nil || only["a"] != nil || len(only["b"]) != 2 || only["b"][1] != 2 {
		t.Errorf("%v, %v", only, err)
	}
	for _, text := range []string{":1", "a:", "a:x", "a:-1"} {
		if _, err := parseTopics([]string{text}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
