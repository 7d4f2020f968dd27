package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// A group is workers of one application in memory. Rounds take place when all members wait in Next; commits wait for them. It checks what
// members promise: every epoch has a position, and no two of them commit one partition in the same generation.
type group struct {
	t    *testing.T
	door *gatedDoor

	mu         sync.Mutex
	turned     *sync.Cond // of mu: anything changed
	seats      map[string]*seat
	generation int
	pending    bool // a round is under way
	rounds     int
	producer   client.Producer // of all: its fencing is the group's here
	committed  map[record.TopicPartition]commitBy
	onCommit   func(worker string) // called before a commit is looked at, without the lock
}

type commitBy struct {
	generation int
	worker     string
}

// A seat is one member; a worker that comes back gets a new one.
type seat struct {
	g          *group
	m          client.Membership
	generation int
	waiting    bool
	heard      *client.Grant // not told yet
	grant      *client.Grant // the last one
	gone       error
}

func newGroup(t *testing.T, door *gatedDoor) *group {
	g := &group{t: t, door: door, seats: map[string]*seat{}, committed: map[record.TopicPartition]commitBy{}}
	g.turned = sync.NewCond(&g.mu)
	return g
}

// Join implements client.Door. A worker that comes back finds what its predecessor was granted.
func (g *gatedDoor) Join(_ context.Context, m client.Membership) (client.Member, error) {
	return g.group.join(m), nil
}

// Workers implements client.Door.
func (g *gatedDoor) Workers(context.Context, string) ([]string, error) {
	if g.group == nil {
		return nil, nil
	}
	return g.group.names(), nil
}

func (g *group) join(m client.Membership) *seat {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := &seat{g: g, m: m}
	if len(g.seats) == 0 {
		g.producer = nil // one who runs it alone may have fenced it
	}
	if old := g.seats[m.Worker]; old != nil {
		old.gone = client.ErrFenced
		s.generation, s.heard, s.grant = old.generation, old.grant, old.grant
	}
	g.seats[m.Worker] = s
	g.roundLocked()
	return s
}

// roundLocked asks for a round.
func (g *group) roundLocked() {
	g.pending = len(g.seats) > 0
	g.meetLocked()
	g.turned.Broadcast()
}

// meetLocked holds the round if all are there.
func (g *group) meetLocked() {
	if !g.pending {
		return
	}
	claims := map[string][]byte{}
	for name, s := range g.seats {
		if !s.waiting || s.heard != nil {
			return
		}
		claims[name] = s.m.Metadata()
	}
	leader := g.seats[slices.Min(slices.Collect(maps.Keys(g.seats)))]
	grants, err := leader.m.Assign(claims)
	if err != nil {
		g.t.Error(err)
	}
	g.generation++
	g.rounds++
	g.pending = false
	for name, s := range g.seats {
		grant := grants[name]
		s.generation, s.heard, s.grant, s.waiting = g.generation, &grant, &grant, false
	}
	g.turned.Broadcast()
}

// beforeCommits has f called before each commit is looked at.
func (g *group) beforeCommits(f func(worker string)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.onCommit = f
}

// expel has the group go on without a worker.
func (g *group) expel(worker string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.seats[worker]; s != nil {
		s.gone = client.ErrExpelled
		delete(g.seats, worker)
		g.roundLocked()
	}
}

// Next implements client.Member.
func (s *seat) Next(ctx context.Context) (client.Grant, error) {
	g := s.g
	defer context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.turned.Broadcast()
	})()
	g.mu.Lock()
	defer g.mu.Unlock()
	s.waiting = true
	g.meetLocked()
	for s.heard == nil && s.gone == nil && ctx.Err() == nil {
		g.turned.Wait()
	}
	s.waiting = false
	switch {
	case s.gone != nil:
		return client.Grant{}, s.gone
	case s.heard == nil:
		return client.Grant{}, ctx.Err()
	}
	heard := *s.heard
	s.heard = nil
	return heard, nil
}

// Rejoin implements client.Member.
func (s *seat) Rejoin() {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if s.gone == nil {
		s.g.roundLocked()
	}
}

// Committed implements client.Member.
func (s *seat) Committed(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	if err := s.g.door.called("Committed " + s.m.Worker); err != nil {
		return nil, err
	}
	all, err := s.g.door.Committed(ctx, s.m.App)
	maps.DeleteFunc(all, func(tp record.TopicPartition, _ record.Offset) bool { return !slices.Contains(tps, tp) })
	return all, err
}

// Close implements client.Member. Without the time to say so the seat stays taken.
func (s *seat) Close(ctx context.Context) {
	g := s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.gone == nil && ctx.Err() == nil {
		s.gone = errors.New("closed")
		delete(g.seats, s.m.Worker)
		g.roundLocked()
	}
}

// OpenProducer implements client.Member.
func (s *seat) OpenProducer(ctx context.Context) (client.Producer, error) {
	g := s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.producer == nil {
		p, err := g.door.OpenProducer(ctx, s.m.App)
		if err != nil {
			return nil, err
		}
		g.producer = p
	}
	return &seatProducer{g.producer, s}, nil
}

type seatProducer struct {
	client.Producer
	s *seat
}

func (p *seatProducer) Close() {}

func (p *seatProducer) Commit(ctx context.Context, e client.Epoch, positions map[record.TopicPartition]record.Offset) error {
	s, g := p.s, p.s.g
	g.mu.Lock()
	hook := g.onCommit
	g.mu.Unlock()
	if hook != nil {
		hook(s.m.Worker)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(positions) == 0 {
		g.t.Errorf("an epoch of %s has no position", s.m.Worker)
	}
	for g.pending && s.gone == nil {
		g.turned.Wait()
	}
	if s.gone != nil {
		return s.gone
	}
	for tp := range positions {
		if by := g.committed[tp]; by.generation == s.generation && by.worker != s.m.Worker {
			g.t.Errorf("generation %d: %s is committed by %s and %s", s.generation, tp, by.worker, s.m.Worker)
		}
		g.committed[tp] = commitBy{s.generation, s.m.Worker}
	}
	return p.Producer.Commit(ctx, e, positions)
}

// inSharedWorld is inWorld with a group.
func inSharedWorld(t *testing.T, test func(w *world, g *group)) {
	t.Helper()
	inWorld(t, func(w *world) {
		w.door.group = newGroup(t, w.door)
		test(w, w.door.group)
	})
}

// A colleague is a worker of several, with checkpoints of its own.
type colleague struct {
	*life
	w        *world
	name     string
	state    kv.Store
	topology *topology.Topology
	change   func(*Options)
}

// hire starts a worker.
func (w *world) hire(name string, t *topology.Topology, change func(*Options)) *colleague {
	c := &colleague{w: w, name: name, state: kv.NewMemory(), topology: t, change: change}
	c.begin()
	return c
}

func (c *colleague) begin() {
	c.w.t.Helper()
	e := c.w.engine(c.topology, func(o *Options) {
		o.Shared, o.Worker, o.Checkpoints, o.Clock = true, c.name, c.state, clock.System
		if c.change != nil {
			c.change(o)
		}
	})
	c.life = c.w.keep(e)
}

// runs returns how many tasks of each sub-topology a worker was told to run.
func (g *group) runs(worker string) map[int]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	subs := map[int]int{}
	if s := g.seats[worker]; s != nil && s.grant != nil {
		for _, tp := range s.grant.Inputs {
			sub := 0
			if tp.Topic != "in" {
				sub = 1
			}
			subs[sub]++
		}
	}
	return subs
}
