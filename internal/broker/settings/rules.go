package settings

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Rules are the settings that have effect, parsed.
type Rules struct {
	MaxBytes     int64 // max.message.bytes
	SegmentBytes int64 // segment.bytes
	Before       int64 // message.timestamp.before.max.ms
	After        int64 // message.timestamp.after.max.ms
	AppendTime   bool  // message.timestamp.type=LogAppendTime
	Compact      bool  // cleanup.policy
	Delete       bool
	Compression  string // compression.type

	RetentionMillis int64 // retention.ms, negative: for ever
	RetentionBytes  int64 // retention.bytes, negative: no bound
	SegmentMillis   int64 // segment.ms; of a compacted topic at most max.compaction.lag.ms
	JitterMillis    int64 // segment.jitter.ms
	DeleteRetention int64 // delete.retention.ms
	MinLag          int64 // min.compaction.lag.ms
	MaxLag          int64 // max.compaction.lag.ms
	DirtyRatio      float64

	node map[string]string // what topics without a setting of their own follow, where it is not Kafka's default
}

// Defaults are the rules of a topic without settings, on a node whose own defaults are node, by the names of the topic settings.
func Defaults(node map[string]string) Rules { return Rules{node: node}.With(nil) }

// With returns the rules of a topic with checked settings configs on a node whose defaults are r.
func (r Rules) With(configs map[string]string) Rules {
	get := func(name string) string {
		if v, ok := configs[name]; ok {
			return v
		}
		if v, ok := r.node[name]; ok {
			return v
		}
		return Find(name).Default
	}
	num := func(name string) int64 {
		v, err := strconv.ParseInt(strings.TrimSpace(get(name)), 10, 64)
		if err != nil {
			v = math.MaxInt64 // the table has no such default and checked values parse
		}
		return v
	}
	cleanup := splitList(get("cleanup.policy"))
	dirty, _ := strconv.ParseFloat(strings.TrimSpace(get("min.cleanable.dirty.ratio")), 64) // checked values parse
	out := Rules{
		MaxBytes: num("max.message.bytes"), SegmentBytes: num("segment.bytes"),
		Before: num("message.timestamp.before.max.ms"), After: num("message.timestamp.after.max.ms"),
		AppendTime: get("message.timestamp.type") == "LogAppendTime",
		Compact:    slices.Contains(cleanup, "compact"), Delete: slices.Contains(cleanup, "delete"),
		Compression:     get("compression.type"),
		RetentionMillis: num("retention.ms"), RetentionBytes: num("retention.bytes"),
		SegmentMillis: num("segment.ms"), JitterMillis: num("segment.jitter.ms"),
		DeleteRetention: num("delete.retention.ms"),
		MinLag:          num("min.compaction.lag.ms"), MaxLag: num("max.compaction.lag.ms"), DirtyRatio: dirty,
		node: r.node,
	}
	if out.Compact {
		out.SegmentMillis = min(out.SegmentMillis, out.MaxLag)
	}
	return out
}

// Check refuses unknown settings and impossible values.
func Check(c map[string]string) (*kerr.Error, string) {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		s := Find(name)
		if s == nil {
			return kerr.InvalidConfig, "Unknown topic config name: " + name
		}
		if wrong := s.check(c[name]); wrong != "" {
			return kerr.InvalidConfig, fmt.Sprintf("Invalid value %s for configuration %s: %s", c[name], name, wrong)
		}
	}
	if r := Defaults(c); r.MinLag > r.MaxLag {
		return kerr.InvalidConfig, fmt.Sprintf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", r.MinLag, r.MaxLag)
	}
	return nil, ""
}

// A Change sets or removes one setting. Op is "set", "delete", "append" or "subtract" (lists).
type Change struct {
	Name  string
	Op    string
	Value string
}

// Apply carries out cs on now, which Check must judge afterwards.
func Apply(now map[string]string, cs []Change) (*kerr.Error, string) { return apply(now, cs, Find) }

func apply(now map[string]string, cs []Change, find func(name string) *Setting) (*kerr.Error, string) {
	seen := map[string]bool{}
	for _, c := range cs {
		s := find(c.Name)
		switch {
		case s == nil:
			return kerr.InvalidConfig, "Unknown topic config name: " + c.Name
		case seen[c.Name]:
			return kerr.InvalidRequest, "The request changes " + c.Name + " more than once."
		case s.Kind != "list" && (c.Op == "append" || c.Op == "subtract"):
			return kerr.InvalidConfig, fmt.Sprintf("Can't %s %s: it is not a list.", c.Op, c.Name)
		}
		seen[c.Name] = true
		have, ok := now[c.Name]
		if !ok {
			have = s.Default
		}
		switch c.Op {
		case "set":
			now[c.Name] = c.Value
		case "delete":
			delete(now, c.Name)
		case "append":
			list := splitList(have)
			for _, v := range splitList(c.Value) {
				if !slices.Contains(list, v) {
					list = append(list, v)
				}
			}
			now[c.Name] = strings.Join(list, ",")
		case "subtract":
			gone := splitList(c.Value)
			now[c.Name] = strings.Join(slices.DeleteFunc(splitList(have), func(v string) bool { return slices.Contains(gone, v) }), ",")
		default:
			return kerr.InvalidRequest, "Unknown operation " + strconv.Quote(c.Op) + "."
		}
	}
	return nil, ""
}
