package settings

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// groupTable is what can be set of one consumer group, sorted by name. Broker is the setting of the node that a group without its own
// follows. Settings of share groups and of streams groups are unknown here, as these groups are.
var groupTable = []Setting{
	{"consumer.assignment.interval.ms", "int", "1000", between(0, math.MaxInt32), "Shortest time between two assignments. Accepted for compatibility; assignments are made at once.", "group.consumer.assignment.interval.ms"},
	{groupHeartbeat, "int", "5000", between(1, math.MaxInt32), "How often members report.", "group.consumer.heartbeat.interval.ms"},
	{groupSession, "int", "45000", between(1, math.MaxInt32), "How long a member may be silent.", "group.consumer.session.timeout.ms"},
}

const (
	groupHeartbeat = "consumer.heartbeat.interval.ms"
	groupSession   = "consumer.session.timeout.ms"
)

// GroupTable returns the settings of a group. It must not be changed.
func GroupTable() []Setting { return groupTable }

// A Range is what a time may be, with the node's own.
type Range struct{ Min, Node, Max time.Duration }

// GroupLimits are the node's bounds of what a group may set.
type GroupLimits struct{ Session, Heartbeat Range }

// ApplyGroup carries out cs on now, the settings of a group, which are changed when there is no error. INVALID_CONFIG: a name or a
// value that is none.
func (l GroupLimits) ApplyGroup(now map[string]string, cs []Change) (*kerr.Error, string) {
	find := func(name string) *Setting { return find(groupTable, name) }
	if i := slices.IndexFunc(cs, func(c Change) bool { return find(c.Name) == nil }); i >= 0 {
		return kerr.InvalidConfig, "Unknown group config name: " + cs[i].Name
	}
	if err, detail := apply(now, cs, find); err != nil {
		return err, detail
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if wrong := find(name).check(now[name]); wrong != "" {
			return kerr.InvalidConfig, fmt.Sprintf("Invalid value %s for configuration %s: %s", now[name], name, wrong)
		}
	}
	if wrong := l.check(now); wrong != "" {
		return kerr.InvalidConfig, wrong
	}
	return nil, ""
}

// check returns what is wrong with the times of a group, or nothing.
func (l GroupLimits) check(c map[string]string) string {
	value := func(name string, r Range) time.Duration {
		if v, ok := c[name]; ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64) // checked values parse
			return time.Duration(n) * time.Millisecond
		}
		return r.Node
	}
	session, heartbeat := value(groupSession, l.Session), value(groupHeartbeat, l.Heartbeat)
	if wrong := l.Heartbeat.refuses(groupHeartbeat, heartbeat); wrong != "" {
		return wrong
	}
	if wrong := l.Session.refuses(groupSession, session); wrong != "" {
		return wrong
	}
	if session <= heartbeat {
		return fmt.Sprintf("%s (%d) must be greater than %s (%d)", groupSession, session.Milliseconds(), groupHeartbeat, heartbeat.Milliseconds())
	}
	return ""
}

func (r Range) refuses(name string, d time.Duration) string {
	_, what, _ := strings.Cut(name, ".")
	switch {
	case d < r.Min:
		return fmt.Sprintf("%s must be greater than or equal to group.consumer.min.%s (%d)", name, what, r.Min.Milliseconds())
	case d > r.Max:
		return fmt.Sprintf("%s must be less than or equal to group.consumer.max.%s (%d)", name, what, r.Max.Milliseconds())
	}
	return ""
}
