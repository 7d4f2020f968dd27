//go:build suites

package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJavaSecurityTools(t *testing.T) {
	k := newJavaKit(t)
	s := startSecured(t, true)
	k.address = s.address
	config := func(name, password string) string {
		path := filepath.Join(t.TempDir(), name+".properties")
		text := fmt.Sprintf("security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\nssl.truststore.location=%s\n"+
			"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";\n", s.cert, name, password)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	admin, alice := config("admin", "admin secret"), config("alice", "alice secret")
	contains(t, k.config(t, "--command-config", admin, "--alter", "--entity-type", "users", "--entity-name", "alice",
		"--add-config", "SCRAM-SHA-512=[iterations=8192,password=alice secret]"), "Completed updating config for user alice.")
	acls := func(args ...string) string {
		t.Helper()
		return k.program(t, "org.apache.kafka.tools.AclCommand", append([]string{"--bootstrap-server", s.address, "--command-config", admin}, args...)...)
	}
	contains(t, acls("--add", "--allow-principal", "User:alice", "--producer", "--topic", "t"), "principal=User:alice", "operation=WRITE", "operation=CREATE")
	contains(t, acls("--add", "--allow-principal", "User:alice", "--consumer", "--topic", "t", "--group", "g", "--resource-pattern-type", "prefixed"), "patternType=PREFIXED", "operation=READ")
	contains(t, acls("--list", "--principal", "User:alice"), "name=t", "name=g", "operation=READ", "operation=WRITE")
	output(t, run{path: k.java, stdin: "one\ntwo\n", args: []string{
		"-Dlog4j2.level=ERROR", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join("kafka", "lib", "*"), "org.apache.kafka.tools.ConsoleProducer",
		"--bootstrap-server", s.address, "--topic", "t", "--command-config", alice,
	}})
	contains(t, k.tool(t, "consumer.ConsoleConsumer", "--topic", "t", "--group", "g", "--from-beginning", "--max-messages", "2", "--timeout-ms", "30000", "--command-config", alice), "one", "two")
	acls("--remove", "--force", "--allow-principal", "User:alice", "--producer", "--topic", "t")
	if got := acls("--list", "--principal", "User:alice"); strings.Contains(got, "operation=WRITE") || !strings.Contains(got, "operation=READ") {
		t.Errorf("after removal:\n%s", got)
	}
}
