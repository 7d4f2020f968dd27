package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// What the loop does where workers share the application: it compares what is granted with what it runs. Tasks that are not granted
// any more are given up, at an epoch's end; new ones are opened beside the loop, which goes on with the others meanwhile.

// news looks at what was heard last.
func (s *session) news(beside context.Context) error {
	if s.shared == nil {
		return nil
	}
	select {
	case <-s.shared.news:
	default:
	}
	heard, owned := s.shared.last()
	if heard.err != nil {
		return &epochError{away(heard.err)} // nothing that is not committed may be committed any more
	}
	if err := s.giveUp(beside, heard.want, owned); err != nil {
		return err
	}
	return s.openTasks(beside, heard.want)
}

// giveUp lets go of what is owned and not wanted.
func (s *session) giveUp(beside context.Context, want, owned []topology.TaskID) error {
	running := map[topology.TaskID]*shard{}
	for _, sh := range s.tasksRunning() {
		running[sh.id] = sh
	}
	var idle []topology.TaskID
	var end []*shard
	for _, id := range owned {
		switch {
		case slices.Contains(want, id) || s.shared.isLeaving(id):
		case running[id] != nil:
			end = append(end, running[id])
		default: // being opened, or not even that
			delete(s.shared.open, id)
			idle = append(idle, id)
		}
	}
	if len(idle) > 0 {
		s.gave(idle)
	}
	if len(end) == 0 {
		return nil
	}
	return s.endTasks(beside, end)
}

// tasksRunning are the shards with tasks.
func (s *session) tasksRunning() []*shard {
	if len(s.shards) > 0 && len(s.shards[0].set.Globals()) > 0 {
		return s.shards[1:]
	}
	return s.shards
}

func (s *session) runs(id topology.TaskID) bool {
	return slices.ContainsFunc(s.tasksRunning(), func(sh *shard) bool { return sh.id == id })
}

func (sh *sharing) isLeaving(id topology.TaskID) bool {
	return slices.ContainsFunc(sh.leaving, func(l *shard) bool { return l.id == id })
}

// endTasks ends the epoch, takes the shards out, and has their last checkpoint written; they are given up when it is.
func (s *session) endTasks(beside context.Context, end []*shard) error {
	if err := s.settle(); err != nil {
		return err
	}
	if err := s.seal(s.o.Clock.Mono(), true); err != nil {
		return err
	}
	done := <-s.committed
	if err := s.fold(done); err != nil {
		return err
	}
	parts := s.checkpointParts(end, done.ends)
	for _, sh := range end {
		if err := s.remove(sh); err != nil {
			return &epochError{err}
		}
		s.noteStored(sh, done.ends)
	}
	s.show()
	if err := s.readAgain(beside); err != nil {
		return err
	}
	if err := s.written(); err != nil {
		return &epochError{err}
	}
	before := len(s.shared.leaving) // of an earlier grant, whose checkpoint is written by now
	s.shared.leaving = append(s.shared.leaving, end...)
	if s.ckpt == nil || len(parts) == 0 || s.postponed() {
		s.letGo()
		return nil
	}
	if before > 0 {
		s.giveAway(before)
	}
	s.write(parts)
	return nil
}

// remove takes a shard out of the loop.
func (s *session) remove(sh *shard) error {
	i := slices.Index(s.shards, sh)
	s.shards = slices.Delete(s.shards, i, i+1)
	for tp := range sh.from {
		delete(s.byTP, tp)
		delete(s.next, tp)
	}
	s.stats.leaves(sh.from)
	addCounts(s.left, sh.set.Dropped())
	s.forget(sh)
	return sh.set.Close()
}

// forget has the tables of a shard count for nothing any more.
func (s *session) forget(sh *shard) {
	if s.ckpt == nil {
		return
	}
	for _, st := range sh.set.Stores() {
		s.ckpt.Leave(st)
	}
}

// noteStored notes how far the last checkpoint of a task is, so that the task comes back when it can.
func (s *session) noteStored(sh *shard, ends map[record.TopicPartition]record.Offset) {
	sum := int64(0)
	for _, tail := range sh.tails {
		sum += int64(ends[tail])
	}
	if s.ckpt != nil && sum > 0 {
		s.shared.keeps(sh.id, sum)
	}
}

// letGo gives up the tasks that wait for their checkpoint, which is written.
func (s *session) letGo() {
	if s.shared != nil && len(s.shared.leaving) > 0 {
		s.giveAway(len(s.shared.leaving))
	}
}

func (s *session) giveAway(n int) {
	var ids []topology.TaskID
	for _, sh := range s.shared.leaving[:n] {
		ids = append(ids, sh.id)
	}
	s.shared.leaving = s.shared.leaving[n:]
	s.gave(ids)
}

func (s *session) gave(ids []topology.TaskID) {
	s.tell("tasks-revoked", ids)
	s.shared.gave(ids)
}

func (s *session) tell(kind string, ids []topology.TaskID, more ...any) {
	s.o.Events(Event{kind, append([]any{"app", s.o.App, "worker", s.shared.worker, "tasks", taskNames(ids)}, more...)})
}

func taskNames(ids []topology.TaskID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}

// An opening is tasks on their way to the loop.
type opening struct {
	shards  []*shard
	records int64 // replayed
	err     error
}

// openTasks makes the tasks that are wanted and new, and restores them beside the loop.
func (s *session) openTasks(beside context.Context, want []topology.TaskID) error {
	var o opening
	var ids []topology.TaskID
	for _, id := range want {
		if s.runs(id) || s.shared.open[id] != nil || s.shared.isLeaving(id) || !s.shared.owns(id) {
			continue // one that is leaving, or was given up since the grant was heard, comes with a later grant
		}
		set, err := s.newSet(id)
		if err != nil {
			return err
		}
		sh := newShard(set)
		sh.id, s.shared.open[id] = id, sh
		o.shards, ids = append(o.shards, sh), append(ids, id)
	}
	if len(ids) == 0 {
		return nil
	}
	s.tell("tasks-assigned", ids)
	s.joined.Go(func() {
		o.records, o.err = s.restoreTasks(beside, o.shards)
		select {
		case s.shared.opened <- o:
		case <-beside.Done():
		}
	})
	return nil
}

// restoreTasks reads where the tasks' owners have come to, and brings their stores there. The order matters: what is committed with the
// positions is in the changelogs by the ends that are read behind them.
func (s *session) restoreTasks(ctx context.Context, shards []*shard) (int64, error) {
	var sources []record.TopicPartition
	for _, sh := range shards {
		sources = append(sources, sh.set.Sources()...)
	}
	committed, err := s.shared.member.Committed(ctx, sources...)
	if err != nil {
		return 0, starting(err)
	}
	for _, sh := range shards {
		if sh.from, err = s.positionsOf(ctx, sh.set, committed); err != nil {
			return 0, starting(err)
		}
	}
	r := s.newRestoring()
	err = r.restore(ctx, shards...)
	if err == nil {
		err = r.forgetStale()
	}
	return r.records, err
}

// adopt begins to run what is restored.
func (s *session) adopt(beside context.Context, o opening) error {
	var ids []topology.TaskID
	for _, sh := range o.shards {
		if s.shared.open[sh.id] != sh { // given up meanwhile
			if s.shared.open[sh.id] == nil && !s.runs(sh.id) {
				s.forget(sh)
			}
			continue
		}
		delete(s.shared.open, sh.id)
		ids = append(ids, sh.id)
		if o.err == nil {
			s.enter(sh)
			s.stats.reads(sh.from)
		}
	}
	switch {
	case len(ids) == 0:
		return nil
	case errors.Is(o.err, errStale): // now without those checkpoints
		return s.openTasks(beside, ids)
	case o.err != nil:
		return o.err
	}
	s.show()
	s.shorten(o.records)
	s.tell("tasks-restored", ids, "records", o.records)
	if err := s.readAgain(beside); err != nil {
		return err
	}
	return s.tick()
}
