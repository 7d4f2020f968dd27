// Package security is the part of the broker's state that says who there is and what they may: users and ACLs.
//
// Package broker's sequencer calls it. A change is decided against the state (AlterUser, CreateACLs, DeleteACLs) and comes back as the
// body of a journal frame; Apply carries the frame out, live and in recovery alike. It calls frame for the layouts and auth for the
// types.
//
// A State belongs to its caller and takes no lock; a Snapshot is never changed.
//
// Format: the frames KindCredentials and KindACLs and the checkpoint's part of docs/format/broker.md.
//
// Not here: what a request needs (server/kafka/gate), how rules are decided (auth). Nothing is enforced here.
package security

import (
	"maps"
	"slices"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Bounds of what is kept: the whole of it is in memory and in every checkpoint.
const MaxCredentials, MaxACLs = 100_000, 100_000

// A Snapshot is the state at one moment.
type Snapshot struct {
	Users *auth.Users
	ACLs  *auth.Index
}

// State is users and ACLs. The zero State has none.
type State struct {
	users map[auth.UserKey]auth.Credential
	acls  map[auth.ACL]struct{}
	shown *Snapshot // the newest; nil when something changed since
}

// Snapshot returns the state as it is.
func (s *State) Snapshot() *Snapshot {
	if s.shown == nil {
		s.shown = &Snapshot{Users: auth.NewUsers(s.users), ACLs: auth.NewIndex(s.acls)}
	}
	return s.shown
}

// Append encodes the whole for a checkpoint.
func (s *State) Append(dst []byte) []byte {
	var users frame.CredentialsChanged
	for _, k := range slices.SortedFunc(maps.Keys(s.users), auth.UserKey.Compare) {
		c := s.users[k]
		users = append(users, frame.CredentialChange{UserKey: k, Credential: &c})
	}
	return frame.AppendACLs(users.Append(dst), sorted(s.acls))
}

func sorted(acls map[auth.ACL]struct{}) []auth.ACL {
	return slices.SortedFunc(maps.Keys(acls), auth.ACL.Compare)
}

// Restore decodes what Append wrote into an empty State.
func (s *State) Restore(b []byte) error {
	d := frame.Decoder{B: b}
	users, acls := d.Credentials(), d.ACLs()
	if err := d.End("users and ACLs"); err != nil {
		return err
	}
	s.applyCredentials(users)
	s.applyACLs(frame.ACLsChanged{Added: acls})
	return nil
}

// Apply carries out a frame of kind KindCredentials or KindACLs.
func (s *State) Apply(kind frame.Kind, body []byte) error {
	if kind == frame.KindCredentials {
		f, err := frame.DecodeCredentialsChanged(body)
		if err == nil {
			s.applyCredentials(f)
		}
		return err
	}
	f, err := frame.DecodeACLsChanged(body)
	if err == nil {
		s.applyACLs(f)
	}
	return err
}

func (s *State) applyCredentials(f frame.CredentialsChanged) {
	if s.users == nil {
		s.users = map[auth.UserKey]auth.Credential{}
	}
	for _, c := range f {
		if c.Credential == nil {
			delete(s.users, c.UserKey)
		} else {
			s.users[c.UserKey] = *c.Credential
		}
	}
	s.shown = nil
}

func (s *State) applyACLs(f frame.ACLsChanged) {
	if s.acls == nil {
		s.acls = map[auth.ACL]struct{}{}
	}
	for _, a := range f.Removed {
		delete(s.acls, a)
	}
	for _, a := range f.Added {
		s.acls[a] = struct{}{}
	}
	s.shown = nil
}

// AlterUser decides about credentials of one user, all or none; nil without an error changes nothing. RESOURCE_NOT_FOUND: one that
// shall be removed does not exist. POLICY_VIOLATION: there are too many.
func (s *State) AlterUser(name string, set map[auth.Mechanism]auth.Credential, remove []auth.Mechanism) ([]byte, *kerr.Error) {
	var f frame.CredentialsChanged
	for _, m := range remove {
		k := auth.UserKey{Name: name, Mechanism: m}
		if _, ok := s.users[k]; !ok {
			return nil, kerr.ResourceNotFound
		}
		f = append(f, frame.CredentialChange{UserKey: k})
	}
	for _, m := range slices.Sorted(maps.Keys(set)) {
		c := set[m]
		f = append(f, frame.CredentialChange{UserKey: auth.UserKey{Name: name, Mechanism: m}, Credential: &c})
	}
	switch {
	case len(s.users)+len(set) > MaxCredentials:
		return nil, kerr.PolicyViolation
	case len(f) == 0:
		return nil, nil
	}
	return f.Append(nil), nil
}

// CreateACLs decides about new ACLs, all or none; nil without an error changes nothing: they are all there. POLICY_VIOLATION: there
// are too many.
func (s *State) CreateACLs(acls []auth.ACL) ([]byte, *kerr.Error) {
	fresh := map[auth.ACL]struct{}{}
	for _, a := range acls {
		if _, ok := s.acls[a]; !ok {
			fresh[a] = struct{}{}
		}
	}
	switch {
	case len(s.acls)+len(fresh) > MaxACLs:
		return nil, kerr.PolicyViolation
	case len(fresh) == 0:
		return nil, nil
	}
	return frame.ACLsChanged{Added: sorted(fresh)}.Append(nil), nil
}

// DeleteACLs finds what each filter selects; nil as the body changes nothing.
func (s *State) DeleteACLs(filters []auth.Filter) (removed [][]auth.ACL, body []byte) {
	removed = make([][]auth.ACL, len(filters))
	gone := map[auth.ACL]struct{}{}
	for _, a := range s.Snapshot().ACLs.All() {
		for i, f := range filters {
			if f.Matches(a) {
				removed[i] = append(removed[i], a)
				gone[a] = struct{}{}
			}
		}
	}
	if len(gone) > 0 {
		body = frame.ACLsChanged{Removed: sorted(gone)}.Append(nil)
	}
	return removed, body
}
