package broker

import (
	"maps"
	"slices"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Users and ACLs are state as topics are: changed by frames, shown to readers when these are durable. The broker keeps them and
// enforces nothing, but for what members of consumer groups find by an expression (Options.Access).

// Security is a snapshot of users and ACLs.
type Security struct {
	Users *auth.Users
	ACLs  *auth.Index
}

// Security returns the current snapshot; it is never changed.
func (b *Broker) Security() *Security { return b.view.Load().security }

// security is the part of the state.
type security struct {
	users map[auth.UserKey]auth.Credential
	acls  map[auth.ACL]struct{}
	shown *Security // of the newest snapshot; nil when something changed since
}

func newSecurity() security {
	return security{users: map[auth.UserKey]auth.Credential{}, acls: map[auth.ACL]struct{}{}}
}

func (s *security) snapshot() *Security {
	if s.shown == nil {
		s.shown = &Security{Users: auth.NewUsers(s.users), ACLs: auth.NewIndex(s.acls)}
	}
	return s.shown
}

// appendTo encodes the whole for a checkpoint.
func (s *security) appendTo(dst []byte) []byte {
	var users frame.CredentialsChanged
	for _, k := range slices.SortedFunc(maps.Keys(s.users), auth.UserKey.Compare) {
		c := s.users[k]
		users = append(users, frame.CredentialChange{UserKey: k, Credential: &c})
	}
	return frame.AppendACLs(users.Append(dst), slices.SortedFunc(maps.Keys(s.acls), auth.ACL.Compare))
}

// restore decodes what appendTo wrote.
func (s *security) restore(b []byte) error {
	d := frame.Decoder{B: b}
	users, acls := d.Credentials(), d.ACLs()
	if err := d.End("users and ACLs"); err != nil {
		return err
	}
	s.applyCredentials(users)
	s.applyACLs(frame.ACLsChanged{Added: acls})
	return nil
}

func (s *security) applyCredentials(f frame.CredentialsChanged) {
	for _, c := range f {
		if c.Credential == nil {
			delete(s.users, c.UserKey)
		} else {
			s.users[c.UserKey] = *c.Credential
		}
	}
	s.shown = nil
}

func (s *security) applyACLs(f frame.ACLsChanged) {
	for _, a := range f.Removed {
		delete(s.acls, a)
	}
	for _, a := range f.Added {
		s.acls[a] = struct{}{}
	}
	s.shown = nil
}

// applySecurity repeats a frame of either kind; live and in recovery.
func (st *state) applySecurity(kind frame.Kind, body []byte) error {
	st.topicsMoved = true // the snapshot of readers holds both
	if kind == frame.KindCredentials {
		f, err := frame.DecodeCredentialsChanged(body)
		if err == nil {
			st.security.applyCredentials(f)
		}
		return err
	}
	f, err := frame.DecodeACLsChanged(body)
	if err == nil {
		st.listed++ // other members may see other topics
		st.security.applyACLs(f)
	}
	return err
}

// secure makes one change of users or ACLs.
func (s *sequencer) secure(kind frame.Kind, body []byte) {
	s.append(kind, body)
	if err := s.st.applySecurity(kind, body); err != nil && s.err == nil {
		s.err = err
	}
}

// Bounds of what is kept: the whole of it is in memory and in every checkpoint.
const maxCredentials, maxACLs = 100_000, 100_000

// AlterUser sets and removes credentials of one user, all or none. RESOURCE_NOT_FOUND: one that shall be removed does not exist.
// POLICY_VIOLATION: there are too many.
func (b *Broker) AlterUser(name string, set map[auth.Mechanism]auth.Credential, remove []auth.Mechanism) *Future[*kerr.Error] {
	lost := func(why *stop) *kerr.Error { return why.partition }
	return submit(b, lost, func(s *sequencer) *kerr.Error {
		var f frame.CredentialsChanged
		users := s.st.security.users
		for _, m := range remove {
			k := auth.UserKey{Name: name, Mechanism: m}
			if _, ok := users[k]; !ok {
				return kerr.ResourceNotFound
			}
			f = append(f, frame.CredentialChange{UserKey: k})
		}
		for _, m := range slices.Sorted(maps.Keys(set)) {
			c := set[m]
			f = append(f, frame.CredentialChange{UserKey: auth.UserKey{Name: name, Mechanism: m}, Credential: &c})
		}
		if len(users)+len(set) > maxCredentials {
			return kerr.PolicyViolation
		}
		if len(f) > 0 {
			s.secure(frame.KindCredentials, f.Append(nil))
		}
		return nil
	})
}

// CreateACLs adds ACLs, all or none; one that is there already is no error. POLICY_VIOLATION: there are too many.
func (b *Broker) CreateACLs(acls []auth.ACL) *Future[*kerr.Error] {
	lost := func(why *stop) *kerr.Error { return why.partition }
	return submit(b, lost, func(s *sequencer) *kerr.Error {
		fresh := map[auth.ACL]struct{}{}
		for _, a := range acls {
			if _, ok := s.st.security.acls[a]; !ok {
				fresh[a] = struct{}{}
			}
		}
		if len(s.st.security.acls)+len(fresh) > maxACLs {
			return kerr.PolicyViolation
		}
		if len(fresh) > 0 {
			s.secure(frame.KindACLs, frame.ACLsChanged{Added: slices.SortedFunc(maps.Keys(fresh), auth.ACL.Compare)}.Append(nil))
		}
		return nil
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
		out := make([]DeletedACLs, len(filters))
		gone := map[auth.ACL]struct{}{}
		for _, a := range s.st.security.snapshot().ACLs.All() {
			for i, f := range filters {
				if f.Matches(a) {
					out[i].Removed = append(out[i].Removed, a)
					gone[a] = struct{}{}
				}
			}
		}
		if len(gone) > 0 {
			s.secure(frame.KindACLs, frame.ACLsChanged{Removed: slices.SortedFunc(maps.Keys(gone), auth.ACL.Compare)}.Append(nil))
		}
		return out
	})
}
