package broker

import (
	"slices"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/security"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Users and ACLs are state as topics are: changed by frames, shown to readers when these are durable. The broker keeps them and
// enforces nothing, but for what members of consumer groups find by an expression (Options.Access).

// Security is a snapshot of users and ACLs.
type Security = security.Snapshot

// Security returns the current snapshot; it is never changed.
func (b *Broker) Security() *Security { return b.view.Load().security }

// applySecurity repeats a frame of either kind; live and in recovery.
func (st *state) applySecurity(kind frame.Kind, body []byte) error {
	st.topicsMoved = true // the snapshot of readers holds both
	if kind == frame.KindACLs {
		st.listed++ // other members may see other topics
	}
	return st.security.Apply(kind, body)
}

// secure makes one change of users or ACLs; nil is none.
func (s *sequencer) secure(kind frame.Kind, body []byte) {
	if body == nil {
		return
	}
	s.append(kind, body)
	if err := s.st.applySecurity(kind, body); err != nil && s.err == nil {
		s.err = err
	}
}

// AlterUser sets and removes credentials of one user, all or none. RESOURCE_NOT_FOUND: one that shall be removed does not exist.
// POLICY_VIOLATION: there are too many.
func (b *Broker) AlterUser(name string, set map[auth.Mechanism]auth.Credential, remove []auth.Mechanism) *Future[*kerr.Error] {
	lost := func(why *stop) *kerr.Error { return why.partition }
	return submit(b, lost, func(s *sequencer) *kerr.Error {
		body, err := s.st.security.AlterUser(name, set, remove)
		s.secure(frame.KindCredentials, body)
		return err
	})
}

// CreateACLs adds ACLs, all or none; one that is there already is no error. POLICY_VIOLATION: there are too many.
func (b *Broker) CreateACLs(acls []auth.ACL) *Future[*kerr.Error] {
	lost := func(why *stop) *kerr.Error { return why.partition }
	return submit(b, lost, func(s *sequencer) *kerr.Error {
		body, err := s.st.security.CreateACLs(acls)
		s.secure(frame.KindACLs, body)
		return err
	})
}

// DeletedACLs is what one filter removed.
type DeletedACLs struct {
	Removed []auth.ACL
	Err     *kerr.Error
}

// DeleteACLs removes what the filters select; the result has one entry for each.
func (b *Broker) DeleteACLs(filters []auth.Filter) *Future[[]DeletedACLs] {
	lost := func(why *stop) []DeletedACLs {
		return slices.Repeat([]DeletedACLs{{Err: why.partition}}, len(filters))
	}
	return submitFreeing(b, lost, func(s *sequencer) []DeletedACLs {
		removed, body := s.st.security.DeleteACLs(filters)
		s.secure(frame.KindACLs, body)
		out := make([]DeletedACLs, len(filters))
		for i := range out {
			out[i].Removed = removed[i]
		}
		return out
	})
}
