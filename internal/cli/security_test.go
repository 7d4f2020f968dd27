package cli

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem"
)

// command runs one command line and returns its exit code and what it wrote.
func command(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var o, e bytes.Buffer
	code = Run(ctx, Env{In: strings.NewReader(stdin), Out: &o, Err: &e}, args)
	return code, o.String(), e.String()
}

func TestUsersAndACLsByCommand(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, err := mainstem.Open(t.Context(), t.TempDir(), mainstem.WithKafka(l), mainstem.WithSASL(), mainstem.WithAuthorization(), mainstem.WithAdministrator("admin", "top secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	t.Setenv(saslPasswordEnv, "top secret")
	admin := []string{"-b", n.Kafka(), "--sasl-user", "admin"}
	steps := []struct {
		args  []string
		stdin string
		code  int
		want  string // in the output, or in the error
	}{
		{[]string{"user", "create", "alice", "--password-file", "-"}, "alice's\n", 0, "created user alice"},
		{[]string{"user", "create", "bob"}, "", exitUsage, "[usage]"},
		{[]string{"user", "create", "bob", "--mechanism", "MD5", "--password-file", "-"}, "x", exitUsage, "[usage]"},
		{[]string{"user", "create", "bob", "--iterations", "1", "--password-file", "-"}, "x", exitFailed, "iterations"},
		{[]string{"user", "list"}, "", 0, "alice  SCRAM-SHA-256, SCRAM-SHA-512"},
		{[]string{"user", "list", "--json"}, "", 0, `{"user":"alice","mechanisms":["SCRAM-SHA-256","SCRAM-SHA-512"],"iterations":[4096,4096]}`},
		{[]string{"acl", "add", "--allow", "alice", "--operation", "read", "--topic", "t"}, "", 0, "User:alice"},
		{[]string{"acl", "add", "--deny", "alice", "--operation", "read", "--topic", "secret-", "--prefixed", "--host", "10.0.0.1"}, "", 0, "DENY"},
		{[]string{"acl", "add", "--allow", "alice", "--topic", "t"}, "", exitUsage, "[usage]"},
		{[]string{"acl", "add", "--allow", "alice", "--operation", "sing", "--topic", "t"}, "", exitUsage, "[usage]"},
		{[]string{"acl", "list", "--deny", "alice"}, "", 0, "PREFIXED"},
		{[]string{"acl", "list", "--json"}, "", 0, `"permission":"ALLOW","principal":"User:alice","host":"*","operation":"READ"`},
		{[]string{"acl", "remove"}, "", exitUsage, "--all"},
		{[]string{"acl", "remove", "--topic", "t"}, "", 0, "ALLOW"},
		{[]string{"acl", "list"}, "", 0, "secret-"},
		{[]string{"user", "delete", "alice"}, "", 0, "deleted user alice"},
		{[]string{"user", "delete", "alice"}, "", exitFailed, "[resource_not_found]"},
	}
	for _, s := range steps {
		code, out, errs := command(t, s.stdin, append(s.args, admin...)...)
		if code != s.code || !strings.Contains(out+errs, s.want) {
			t.Errorf("%s: exit code %d\n%s%s", strings.Join(s.args, " "), code, out, errs)
		}
		if strings.Contains(out+errs, "top secret") || strings.Contains(out+errs, "alice's") {
			t.Errorf("%s shows a password", strings.Join(s.args, " "))
		}
	}
	if _, out, _ := command(t, "", append([]string{"acl", "list"}, admin...)...); strings.Contains(out, "ALLOW") {
		t.Errorf("a removed ACL is listed:\n%s", out)
	}
	t.Setenv(saslPasswordEnv, "wrong")
	if code, _, errs := command(t, "", append([]string{"user", "list"}, admin...)...); code != exitFailed || !strings.Contains(errs, "[login_failed]") {
		t.Errorf("with a wrong password: %d %s", code, errs)
	}
	t.Setenv(saslPasswordEnv, "")
	if code, _, errs := command(t, "", append([]string{"user", "list"}, admin...)...); code != exitUsage || !strings.Contains(errs, saslPasswordEnv) {
		t.Errorf("without a password: %d %s", code, errs)
	}
}

func TestTheAdministratorsFileIsForNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin")
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string // error; empty: none
	}{
		{"admin:a:b\n", 0o600, ""},
		{"admin:secret\r\nmore", 0o400, ""},
		{"admin:secret", 0o640, "[open_secret]"},
		{"admin:secret", 0o604, "[open_secret]"},
		{"admin", 0o600, "[usage]"},
		{":secret", 0o600, "[usage]"},
		{"admin:", 0o600, "[usage]"},
	} {
		_ = os.Remove(path) // the first one finds none
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		f := securityFlags{adminFile: path}
		name, password, err := f.admin()
		var shown bytes.Buffer
		if fail, ok := err.(*failure); ok { //nolint:errorlint // it is not wrapped
			fail.print(&shown)
		}
		if (err == nil) != (c.want == "") || !strings.Contains(shown.String(), c.want) || err == nil && (name != "admin" || password == "") {
			t.Errorf("%q with mode %o: %q %q %v", c.text, c.mode, name, password, err)
		}
	}
	t.Setenv(adminEnv, "root:from the environment")
	if name, password, err := (&securityFlags{}).admin(); err != nil || name != "root" || password != "from the environment" {
		t.Errorf("%q %q %v", name, password, err)
	}
}

func TestAnUnprotectedAddressIsRefusedWithTheNextStep(t *testing.T) {
	code, _, errs := command(t, "", "dev", "--data", t.TempDir(), "--kafka", "0.0.0.0:0", "--http", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(errs, "[unprotected_address]") || !strings.Contains(errs, "--trusted-network") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	code, _, errs = command(t, "", "dev", "--data", t.TempDir(), "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0", "--sasl")
	if code != exitFailed || !strings.Contains(errs, "[no_user]") || !strings.Contains(errs, "--admin-file") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	code, _, errs = command(t, "", "dev", "--data", t.TempDir(), "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0", "--tls-cert", "x")
	if code != exitUsage || !strings.Contains(errs, "--tls-key") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
