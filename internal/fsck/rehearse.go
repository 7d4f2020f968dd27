package fsck

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/topology"
)

// A rehearsal is a start of the node that leaves no trace.
type rehearsal struct {
	broker *broker.Broker // nil when it refused
	err    error
	broken map[string]string // "topic/partition" → why it refuses everything
}

// rehearse opens the broker on the overlay.
func (c *check) rehearse() error {
	c.start.broken = map[string]string{}
	c.start.err = recovered(func() (err error) {
		c.start.broker, err = broker.Open(broker.Options{FS: c.over, Dir: c.broker(), Clock: c.o.Clock, Events: c.start.event})
		return err
	})
	c.r.Starts = c.start.err == nil
	if c.start.err != nil {
		c.r.StartError = c.start.err.Error()
	}
	return nil
}

func (s *rehearsal) event(e broker.Event) {
	if e.Kind != broker.PartitionDamaged {
		return
	}
	fields := map[string]any{}
	for i := 0; i+1 < len(e.Fields); i += 2 {
		fields[fmt.Sprint(e.Fields[i])] = e.Fields[i+1]
	}
	s.broken[fmt.Sprintf("%v/%v", fields["topic"], fields["partition"])] = fmt.Sprint(fields["error"])
}

// end closes what the rehearsal opened.
func (s *rehearsal) end() error {
	if s.broker == nil {
		return nil
	}
	return recovered(s.broker.Close)
}

// recovered turns a panic of the node into an error: fsck must tell of it, not die of it.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the node panics: %v", p)
		}
	}()
	return f()
}

const rebuild = "move the state directory away: the tables are built again from their changelogs at the next start"

// state opens the checkpoint database of the tables and compares its positions with the changelogs.
func (c *check) state() {
	dir := c.path("state")
	var tables []store.TableCheckpoint
	err := recovered(func() error {
		db, err := kv.OpenPebble(dir, kv.PebbleOptions{FS: c.over})
		if err != nil {
			return err
		}
		tables, err = store.Inspect(db)
		return errors.Join(err, db.Close())
	})
	if err != nil {
		c.find(Finding{
			Severity: Damage, Code: "state_damaged", File: dir, At: -1, Next: rebuild,
			About: "the tables' checkpoints cannot be read: " + err.Error(),
			Node:  "it does not start, or the pipelines stop with this error; no record is concerned",
		})
		return
	}
	c.r.Tables = int64(len(tables))
	for _, t := range tables {
		c.table(dir, t)
	}
}

func (c *check) table(dir string, t store.TableCheckpoint) {
	name := fmt.Sprintf("table %s/%d of %s", t.Name, t.Partition, t.App)
	if t.Next < 0 {
		c.find(Finding{
			Severity: Repaired, Code: "table_unfinished", File: dir, At: -1,
			About: fmt.Sprintf("the first checkpoint of %s was not finished", name),
			Node:  "it removes the rows and reads the whole changelog", Next: "nothing",
		})
		return
	}
	if c.start.broker == nil {
		return // the changelogs are on a cluster, or cannot be reached
	}
	topic := c.changelog(t)
	end := c.start.broker.ListOffset(broker.TopicRef{Name: topic}, t.Partition, listEnd, true)
	switch {
	case end.Err != nil && c.start.broken[fmt.Sprintf("%s/%d", topic, t.Partition)] != "":
	case end.Err != nil:
		c.find(Finding{
			Severity: Harmless, Code: "table_without_changelog", File: dir, At: -1,
			About: fmt.Sprintf("%s has a checkpoint, but there is no %s/%d", name, topic, t.Partition),
			Node:  "it does not look at it unless the pipeline runs again", Next: rebuild + ", if the pipeline is to run again",
		})
	case t.Next > end.Offset:
		c.find(Finding{
			Severity: Damage, Code: "table_ahead", File: dir, At: -1, Next: rebuild,
			About: fmt.Sprintf("%s is at %d of %s/%d, which ends at %d", name, t.Next, topic, t.Partition, end.Offset),
			Node:  "it starts; pipeline " + t.App + " stops with this error",
		})
	}
}

// changelog returns the topic that a table's checkpoint belongs to: its changelog, or of a global table the topic that it is read from.
func (c *check) changelog(t store.TableCheckpoint) string {
	own, topics := topology.Changelog(t.App, t.Name), c.start.broker.Topics().ByName
	if topics[own] == nil {
		for name, topic := range topics {
			if topic.ID == t.Topic {
				return name
			}
		}
	}
	return own
}

// listEnd asks ListOffset for the end.
const listEnd = -1

// explain says of every finding what the node does, as the rehearsal showed, and adds what only the rehearsal found.
func (c *check) explain() {
	stopped, told := false, map[string]bool{}
	for i := range c.r.Findings {
		f := &c.r.Findings[i]
		stopped = stopped || f.stops
		if f.Topic != "" {
			told[fmt.Sprintf("%s/%d", f.Topic, f.Partition)] = true
		}
		if f.Node == "" {
			f.Node = c.behaviour(f)
		}
	}
	if c.start.err != nil && !stopped {
		c.find(Finding{
			Severity: Damage, Code: "start_refused", File: c.broker(), At: -1, Node: refuses, Next: restore,
			About: "the node cannot open the directory: " + c.start.err.Error(),
		})
	}
	for name, why := range c.start.broken {
		if !told[name] {
			c.find(Finding{
				Severity: Damage, Code: "partition_refused", File: c.broker(broker.LogsName), At: -1, Next: restore,
				About: name + ": " + why, Node: "it starts; the partition refuses reads and writes (KAFKA_STORAGE_ERROR)",
			})
		}
	}
}

// behaviour is what the rehearsal showed for a finding.
func (c *check) behaviour(f *Finding) string {
	switch {
	case f.stops && c.start.err != nil:
		return refuses
	case f.stops:
		return "it starts all the same"
	case f.Topic == "":
		return "nobody knows: the checkpoint cannot be read"
	}
	node := fmt.Sprintf("it starts and serves everything else; reading offsets %d to %d of %s/%d fails with KAFKA_STORAGE_ERROR", f.From, f.To-1, f.Topic, f.Partition)
	if c.start.broken[fmt.Sprintf("%s/%d", f.Topic, f.Partition)] != "" {
		node = fmt.Sprintf("it starts and serves everything else; %s/%d refuses all reads and writes with KAFKA_STORAGE_ERROR, "+
			"and what the journal holds for it is kept in a rescued-… file beside its segments", f.Topic, f.Partition)
	}
	if c.start.err != nil {
		return "it does not start, for another reason; after that " + node
	}
	return node
}
