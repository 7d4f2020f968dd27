package engine

import (
	"context"
	"fmt"
)

// watch looks at the sources' numbers of partitions from time to time: a reader reads those it was opened with, and records in
// a partition that was added later would wait for the next start without anybody noticing. The run ends then, which starts it
// again with all partitions, or names the reason why it can't (ErrPartitions).
func (s *session) watch(ctx context.Context, changed chan<- error) {
	names := s.o.Topology.SourceTopics()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.o.Clock.After(s.o.TopicsInterval):
		}
		infos, err := s.o.Door.Topics(ctx, names...)
		if err != nil {
			continue // the loop notices a broker that is away by itself
		}
		for _, name := range names {
			if info, ok := infos[name]; ok && info.Partitions != s.counts[name] {
				changed <- away(fmt.Errorf("topic %s has %d partitions now instead of %d: starting again", name, info.Partitions, s.counts[name]))
				return
			}
		}
	}
}
