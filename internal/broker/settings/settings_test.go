package settings

import (
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestTableIsSortedAndItsDefaultsAreRight(t *testing.T) {
	for i, s := range Table {
		if i > 0 && Table[i-1].Name >= s.Name {
			t.Errorf("%s is out of order", s.Name)
		}
		if wrong := s.Check(s.Default); wrong != "" {
			t.Errorf("default of %s: %s", s.Name, wrong)
		}
		if s.Doc == "" || s.Kind == "" || Find(s.Name).Name != s.Name {
			t.Errorf("%s is not described", s.Name)
		}
	}
	if Find("none") != nil {
		t.Error("an unknown setting is found")
	}
}

func TestValues(t *testing.T) {
	tests := []struct{ name, right, wrong string }{
		{"cleanup.policy", "compact, delete", "compact,,delete,compact"},
		{"cleanup.policy", "delete", ""},
		{"cleanup.policy", "compact", "shred"},
		{"compression.type", "zstd", "brotli"},
		{"compression.zstd.level", "-131072", "23"},
		{"follower.replication.throttled.replicas", "0:1,1:2", "0-1"},
		{"leader.replication.throttled.replicas", "*", "x:y"},
		{"max.message.bytes", "0", "-1"},
		{"message.timestamp.type", "LogAppendTime", "logappendtime"},
		{"min.cleanable.dirty.ratio", "1", "1.01"},
		{"min.cleanable.dirty.ratio", "0", "NaN"},
		{"preallocate", "TRUE", "yes"},
		{"remote.storage.enable", "false", "true"},
		{"retention.ms", "-1", "-2"},
		{"retention.ms", " 5 ", "5s"},
		{"segment.bytes", "2147483647", "2147483648"},
		{"segment.bytes", "1048576", "1048575"},
		{"retention.bytes", "-9", "x"},
		{"segment.ms", "9223372036854775807", "9223372036854775808"},
	}
	for _, test := range tests {
		if wrong := Find(test.name).Check(test.right); wrong != "" {
			t.Errorf("%s = %q: %s", test.name, test.right, wrong)
		}
		if Find(test.name).Check(test.wrong) == "" {
			t.Errorf("%s = %q is taken", test.name, test.wrong)
		}
	}
	err, detail := Check(map[string]string{"retention.ms": "soon"})
	if err != kerr.InvalidConfig || !strings.Contains(detail, "retention.ms") || !strings.Contains(detail, "soon") {
		t.Errorf("%v %s", err, detail)
	}
}

func TestRules(t *testing.T) {
	d := Defaults(map[string]string{"max.message.bytes": "777", "retention.bytes": "5"})
	if d.MaxBytes != 777 || d.AppendTime || d.Compact || !d.Delete || d.After != 3600000 ||
		d.RetentionBytes != 5 || d.RetentionMillis != 7*24*3600*1000 || d.DirtyRatio != 0.5 || d.Compression != "producer" {
		t.Errorf("defaults %+v", d)
	}
	r := d.With(map[string]string{"max.message.bytes": "5", "cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"})
	if r.MaxBytes != 5 || !r.AppendTime || !r.Compact || r.Delete || r.RetentionBytes != 5 {
		t.Errorf("%+v", r)
	}
	r = d.With(map[string]string{"cleanup.policy": "compact", "max.compaction.lag.ms": "60000", "segment.ms": "70000"})
	if r.SegmentMillis != 60000 {
		t.Errorf("segments of a compacted topic end after %d ms, later than they may wait", r.SegmentMillis)
	}
	if err, _ := Check(map[string]string{"min.compaction.lag.ms": "2", "max.compaction.lag.ms": "1"}); err != kerr.InvalidConfig {
		t.Errorf("lags that contradict each other: %v", err)
	}
}

func TestApply(t *testing.T) {
	tests := []struct {
		about   string
		changes []Change
		want    map[string]string
		err     *kerr.Error
	}{
		{"nothing", nil, map[string]string{"retention.ms": "1"}, nil},
		{"set", []Change{{"segment.ms", "set", "2"}}, map[string]string{"retention.ms": "1", "segment.ms": "2"}, nil},
		{"delete", []Change{{"retention.ms", "delete", ""}}, map[string]string{}, nil},
		{"append to the default", []Change{{"cleanup.policy", "append", "compact,delete"}}, map[string]string{"retention.ms": "1", "cleanup.policy": "delete,compact"}, nil},
		{"subtract", []Change{{"cleanup.policy", "subtract", "delete"}}, map[string]string{"retention.ms": "1", "cleanup.policy": ""}, nil},
		{"unknown", []Change{{"x", "set", "1"}}, nil, kerr.InvalidConfig},
		{"no list", []Change{{"retention.ms", "append", "1"}}, nil, kerr.InvalidConfig},
		{"twice", []Change{{"retention.ms", "set", "1"}, {"retention.ms", "delete", ""}}, nil, kerr.InvalidRequest},
		{"operation", []Change{{"retention.ms", "double", "1"}}, nil, kerr.InvalidRequest},
	}
	for _, test := range tests {
		now := map[string]string{"retention.ms": "1"}
		err, detail := Apply(now, test.changes)
		if err != test.err || (err != nil) != (detail != "") {
			t.Errorf("%s: %v %q", test.about, err, detail)
		}
		if err == nil && !maps.Equal(now, test.want) {
			t.Errorf("%s: %v", test.about, now)
		}
	}
}
