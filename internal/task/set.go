package task

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// A Set is all tasks of an application, or some of them.
type Set struct {
	c    Config
	plan *topology.Plan
	env  *operator.Env

	inputs     []*input // by operator.Origin.Input
	byTP       map[record.TopicPartition]*input
	tasks      []*task // by sub-topology, then partition; without those of global tables
	globals    []*global
	behind     []*task // those that have inboxes
	loops      []*task // those where rows pass on their way back
	changelogs map[store.Store]record.TopicPartition
	stores     []store.Store
	caches     []operator.Holder // in the order of the topology
	resters    []operator.Rester // besides those among the Undoers and the stores
	nodeRows   []int64           // that each node took, in all tasks

	next     int // the task whose turn it is
	rows     int // how many rows a unit takes now: few after a failure, then more again
	touched  []*task
	stopped  *RecordError                // Process ended here
	asked    map[failing]verdict         // what OnBadRecord has said about records that are not consumed
	verdicts map[operator.Origin]verdict // records that failed behind their source and are set aside
	lost     map[operator.Origin]verdict // consumed records whose held updates are given up in this unit
	settled  bool                        // the stores are restored
	cutting  bool                        // a consistent epoch ends: no source is read

	started bool             // the processors are
	wall    record.Timestamp // as Tick said last
	timers  []timer          // the tables in which processors' schedulers last
}

// New checks the configuration against the topology and makes the tasks, their stores and exchanges, all empty.
func New(c Config) (*Set, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	plan, err := c.Topology.Plan(c.Partitions)
	if err != nil {
		return nil, fmt.Errorf("topology %s: %w", c.Topology.Name, err)
	}
	s := &Set{
		c: c, plan: plan, rows: c.BatchRows,
		env:  &operator.Env{Partitions: c.Partitions, MaxRecordBytes: c.MaxRecordBytes, RecordBytes: c.RecordBytes, Calls: c.Calls},
		byTP: map[record.TopicPartition]*input{}, wall: record.NoTimestamp,
		changelogs: map[store.Store]record.TopicPartition{}, nodeRows: make([]int64, len(c.Topology.Nodes)),
		asked: map[failing]verdict{}, verdicts: map[operator.Origin]verdict{}, lost: map[operator.Origin]verdict{},
	}
	s.env.OverTopics, s.env.LookUp, s.env.LeaveOut = c.Tasks != nil, c.LookUp, s.leaveOut
	s.env.Caches.Limit, s.env.Caches.Lost, s.env.Caches.Consistent = c.CacheBytes, s.lostUpdate, c.Topology.Consistent
	if err := s.wire(); err != nil {
		return nil, fmt.Errorf("topology %s: %w", c.Topology.Name, err)
	}
	return s, nil
}

// Sources returns every partition the tasks read, in a fixed order; those of Globals are not among them.
func (s *Set) Sources() []record.TopicPartition {
	var tps []record.TopicPartition
	for _, in := range s.inputs {
		if !in.global {
			tps = append(tps, in.tp)
		}
	}
	return tps
}

// Stores returns the stores of all tasks, to be restored before the first Process.
func (s *Set) Stores() []store.Store { return s.stores }

// Changelog returns the partition that holds a store's changes.
func (s *Set) Changelog(st store.Store) record.TopicPartition { return s.changelogs[st] }

// deadLetterBytes is room for the largest record that a source topic takes by default, and for many times that.
const deadLetterBytes = "10485760"

// segmentBytes ends segments of internal topics early: the last one is neither compacted nor removed.
const segmentBytes = "52428800"

// timestampType and ownTimes keep the times of rows in internal topics, also where a cluster's default is to write down its own.
const timestampType, ownTimes = "message.timestamp.type", "CreateTime"

// changelogConfigs are those of a changelog topic. As in Kafka Streams that of a store with a retention is compacted, and cut a day later than
// the store forgets. Its tombstones stay as long: a checkpoint that is older has rows only whose time is over.
func changelogConfigs(retention time.Duration) map[string]string {
	const later = 24 * time.Hour
	if retention == 0 {
		return map[string]string{"cleanup.policy": "compact", "segment.bytes": segmentBytes, timestampType: ownTimes}
	}
	kept := strconv.FormatInt((retention + later).Milliseconds(), 10)
	return map[string]string{"cleanup.policy": "compact,delete", "retention.ms": kept, "delete.retention.ms": kept, "segment.bytes": segmentBytes, timestampType: ownTimes}
}

// withSettings adds settings to those of a topic.
func withSettings(configs, settings map[string]string) map[string]string {
	maps.Copy(configs, settings)
	return configs
}

// Topics returns the topics the application owns and must have: changelogs (compacted), and dead-letter topics when asked for.
func (s *Set) Topics() []client.TopicSpec {
	var specs []client.TopicSpec
	for _, st := range s.c.Topology.Stores {
		if st.Global || s.plan.Tasks[st.Sub] == 0 { // of a pattern that matches nothing yet
			continue
		}
		configs := changelogConfigs(st.Retention)
		if st.Published != "" {
			configs = map[string]string{"cleanup.policy": "compact", timestampType: ownTimes} // its readers may want to find more than the last record of each key
		}
		specs = append(specs, client.TopicSpec{
			Name: st.Changelog(s.c.App), Partitions: s.plan.Tasks[st.Sub], Configs: withSettings(configs, st.Settings),
		})
	}
	for _, t := range s.timers {
		if s.plan.Tasks[t.sub] == 0 {
			continue
		}
		specs = append(specs, client.TopicSpec{
			Name: topology.Changelog(s.c.App, t.name), Partitions: s.plan.Tasks[t.sub], Configs: changelogConfigs(0),
		})
	}
	specs = append(specs, s.repartitionTopics()...)
	sources := map[string]int32{}
	for _, topic := range s.c.Topology.SourceTopics() {
		sources[topic] = s.c.Partitions[topic]
	}
	for i := range s.c.Topology.Nodes {
		if n := &s.c.Topology.Nodes[i]; s.c.Tasks != nil && n.Kind == topology.Repartition {
			sources[topology.RepartitionTopic(s.c.App, n.Name)] = s.plan.Counts[n.ID]
		}
	}
	return append(specs, s.deadLetterTopics(sources)...)
}

// repartitionTopics returns those of the application, if the Set has some of the tasks. Records stay until they are deleted, as in Kafka
// Streams.
func (s *Set) repartitionTopics() []client.TopicSpec {
	var specs []client.TopicSpec
	for i := range s.c.Topology.Nodes {
		n := &s.c.Topology.Nodes[i]
		if s.c.Tasks == nil || n.Kind != topology.Repartition || s.plan.Counts[n.ID] == 0 {
			continue
		}
		topic, partitions := topology.RepartitionTopic(s.c.App, n.Name), s.plan.Counts[n.ID]
		specs = append(specs, client.TopicSpec{
			Name: topic, Partitions: partitions, Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "segment.bytes": segmentBytes, timestampType: ownTimes},
		})
	}
	return specs
}

// taskIDs returns the tasks of the Set, in order.
func (s *Set) taskIDs() ([]topology.TaskID, error) {
	if s.c.Tasks == nil {
		return s.plan.IDs(), nil
	}
	if s.c.Topology.Consistent {
		return nil, errors.New("in consistent mode one worker runs all tasks: one cut of the inputs needs one epoch")
	}
	ids := slices.Clone(s.c.Tasks)
	slices.SortFunc(ids, topology.TaskID.Compare)
	for i, id := range ids {
		if !s.plan.Has(id) {
			return nil, fmt.Errorf("task %s: the topology has no such task", id)
		}
		if i > 0 && id == ids[i-1] {
			return nil, fmt.Errorf("task %s: it is given twice", id)
		}
	}
	return ids, nil
}

// Add buffers a chunk of one of the Sources or of those of Globals. Chunks of a partition come in order of offsets and without overlap: anything else
// is an error, since a record would count twice.
func (s *Set) Add(c client.Chunk) error {
	in, known := s.byTP[c.TopicPartition]
	if !known {
		return fmt.Errorf("add chunk of %s: the topology does not read it", c.TopicPartition)
	}
	return in.add(c)
}

// Buffered returns how many records and bytes of a partition wait, so that the engine can pause it.
func (s *Set) Buffered(tp record.TopicPartition) (records int, bytes int64) {
	in, known := s.byTP[tp]
	if !known {
		return 0, 0
	}
	return in.buffered()
}

// BufferedTotal is Buffered over all partitions.
func (s *Set) BufferedTotal() (records int, bytes int64) {
	for _, in := range s.inputs {
		r, b := in.buffered()
		records, bytes = records+r, bytes+b
	}
	return records, bytes
}

// Positions returns the offset of the next record to read for every source partition that got a chunk. It belongs to the same
// commit as the outputs so far. The map is the caller's.
func (s *Set) Positions() map[record.TopicPartition]record.Offset {
	positions := make(map[record.TopicPartition]record.Offset, len(s.inputs))
	for _, in := range s.inputs {
		if in.started && !in.global {
			positions[in.tp] = in.position
		}
	}
	return positions
}

// Seal ends the epoch: the changes of all stores go to out as changelog records.
func (s *Set) Seal(out Output) error {
	for _, st := range s.stores {
		tp := s.changelogs[st]
		err := st.Seal(func(key, value []byte, ts record.Timestamp) error {
			return out.Append(tp, ts, key, value, nil)
		})
		if err != nil {
			return err
		}
	}
	return s.sealGlobals()
}

// Commit folds the sealed epoch into the stores, after its records became durable.
func (s *Set) Commit() {
	for _, st := range s.stores {
		st.Commit()
	}
	s.commitGlobals()
}

// Dropped returns how many records were dropped so far, by reason. The map is the caller's.
func (s *Set) Dropped() map[string]int64 { return s.env.Drops.Counts() }

// StreamTime returns the highest timestamp that any task of a sub-topology has seen, record.NoTimestamp when none.
func (s *Set) StreamTime(sub int) record.Timestamp {
	highest := record.NoTimestamp
	for _, t := range s.tasks {
		if t.sub == sub {
			highest = max(highest, t.StreamTime)
		}
	}
	return highest
}

// Advance moves the stream time of all tasks to at least ts, as a record of that time would. It is for sources known to be idle.
func (s *Set) Advance(ts record.Timestamp) {
	for _, t := range s.tasks {
		t.StreamTime = max(t.StreamTime, ts)
		t.keptTime = t.StreamTime
		if t.scheduler != nil {
			t.scheduler.See(ts)
		}
	}
}

// ViewOf returns a view of a store by its name: the committed rows of all tasks, readable from any goroutine. K and V are the
// store's types.
func ViewOf[K, V any](s *Set, name string) (*store.View[K, V], error) {
	return ViewOfAll[K, V]([]*Set{s}, name)
}

// ViewOfAll is ViewOf for the tasks of several Sets of an application.
func ViewOfAll[K, V any](sets []*Set, name string) (*store.View[K, V], error) {
	var tables []*store.Table[K, V]
	var stores []store.Store
	for _, s := range sets {
		stores = append(stores, s.stores...)
		for _, g := range s.globals {
			stores = append(stores, g.stores...)
		}
	}
	for _, st := range stores {
		if st.Name() != name {
			continue
		}
		table, ok := st.(*store.Table[K, V])
		if !ok {
			return nil, fmt.Errorf("view of store %s: it is a %T", name, st)
		}
		tables = append(tables, table)
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("view of store %s: there is no such store", name)
	}
	return store.NewView(tables...), nil
}
