package mainstem

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/server/httpapi"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// When a figure becomes a problem.
const (
	behindTooLong  = 5 * time.Minute
	slowSync       = 100 * time.Millisecond
	enoughSyncs    = 100  // fewer have no slowest hundredth
	lowDisk        = 0.05 // of the disk
	maxPartitions  = 5    // damaged ones that are named
	hangingPortion = 2    // a transaction older than its timeout divided by this
)

func comparePartitions(a, b record.TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// status is the newest figures of everything, with what is wrong.
func (f *flow) status(ctx context.Context) httpapi.Status {
	f.refresh(ctx)
	s := httpapi.Status{Flow: f.now(), Groups: []httpapi.Group{}}
	for _, g := range f.groups() {
		lag, behind := g.total()
		s.Groups = append(s.Groups, httpapi.Group{
			Name: g.name, State: g.state, Members: g.members, Partitions: len(g.parts), Lag: lag, BehindMs: millis(behind),
		})
	}
	var problems []httpapi.Problem
	if b := f.node.broker; b != nil {
		s.Storage, problems = f.storage(b)
	}
	s.Problems = append(append([]httpapi.Problem{}, problems...), wrong(s)...)
	if err := f.node.Err(); err != nil {
		s.Problems = append(s.Problems, httpapi.Problem{
			Severity: httpapi.SeverityError, Code: "node_failed", Object: "node", Message: err.Error(),
			Next: "stop the node, run `mainstem fsck " + s.Node.Directory + "`, and start it again",
		})
	}
	slices.SortStableFunc(s.Problems, func(a, b httpapi.Problem) int { return cmp.Compare(a.Severity, b.Severity) })
	return s
}

// storage describes the broker's disk, and what is wrong with it.
func (f *flow) storage(b *broker.Broker) (*httpapi.Storage, []httpapi.Problem) {
	st := b.Stats()
	out := &httpapi.Storage{
		Syncs: st.Syncs, SyncP50Ms: float64(st.SyncP50.Microseconds()) / 1000, SyncP99Ms: float64(st.SyncP99.Microseconds()) / 1000,
		JournalFiles: st.JournalFiles, CheckpointAgeMs: st.CheckpointAge.Milliseconds(),
	}
	out.FreeBytes, out.TotalBytes, _ = vfs.Usage(vfs.Default, f.node.dir)
	if f.node.clients != nil {
		out.Connections = f.node.clients.Connections()
	}
	var damaged []string
	b.EachPartition(func(p broker.PartitionStats) {
		out.Partitions++
		out.LogBytes += p.LogBytes
		if p.Damaged {
			damaged = append(damaged, p.TopicPartition.String())
		}
	})
	problems := damagedPartitions(damaged, f.node.dir)
	for _, t := range b.ListTransactions() {
		if t.Started < 0 {
			continue
		}
		out.OpenTransactions++
		if age := f.node.o.clock.Now().Sub(time.UnixMilli(int64(t.Started))); age > t.Timeout/hangingPortion {
			problems = append(problems, httpapi.Problem{
				Severity: httpapi.SeverityWarning, Code: "transaction_hangs", Object: t.ID,
				Message: fmt.Sprintf("transaction open for %s, readers of committed records wait; it is aborted at %s", round(age), t.Timeout),
				Next:    "mainstem transaction abort " + t.ID,
			})
		}
	}
	if st.Disk.Low {
		problems = append(problems, httpapi.Problem{
			Severity: httpapi.SeverityError, Code: "disk_full", Object: st.Disk.Dir,
			Message: fmt.Sprintf("only %s are free: writes are refused, reads go on", bytesText(st.Disk.Free)),
			Next:    "free space, or delete topics or shorten their retention; writes go on by themselves then",
		})
	}
	return out, problems
}

func damagedPartitions(names []string, dir string) []httpapi.Problem {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	object := strings.Join(names[:min(len(names), maxPartitions)], ", ")
	if more := len(names) - maxPartitions; more > 0 {
		object += fmt.Sprintf(" and %d more", more)
	}
	return []httpapi.Problem{{
		Severity: httpapi.SeverityError, Code: "partition_damaged", Object: object,
		Message: "damaged on disk: reads and writes are refused, everything else is served",
		Next:    "stop the node and run `mainstem fsck " + dir + "`",
	}}
}

// wrong finds what is wrong in the figures themselves.
func wrong(s httpapi.Status) []httpapi.Problem {
	var out []httpapi.Problem
	for _, p := range s.Pipelines {
		if p.Error != "" {
			out = append(out, httpapi.Problem{
				Severity: httpapi.SeverityError, Code: "pipeline_" + p.State, Object: p.Name, Message: p.Error,
				Next: "mend the cause and start the pipeline again: it goes on where it stopped",
			})
		}
	}
	for _, d := range s.Sinks {
		if d.Error != "" {
			out = append(out, httpapi.Problem{
				Severity: httpapi.SeverityError, Code: "sink_" + d.State, Object: d.Name, Message: d.Error,
				Next: "mend the cause and start the sink again: it goes on where its target is",
			})
		}
	}
	for _, g := range s.Groups {
		behind := time.Duration(g.BehindMs) * time.Millisecond
		if g.Members > 0 && behind >= behindTooLong {
			out = append(out, httpapi.Problem{
				Severity: httpapi.SeverityWarning, Code: "group_behind", Object: g.Name,
				Message: fmt.Sprintf("%d records wait, the oldest for %s", g.Lag, round(behind)),
				Next:    "mainstem group describe " + g.Name,
			})
		}
	}
	if d := s.Storage; d != nil {
		out = append(out, slowOrLow(d)...)
	}
	return out
}

func slowOrLow(d *httpapi.Storage) (out []httpapi.Problem) {
	if d.Syncs >= enoughSyncs && d.SyncP99Ms >= float64(slowSync.Milliseconds()) {
		out = append(out, httpapi.Problem{
			Severity: httpapi.SeverityWarning, Code: "disk_slow", Object: "journal",
			Message: fmt.Sprintf("one sync in a hundred takes %.0f ms or longer: every acknowledgement waits for it", d.SyncP99Ms),
			Next:    "look for what else uses the disk, or put the data directory on a faster one",
		})
	}
	if d.TotalBytes > 0 && float64(d.FreeBytes) < lowDisk*float64(d.TotalBytes) {
		out = append(out, httpapi.Problem{
			Severity: httpapi.SeverityWarning, Code: "disk_low", Object: "data directory",
			Message: fmt.Sprintf("%s of %s are free", bytesText(d.FreeBytes), bytesText(d.TotalBytes)),
			Next:    "free space before writes are refused",
		})
	}
	return out
}

// round makes a duration readable: two figures are enough.
func round(d time.Duration) time.Duration {
	switch {
	case d >= time.Hour:
		return d.Round(time.Minute)
	case d >= time.Second:
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// bytesText writes a size with a unit.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for v >= unit && i < len(sizeUnits)-1 {
		v, i = v/unit, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, sizeUnits[i])
}

const sizeUnits = "KMGTPE"
