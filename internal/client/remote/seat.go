package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A seat is a producer's share in its member: the right to commit during one tenure.
//
// A commit may meet a round. The group takes the old generation until all have joined, then only the new one, so a request that is
// refused with ILLEGAL_GENERATION goes out again with the generation that the member hears a moment later. That is no commit in a stranger's
// name: what the member ran when it joined the new generation it named there, and so it was given to nobody else.
//
// A member that the group counted in without its joining (static members are kept until their session ends) hears the new generation from
// a heartbeat as ILLEGAL_GENERATION, which ends its tenure: what it told the leader last is older than what it was granted last.
type seat struct {
	m      *member
	tenure int
}

// place returns the member's place, one of another generation than met if the group refused that one.
func (s *seat) place(ctx context.Context, met int32) (place, error) {
	for {
		s.m.mu.Lock()
		at, changed, final := s.m.mu.place, s.m.mu.changed, s.m.mu.final
		s.m.mu.Unlock()
		switch {
		case errors.Is(final, client.ErrFenced):
			return place{}, final
		case at.tenure != s.tenure || at.generation < 0:
			return place{}, fmt.Errorf("worker %s of %s: %w", s.m.o.Worker, s.m.o.App, client.ErrExpelled)
		case at.generation != met:
			return at, nil
		}
		s.m.poke() // it may not know yet
		select {
		case <-changed:
		case <-ctx.Done():
			return place{}, fmt.Errorf("wait for the round after generation %d: %w", met, context.Cause(ctx))
		}
	}
}

// confirm asks the group whether the member is still in it: ErrExpelled, ErrFenced, or what kept it from being known.
func (s *seat) confirm(ctx context.Context) error {
	at, err := s.place(ctx, -1)
	if err != nil {
		return err
	}
	err = s.m.heartbeat(ctx, at)
	if err == nil || errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) {
		return nil // of another generation: the next commit learns what became of it
	}
	s.m.poke()
	return explain(err)
}

// heartbeat tells the group that the member lives; at is its place.
func (m *member) heartbeat(ctx context.Context, at place) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.o.App, at.id, at.generation, kmsg.StringPtr(m.o.Worker)
	resp, err := req.RequestWith(ctx, m.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}

// leave takes the member out of the group.
func (m *member) leave(ctx context.Context, id string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.o.App, id
	rm := kmsg.NewLeaveGroupRequestMember()
	rm.MemberID, rm.InstanceID = id, kmsg.StringPtr(m.o.Worker)
	req.Members = append(req.Members, rm)
	resp, err := req.RequestWith(ctx, m.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	return err
}
