package fsck

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/commitlog"
)

// logs reads the logs of all partitions, and names what lies beside them.
func (c *check) logs() error {
	names, err := c.o.FS.List(c.broker(broker.LogsName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	slices.Sort(names)
	known := map[string]bool{}
	if c.layout != nil {
		for _, p := range c.layout.Partitions {
			known[broker.LogDir(p.Number)] = true
			if err := c.log(p); err != nil {
				return err
			}
		}
	}
	for _, name := range names {
		if known[name] {
			continue
		}
		if err := c.strayLog(name); err != nil {
			return err
		}
	}
	return nil
}

// log reads one partition of the checkpoint.
func (c *check) log(p broker.LogLayout) error {
	c.r.Partitions++
	if (p.Mark == commitlog.Mark{}) || c.deleted[p.ID] {
		return nil // whatever lies there is made anew or removed
	}
	dir := c.broker(broker.LogsName, broker.LogDir(p.Number))
	names, err := c.o.FS.List(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(names) == 0 {
		c.find(Finding{
			Severity: Damage, Code: "log_missing", File: dir, At: -1, stops: c.start.err != nil, Next: restore,
			Topic: p.Topic, Partition: p.Partition, From: int64(p.Mark.Start), To: int64(p.Mark.End),
			About: "the partition's files are gone",
		})
		return nil
	}
	if err != nil {
		return err
	}
	r, err := commitlog.Inspect(commitlog.InspectOptions{FS: c.o.FS, Dir: dir, Mark: &p.Mark, EpochAt: p.EpochAt, Read: c.read})
	if err != nil {
		return err
	}
	c.count(dir, r)
	for _, d := range r.Damage {
		f := logFinding(p, d)
		if d.Part == commitlog.PartData && d.To <= r.Start {
			f.Severity, f.Code = Harmless, "deleted_records_damaged"
			f.Node, f.Next = fmt.Sprintf("it reads nothing below offset %d any more", r.Start), "nothing; look at the disk"
		}
		c.find(f)
	}
	return nil
}

func (c *check) count(dir string, r commitlog.Report) {
	c.r.Segments += r.Segments
	c.r.Batches += r.Batches
	c.r.Records += r.Records
	for _, name := range r.Unknown {
		path := c.o.FS.PathJoin(dir, name)
		if !strings.HasPrefix(name, "rescued-") {
			c.unknown(path)
			continue
		}
		c.find(Finding{
			Severity: Harmless, Code: "rescued", File: path, At: -1,
			About: "batches that an earlier start kept because this partition's log was damaged",
			Node:  "it leaves them alone", Next: "keep the file until the partition has been restored",
		})
	}
}

// logFinding is one damage of a log in the terms of the node.
func logFinding(p broker.LogLayout, d commitlog.Damage) Finding {
	f := Finding{Severity: Damage, File: d.Path, At: d.At, About: d.Err.Error()}
	switch d.Part {
	case commitlog.PartIndex:
		f.Severity, f.Code, f.At = Repaired, "index_damaged", -1
		f.Node, f.Next = "it makes the index again from the segment when somebody reads there", "nothing; look at the disk"
	case commitlog.PartNote:
		f.Severity, f.Code, f.At = Repaired, "note_damaged", -1
		f.Node, f.Next = "it compacts this log again from its start, and writes the note anew", "nothing; look at the disk"
	case commitlog.PartWrongIndex:
		f.Code, f.At, f.Next = "index_wrong", -1, "remove the index file: it is made again from the segment"
		f.Node = "it trusts the index and may answer KAFKA_STORAGE_ERROR for offsets of this segment"
	case commitlog.PartStart:
		f.Code, f.At = "start_damaged", -1
		f.Topic, f.Partition, f.From, f.To = p.Topic, p.Partition, int64(p.Mark.Start), int64(p.Mark.End)
		f.Next = "restore the file from a backup; or remove it if no records were ever deleted from this partition"
	default:
		f.Code = "records_damaged"
		f.Topic, f.Partition, f.From, f.To = p.Topic, p.Partition, int64(d.From), int64(d.To)
		f.Next = "restore the file from a backup, or give these records up: consumers can go on at offset " + strconv.FormatInt(f.To, 10)
	}
	return f
}

// strayLog looks at a directory that no partition of the checkpoint has.
func (c *check) strayLog(name string) error {
	path := c.broker(broker.LogsName, name)
	number, err := strconv.ParseUint(name, 10, 32)
	switch {
	case err != nil || broker.LogDir(uint32(number)) != name:
		c.unknown(path)
	case c.created[uint32(number)]:
		// Its batches are in the journal: the next start writes the log again.
	case c.layout == nil:
		r, err := commitlog.Inspect(commitlog.InspectOptions{FS: c.o.FS, Dir: path, Read: c.read})
		if err != nil {
			return err
		}
		c.count(path, r)
		for _, d := range r.Damage {
			f := logFinding(broker.LogLayout{}, d)
			f.Topic, f.About = "", fmt.Sprintf("%s (offsets %d to %d)", f.About, d.From, d.To-1)
			c.find(f)
		}
	case uint32(number) < c.layout.NextNumber:
		c.find(Finding{
			Severity: Repaired, Code: "log_left_over", File: path, At: -1,
			About: "the log of a topic that was deleted", Node: "it removes the directory at the next start", Next: "nothing",
		})
	default:
		c.find(Finding{
			Severity: Harmless, Code: "log_unclaimed", File: path, At: -1,
			About: "the log of a partition that neither the checkpoint nor what can be read of the journal knows",
			Node:  "it clears the directory when it gives the number to a new partition", Next: "keep a copy if the journal is damaged; else nothing",
		})
	}
	return nil
}
