package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/assign"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// ErrShared: the topology can't be run in this way by several workers, or by one alone, as the case may be.
var ErrShared = errors.New("workers do not fit the application")

// A sharing is this worker's part in an application that workers share. The loop runs what is granted, the group asks what that is, and
// listen hears of new grants.
//
// What this worker owns is what it may still commit: a task is owned from the moment its grant is heard, before the group can ask again,
// until its last epoch is committed and its last checkpoint written. So another worker that is granted the task later finds all of that,
// and nothing comes behind it.
type sharing struct {
	worker string
	tasks  []assign.Task
	member client.Member
	news   chan struct{} // capacity 1: there is news
	opened chan opening  // the loop takes them, or ends

	// Of the loop.
	open     map[topology.TaskID]*shard // granted and not running yet
	leaving  []*shard                   // their last checkpoint is being written
	trimming *trimming

	mu struct {
		sync.Mutex
		owned  map[topology.TaskID]bool
		stored map[topology.TaskID]int64 // what the checkpoints hold, by how far they are
		heard  heard                     // the last news
	}
}

// heard is what came from the group.
type heard struct {
	want []topology.TaskID
	err  error
}

func newSharing(worker string, t *trimming) *sharing {
	sh := &sharing{worker: worker, news: make(chan struct{}, 1), opened: make(chan opening), open: map[topology.TaskID]*shard{}, trimming: t}
	sh.mu.owned, sh.mu.stored = map[topology.TaskID]bool{}, map[topology.TaskID]int64{}
	return sh
}

// newsCame and openings are nil where no one shares.
func (sh *sharing) newsCame() <-chan struct{} {
	if sh == nil {
		return nil
	}
	return sh.news
}

func (sh *sharing) openings() <-chan opening {
	if sh == nil {
		return nil
	}
	return sh.opened
}

// listen hears of grants until ctx ends or there are no more.
func (sh *sharing) listen(ctx context.Context) {
	for sh.hear(ctx, true) == nil {
		sh.ring()
	}
	if ctx.Err() == nil {
		sh.ring()
	}
}

// ring tells the loop, if it has looked at what came before.
func (sh *sharing) ring() {
	select {
	case sh.news <- struct{}{}:
	default:
	}
}

// hear waits for the next grant and owns it before anybody can ask. The first one may be of this worker's predecessor, who might have run
// another topology: only the later ones have to be known.
func (sh *sharing) hear(ctx context.Context, later bool) error {
	g, err := sh.member.Next(ctx)
	var want []topology.TaskID
	if err == nil {
		want, err = assign.ParseOrder(g.Data, sh.tasks)
	}
	if errors.Is(err, assign.ErrUnknownTask) && !later {
		err = nil
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.mu.heard = heard{want: want, err: err}
	for _, id := range want {
		sh.mu.owned[id] = true
	}
	return err
}

// last returns what was heard last, and what this worker owns.
func (sh *sharing) last() (heard, []topology.TaskID) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.mu.heard, sh.ownedLocked()
}

func (sh *sharing) owns(id topology.TaskID) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.mu.owned[id]
}

func (sh *sharing) ownedLocked() []topology.TaskID {
	owned := make([]topology.TaskID, 0, len(sh.mu.owned))
	for id := range sh.mu.owned {
		owned = append(owned, id)
	}
	slices.SortFunc(owned, topology.TaskID.Compare)
	return owned
}

// claim is what the group is told, see client.Membership.Metadata.
func (sh *sharing) claim() []byte {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	m := assign.Member{Owned: sh.ownedLocked(), Stored: map[topology.TaskID]int64{}}
	for id, next := range sh.mu.stored {
		if !sh.mu.owned[id] {
			m.Stored[id] = next
		}
	}
	if b := assign.Claim(m); len(b) <= client.MaxMetadata {
		return b
	}
	m.Stored = nil // what is stored is only of use, what is owned has to be told
	return assign.Claim(m)
}

// assign decides for all workers what they run now; a task that moves is first given up by its owner.
func (sh *sharing) assign(workers map[string][]byte) (map[string]client.Grant, error) {
	var members []assign.Member
	for name, b := range workers {
		m, err := assign.ParseClaim(name, b, sh.tasks)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	now, _ := assign.Step(assign.Balance(sh.tasks, members), members)
	grants := map[string]client.Grant{}
	for name, ids := range now {
		grants[name] = client.Grant{Inputs: now.Inputs(name, sh.tasks), Data: assign.Order(ids)}
	}
	return grants, nil
}

// gave ends owning tasks and has the group give them to others.
func (sh *sharing) gave(shards []topology.TaskID) {
	sh.mu.Lock()
	for _, id := range shards {
		delete(sh.mu.owned, id)
	}
	sh.mu.Unlock()
	sh.member.Rejoin()
}

// keeps notes how far the checkpoint of a task is.
func (sh *sharing) keeps(id topology.TaskID, next int64) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.mu.stored[id] = next
}

// leaveTimeout bounds the courtesy of telling the group.
const leaveTimeout = 5 * time.Second

// leave ends the membership. A worker that will be back at once, behind err, does not tell the group: within its session it finds its
// place as it was.
func (sh *sharing) leave(ctx context.Context, err error) {
	if sh.member == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if err != nil && Retryable(err) {
		cancel()
	}
	sh.member.Close(ctx)
}

// openShared makes this worker one of those who share the application. Global tables are ready before it joins; tasks come with the grants.
func (s *session) openShared(ctx context.Context) error {
	set, err := s.openTopics(ctx)
	if err != nil {
		return err
	}
	if err := s.openCheckpoints(set); err != nil {
		return err
	}
	worker, err := s.workerName()
	if err != nil {
		return err
	}
	s.shared = newSharing(worker, newTrimming(s.o.App, s.o.Topology, s.o.Clock.Mono()))
	if err := s.planTasks(); err != nil {
		return err
	}
	s.stats.enter(StateRestoring, nil)
	var bad letters // of global tables: there is no epoch to put them into yet
	if err := s.shareGlobals(ctx, &bad); err != nil {
		return err
	}
	if err := s.join(ctx); err != nil {
		return err
	}
	s.filling = s.producer.NewEpoch()
	if len(bad) > 0 {
		s.touch()
	}
	for _, r := range bad {
		if err := s.filling.Append(r.TopicPartition, r.Timestamp, r.Key, r.Value, r.Headers); err != nil {
			return err
		}
	}
	return s.openReader(ctx)
}

// join takes a place in the group, waits for what is granted first, and begins to commit in the name of that place.
func (s *session) join(ctx context.Context) (err error) {
	sh := s.shared
	sh.member, err = s.o.Door.Join(ctx, client.Membership{
		App: s.o.App, Worker: sh.worker, Topics: s.inputTopics(), Metadata: sh.claim, Assign: sh.assign, Session: s.o.Session,
	})
	if err != nil {
		return starting(err)
	}
	if err := sh.hear(ctx, false); err != nil {
		return starting(err)
	}
	sh.ring()
	s.producer, err = sh.member.OpenProducer(ctx)
	return starting(err)
}

// workerName is the one that was asked for, or the one that stands in the checkpoints.
func (s *session) workerName() (string, error) {
	if s.o.Worker != "" || s.o.Checkpoints == nil {
		return s.o.Worker, nil
	}
	ckpt, err := store.OpenCheckpoints(s.o.Checkpoints, s.o.App)
	if err != nil {
		return "", err
	}
	return ckpt.Worker(newWorkerName())
}

func newWorkerName() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails
	return "worker-" + hex.EncodeToString(b)
}

// planTasks notes all tasks of the application, and which of them the checkpoints know.
func (s *session) planTasks() error {
	plan, err := s.o.Topology.Plan(s.config.Partitions)
	if err != nil {
		return err
	}
	for _, id := range plan.IDs() {
		t := assign.Task{ID: id}
		for _, topic := range plan.Sources(s.o.App, id, s.config.Partitions) {
			t.Inputs = append(t.Inputs, record.TopicPartition{Topic: topic, Partition: id.Partition})
		}
		s.shared.tasks = append(s.shared.tasks, t)
		sum := int64(0)
		for _, st := range s.o.Topology.Stores {
			if s.ckpt == nil || st.Global || st.Sub != id.Sub {
				continue
			}
			next, _, err := s.ckpt.Position(st.Name, id.Partition)
			if err != nil {
				return err
			}
			sum += int64(next)
		}
		if sum > 0 {
			s.shared.keeps(id, sum)
		}
	}
	return nil
}

// inputTopics are all that tasks read.
func (s *session) inputTopics() []string {
	var topics []string
	for _, t := range s.shared.tasks {
		for _, tp := range t.Inputs {
			topics = append(topics, tp.Topic)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// shareGlobals makes the shard with the global tables, if there are any. Every worker has one.
func (s *session) shareGlobals(ctx context.Context, out task.Output) error {
	if !hasGlobals(s.o.Topology) {
		return nil
	}
	for {
		set, err := s.newSet()
		if err != nil {
			return err
		}
		sh, r := newShard(set), s.newRestoring()
		if err = r.globals(ctx, sh, out); err == nil {
			err = r.forgetStale()
		}
		if errors.Is(err, errStale) {
			continue
		}
		if err == nil {
			s.config.Globals = set
			s.enter(sh)
		}
		return err
	}
}

func hasGlobals(t *topology.Topology) bool {
	return slices.ContainsFunc(t.Subs, func(sub topology.SubTopology) bool { return sub.Global })
}

// newSet makes the set of one task, or of no task but the global tables. The record caches of all tasks together stay within the limit,
// also when this worker gets all of them.
func (s *session) newSet(ids ...topology.TaskID) (*task.Set, error) {
	c := s.config
	c.Tasks = append([]topology.TaskID{}, ids...)
	if c.CacheBytes > 0 {
		c.CacheBytes = max(1, c.CacheBytes/int64(max(1, len(s.shared.tasks))))
	}
	return task.New(c)
}

// letters are dead letters that wait for an epoch.
type letters []record.Record

// Append implements task.Output.
func (l *letters) Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, headers []record.Header) error {
	*l = append(*l, record.Record{TopicPartition: tp, Timestamp: ts, Key: slices.Clone(key), Value: slices.Clone(value), Headers: headers})
	return nil
}

// allTasks makes a set of all tasks with repartitions over topics, whose topics are those of the application.
func (s *session) allTasks() (*task.Set, error) {
	plan, err := s.o.Topology.Plan(s.config.Partitions)
	if err != nil {
		return nil, fmt.Errorf("topology %s: %w", s.o.Topology.Name, err)
	}
	c := s.config
	c.Tasks = []topology.TaskID{}
	if c.Globals, err = task.New(c); err != nil {
		return nil, err
	}
	c.Tasks = plan.IDs()
	return task.New(c)
}
