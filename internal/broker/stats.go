package broker

import (
	"slices"
	"sync/atomic"
	"time"
)

// Stats is what status pages and metrics show.
type Stats struct {
	Topics, Partitions int
	Records, Bytes     int64 // appended since start
	Syncs              int64
	SyncP50, SyncP99   time.Duration // of the last 512 syncs
}

// figures count what was appended.
type figures struct {
	records, bytes atomic.Int64
}

func (f *figures) add(records int64, bytes int) {
	f.records.Add(records)
	f.bytes.Add(int64(bytes))
}

// Stats returns figures since start.
func (b *Broker) Stats() Stats {
	s := Stats{Records: b.figures.records.Load(), Bytes: b.figures.bytes.Load()}
	for _, t := range b.view.Load().byName {
		s.Topics++
		s.Partitions += len(t.parts)
	}
	b.commits.mu.Lock()
	l := b.commits.mu.syncs
	b.commits.mu.Unlock()
	s.Syncs = l.count
	if kept := l.ring[:min(l.count, int64(len(l.ring)))]; len(kept) > 0 {
		slices.Sort(kept)
		s.SyncP50, s.SyncP99 = kept[len(kept)/2], kept[len(kept)*99/100]
	}
	return s
}
