package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

var (
	errMemberClosed = errors.New("member is closed")
	errMembership   = errors.New("a membership needs an application, a worker's name, Metadata and Assign")
	errNoGrant      = errors.New("no grant has come yet")
)

const (
	// defaultSession is Kafka's default of session.timeout.ms.
	defaultSession = 45 * time.Second
	// heartbeats in a session, unless Membership.Heartbeat says otherwise.
	heartbeats = 15
	// commitMargin is how much longer than a commit a transaction may take.
	commitMargin = 5 * time.Second
	// leaveTimeout bounds the courtesy of leaving.
	leaveTimeout = 5 * time.Second
)

// A member runs the classic group protocol as a static member (KIP-345) whose instance id is the worker's name: a process that is started
// again in time gets its predecessor's place without a round, and the predecessor is fenced.
//
//	       Next waits              JoinGroup           SyncGroup
//	away ────────────► joining ───────────► syncing ───────────► settled ──► Next returns the grant
//	 ▲                    ▲  ▲                 │                   │ │
//	 │                    │  └─ REBALANCE_IN_ ─┘                   │ │
//	 │                    │     PROGRESS                           │ │
//	 │                    └── REBALANCE_IN_PROGRESS or Rejoin, ────┘ │
//	 │                        once Next waits again                  │
//	 └─── UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION: Next returns ───────┘
//	      ErrExpelled (from joining and syncing, too)
//
// One goroutine, run, goes through these states, one tenure after the other: a tenure is a stay under one member id. Producers look at mu.place
// for what to put into their requests.
type member struct {
	d      *Door
	o      client.Membership
	cl     *kgo.Client // of its own: a JoinGroup waits long, and its connection with it
	cancel context.CancelFunc
	ended  chan struct{} // closed when run has returned
	wake   chan struct{} // capacity 1: something changed that run may wait for

	mu struct {
		sync.Mutex
		waiting bool          // Next waits, or waited, for news: another round may begin
		news    *news         // for Next
		final   error         // why there is no more
		again   bool          // another round is wanted
		changed chan struct{} // closed and replaced when anything above or place changes
		place   place
	}
}

// news are a round's grant or the end of a tenure.
type news struct {
	grant    client.Grant
	expelled error
}

// A place is where a member stands in the group. Its zero value is away.
type place struct {
	tenure     int    // counts from 1
	id         string // the member id
	generation int32  // -1 between two tenures
	asked      bool   // it has asked to join: the group may know it
}

// Join implements client.Door.
func (d *Door) Join(ctx context.Context, o client.Membership) (client.Member, error) {
	if o.App == "" || o.Worker == "" || o.Metadata == nil || o.Assign == nil {
		return nil, errMembership
	}
	if o.Session <= 0 {
		o.Session = defaultSession
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = o.Session / heartbeats
	}
	if err := d.replaceLoner(ctx, o.App); err != nil {
		return nil, fmt.Errorf("join %s as %s: %w", o.App, o.Worker, err)
	}
	cl, err := d.o.newClient(kversion.Stable())
	if err != nil {
		return nil, fmt.Errorf("join %s as %s: %w", o.App, o.Worker, err)
	}
	m := &member{d: d, o: o, cl: cl, ended: make(chan struct{}), wake: make(chan struct{}, 1)}
	m.mu.changed, m.mu.place.generation = make(chan struct{}), -1
	var run context.Context
	run, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go m.run(run)
	return m, nil
}

// Next implements client.Member.
func (m *member) Next(ctx context.Context) (client.Grant, error) {
	for {
		n, changed, err := m.take()
		if err != nil {
			return client.Grant{}, err
		}
		if n != nil {
			return n.grant, n.expelled
		}
		m.poke()
		select {
		case <-changed:
		case <-ctx.Done():
			return client.Grant{}, context.Cause(ctx)
		}
	}
}

// take returns news, or what to wait for.
func (m *member) take() (*news, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.mu.news; n != nil {
		m.mu.news = nil
		return n, nil, nil
	}
	if m.mu.final != nil {
		return nil, nil, m.mu.final
	}
	m.mu.waiting = true
	return nil, m.mu.changed, nil
}

// Rejoin implements client.Member.
func (m *member) Rejoin() {
	m.mu.Lock()
	m.mu.again = true
	m.mu.Unlock()
	m.poke()
}

// poke makes run look again.
func (m *member) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// change does what f does to mu and tells those who wait.
func (m *member) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.mu.changed)
	m.mu.changed = make(chan struct{})
}

// deliver gives n to Next. No other round begins before Next has been called again after that.
func (m *member) deliver(n *news) {
	m.change(func() { m.mu.news, m.mu.waiting = n, false })
}

// due tells whether a round may begin and whether one is wanted.
func (m *member) due() (may, wanted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.waiting, m.mu.again
}

// run is the member's life.
func (m *member) run(ctx context.Context) {
	defer close(m.ended)
	for {
		err := (&tenure{m: m}).run(ctx)
		if !errors.Is(err, client.ErrExpelled) {
			if ctx.Err() != nil {
				err = errMemberClosed
			}
			m.change(func() {
				m.mu.final, m.mu.place.generation = fmt.Errorf("worker %s of %s: %w", m.o.Worker, m.o.App, err), -1
			})
			return
		}
		m.change(func() { m.mu.place.generation = -1 })
		m.deliver(&news{expelled: fmt.Errorf("worker %s of %s: %w", m.o.Worker, m.o.App, err)})
	}
}

// Close implements client.Member.
func (m *member) Close(ctx context.Context) {
	m.cancel()
	<-m.ended
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	m.mu.Lock()
	at, fenced := m.mu.place, errors.Is(m.mu.final, client.ErrFenced)
	m.mu.place = place{tenure: at.tenure, generation: -1}
	m.mu.Unlock()
	if at.asked && !fenced {
		_ = m.leave(ctx, at.id) // if it is not heard, the session ends
	}
	m.cl.Close()
}

// Committed implements client.Member.
func (m *member) Committed(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	return m.d.stableOffsets(ctx, m.o.App, tps)
}

// Workers implements client.Door.
func (d *Door) Workers(ctx context.Context, app string) ([]string, error) {
	groups, err := d.adm.DescribeGroups(ctx, app)
	if err == nil {
		err = groups[app].Err
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("workers of %s: %w", app, explain(err))
	}
	var names []string
	for _, m := range groups[app].Members {
		name := m.MemberID
		if m.InstanceID != nil {
			name = *m.InstanceID
		}
		names = append(names, name)
	}
	return names, nil
}

// OpenProducer implements client.Member.
func (m *member) OpenProducer(ctx context.Context) (client.Producer, error) {
	m.mu.Lock()
	at := m.mu.place
	m.mu.Unlock()
	id := m.o.App + "-" + m.o.Worker
	if at.generation < 0 {
		return nil, fmt.Errorf("open producer of %s: %w", id, errNoGrant)
	}
	if err := m.d.replaceLoner(ctx, m.o.App); err != nil { // one that began after Join and did not see this worker yet
		return nil, fmt.Errorf("open producer of %s: %w", id, err)
	}
	p, err := m.d.newProducer(ctx, m.o.App, id)
	if err != nil {
		return nil, fmt.Errorf("open producer of %s: %w", id, err)
	}
	p.seat = &seat{m: m, tenure: at.tenure}
	p.timeout = min(p.timeout, max(m.o.Session, m.d.o.CommitTimeout+commitMargin))
	if err := p.start(ctx); err != nil {
		p.Close()
		return nil, fmt.Errorf("open producer of %s: %w", id, err)
	}
	return p, nil
}
