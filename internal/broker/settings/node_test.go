package settings

import (
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestNodeSettingsChange(t *testing.T) {
	for _, s := range nodeTable {
		if wrong := s.Check(s.Default); wrong != "" || Find(s.Name) != nil || s.Doc == "" {
			t.Errorf("%s: default %q: %s", s.Name, s.Default, wrong)
		}
	}
	var n Node
	change := func(all, replace bool, cs ...Change) (*kerr.Error, string) {
		next, err, detail := n.With(all, cs, replace)
		if err == nil {
			n = next
		}
		return err, detail
	}
	for _, x := range []struct {
		about        string
		all, replace bool
		change       Change
		want         *kerr.Error
		value        string
		own          bool
	}{
		{"of all", true, false, Change{"log.retention.ms", "set", "5"}, nil, "5", false},
		{"own goes before", false, false, Change{"log.retention.ms", "set", "7"}, nil, "7", true},
		{"a topic's name", false, false, Change{"retention.ms", "set", "7"}, kerr.InvalidRequest, "7", true},
		{"not while it runs", false, false, Change{"node.id", "set", "7"}, kerr.InvalidRequest, "7", true},
		{"no name", false, false, Change{"", "set", "7"}, kerr.InvalidRequest, "7", true},
		{"impossible value", false, false, Change{"log.retention.ms", "set", "soon"}, kerr.InvalidRequest, "7", true},
		{"a bound", false, false, Change{"log.cleaner.min.compaction.lag.ms", "set", "10"}, nil, "7", true},
		{"values at odds", false, false, Change{"log.cleaner.max.compaction.lag.ms", "set", "9"}, kerr.InvalidRequest, "7", true},
		{"removed", false, false, Change{"log.retention.ms", "delete", ""}, nil, "5", false},
		{"replaced", true, true, Change{CleanerBackoff, "set", "1"}, nil, "", false},
	} {
		err, detail := change(x.all, x.replace, x.change)
		if err != x.want || (err != nil) != (detail != "") {
			t.Errorf("%s: %v %q", x.about, err, detail)
		}
		if v, own, _ := n.Value("log.retention.ms"); v != x.value || own != x.own {
			t.Errorf("%s: %q, own %v", x.about, v, own)
		}
	}
}

func TestTopicsFollowTheNode(t *testing.T) {
	base := map[string]string{"max.message.bytes": "9"}
	n := Node{Own: map[string]string{"log.cleanup.policy": "compact", CleanerBackoff: "1"}, All: map[string]string{"message.max.bytes": "8"}}
	got := n.TopicDefaults(base)
	if want := map[string]string{"max.message.bytes": "8", "cleanup.policy": "compact"}; !maps.Equal(got, want) || base["max.message.bytes"] != "9" {
		t.Errorf("%v, base %v", got, base)
	}
	if r := Defaults(got).With(map[string]string{"max.message.bytes": "7"}); r.MaxBytes != 7 || !r.Compact || r.Delete {
		t.Errorf("%+v", r)
	}
}
