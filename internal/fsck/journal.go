package fsck

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/broker/checkpointfile"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/journal"
)

const (
	restore = "keep the directory as it is and restore it from a backup; what other systems hold can be published again into a new directory"
	refuses = "it does not start and changes nothing"
)

// checkpoints reads the newest checkpoint and names what else lies in the broker's directory.
func (c *check) checkpoints() error {
	names, err := c.o.FS.List(c.broker())
	if err != nil {
		return err
	}
	slices.Sort(names)
	newest, found := checkpointfile.Name{}, false
	for _, name := range names {
		n, ok := checkpointfile.Parse(name)
		switch {
		case ok && n.Temp:
			c.find(Finding{
				Severity: Harmless, Code: "checkpoint_unfinished", File: c.broker(name), At: -1,
				About: "a checkpoint that was being written when the process ended; the one before it counts",
				Node:  "it writes over it", Next: "nothing",
			})
		case ok && (!found || n.LSN > newest.LSN):
			newest, found = checkpointfile.Name{LSN: n.LSN}, true
		case ok, name == broker.LockName, name == broker.JournalName, name == broker.LogsName:
		default:
			c.unknown(c.broker(name))
		}
	}
	if !found {
		return nil // a new directory, or one that the rehearsal will refuse
	}
	c.r.Checkpoint = newest.LSN
	first, err := c.checkpoint(newest)
	second, copyErr := c.checkpoint(checkpointfile.Name{LSN: newest.LSN, Copy: true})
	switch {
	case err == nil && copyErr != nil && !errors.Is(copyErr, os.ErrNotExist): // older versions wrote none
		c.spare(checkpointfile.Name{LSN: newest.LSN, Copy: true}, copyErr)
	case err != nil && checkpointfile.Reparable(err) && copyErr == nil:
		c.spare(newest, err)
		first, err = second, nil
	case err != nil:
		code, next := "checkpoint_damaged", restore
		if errors.Is(err, checkpointfile.ErrNewer) {
			code, next = "newer_format", "use the version of mainstem that wrote it, or a newer one"
		}
		c.find(Finding{
			Severity: Damage, Code: code, File: c.broker(newest.String()), At: -1, stops: true, Next: next,
			About: "the list of topics, positions and groups cannot be read: " + err.Error(),
		})
		return nil
	}
	c.layout, c.r.Clean = &first, first.Clean
	return nil
}

// checkpoint reads one file.
func (c *check) checkpoint(n checkpointfile.Name) (broker.Layout, error) {
	layout, err := broker.ReadLayout(c.o.FS, c.broker(n.String()))
	if err == nil && uint64(layout.LSN) != n.LSN {
		err = fmt.Errorf("it describes frame %d", layout.LSN)
	}
	return layout, err
}

// spare tells of a checkpoint of whose two files one is lost.
func (c *check) spare(lost checkpointfile.Name, err error) {
	c.find(Finding{
		Severity: Repaired, Code: "checkpoint_copy_damaged", File: c.broker(lost.String()), At: -1,
		About: "one of the two files of the checkpoint cannot be read: " + err.Error(),
		Node:  "it reads the other one, and writes both anew with the next checkpoint", Next: "nothing; look at the disk",
	})
}

func (c *check) unknown(path string) {
	c.find(Finding{
		Severity: Harmless, Code: "unknown_file", File: path, At: -1,
		About: "no file of mainstem", Node: "it leaves it alone", Next: "remove it if nobody needs it",
	})
}

// journal reads all journal files.
func (c *check) journal() error {
	dir := c.broker(broker.JournalName)
	after := journal.LSN(0)
	if c.layout != nil {
		after = c.layout.LSN
	}
	reports, err := journal.Inspect(c.o.FS, dir, after, c.frame)
	if err != nil {
		return err
	}
	for i, f := range reports {
		c.read(f.Size)
		c.journalFile(f, i == len(reports)-1)
	}
	c.r.Clean = c.r.Clean && c.r.Frames == 0
	return c.strayJournal(dir)
}

func (c *check) strayJournal(dir string) error {
	names, err := c.o.FS.List(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if !journal.OwnName(name) {
			c.unknown(c.o.FS.PathJoin(dir, name))
		}
	}
	return nil
}

// frame notes which partitions the journal makes and which topics it deletes. What frames mean is the rehearsal's business.
func (c *check) frame(f journal.Frame) {
	c.r.Frames++
	note := func(first, count uint32, err error) {
		for i := uint32(0); err == nil && i < count; i++ {
			c.created[first+i] = true
		}
	}
	switch frame.Kind(f.Kind) {
	case frame.KindTopicCreated:
		t, err := frame.DecodeTopicCreated(f.Body)
		note(t.First, t.Count, err)
	case frame.KindPartitionsAdded:
		p, err := frame.DecodePartitionsAdded(f.Body)
		note(p.First, p.Count, err)
	case frame.KindTopicDeleted:
		if id, err := frame.DecodeTopicDeleted(f.Body); err == nil {
			c.deleted[id] = true
		}
	}
}

func (c *check) journalFile(f journal.FileReport, last bool) {
	for _, d := range f.Damage {
		what := fmt.Sprintf("frames %d to %d are lost", d.From, d.To)
		switch {
		case d.To == 0 || d.Header && d.To < d.From && last:
			what = fmt.Sprintf("frames from %d on are lost", d.From)
		case d.To < d.From:
			what = "no frame that the checkpoint does not hold is concerned"
		}
		finding := Finding{
			Severity: Damage, Code: "journal_damaged", File: f.Path, At: d.At, stops: true, Next: restore,
			About: fmt.Sprintf("%v; acknowledged changes were here: %s", d.Err, what),
		}
		if f.Covered && !d.Header {
			finding = Finding{
				Severity: Harmless, Code: "journal_old_damage", File: f.Path, At: d.At,
				About: fmt.Sprintf("%v; the checkpoint holds all that was here", d.Err),
				Node:  "it does not read this file and uses it again", Next: "nothing; look at the disk",
			}
		}
		c.find(finding)
	}
	if f.Torn > 0 {
		c.find(Finding{
			Severity: Harmless, Code: "torn_tail", File: f.Path, At: f.End,
			About: fmt.Sprintf("the last %d bytes are no whole block: the write that was under way when the process ended, which nobody was promised", f.Torn),
			Node:  "it cuts them off at the next start", Next: "nothing",
		})
	}
}
