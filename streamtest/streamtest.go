// Package streamtest runs a topology in a test: the very same tasks as in production, with topics in memory and no time but that of
// the records.
//
// Tests call it; it calls package task. A Driver belongs to one goroutine.
//
// A record that is piped is processed to the end at once, including what comes back through topics that the topology both writes
// and reads; then the epoch commits. With Batch several records go together, and the results must be the same. Restart may be
// called at any point: it throws the tasks away and restores them from their changelogs. So do Crash and CrashAfter with an epoch in flight.
//
// The wall clock stands still but for AdvanceWallTime. Brokers, and sinks and sources of databases, are not here.
package streamtest

import (
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
)

// TB is the part of testing.TB that a Driver needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// An Option adjusts a Driver.
type Option func(*options)

type options struct {
	partitions int32
	topics     map[string]int32
	batch      int
	deadLetter bool
	onFailure  failure.Handler // nil: deadLetter says
	deadTopic  string          // of all topics' bad records; empty: one for each topic
	decoding   bool            // only what cannot be decoded is a dead letter
	oneTime    bool
	cacheBytes int64
	manual     bool
	spilled    bool
	workers    int        // 0: one does everything in memory
	shuffled   *rand.Rand // nil: in order
}

// Partitions gives every topic n partitions. Default 1.
func Partitions(n int32) Option { return func(o *options) { o.partitions = n } }

// TopicPartitions gives one topic n partitions.
func TopicPartitions(topic string, n int32) Option { return func(o *options) { o.topics[topic] = n } }

// Batch lets records wait until n were piped, or until anything is read. Default 1.
func Batch(n int) Option { return func(o *options) { o.batch = n } }

// DeadLetter sends bad records to <topic>.dead. By default they end the test.
func DeadLetter() Option { return func(o *options) { o.deadLetter = true } }

// OnFailure has h decide about each bad record, as in production. Dead-letter topics are there.
func OnFailure(h failure.Handler) Option {
	return func(o *options) { o.deadLetter, o.onFailure = true, h }
}

// DeadLetterTopic has one topic take the bad records of all topics.
func DeadLetterTopic(topic string) Option { return func(o *options) { o.deadTopic = topic } }

// DeadLetterUndecodable is DeadLetter for records that cannot be decoded; those that fail in a step end the test.
func DeadLetterUndecodable() Option {
	return func(o *options) { o.deadLetter, o.decoding = true, true }
}

// Cached holds updates of kept tables back until a commit, or until so many bytes of them are held, and merges those of a key, as
// Kafka Streams' record caches do. A commit comes after every record, or with Batch after each batch.
func Cached(maxBytes int64) Option { return func(o *options) { o.cacheBytes = maxBytes } }

// ManualCommit leaves it to Commit when the caches are flushed.
func ManualCommit() Option { return func(o *options) { o.manual = true } }

// OneStreamTime gives all sub-topologies one stream time and one order of scheduled calls, as the single task of Kafka Streams' test driver
// has. By default each task has its own, as in production.
func OneStreamTime() Option { return func(o *options) { o.oneTime = true } }

// A Driver runs one topology.
type Driver struct {
	tb       TB // nil: failures panic
	o        options
	topology *stream.Topology
	sets     []*task.Set // one, or with workers those of all tasks
	workers  *workers    // nil: there are none
	topics   map[string]*topic
	added    map[record.TopicPartition]int // rows of the source topics given to the set
	pending  int                           // rows piped and not given to the set
	err      error                         // what ended processing
	wall     record.Timestamp              // the wall-clock time
	crashIn  int                           // records until the crash that was asked for; 0: none was

	checkpoints *store.Checkpoints // nil: restarts read the changelogs only
}

// New starts a topology. Bad records end the test.
func New(tb TB, t *stream.Topology, opts ...Option) *Driver {
	tb.Helper()
	d, err := Open(t, opts...)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	d.tb = tb
	return d
}

// Open is New outside of a test: bad records panic, except in TryPipe.
func Open(t *stream.Topology, opts ...Option) (*Driver, error) {
	o := options{partitions: 1, topics: map[string]int32{}, batch: 1}
	for _, opt := range opts {
		opt(&o)
	}
	d := &Driver{o: o, topology: t, topics: map[string]*topic{}, added: map[record.TopicPartition]int{}}
	if err := d.spill(); err != nil {
		return nil, err
	}
	if _, err := d.match(); err != nil {
		return nil, err
	}
	return d, d.start()
}

// match finds the topics that patterns match: those that TopicPartitions, an Input or an Output names.
func (d *Driver) match() (changed bool, err error) {
	if !d.topology.Patterned() {
		return false, nil
	}
	before := d.topology.SourceTopics()
	names := slices.Concat(slices.Collect(maps.Keys(d.topics)), slices.Collect(maps.Keys(d.o.topics)))
	slices.Sort(names)
	if d.topology, err = d.topology.Resolve(d.topology.Name, d.o.deadTopic, slices.Compact(names)); err != nil {
		return false, err
	}
	return !slices.Equal(before, d.topology.SourceTopics()), nil
}

// named makes a topic that somebody names. If a pattern matches it the tasks start again with it.
func (d *Driver) named(topic string) {
	if d.topics[topic] != nil {
		return
	}
	d.topic(topic)
	changed, err := d.match()
	if err == nil && changed {
		err = d.TryRestart()
	}
	d.fail(err)
}

// Describe returns the topology as text.
func (d *Driver) Describe() string { return d.topology.Describe() }

// Dropped returns how many records were dropped since the start or Restart, by reason.
func (d *Driver) Dropped() map[string]int64 {
	d.flush()
	dropped := map[string]int64{}
	for _, set := range d.sets {
		for reason, n := range set.Dropped() {
			dropped[reason] += n
		}
	}
	return dropped
}

// Advance moves the stream time of all tasks to at least ts, as a record of that time would.
func (d *Driver) Advance(ts record.Timestamp) {
	d.flush()
	for _, set := range d.sets {
		set.Advance(ts)
	}
}

// StreamTime returns the highest time a sub-topology has seen, record.NoTimestamp when none.
func (d *Driver) StreamTime(subTopology int) record.Timestamp {
	d.flush()
	highest := record.NoTimestamp
	for _, set := range d.sets {
		highest = max(highest, set.StreamTime(subTopology))
	}
	return highest
}

// Restart ends the epoch, throws all tasks away, and starts again from the changelogs and the committed positions.
func (d *Driver) Restart() {
	d.fail(d.TryRestart())
}

// TryRestart is Restart with the error returned.
func (d *Driver) TryRestart() error {
	if err := d.tryFlush(); err != nil {
		return err
	}
	if err := d.commit((*task.Set).Flush); err != nil {
		return err
	}
	return d.start()
}

// Commit processes what waits and flushes every cache once, as a commit of Kafka Streams does: what then reaches a cache through an
// exchange stays there until the next commit.
func (d *Driver) Commit() { d.fail(d.TryCommit()) }

// TryCommit is Commit with the error returned.
func (d *Driver) TryCommit() error {
	if err := d.tryFlush(); err != nil {
		return err
	}
	if err := d.commit((*task.Set).FlushOnce); err != nil {
		return err
	}
	return d.tryFlush() // what came back through topics
}

// commit is an epoch that begins with a flush.
func (d *Driver) commit(flush func(*task.Set, task.Output) error) error {
	for _, set := range d.sets {
		if err := flush(set, output{d}); err != nil {
			d.err = err
			return err
		}
		if err := d.seal(set); err != nil {
			return err
		}
	}
	return nil
}

func (d *Driver) seal(set *task.Set) error {
	if err := set.Seal(output{d}); err != nil {
		return err
	}
	set.Commit()
	return d.checkpoint(set)
}

// View returns the rows of a kept table.
func View[K, V any](d *Driver, t stream.Table[K, V]) *store.View[K, V] {
	v, err := ViewOf[K, V](d, t.StoreName())
	d.fail(err)
	return v
}

// ViewOf returns the rows of the store with this name, which keeps keys and values of these types: also of one that the engine has named.
func ViewOf[K, V any](d *Driver, storeName string) (*store.View[K, V], error) {
	if err := d.tryFlush(); err != nil {
		return nil, err
	}
	return task.ViewOfAll[K, V](d.sets, storeName)
}

// config is that of all tasks.
func (d *Driver) config() task.Config {
	partitions := map[string]int32{}
	for _, name := range append(d.topology.SourceTopics(), d.topology.SinkTopics()...) {
		partitions[name] = d.partitions(name)
	}
	config := task.Config{
		Topology: d.topology, Partitions: partitions, CacheBytes: d.o.cacheBytes, FlushEachRecord: d.o.cacheBytes > 0 && !d.o.manual && d.o.batch <= 1,
	}
	config.OneTime, config.LookUp = d.o.oneTime, d.lookUp
	if d.o.deadLetter {
		config.DeadLetters, config.DeadLetterTopic = true, d.o.deadTopic
		config.OnBadRecord = d.decide
	}
	return config
}

// decide is what becomes of a bad record.
func (d *Driver) decide(e *task.RecordError) task.Decision {
	switch {
	case d.o.onFailure != nil:
		return d.o.onFailure(e.Failure())
	case d.o.decoding && !e.Undecodable:
		return task.Stop
	}
	return task.DeadLetter
}

// lookUp finds a topic that a record is written to and the topology does not name: it exists if TopicPartitions, an Input or an Output names
// it.
func (d *Driver) lookUp(topic string) (operator.Room, error) {
	_, exists := d.topics[topic]
	if _, given := d.o.topics[topic]; !given && !exists {
		return operator.Room{}, nil
	}
	return operator.Room{Partitions: d.partitions(topic)}, nil
}

// start makes all tasks anew and restores them.
func (d *Driver) start() error {
	for _, set := range d.sets {
		if err := d.giveUp(set); err != nil {
			return err
		}
	}
	d.err = nil
	config := d.config()
	if d.o.workers > 0 {
		d.err = d.startWorkers(config)
		return d.err
	}
	set, err := d.open(config)
	if set != nil {
		d.sets = []*task.Set{set}
	}
	d.err = err
	return err
}

// giveUp ends a set: what it had not consumed comes again.
func (d *Driver) giveUp(set *task.Set) error {
	if err := set.Close(); err != nil {
		return err
	}
	for tp, next := range set.Positions() {
		d.added[tp] = int(next)
	}
	return nil
}

// open makes a set and restores it.
func (d *Driver) open(config task.Config) (*task.Set, error) {
	set, err := task.New(config)
	if err != nil {
		return nil, err
	}
	for _, g := range set.Globals() { // they have no changelog: they read their topics again
		for _, tp := range g.Sources {
			d.added[tp] = 0
		}
	}
	for _, st := range set.Stores() {
		tp := set.Changelog(st)
		known, err := d.load(st)
		if err != nil {
			return nil, err
		}
		for _, r := range d.topic(tp.Topic).partition(tp.Partition)[known:] {
			if err := st.Restore(r.Key, r.Value, r.Timestamp); err != nil {
				return nil, err
			}
		}
	}
	return set, set.Tick(output{d}, d.wall)
}

func (d *Driver) partitions(name string) int32 {
	if n, given := d.o.topics[name]; given {
		return n
	}
	return d.o.partitions
}

func (d *Driver) fail(err error) {
	if err == nil {
		return
	}
	if d.tb == nil {
		panic(err)
	}
	d.tb.Helper()
	d.tb.Fatalf("%v", err)
}

func (d *Driver) flush() { d.fail(d.tryFlush()) }

// tryFlush gives what waits to the tasks and runs them until nothing is left.
func (d *Driver) tryFlush() error {
	if d.err != nil {
		return d.err
	}
	d.pending = 0
	for {
		n, err := d.round()
		if errors.Is(err, errCrashed) {
			continue // it started again
		}
		if err != nil {
			d.err = err
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// round is one epoch: everything the source topics hold, processed and committed. A bad record ends it after what came before.
func (d *Driver) round() (int, error) {
	if d.workers != nil {
		return d.sharedRound()
	}
	return d.epoch(d.sets[0], processAtOnce)
}

// epoch has a set take at most so many records at a time of what its source topics hold, and commits. With fewer than processAtOnce it
// takes no more than these.
func (d *Driver) epoch(set *task.Set, most int) (int, error) {
	var before mark
	if d.crashIn > 0 {
		var err error
		if before, err = d.mark(); err != nil {
			return 0, err
		}
		most = min(most, d.crashIn)
	}
	if err := d.fill(set); err != nil {
		return 0, err
	}
	total := 0
	for {
		n, err := set.Process(output{d}, most)
		total += n
		if d.crashIn > 0 {
			if d.crashIn -= n; d.crashIn <= 0 {
				d.crashIn = 0
				return total, cmp.Or(d.crash(before), errCrashed)
			}
		}
		var bad *task.RecordError
		if err != nil && !errors.As(err, &bad) {
			return total, err
		}
		if n > 0 && err == nil && most == processAtOnce {
			continue
		}
		if !d.o.manual {
			if flushed := set.Flush(output{d}); flushed != nil {
				return total, flushed
			}
		}
		return total, errors.Join(err, d.seal(set))
	}
}

const processAtOnce = 1 << 20

// fill gives a set what its source partitions hold.
func (d *Driver) fill(set *task.Set) error {
	sources := set.Sources()
	for _, g := range set.Globals() {
		sources = append(sources, g.Sources...)
	}
	for _, tp := range sources {
		if err := d.add(set, tp); err != nil {
			return err
		}
	}
	return nil
}

// add gives a set what a source partition holds and it doesn't know yet.
func (d *Driver) add(set *task.Set, tp record.TopicPartition) error {
	t := d.topic(tp.Topic)
	c := client.Chunk{TopicPartition: tp}
	rows := t.partition(tp.Partition)
	for _, r := range rows[d.added[tp]:] {
		c.Offsets, c.Timestamps = append(c.Offsets, r.Offset), append(c.Timestamps, r.Timestamp)
		c.Keys, c.Values = append(c.Keys, r.Key), append(c.Values, r.Value)
		c.Headers = append(c.Headers, r.Headers)
	}
	if len(c.Offsets) == 0 {
		return nil
	}
	d.added[tp] = len(rows)
	c.Next = record.Offset(len(rows))
	c.End = c.Next
	return set.Add(c)
}

// An output writes what the tasks emit to the topics in memory.
type output struct{ d *Driver }

// Append implements task.Output.
func (o output) Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, headers []record.Header) error {
	o.d.topic(tp.Topic).append(record.Record{TopicPartition: tp, Timestamp: ts, Key: clone(key), Value: clone(value), Headers: headers})
	return nil
}

// Rows returns the committed rows of a store as text: what its keys and values encode to.
func (d *Driver) Rows(storeName string) map[string]string {
	d.flush()
	rows := map[string]string{}
	for _, set := range d.sets {
		for _, st := range set.Stores() {
			if st.Name() == storeName {
				d.fold(set.Changelog(st), rows)
			}
		}
	}
	return rows
}

// fold applies a changelog.
func (d *Driver) fold(changelog record.TopicPartition, rows map[string]string) {
	for _, r := range d.topic(changelog.Topic).partition(changelog.Partition) {
		if r.Value == nil {
			delete(rows, string(r.Key))
		} else {
			rows[string(r.Key)] = string(r.Value)
		}
	}
}

// stores returns those of all tasks.
func (d *Driver) stores() []store.Store {
	var stores []store.Store
	for _, set := range d.sets {
		stores = append(stores, set.Stores()...)
	}
	return stores
}
