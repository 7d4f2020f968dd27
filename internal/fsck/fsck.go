// Package fsck verifies a data directory that no process uses, without changing it, and explains what it finds.
//
// The command line calls Check. It calls the read-only Inspect functions of journal, commitlog and store, and then the broker and
// the database themselves, on a file system that keeps their writes in memory: a rehearsal of the next start. So what a finding says
// about the node is what the node did.
//
// One goroutine; no locks but those of the directory, which are held until Check returns: a running node makes it refuse.
//
// Findings are harmless (nothing acknowledged is concerned), repaired (the next start, or the next read, mends it) or damage. Each
// names file, position and offsets, what the node does about it and what a person can do.
//
// Not here: mending anything, printing, damage in files of sinks (their databases have tools of their own).
package fsck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// Sentinels of Check: the directory could not be looked at.
var (
	ErrNoData = errors.New("no data directory of mainstem")
	ErrLocked = broker.ErrLocked
)

// A Severity says how bad a finding is.
type Severity string

// The severities, from the best to the worst.
const (
	Harmless Severity = "harmless"
	Repaired Severity = "repaired"
	Damage   Severity = "damage"
)

// A Finding is one thing worth knowing.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // a stable word
	File     string   `json:"file"` // relative to the directory
	At       int64    `json:"at"`   // position in the file in bytes; -1: the whole file
	// The offsets [From, To) of a partition are concerned; Topic is empty when none are, To is -1 when nobody knows.
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition,omitempty"`
	From      int64  `json:"from,omitempty"`
	To        int64  `json:"to,omitempty"`
	About     string `json:"about"` // what is wrong
	Node      string `json:"node"`  // what the node does about it
	Next      string `json:"next"`  // what a person can do

	stops bool // known to keep the node from starting
}

// A Report is the outcome.
type Report struct {
	Dir        string    `json:"dir"`
	Findings   []Finding `json:"findings"`
	Starts     bool      `json:"starts"`               // the node would start
	StartError string    `json:"startError,omitempty"` // why it would not
	Clean      bool      `json:"clean"`                // an orderly end was the last thing that happened
	Checkpoint uint64    `json:"checkpoint"`
	Frames     int64     `json:"frames"` // of the journal behind the checkpoint
	Partitions int64     `json:"partitions"`
	Segments   int64     `json:"segments"`
	Batches    int64     `json:"batches"`
	Records    int64     `json:"records"`
	Tables     int64     `json:"tables"`
	Bytes      int64     `json:"bytes"` // read
}

// Worst is the highest severity among the findings; empty without any.
func (r *Report) Worst() Severity {
	worst := Severity("")
	for _, f := range r.Findings {
		switch {
		case f.Severity == Damage:
			return Damage
		case worst != Repaired:
			worst = f.Severity
		}
	}
	return worst
}

// Options of Check; zero fields take the defaults.
type Options struct {
	FS       vfs.FS      // default vfs.Default
	Clock    clock.Clock // default clock.System
	Progress func(done, total int64)
}

// Check verifies dir, a node's data directory. The error says that it could not be looked at; damage is in the report.
func Check(dir string, o Options) (Report, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	c := &check{
		o: o, dir: dir, r: Report{Dir: dir, Findings: []Finding{}}, over: vfs.NewOverlay(o.FS),
		created: map[uint32]bool{}, deleted: map[frame.ID]bool{},
	}
	unlock, err := c.lock()
	if err != nil {
		return Report{}, err
	}
	err = c.run()
	if err = errors.Join(err, unlock()); err != nil {
		return Report{}, fmt.Errorf("check %s: %w", dir, err)
	}
	return c.r, nil
}

type check struct {
	o    Options
	dir  string
	over vfs.FS // where the node's start is rehearsed
	r    Report

	hasBroker, hasState bool
	total               int64
	layout              *broker.Layout // nil: no checkpoint could be read
	created             map[uint32]bool
	deleted             map[frame.ID]bool
	start               rehearsal
}

func (c *check) path(elem ...string) string {
	return c.o.FS.PathJoin(append([]string{c.dir}, elem...)...)
}

func (c *check) broker(elem ...string) string { return c.path(append([]string{"broker"}, elem...)...) }

func (c *check) find(f Finding) {
	if rel, err := filepath.Rel(c.dir, f.File); err == nil {
		f.File = rel
	}
	c.r.Findings = append(c.r.Findings, f)
}

func (c *check) run() error {
	c.measure()
	if c.hasBroker {
		steps := []func() error{c.checkpoints, c.journal, c.rehearse, c.logs}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
	} else {
		c.r.Starts = true
	}
	if c.hasState {
		c.state()
	}
	err := c.start.end()
	c.explain()
	return err
}

// lock takes the locks of both parts that exist.
func (c *check) lock() (unlock func() error, err error) {
	var held []interface{ Close() error }
	unlock = func() error {
		var errs []error
		for _, h := range held {
			errs = append(errs, h.Close())
		}
		return errors.Join(errs...)
	}
	for part, has := range map[string]*bool{"broker": &c.hasBroker, "state": &c.hasState} {
		info, err := c.o.FS.Stat(c.path(part))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, errors.Join(err, unlock())
		}
		if *has = err == nil && info.IsDir(); !*has {
			continue
		}
		h, err := c.o.FS.Lock(c.path(part, broker.LockName))
		if path := (*os.PathError)(nil); errors.As(err, &path) {
			return nil, errors.Join(err, unlock())
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w: %w", c.path(part), ErrLocked, err), unlock())
		}
		held = append(held, h)
	}
	if !c.hasBroker && !c.hasState {
		return nil, fmt.Errorf("%s: %w", c.dir, ErrNoData)
	}
	return unlock, nil
}

// measure adds up what will be read.
func (c *check) measure() {
	add := func(dir string) {
		names, _ := c.o.FS.List(dir) // what cannot be listed is told later
		for _, name := range names {
			if info, err := c.o.FS.Stat(c.o.FS.PathJoin(dir, name)); err == nil && !info.IsDir() {
				c.total += info.Size()
			}
		}
	}
	add(c.broker(broker.JournalName))
	names, _ := c.o.FS.List(c.broker(broker.LogsName)) // the same
	for _, name := range names {
		add(c.broker(broker.LogsName, name))
	}
}

func (c *check) read(n int64) {
	c.r.Bytes += n
	c.o.Progress(min(c.r.Bytes, c.total), c.total)
}
