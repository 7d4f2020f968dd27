package settings

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestGroupSettingsChangeWithinTheNodesBounds(t *testing.T) {
	limits := GroupLimits{
		Session:   Range{45 * time.Second, 45 * time.Second, 60 * time.Second},
		Heartbeat: Range{5 * time.Second, 5 * time.Second, 50 * time.Second},
	}
	for _, s := range GroupTable() {
		if wrong := s.Check(s.Default); wrong != "" || Find(s.Name) != nil || s.Doc == "" || s.Broker != "group."+s.Name {
			t.Errorf("%s: default %q: %s", s.Name, s.Default, wrong)
		}
	}
	for _, x := range []struct {
		about  string
		op     string
		name   string
		value  string
		want   *kerr.Error
		detail string
	}{
		{"a session", "set", groupSession, "50000", nil, ""},
		{"the longest", "set", groupSession, " 60000 ", nil, ""},
		{"too short a session", "set", groupSession, "44999", kerr.InvalidConfig, "greater than or equal to group.consumer.min.session.timeout.ms (45000)"},
		{"too long a session", "set", groupSession, "60001", kerr.InvalidConfig, "less than or equal to group.consumer.max.session.timeout.ms (60000)"},
		{"too short an interval", "set", groupHeartbeat, "4999", kerr.InvalidConfig, "group.consumer.min.heartbeat.interval.ms (5000)"},
		{"an interval as long as the session", "set", groupHeartbeat, "45000", kerr.InvalidConfig, "greater than consumer.heartbeat.interval.ms (45000)"},
		{"no number", "set", groupSession, "soon", kerr.InvalidConfig, "Invalid value soon"},
		{"no time", "set", groupHeartbeat, "0", kerr.InvalidConfig, "Invalid value 0"},
		{"of share groups", "set", "share.session.timeout.ms", "45000", kerr.InvalidConfig, "Unknown group config name: share.session.timeout.ms"},
		{"the node's name", "set", "group.consumer.session.timeout.ms", "45000", kerr.InvalidConfig, "Unknown group config name"},
		{"no list", "append", groupSession, "1", kerr.InvalidConfig, "not a list"},
		{"kept", "set", "consumer.assignment.interval.ms", "0", nil, ""},
		{"removed that was not there", "delete", groupSession, "", nil, ""},
	} {
		now := map[string]string{}
		err, detail := limits.ApplyGroup(now, []Change{{x.name, x.op, x.value}})
		if err != x.want || !strings.Contains(detail, x.detail) || (err != nil) != (detail != "") {
			t.Errorf("%s: %v %q", x.about, err, detail)
		}
		if want := x.op == "set"; err == nil && maps.Equal(now, map[string]string{x.name: x.value}) != want {
			t.Errorf("%s: %v", x.about, now)
		}
	}
}

func TestAGroupsTimesAreJudgedTogether(t *testing.T) {
	limits := GroupLimits{Session: Range{time.Second, 45 * time.Second, time.Minute}, Heartbeat: Range{time.Second, 5 * time.Second, time.Minute}}
	now := map[string]string{groupSession: "10000"}
	if err, detail := limits.ApplyGroup(now, []Change{{groupHeartbeat, "set", "10000"}}); err != kerr.InvalidConfig {
		t.Errorf("%v %s", err, detail)
	}
	now = map[string]string{groupSession: "10000", groupHeartbeat: "9000"}
	if err, detail := limits.ApplyGroup(now, []Change{{groupSession, "delete", ""}}); err != nil || len(now) != 1 {
		t.Errorf("%v %s %v", err, detail, now)
	}
}
