package auth

import (
	"math/rand/v2"
	"strings"
	"testing"
)

var alice = Subject{"User:alice", "10.0.0.1"}

func index(acls ...ACL) *Index {
	set := map[ACL]struct{}{}
	for _, a := range acls {
		set[a] = struct{}{}
	}
	return NewIndex(set)
}

// model decides by reading all ACLs one after the other, as the documentation of Kafka's authorizer tells it.
func model(acls []ACL, who Subject, op Operation, typ ResourceType, name string) Decision {
	implied := map[Operation][]Operation{
		Describe:        {Describe, Read, Write, Delete, Alter, AllOperations},
		DescribeConfigs: {DescribeConfigs, AlterConfigs, AllOperations},
	}
	about, allowed := false, false
	for _, a := range acls {
		if a.Resource != typ {
			continue
		}
		if a.Pattern == Literal && a.Name != name && a.Name != "*" || a.Pattern == Prefixed && !strings.HasPrefix(name, a.Name) {
			continue
		}
		about = true
		if a.Principal != who.Principal && a.Principal != "User:*" || a.Host != who.Host && a.Host != "*" {
			continue
		}
		fits := a.Operation == op || a.Operation == AllOperations
		if a.Permission == Allow {
			for _, o := range implied[op] {
				fits = fits || a.Operation == o
			}
		}
		switch {
		case fits && a.Permission == Deny:
			return Denied
		case fits:
			allowed = true
		}
	}
	switch {
	case allowed:
		return Allowed
	case about:
		return NotAllowed
	}
	return NoACL
}

func TestDecisionsAreThoseOfTheModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	seen := map[Decision]int{}
	for range 4000 {
		acls := make([]ACL, r.IntN(6))
		for i := range acls {
			acls[i] = ACL{
				Resource: Topic + ResourceType(r.IntN(2)), Pattern: Literal + PatternType(r.IntN(2)), Name: pick("a", "ab", "abc", "b", "*"),
				Principal: pick("User:alice", "User:bob", "User:*"), Host: pick("*", "10.0.0.1", "10.0.0.2"),
				Operation: AllOperations + Operation(r.IntN(11)), Permission: Deny + Permission(min(1, r.IntN(4))),
			}
		}
		ix := index(acls...)
		for range 10 {
			op, typ, name := Read+Operation(r.IntN(10)), Topic+ResourceType(r.IntN(2)), pick("a", "ab", "abc", "abcd", "b", "c", "*")
			want := model(acls, alice, op, typ, name)
			if got := ix.Decide(alice, op, typ, name); got != want {
				t.Fatalf("operation %d on %d %q: %d, want %d\n%+v", op, typ, name, got, want, acls)
			}
			seen[want]++
		}
	}
	for _, d := range []Decision{NoACL, NotAllowed, Allowed, Denied} {
		if seen[d] < 200 {
			t.Errorf("decision %d was asked for %d times only", d, seen[d])
		}
	}
}

func TestRulesForSuperUsersAndWithoutACLs(t *testing.T) {
	deny := ACL{Topic, Literal, "*", Everyone, Wildcard, AllOperations, Deny}
	for _, c := range []struct {
		name  string
		rules Rules
		want  bool
	}{
		{"nothing is allowed without an ACL", Rules{ACLs: index()}, false},
		{"but by choice", Rules{ACLs: index(), AllowIfNoACL: true}, true},
		{"the choice ends with an ACL for somebody else", Rules{ACLs: index(ACL{Topic, Literal, "t", "User:bob", Wildcard, Read, Allow}), AllowIfNoACL: true}, false},
		{"an ACL about another topic does not matter", Rules{ACLs: index(ACL{Topic, Literal, "u", "User:bob", Wildcard, Read, Allow}), AllowIfNoACL: true}, true},
		{"super users are not denied", Rules{ACLs: index(deny), SuperUsers: map[string]bool{"User:alice": true}}, true},
		{"others are", Rules{ACLs: index(deny), SuperUsers: map[string]bool{"User:bob": true}}, false},
	} {
		if got := c.rules.Allow(alice, Read, Topic, "t"); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestSomeTopicIsWritable(t *testing.T) {
	acl := func(p PatternType, name string, perm Permission) ACL {
		return ACL{Topic, p, name, "User:alice", Wildcard, Write, perm}
	}
	for _, c := range []struct {
		name string
		acls []ACL
		want bool
	}{
		{"none", nil, false},
		{"a name", []ACL{acl(Literal, "t", Allow)}, true},
		{"a prefix", []ACL{acl(Prefixed, "t", Allow)}, true},
		{"all", []ACL{acl(Literal, "*", Allow)}, true},
		{"all but one", []ACL{acl(Literal, "*", Allow), acl(Literal, "t", Deny)}, true},
		{"all, and all denied", []ACL{acl(Literal, "*", Allow), acl(Literal, "*", Deny)}, false},
		{"a name that is denied", []ACL{acl(Literal, "t", Allow), acl(Literal, "t", Deny)}, false},
		{"a name whose prefix is denied", []ACL{acl(Literal, "topic", Allow), acl(Prefixed, "to", Deny)}, false},
		{"a prefix within a denied one", []ACL{acl(Prefixed, "topic", Allow), acl(Prefixed, "to", Deny)}, false},
		{"a prefix with a denied one within", []ACL{acl(Prefixed, "to", Allow), acl(Prefixed, "topic", Deny)}, true},
		{"a prefix with a denied name within", []ACL{acl(Prefixed, "to", Allow), acl(Literal, "to", Deny)}, true},
		{"another operation", []ACL{{Topic, Literal, "t", "User:alice", Wildcard, Read, Allow}}, false},
		{"somebody else", []ACL{{Topic, Literal, "t", "User:bob", Wildcard, Write, Allow}}, false},
		{"another host", []ACL{{Topic, Literal, "t", "User:alice", "10.9.9.9", Write, Allow}}, false},
		{"everything", []ACL{{Topic, Prefixed, "t", Everyone, "10.0.0.1", AllOperations, Allow}}, true},
	} {
		if got := (Rules{ACLs: index(c.acls...)}).AllowSome(alice, Write, Topic); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	super := Rules{ACLs: index(acl(Literal, "*", Deny)), SuperUsers: map[string]bool{"User:alice": true}}
	if !super.AllowSome(alice, Write, Topic) {
		t.Error("a super user may not write")
	}
}

func TestFiltersSelect(t *testing.T) {
	p := func(s string) *string { return &s }
	lit, pre, all := ACL{Topic, Literal, "abc", "User:a", "*", Read, Allow}, ACL{Topic, Prefixed, "ab", "User:b", "h", Write, Deny}, ACL{Topic, Literal, "*", "User:a", "*", Read, Allow}
	group := ACL{Group, Literal, "abc", "User:a", "*", Read, Allow}
	any := Filter{AnyResource, AnyPattern, nil, nil, nil, AnyOperation, AnyPermission}
	with := func(change func(*Filter)) Filter { f := any; change(&f); return f }
	for _, c := range []struct {
		name string
		f    Filter
		want []bool // lit, pre, all, group
	}{
		{"any", any, []bool{true, true, true, true}},
		{"a type", with(func(f *Filter) { f.Resource = Topic }), []bool{true, true, true, false}},
		{"literal name", with(func(f *Filter) { f.Pattern, f.Name = Literal, p("abc") }), []bool{true, false, false, true}},
		{"any pattern of a name", with(func(f *Filter) { f.Name = p("ab") }), []bool{false, true, false, false}},
		{"what matches a name", with(func(f *Filter) { f.Pattern, f.Name = MatchPattern, p("abc") }), []bool{true, true, true, true}},
		{"what matches another", with(func(f *Filter) { f.Pattern, f.Name = MatchPattern, p("x") }), []bool{false, false, true, false}},
		{"what matches without a name", with(func(f *Filter) { f.Pattern = MatchPattern }), []bool{true, true, true, true}},
		{"prefixed", with(func(f *Filter) { f.Pattern = Prefixed }), []bool{false, true, false, false}},
		{"principal", with(func(f *Filter) { f.Principal = p("User:b") }), []bool{false, true, false, false}},
		{"host", with(func(f *Filter) { f.Host = p("h") }), []bool{false, true, false, false}},
		{"operation", with(func(f *Filter) { f.Operation = Read }), []bool{true, false, true, true}},
		{"permission", with(func(f *Filter) { f.Permission = Deny }), []bool{false, true, false, false}},
	} {
		for i, a := range []ACL{lit, pre, all, group} {
			if got := c.f.Matches(a); got != c.want[i] {
				t.Errorf("%s: %+v is selected: %v", c.name, a, got)
			}
		}
		if s := c.f.Check(); s != "" {
			t.Errorf("%s: %s", c.name, s)
		}
	}
	for _, f := range []Filter{{}, with(func(f *Filter) { f.Pattern = 5 }), with(func(f *Filter) { f.Operation = 0 }), with(func(f *Filter) { f.Permission = 4 }), with(func(f *Filter) { f.Resource = 8 })} {
		if f.Check() == "" {
			t.Errorf("%+v is taken", f)
		}
	}
}

func TestNewACLsAreChecked(t *testing.T) {
	good := ACL{Topic, Literal, "t", "User:a", "*", Read, Allow}
	for name, bend := range map[string]func(*ACL){
		"any resource":             func(a *ACL) { a.Resource = AnyResource },
		"unknown resource":         func(a *ACL) { a.Resource = 9 },
		"match pattern":            func(a *ACL) { a.Pattern = MatchPattern },
		"any operation":            func(a *ACL) { a.Operation = AnyOperation },
		"unknown operation":        func(a *ACL) { a.Operation = 16 },
		"any permission":           func(a *ACL) { a.Permission = AnyPermission },
		"no name":                  func(a *ACL) { a.Name = "" },
		"another cluster":          func(a *ACL) { a.Resource, a.Name = Cluster, "mine" },
		"no host":                  func(a *ACL) { a.Host = "" },
		"principal without :":      func(a *ACL) { a.Principal = "alice" },
		"principal without a type": func(a *ACL) { a.Principal = ":alice" },
		"long name":                func(a *ACL) { a.Name = strings.Repeat("x", maxACLText+1) },
	} {
		a := good
		if bend(&a); a.Check() == "" {
			t.Errorf("%s: %+v is taken", name, a)
		}
	}
	if s := good.Check(); s != "" {
		t.Error(s)
	}
}

func TestADecisionDoesNotAllocate(t *testing.T) {
	ix := index(ACL{Topic, Prefixed, "t", "User:alice", "*", Write, Allow}, ACL{Topic, Literal, "*", "User:bob", "*", Write, Deny})
	rules := Rules{ACLs: ix}
	if n := testing.AllocsPerRun(100, func() {
		if !rules.Allow(alice, Write, Topic, "topic") {
			t.Fatal("not allowed")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
