package auth

import (
	"maps"
	"slices"
)

// An Index is an immutable set of ACLs, arranged so that a decision looks only at those whose pattern matches the resource.
type Index struct {
	all   []ACL // sorted
	types map[ResourceType]*section
}

// A section holds the ACLs of one type of resource by their names.
type section struct {
	literal  map[string][]ACL
	prefixed map[string][]ACL
	lengths  []int // of the prefixes, ascending
}

// NewIndex arranges ACLs; the set must not change while it does.
func NewIndex(set map[ACL]struct{}) *Index {
	ix := &Index{all: slices.SortedFunc(maps.Keys(set), ACL.Compare), types: map[ResourceType]*section{}}
	for _, a := range ix.all {
		s := ix.types[a.Resource]
		if s == nil {
			s = &section{literal: map[string][]ACL{}, prefixed: map[string][]ACL{}}
			ix.types[a.Resource] = s
		}
		if a.Pattern == Literal {
			s.literal[a.Name] = append(s.literal[a.Name], a)
			continue
		}
		s.prefixed[a.Name] = append(s.prefixed[a.Name], a)
		if !slices.Contains(s.lengths, len(a.Name)) {
			s.lengths = append(s.lengths, len(a.Name))
		}
	}
	for _, s := range ix.types {
		slices.Sort(s.lengths)
	}
	return ix
}

// All are the ACLs in their order; they must not be changed.
func (ix *Index) All() []ACL { return ix.all }

// A Decision is what ACLs say about one request.
type Decision uint8

// NoACL: no ACL is about the resource, whoever is asking. NotAllowed: there are some, and none of them allows. Denied: one denies,
// which no other can outweigh.
const (
	NoACL Decision = iota
	NotAllowed
	Allowed
	Denied
)

// Decide looks at every ACL about the resource: DENY beats ALLOW, however either is written.
func (ix *Index) Decide(who Subject, op Operation, typ ResourceType, name string) Decision {
	s := ix.types[typ]
	if s == nil {
		return NoACL
	}
	d := decide(NoACL, s.literal[name], who, op)
	if name != Wildcard {
		d = decide(d, s.literal[Wildcard], who, op)
	}
	for _, n := range s.lengths {
		if n > len(name) || d == Denied {
			break
		}
		d = decide(d, s.prefixed[name[:n]], who, op)
	}
	return d
}

func decide(d Decision, acls []ACL, who Subject, op Operation) Decision {
	if len(acls) > 0 {
		d = max(d, NotAllowed)
	}
	for i := range acls {
		a := &acls[i]
		if !a.concerns(who) || !a.covers(op) {
			continue
		}
		if a.Permission == Deny {
			return Denied
		}
		d = max(d, Allowed)
	}
	return d
}

func (a *ACL) concerns(who Subject) bool {
	return (a.Principal == who.Principal || a.Principal == Everyone) && (a.Host == who.Host || a.Host == Wildcard)
}

// covers reports whether an ACL is about op. Who may read, write, delete or alter may describe as well; who may alter settings may
// describe them. This holds for ALLOW only: who may not read may still describe.
func (a *ACL) covers(op Operation) bool {
	switch {
	case a.Operation == op, a.Operation == AllOperations:
		return true
	case a.Permission != Allow:
		return false
	case op == Describe:
		return a.Operation == Read || a.Operation == Write || a.Operation == Delete || a.Operation == Alter
	}
	return op == DescribeConfigs && a.Operation == AlterConfigs
}

// Rules are ACLs and those for whom they do not count.
type Rules struct {
	ACLs *Index
	// SuperUsers are principals who may do everything.
	SuperUsers map[string]bool
	// AllowIfNoACL allows what no ACL is about, as Kafka's allow.everyone.if.no.acl.found.
	AllowIfNoACL bool
}

// Allow decides about one operation on one resource.
func (r Rules) Allow(who Subject, op Operation, typ ResourceType, name string) bool {
	if r.SuperUsers[who.Principal] {
		return true
	}
	switch r.ACLs.Decide(who, op, typ, name) {
	case Allowed:
		return true
	case NoACL:
		return r.AllowIfNoACL
	}
	return false
}

// AllowSome decides whether there can be any resource of a type on which op is allowed: idempotent producers need WRITE on some
// topic (KIP-679). What a denied prefix or a denied name covers does not count.
func (r Rules) AllowSome(who Subject, op Operation, typ ResourceType) bool {
	if r.Allow(who, op, typ, "hardcode") { // a name that nobody uses, as in Kafka
		return true
	}
	s := r.ACLs.types[typ]
	if s == nil {
		return false
	}
	names := func(m map[string][]ACL, p Permission) map[string]bool {
		out := map[string]bool{}
		for name, acls := range m {
			for i := range acls {
				a := &acls[i]
				if a.Permission == p && a.concerns(who) && (a.Operation == op || a.Operation == AllOperations) {
					out[name] = true
				}
			}
		}
		return out
	}
	deniedNames, deniedPrefixes := names(s.literal, Deny), names(s.prefixed, Deny)
	if deniedNames[Wildcard] {
		return false
	}
	allowedNames := names(s.literal, Allow)
	if allowedNames[Wildcard] {
		return true
	}
	free := func(name string) bool {
		for n := 1; n <= len(name); n++ {
			if deniedPrefixes[name[:n]] {
				return false
			}
		}
		return true
	}
	for name := range allowedNames {
		if !deniedNames[name] && free(name) {
			return true
		}
	}
	for prefix := range names(s.prefixed, Allow) {
		if free(prefix) {
			return true
		}
	}
	return false
}
