package remote

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A tenure is a member's stay in the group under one member id. It belongs to member.run.
type tenure struct {
	m           *member
	id          string // the member id; empty before the first answer
	joined      bool   // it has been in a round
	generation  int32
	rounds      uint32 // makes the metadata of each round new: the group begins none for what it knows already
	incarnation uint64 // tells this tenure's metadata from that of others
}

// run joins and stays. It ends with ErrExpelled when the group went on without us, with ErrFenced, ctx's error, or what is final.
func (t *tenure) run(ctx context.Context) error {
	t.incarnation = newIncarnation()
	t.m.change(func() { t.m.mu.place = place{tenure: t.m.mu.place.tenure + 1, generation: -1} })
	if err := t.begin(ctx); err != nil {
		return err
	}
	for {
		err := t.round(ctx)
		if errors.Is(err, kerr.RebalanceInProgress) {
			continue // somebody came or went meanwhile; Next still waits
		}
		if err == nil {
			err = t.stay(ctx)
		}
		if errors.Is(err, kerr.IllegalGeneration) {
			return fmt.Errorf("%w: %w", client.ErrExpelled, err)
		}
		if err != nil {
			return explain(err)
		}
	}
}

// newIncarnation is random: tenures of different processes share nothing to count by.
func newIncarnation() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// begin waits until Next waits.
func (t *tenure) begin(ctx context.Context) error {
	for {
		if may, _ := t.m.due(); may {
			return nil
		}
		select {
		case <-t.m.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stay sends heartbeats until another round is wanted, by the group or by us, and may begin. Whoever wakes it wants to know how things
// stand, so it asks at once.
func (t *tenure) stay(ctx context.Context) error {
	wait, called := t.m.o.Heartbeat, false // by the group
	for {
		select {
		case <-t.m.d.o.Clock.After(wait):
		case <-t.m.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		if may, wanted := t.m.due(); may && (called || wanted) {
			return nil
		}
		err := t.m.heartbeat(ctx, place{id: t.id, generation: t.generation})
		switch called = errors.Is(err, kerr.RebalanceInProgress); {
		case err == nil || called:
			wait = t.m.o.Heartbeat
		case passes(err):
			wait = min(t.m.o.Heartbeat, retryAfter(3))
		default:
			return err
		}
		if may, wanted := t.m.due(); may && (called || wanted) {
			return nil
		}
	}
}

// passes: the coordinator was away, moved or is loading; asked again, it will answer.
func passes(err error) bool {
	if _, answered := errors.AsType[*kerr.Error](err); answered {
		return kerr.IsRetriable(err) || refused(err)
	}
	return !errors.Is(err, kgo.ErrClientClosed) && !errors.Is(err, context.Canceled)
}

// round takes part in one round up to its grant. REBALANCE_IN_PROGRESS: another one began meanwhile.
func (t *tenure) round(ctx context.Context) error {
	join, err := t.join(ctx)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	t.id, t.joined, t.generation = join.MemberID, true, join.Generation
	t.m.change(func() { t.m.mu.place.id, t.m.mu.place.generation = t.id, t.generation })
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID, sync.InstanceID = t.m.o.App, t.generation, t.id, kmsg.StringPtr(t.m.o.Worker)
	sync.ProtocolType, sync.Protocol = kmsg.StringPtr(protocolType), kmsg.StringPtr(protocol)
	if join.LeaderID == t.id && !join.SkipAssignment {
		if sync.GroupAssignment, err = t.m.assign(join.Members); err != nil {
			return err
		}
	}
	assignment, err := t.sync(ctx, sync)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	grant, of, err := decodeAssignment(assignment)
	if err != nil {
		return err
	}
	if of != t.incarnation { // of a process before: the leader does not know yet that this one is new
		t.m.change(func() { t.m.mu.again = true })
	}
	t.m.deliver(&news{grant: grant})
	return nil
}

// join waits for the round's members to be complete. The same request is sent until it is answered: the group tells a member that asks for
// what it has joined already how things stand.
func (t *tenure) join(ctx context.Context) (*kmsg.JoinGroupResponse, error) {
	t.m.change(func() { t.m.mu.again, t.m.mu.place.asked = false, true }) // before Metadata is asked: who wants a round later wants another
	t.rounds++
	metadata, err := t.m.subscription(t.incarnation, t.rounds)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.ProtocolType = t.m.o.App, t.id, kmsg.StringPtr(t.m.o.Worker), protocolType
	req.SessionTimeoutMillis = int32(t.m.o.Session.Milliseconds())
	req.RebalanceTimeoutMillis = req.SessionTimeoutMillis
	rp := kmsg.NewJoinGroupRequestProtocol()
	rp.Name, rp.Metadata = protocol, metadata
	req.Protocols = append(req.Protocols, rp)
	for b := (backoff{clock: t.m.d.o.Clock}); ; {
		resp, err := req.RequestWith(ctx, t.m.cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		switch {
		case err == nil:
			return resp, nil
		case errors.Is(err, kerr.MemberIDRequired):
			req.MemberID = resp.MemberID
		case errors.Is(err, kerr.UnknownMemberID) && !t.joined:
			req.MemberID = "" // the one that was required came too late
		case errors.Is(err, kerr.RebalanceInProgress): // an older copy of the request was waiting
		case !passes(err):
			return nil, err
		}
		if err := b.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// sync waits for the leader's assignment.
func (t *tenure) sync(ctx context.Context, req *kmsg.SyncGroupRequest) ([]byte, error) {
	for b := (backoff{clock: t.m.d.o.Clock}); ; {
		resp, err := req.RequestWith(ctx, t.m.cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err == nil {
			return resp.MemberAssignment, nil
		}
		if !passes(err) {
			return nil, err
		}
		if err := b.wait(ctx); err != nil {
			return nil, err
		}
	}
}
