package broker

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"reflect"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/broker/checkpointfile"
	"github.com/mainstemio/mainstem/internal/broker/security"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
)

func credential(t testing.TB, m auth.Mechanism, password string) auth.Credential {
	t.Helper()
	c, err := auth.NewCredential(m, password, []byte("salt"), auth.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func topicACL(name, principal string, op auth.Operation) auth.ACL {
	return auth.ACL{Resource: auth.Topic, Pattern: auth.Literal, Name: name, Principal: principal, Host: "*", Operation: op, Permission: auth.Allow}
}

var allACLs = auth.Filter{Resource: auth.AnyResource, Pattern: auth.AnyPattern, Operation: auth.AnyOperation, Permission: auth.AnyPermission}

func TestUsersAndACLsSurviveCrashAndRestart(t *testing.T) {
	n := newNode(t)
	first, second := credential(t, auth.ScramSHA256, "one"), credential(t, auth.ScramSHA512, "two")
	set := func(m auth.Mechanism, c auth.Credential) map[auth.Mechanism]auth.Credential {
		return map[auth.Mechanism]auth.Credential{m: c}
	}
	wantErr(t, get(t, n.AlterUser("alice", set(auth.ScramSHA256, first), nil)), nil)
	wantErr(t, get(t, n.AlterUser("alice", set(auth.ScramSHA512, second), nil)), nil)
	wantErr(t, get(t, n.AlterUser("bob", set(auth.ScramSHA256, first), nil)), nil)
	wantErr(t, get(t, n.AlterUser("bob", nil, []auth.Mechanism{auth.ScramSHA512})), kerr.ResourceNotFound)
	wantErr(t, get(t, n.AlterUser("bob", nil, []auth.Mechanism{auth.ScramSHA256})), nil)
	a, b, c := topicACL("t", "User:alice", auth.Read), topicACL("t", "User:bob", auth.Read), topicACL("u", "User:bob", auth.Write)
	wantErr(t, get(t, n.CreateACLs([]auth.ACL{a, b, a})), nil)
	wantErr(t, get(t, n.CreateACLs([]auth.ACL{a, c})), nil)
	bob := allACLs
	bob.Principal = &b.Principal
	bob.Operation = auth.Read
	if got := get(t, n.DeleteACLs([]auth.Filter{bob, bob})); len(got) != 2 || !slices.Equal(got[0].Removed, []auth.ACL{b}) || !slices.Equal(got[1].Removed, []auth.ACL{b}) {
		t.Errorf("deleted %+v", got)
	}
	for about, n := range n.everyWay() {
		s := n.Security()
		if got := s.ACLs.All(); !slices.Equal(got, []auth.ACL{a, c}) {
			t.Errorf("%s: ACLs %+v", about, got)
		}
		want := []auth.UserKey{{Name: "alice", Mechanism: auth.ScramSHA256}, {Name: "alice", Mechanism: auth.ScramSHA512}}
		if got := s.Users.Keys(); !slices.Equal(got, want) {
			t.Errorf("%s: users %+v", about, got)
		}
		for i, c := range []auth.Credential{first, second} {
			if got, ok := s.Users.Find(want[i]); !ok || !reflect.DeepEqual(got, c) {
				t.Errorf("%s: %+v is %+v", about, want[i], got)
			}
		}
	}
}

func TestSecurityTravelsThroughCheckpoints(t *testing.T) {
	n := newNode(t)
	for i := range 50 {
		wantErr(t, get(t, n.CreateACLs([]auth.ACL{topicACL(fmt.Sprint("topic ", i), "User:a", auth.Read)})), nil)
	}
	wantErr(t, get(t, n.AlterUser("a", map[auth.Mechanism]auth.Credential{auth.ScramSHA512: credential(t, auth.ScramSHA512, "p")}, nil)), nil)
	wantErr(t, get(t, n.AlterUser("b", map[auth.Mechanism]auth.Credential{auth.ScramSHA256: credential(t, auth.ScramSHA256, "p")}, nil)), nil)
	m := n.restart().restart() // the second start reads nothing but the checkpoint
	if got := len(m.Security().ACLs.All()); got != 50 {
		t.Errorf("%d ACLs", got)
	}
	if got := m.Security().Users.Keys(); len(got) != 2 {
		t.Errorf("users %v", got)
	}
	wantErr(t, get(t, m.AlterUser("a", nil, []auth.Mechanism{auth.ScramSHA512})), nil)
	if got := m.restart().Security().Users.Keys(); len(got) != 1 || got[0].Name != "b" {
		t.Errorf("users %v", got)
	}
}

func TestADirectoryFromBeforeUsersAndACLsOpens(t *testing.T) {
	n := newNode(t)
	n.topic("t", 1, nil)
	if err := n.halt(); err != nil {
		t.Fatal(err)
	}
	for _, path := range checkpoints(t, n.o) {
		makeFormatOne(t, n.o.FS, path)
	}
	m := boot(t, n.o)
	if m.Topics().ByName["t"] == nil || len(m.Security().Users.Keys()) != 0 || len(m.Security().ACLs.All()) != 0 {
		t.Errorf("topics %v, security %+v", m.Topics().ByName, m.Security())
	}
	wantErr(t, get(t, m.CreateACLs([]auth.ACL{topicACL("t", "User:a", auth.Read)})), nil)
	if got := m.restart().Security().ACLs.All(); len(got) != 1 {
		t.Errorf("ACLs %v", got)
	}
}

// makeFormatOne takes the users and ACLs, of which there are none, off a checkpoint file.
func makeFormatOne(t *testing.T, fs vfs.FS, path string) {
	t.Helper()
	b, err := readFile(fs, path)
	if err != nil {
		t.Fatal(err)
	}
	b = b[:len(b)-2*3] // users with ACLs, and node settings: each a length of 2 and two empty lists
	binary.BigEndian.PutUint16(b[4:], 1)
	binary.BigEndian.PutUint64(b[10:], uint64(len(b)-checkpointfile.HeaderSize))
	binary.BigEndian.PutUint32(b[6:], crc32.Checksum(b[10:], crc32.MakeTable(crc32.Castagnoli)))
	if err := writeFile(fs, path, b); err != nil {
		t.Fatal(err)
	}
}

func TestACLsAreBounded(t *testing.T) {
	n := newNode(t)
	acls := make([]auth.ACL, security.MaxACLs)
	for i := range acls {
		acls[i] = topicACL(fmt.Sprint(i), "User:a", auth.Read)
	}
	wantErr(t, get(t, n.CreateACLs(acls)), nil)
	wantErr(t, get(t, n.CreateACLs(acls[:10])), nil)
	wantErr(t, get(t, n.CreateACLs([]auth.ACL{topicACL("one more", "User:a", auth.Read)})), kerr.PolicyViolation)
	if got := get(t, n.DeleteACLs([]auth.Filter{allACLs}))[0].Removed; len(got) != security.MaxACLs {
		t.Errorf("%d removed", len(got))
	}
	if got := n.restart().Security().ACLs.All(); len(got) != 0 {
		t.Errorf("%d are left", len(got))
	}
}
