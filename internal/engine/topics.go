package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// framing is the most that a batch needs around the contents of its only record, with room for a few headers.
const framing = 160

// openTopics creates what is missing and builds the task set for the partition counts found. Where workers share the application that set
// has all tasks and is there to tell which topics they take; the ones that this worker runs come later.
func (s *session) openTopics(ctx context.Context) (*task.Set, error) {
	if err := s.resolve(ctx); err != nil {
		return nil, err
	}
	var specs []client.TopicSpec
	names := append(s.o.Topology.SourceTopics(), s.o.Topology.SinkTopics()...)
	slices.Sort(names)
	published := s.o.Topology.Published()
	for _, name := range slices.Compact(names) { // a topic may be a sink of one part and a source of another
		if slices.Contains(published, name) && !slices.Contains(s.o.Topology.SourceTopics(), name) {
			continue // it is made as other changelogs are
		}
		spec := client.TopicSpec{Name: name}
		if s.o.Topology.Compacted(name) {
			spec.Configs = map[string]string{"cleanup.policy": "compact"}
		}
		specs = append(specs, spec)
	}
	infos, err := s.o.Door.EnsureTopics(ctx, specs...)
	if err != nil {
		return nil, starting(err)
	}
	existing, err := s.publishedTopics(ctx)
	if err != nil {
		return nil, err
	}
	maps.Copy(infos, existing)
	parts, limits := map[string]int32{}, map[string]int{}
	for name, info := range infos {
		parts[name] = info.Partitions
		if n, err := strconv.Atoi(info.Configs["max.message.bytes"]); err == nil {
			limits[name] = n - framing
		}
	}
	s.counts = maps.Clone(parts)
	config := task.Config{
		Topology: s.o.Topology, App: s.o.App, Partitions: parts, RecordBytes: limits, DeadLetters: s.o.DeadLetter, CacheBytes: s.o.CacheBytes,
		Calls: calls, MaxIdle: s.o.MaxIdle, Mono: s.o.Clock.Mono,
	}
	s.handleFailures(ctx, &config)
	if config.DeadLetters {
		if err := s.deadLetterPartitions(ctx, parts); err != nil {
			return nil, err
		}
	}
	s.config = config
	set, err := s.wholeSet()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPartitions, err)
	}
	return set, s.openInternal(ctx, set.Topics())
}

// publishedTopics returns those of the published tables' topics that exist. A table that has a changelog would leave its rows there.
func (s *session) publishedTopics(ctx context.Context) (map[string]client.TopicInfo, error) {
	own := map[string]string{}
	names := s.o.Topology.Published()
	for _, st := range s.o.Topology.Stores {
		if st.Published != "" {
			own[topology.Changelog(s.o.App, st.Name)] = st.Name
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	infos, err := s.o.Door.Topics(ctx, slices.AppendSeq(names, maps.Keys(own))...)
	for name := range infos {
		if store := own[name]; store != "" {
			return nil, fmt.Errorf("%w: the table %s has its rows in %s and would leave them there: take the option Published away, or name the "+
				"table otherwise, then it begins with what its topic holds", ErrPublished, store, name)
		}
	}
	return infos, starting(err)
}

// fitPublished makes sure that a published table's topic can be its changelog: a partition for each of the tasks, which keeps the last record
// of each key for good. What is still empty, as when a reader came first and the broker made the topic with its defaults, is changed to that.
func (s *session) fitPublished(ctx context.Context, info client.TopicInfo, spec client.TopicSpec) (client.TopicInfo, error) {
	policy := cmp.Or(info.Configs["cleanup.policy"], "the default")
	unset := policy != spec.Configs["cleanup.policy"] || info.Configs["message.timestamp.type"] == "LogAppendTime"
	switch {
	case info.Partitions == spec.Partitions && (!unset || info.Configs == nil): // settings that we may not see are trusted
		return info, nil
	case info.Partitions > spec.Partitions:
		return info, fmt.Errorf("%w: topic %s has %d partitions, but is the changelog of a published table with %d tasks, each of which writes to "+
			"one: delete it, or publish into another topic", ErrPublished, info.Name, info.Partitions, spec.Partitions)
	}
	tps := make([]record.TopicPartition, info.Partitions)
	for i := range tps {
		tps[i] = record.TopicPartition{Topic: info.Name, Partition: int32(i)}
	}
	ends, err := s.o.Door.Ends(ctx, tps...)
	if err != nil {
		return info, starting(err)
	}
	for tp, end := range ends {
		if end > 0 {
			return info, fmt.Errorf("%w: topic %s has %d partitions, cleanup.policy is %s, message.timestamp.type is %s and there are records in "+
				"partition %d: the changelog of a published table with %d tasks has as many partitions, cleanup.policy=compact and CreateTime. Change "+
				"the topic, or publish into another", ErrPublished, info.Name, info.Partitions, policy,
				cmp.Or(info.Configs["message.timestamp.type"], "the default"), tp.Partition, spec.Partitions)
		}
	}
	info, err = s.o.Door.FitTopic(ctx, spec)
	return info, starting(err)
}

// resolve finds the topics that patterns match now.
func (s *session) resolve(ctx context.Context) error {
	if !s.o.Topology.Patterned() {
		return nil
	}
	t, err := s.matched(ctx)
	if err != nil {
		return err
	}
	topics := t.SourceTopics()
	s.stats.sources.Store(&topics)
	s.o.Topology = t
	return nil
}

// SourceTopics returns the topics that the engine reads. Those that patterns match are among them from its first start on.
func (e *Engine) SourceTopics() []string {
	if resolved := e.stats.sources.Load(); resolved != nil {
		return slices.Clone(*resolved)
	}
	return e.o.Topology.SourceTopics()
}

func (s *session) matched(ctx context.Context) (*topology.Topology, error) {
	names, err := s.o.Door.Names(ctx)
	if err != nil {
		return nil, starting(err)
	}
	return s.o.Topology.Resolve(s.o.App, s.o.DeadLetterTopic, names)
}

// rematched tells whether patterns match other topics than when the session began. An error is the next session's to tell.
func (s *session) rematched(ctx context.Context) error {
	if !s.o.Topology.Patterned() {
		return nil
	}
	t, err := s.matched(ctx)
	var door *doorError
	if errors.As(err, &door) {
		return nil // the loop notices a broker that is away by itself
	}
	before := s.o.Topology.SourceTopics()
	if err == nil && slices.Equal(t.SourceTopics(), before) {
		return nil
	}
	return starting(fmt.Errorf("the topics that match a source's pattern are not %v any more: starting again", before))
}

// notRead says that reading failed, or committing what was read: where a topic that a pattern had matched is gone, the next session goes on
// without it.
func (s *session) notRead(ctx context.Context, err error) error {
	if errors.Is(err, client.ErrUnknownTopic) {
		if changed := s.rematched(ctx); changed != nil {
			return changed
		}
	}
	return away(err)
}

// wholeSet makes the set of all tasks.
func (s *session) wholeSet() (*task.Set, error) {
	if s.o.Shared {
		return s.allTasks()
	}
	return task.New(s.config)
}

// openInternal creates what is missing of the application's own topics, and compares their partitions with those that are needed.
func (s *session) openInternal(ctx context.Context, specs []client.TopicSpec) error {
	infos, err := s.o.Door.EnsureTopics(ctx, specs...)
	if err != nil {
		return starting(err)
	}
	s.changelogs, s.tombstones = map[string][16]byte{}, map[string]time.Duration{}
	published := s.o.Topology.Published()
	for _, spec := range specs {
		info := infos[spec.Name]
		if slices.Contains(published, spec.Name) {
			if info, err = s.fitPublished(ctx, info, spec); err != nil {
				return err
			}
		}
		s.changelogs[spec.Name] = info.ID
		s.noteTombstones(info, spec.Configs)
		_, internal := spec.Configs["cleanup.policy"] // dead letters may have other partitions than their sources
		if info.Partitions != spec.Partitions && internal {
			return fmt.Errorf("%w: topic %s has %d partitions where the topology needs %d: the partitions of a source were changed; "+
				"state can't be split by adding partitions, use a new application name", ErrPartitions, spec.Name, info.Partitions, spec.Partitions)
		}
	}
	return nil
}

// deadLetterPartitions adds the counts of dead-letter topics that exist already: someone may have made them otherwise.
func (s *session) deadLetterPartitions(ctx context.Context, parts map[string]int32) error {
	var names []string
	for _, name := range s.o.Topology.SourceTopics() {
		names = append(names, topology.DeadLetter(name))
	}
	if s.o.DeadLetterTopic != "" {
		names = []string{s.o.DeadLetterTopic}
	}
	infos, err := s.o.Door.Topics(ctx, names...)
	for name, info := range infos {
		parts[name] = info.Partitions
	}
	return starting(err)
}

// look looks at the sources' numbers of partitions, and for topics that patterns match, as the loop has it done from time to time: a reader
// reads those it was opened with, and records in a partition that was added later would wait for the next start without anybody noticing.
// With an error the run ends, which starts it again with all partitions, or names the reason why it can't (ErrPartitions).
func (s *session) look(ctx context.Context) error {
	if err := s.rematched(ctx); err != nil {
		return err
	}
	names := s.o.Topology.SourceTopics()
	infos, err := s.o.Door.Topics(ctx, names...)
	if err != nil {
		return nil // the loop notices a broker that is away by itself
	}
	for _, name := range names {
		if info, ok := infos[name]; ok && info.Partitions != s.counts[name] {
			return away(fmt.Errorf("topic %s has %d partitions now instead of %d: starting again", name, info.Partitions, s.counts[name]))
		}
	}
	return nil
}
