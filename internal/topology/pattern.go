package topology

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// Patterned tells whether sources name their topics by a pattern, so that the topology must be resolved before it runs.
func (t *Topology) Patterned() bool {
	return slices.ContainsFunc(t.Nodes, func(n Node) bool { return n.Pattern != nil })
}

// Resolve returns the topology with the topics, among those that exist, whose whole names match the patterns of its sources; one that was
// resolved may be resolved again. The error is that two sources read one topic.
//
// A pattern matches no topic that the application writes itself, which would be read again and again: its sinks', its own and those of its
// dead letters, among which is deadLetters, if set. Nor does it match the brokers' own (names that begin with two underscores, or
// with _mainstem).
func (t *Topology) Resolve(app, deadLetters string, existing []string) (*Topology, error) {
	resolved := *t
	resolved.Nodes = slices.Clone(t.Nodes)
	for i := range resolved.Nodes {
		if n := &resolved.Nodes[i]; n.Pattern != nil {
			n.Topics = resolved.matching(n.Pattern, app, deadLetters, existing)
		}
	}
	return &resolved, errors.Join(resolved.checkTopics()...)
}

func (t *Topology) matching(pattern *regexp.Regexp, app, deadLetters string, existing []string) (topics []string) {
	written := t.SinkTopics()
	for _, name := range existing {
		switch {
		case pattern.FindString(name) != name: // leftmost-longest, see Pattern
		case strings.HasPrefix(name, "__"), strings.HasPrefix(name, "_mainstem"), name == deadLetters, slices.Contains(written, name):
		case t.owns(app, name):
		default:
			topics = append(topics, name)
		}
	}
	slices.Sort(topics)
	return slices.DeleteFunc(topics, func(name string) bool {
		of, dead := strings.CutSuffix(name, deadSuffix)
		return dead && (slices.Contains(topics, of) || slices.Contains(t.SourceTopics(), of))
	})
}

// owns tells whether a topic is a changelog or repartition of an application that runs the topology.
func (t *Topology) owns(app, topic string) bool {
	return slices.ContainsFunc(t.Stores, func(s Store) bool { return topic == Changelog(app, s.Name) }) ||
		slices.ContainsFunc(t.Nodes, func(n Node) bool { return n.Kind == Repartition && topic == RepartitionTopic(app, n.Name) })
}
