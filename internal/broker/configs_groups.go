package broker

import (
	"maps"

	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/twmb/franz-go/pkg/kerr"
)

// maxConfiguredGroups bounds what is kept: the whole of it is in memory and in every checkpoint.
const maxConfiguredGroups = 100_000

// groupLimits are what a group's own settings may be.
func (b *Broker) groupLimits() settings.GroupLimits {
	o := b.o.Group.Consumer.WithDefaults()
	return settings.GroupLimits{
		Session:   settings.Range{Min: o.MinSession, Node: o.Session, Max: o.MaxSession},
		Heartbeat: settings.Range{Min: o.MinHeartbeat, Node: o.Heartbeat, Max: o.MaxHeartbeat},
	}
}

// GroupConfigs lists every setting of each group, which need not exist; nil when the broker stopped first.
func (b *Broker) GroupConfigs(groups []string) *Future[map[string][]Config] {
	node := map[string]Config{}
	for _, c := range b.BrokerConfigs() {
		node[c.Name] = c
	}
	return submit(b, nil, func(s *sequencer) map[string][]Config {
		out := make(map[string][]Config, len(groups))
		for _, g := range groups {
			out[g] = groupConfigs(s.st.groups.Settings(g), node)
		}
		return out
	})
}

func groupConfigs(own map[string]string, node map[string]Config) []Config {
	var out []Config
	for _, s := range settings.GroupTable() {
		of := node[s.Broker]
		c := Config{Name: s.Name, Value: of.Value, Default: s.Default, Source: of.Source, Type: s.Kind, Doc: s.Doc, Follows: s.Broker}
		if v, ok := own[s.Name]; ok {
			c.Value, c.Source = v, "group"
		}
		out = append(out, c)
	}
	return out
}

// ConfiguredGroups names the groups of which something is set, sorted; nil when the broker stopped first.
func (b *Broker) ConfiguredGroups() *Future[[]string] {
	return submit(b, nil, func(s *sequencer) []string { return append([]string{}, s.st.groups.Configured()...) })
}

// AlterGroupConfigs changes settings of a group, which need not exist; the rest is as with AlterTopicConfigs. POLICY_VIOLATION: too
// many groups have settings of their own.
func (b *Broker) AlterGroupConfigs(group string, cs []ConfigChange, replace, validateOnly bool) *Future[TopicResult] {
	limits := b.groupLimits()
	lost := func(why *stop) TopicResult { return TopicResult{Name: group, Err: why.coordinator} }
	return submit(b, lost, func(s *sequencer) TopicResult {
		have := s.st.groups.Settings(group)
		now := maps.Clone(have)
		if replace || now == nil {
			now = map[string]string{}
		}
		err, detail := limits.ApplyGroup(now, cs)
		if err == nil && have == nil && len(now) > 0 && len(s.st.groups.Configured()) >= maxConfiguredGroups {
			err, detail = kerr.PolicyViolation, "Too many groups have settings of their own."
		}
		if err != nil || validateOnly || maps.Equal(now, have) {
			return TopicResult{Name: group, Err: err, Detail: detail}
		}
		fx, wrong := s.st.groups.Configure(group, now)
		if wrong != nil && s.err == nil {
			s.err = wrong
		}
		s.effects(fx)
		return TopicResult{Name: group}
	})
}
