package broker

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A Config is one setting as DescribeConfigs shows it. Source is "default", "topic" or "broker".
type Config struct {
	Name      string
	Value     string
	Default   string
	Source    string
	Type      string // boolean, int, long, short, string, list, double
	ReadOnly  bool
	Doc       string
	Sensitive bool
}

// rules are the settings that have effect, parsed.
type rules struct {
	maxBytes      int64
	segmentBytes  int64
	before, after int64 // milliseconds
	appendTime    bool
	compact       bool
	cleanup       []string
}

// rulesOf parses checked settings; maxBytes is the node's max.message.bytes.
func rulesOf(configs map[string]string, maxBytes int64) rules {
	get := func(name string) string {
		if v, ok := configs[name]; ok {
			return v
		}
		return settingByName(name).value
	}
	num := func(name string) int64 {
		v, err := strconv.ParseInt(strings.TrimSpace(get(name)), 10, 64)
		if err != nil {
			v = math.MaxInt64 // the table has no such default and checked values parse
		}
		return v
	}
	r := rules{
		maxBytes: maxBytes, segmentBytes: num("segment.bytes"),
		before: num("message.timestamp.before.max.ms"), after: num("message.timestamp.after.max.ms"),
		appendTime: get("message.timestamp.type") == "LogAppendTime",
		cleanup:    splitList(get("cleanup.policy")),
	}
	if _, ok := configs["max.message.bytes"]; ok {
		r.maxBytes = num("max.message.bytes")
	}
	r.compact = slices.Contains(r.cleanup, "compact")
	return r
}

// with returns the rules of a topic with settings c on a node whose defaults are r.
func (r rules) with(c map[string]string) rules { return rulesOf(c, r.maxBytes) }

// checkTopicConfigs refuses unknown settings and impossible values.
func checkTopicConfigs(c map[string]string) (*kerr.Error, string) {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		s := settingByName(name)
		if s == nil {
			return kerr.InvalidConfig, "Unknown topic config name: " + name
		}
		if wrong := s.check(c[name]); wrong != "" {
			return kerr.InvalidConfig, fmt.Sprintf("Invalid value %s for configuration %s: %s", c[name], name, wrong)
		}
	}
	return nil, ""
}

// TopicConfigs lists every topic setting of a topic; BrokerConfigs those of the node.
func (b *Broker) TopicConfigs(name string) ([]Config, *kerr.Error) {
	t, err := b.view.Load().find(TopicRef{Name: name})
	if err != nil {
		return nil, err
	}
	out := make([]Config, 0, len(topicSettings))
	for i := range topicSettings {
		s := &topicSettings[i]
		c := Config{Name: s.name, Default: b.topicDefault(s), Source: "default", Type: s.kind, Doc: s.doc}
		c.Value = c.Default
		if v, ok := t.Configs[s.name]; ok {
			c.Value, c.Source = v, "topic"
		}
		out = append(out, c)
	}
	return out, nil
}

// topicDefault is what a topic without the setting follows.
func (b *Broker) topicDefault(s *setting) string {
	if s.name == "max.message.bytes" {
		return strconv.Itoa(b.o.MaxBatchBytes)
	}
	return s.value
}

// BrokerConfigs lists the settings of the node, sorted by name. All are read-only.
func (b *Broker) BrokerConfigs() []Config {
	out := b.brokerSettings()
	for i := range topicSettings {
		s := &topicSettings[i]
		if s.broker != "" {
			out = append(out, Config{Name: s.broker, Type: s.kind, Value: b.topicDefault(s), Default: s.value, Doc: s.doc})
		}
	}
	for i := range out {
		out[i].ReadOnly, out[i].Source = true, "default"
		if out[i].Value != out[i].Default {
			out[i].Source = "broker"
		}
	}
	slices.SortFunc(out, func(a, b Config) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// A ConfigChange sets (Value non-nil) or removes one setting. Op is "set", "delete", "append" or "subtract" (lists).
type ConfigChange struct {
	Name  string
	Op    string
	Value string
}

// AlterTopicConfigs changes settings; replace drops those not named (AlterConfigs) instead of keeping them.
func (b *Broker) AlterTopicConfigs(topic string, cs []ConfigChange, replace, validateOnly bool) *Future[TopicResult] {
	lost := func(why *stop) TopicResult { return TopicResult{Name: topic, Err: why.partition} }
	return submit(b, lost, func(s *sequencer) TopicResult {
		t := s.st.topics[topic]
		if t == nil {
			return TopicResult{Name: topic, Err: kerr.UnknownTopicOrPartition}
		}
		now := maps.Clone(t.Configs)
		if replace || now == nil {
			now = map[string]string{}
		}
		err, detail := changeConfigs(now, cs)
		if err == nil {
			err, detail = checkTopicConfigs(now)
		}
		out := TopicResult{Name: topic, Topic: t.Topic, Err: err, Detail: detail}
		if err != nil || validateOnly || maps.Equal(now, t.Configs) {
			return out
		}
		f := configChanged{id: t.ID, configs: now}
		s.append(kindConfigChanged, f.append(nil))
		if err := s.st.applyConfigChanged(f); err != nil && s.err == nil {
			s.err = err
		}
		out.Topic = s.st.topics[topic].Topic
		return out
	})
}

// changeConfigs carries out cs on now.
func changeConfigs(now map[string]string, cs []ConfigChange) (*kerr.Error, string) {
	seen := map[string]bool{}
	for _, c := range cs {
		s := settingByName(c.Name)
		switch {
		case s == nil:
			return kerr.InvalidConfig, "Unknown topic config name: " + c.Name
		case seen[c.Name]:
			return kerr.InvalidRequest, "The request changes " + c.Name + " more than once."
		case s.kind != "list" && (c.Op == "append" || c.Op == "subtract"):
			return kerr.InvalidConfig, fmt.Sprintf("Can't %s %s: it is not a list.", c.Op, c.Name)
		}
		seen[c.Name] = true
		have, ok := now[c.Name]
		if !ok {
			have = s.value
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

// ---- checks of values: what is wrong, or nothing

func splitList(v string) []string {
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func oneOf(words ...string) func(string) string {
	return func(v string) string {
		if slices.Contains(words, v) {
			return ""
		}
		return "String must be one of: " + strings.Join(words, ", ")
	}
}

func oneOfList(words ...string) func(string) string {
	one := oneOf(words...)
	return func(v string) string {
		list := splitList(v)
		if len(list) == 0 {
			return "the list must not be empty"
		}
		for i, w := range list {
			if wrong := one(w); wrong != "" {
				return wrong
			}
			if slices.Contains(list[:i], w) {
				return "the list names " + w + " twice"
			}
		}
		return ""
	}
}

func between(low, high int64) func(string) string {
	return func(v string) string {
		switch n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); {
		case err != nil:
			return "Not a number of type INT or LONG"
		case n < low:
			return fmt.Sprintf("Value must be at least %d", low)
		case n > high:
			return fmt.Sprintf("Value must be no more than %d", high)
		}
		return ""
	}
}

func atLeast(low int64) func(string) string { return between(low, math.MaxInt64) }

func boolean(v string) string {
	if v = strings.ToLower(strings.TrimSpace(v)); v == "true" || v == "false" {
		return ""
	}
	return "Expected value to be either true or false"
}

func ratio(v string) string {
	f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return "Value must be a number between 0 and 1"
	}
	return ""
}

func throttled(v string) string {
	if v == "" || v == "*" {
		return ""
	}
	for _, pair := range splitList(v) {
		a, b, ok := strings.Cut(pair, ":")
		if ok && between(0, math.MaxInt32)(a) == "" && between(0, math.MaxInt32)(b) == "" {
			continue
		}
		return "Must be the literal '*', or a list of partition:broker pairs"
	}
	return ""
}

func notTiered(v string) string {
	if wrong := boolean(v); wrong != "" {
		return wrong
	}
	if strings.EqualFold(strings.TrimSpace(v), "true") {
		return "Tiered Storage functionality is disabled in the broker."
	}
	return ""
}

// ---- values of the node's settings

func millis(d time.Duration, orElse int64) string {
	if d > 0 {
		orElse = d.Milliseconds()
	}
	return strconv.FormatInt(orElse, 10)
}

func orElse(v, other int) int {
	if v == 0 {
		return other
	}
	return v
}
