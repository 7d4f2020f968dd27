package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// nodeTable is what of the node itself can be changed while it runs, besides what topics follow (Setting.Broker), sorted by name.
var nodeTable = []Setting{
	{"follower.replication.throttled.rate", "long", maxLong, atLeast(0), "Bytes a second that throttled followers may fetch." + noEffect, ""},
	{"leader.replication.throttled.rate", "long", maxLong, atLeast(0), "Bytes a second that throttled leaders may send." + noEffect, ""},
	{CleanerBackoff, "long", "15000", atLeast(0), "How long the cleaner rests when nothing is to be compacted.", ""},
	{"replica.alter.log.dirs.io.max.bytes.per.second", "long", maxLong, atLeast(0), "Bytes a second for moves between log directories." + noEffect, ""},
}

// CleanerBackoff is the setting of that name.
const CleanerBackoff = "log.cleaner.backoff.ms"

// NodeTable returns the node's settings that can be changed and that no topic follows. It must not be changed.
func NodeTable() []Setting { return nodeTable }

// findNode returns a node setting that can be changed; nil for all others.
func findNode(name string) *Setting {
	if s := find(nodeTable, name); s != nil {
		return s
	}
	for i := range Table {
		if Table[i].Broker == name && name != "" {
			return &Table[i]
		}
	}
	return nil
}

// Node holds the node settings that were changed while it ran, by their names: its own, and those of all nodes, which its own go
// before. Values are checked. A Node is never changed in place.
type Node struct{ Own, All map[string]string }

// Value returns the changed value of a node setting; own is false for one of all nodes.
func (n Node) Value(name string) (value string, own, ok bool) {
	if value, ok = n.Own[name]; ok {
		return value, true, true
	}
	value, ok = n.All[name]
	return value, false, ok
}

// TopicDefaults returns what topics without a setting of their own follow, by the names of topic settings: base with the changes.
func (n Node) TopicDefaults(base map[string]string) map[string]string {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]string{}
	}
	for i := range Table {
		if s := &Table[i]; s.Broker != "" {
			if v, _, ok := n.Value(s.Broker); ok {
				out[s.Name] = v
			}
		}
	}
	return out
}

// With returns n after changes of its own settings, or of those of all nodes; replace drops the ones that are not named.
func (n Node) With(all bool, cs []Change, replace bool) (Node, *kerr.Error, string) {
	now := n.Own
	if all {
		now = n.All
	}
	if now = maps.Clone(now); replace || now == nil {
		now = map[string]string{}
	}
	if err, detail := apply(now, cs, findNode); err != nil {
		if i := slices.IndexFunc(cs, func(c Change) bool { return findNode(c.Name) == nil }); i >= 0 {
			err, detail = kerr.InvalidRequest, "Cannot update these configs dynamically: "+cs[i].Name
		}
		return n, err, detail
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if wrong := findNode(name).check(now[name]); wrong != "" {
			return n, kerr.InvalidRequest, fmt.Sprintf("Invalid value %s for configuration %s: %s", now[name], name, wrong)
		}
	}
	if all {
		n.All = now
	} else {
		n.Own = now
	}
	defaults := n.TopicDefaults(nil)
	if err, detail := Check(defaults); err != nil { // Kafka calls every bad node setting a bad request
		return n, kerr.InvalidRequest, strings.Replace(detail, "topic config setting", "setting", 1)
	}
	return n, nil, ""
}
