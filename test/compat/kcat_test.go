package compat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/need"
)

func TestKcat(t *testing.T) {
	kcat, address := need.Program(t, "kcat"), broker(t)
	topic := unique(t)
	call := func(stdin string, args ...string) string {
		t.Helper()
		return output(t, run{path: kcat, stdin: stdin, args: append([]string{"-b", address, "-q"}, args...)})
	}
	var in strings.Builder
	for i := range 500 {
		fmt.Fprintf(&in, "key%d|value %d\n", i, i)
	}
	same := func(what, got string) {
		t.Helper()
		if got != in.String() {
			t.Errorf("%s: %d lines of %d bytes are not what was produced", what, strings.Count(got, "\n"), len(got))
		}
	}

	call(in.String(), "-P", "-t", topic, "-p", "0", "-K", "|", "-X", "enable.idempotence=true")
	same("consumed without a group", call("", "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-f", "%k|%s\\n"))
	if got := call("", "-C", "-t", topic, "-p", "0", "-o", "-1", "-e", "-f", "%p %o %k %s\\n"); got != "0 499 key499 value 499\n" {
		t.Errorf("the last record is %q", got)
	}
	inGroup := func(format, count string) string {
		t.Helper()
		return call("", "-X", "auto.offset.reset=earliest", "-f", format, "-c", count, "-G", topic+"-group", topic)
	}
	same("consumed in a group", inGroup("%k|%s\\n", "500"))
	call("one more\n", "-P", "-t", topic, "-p", "0", "-z", "lz4", "-H", "from=kcat")
	if got := inGroup("%s %h\\n", "1"); got != "one more from=kcat\n" {
		t.Errorf("the group goes on with %q", got)
	}
	if got := call("", "-L", "-t", topic); !strings.Contains(got, `topic "`+topic+`" with`) || !strings.Contains(got, address) {
		t.Errorf("metadata:\n%s", got)
	}
	if got := call("", "-Q", "-t", topic+":0:-1"); strings.TrimSpace(got) != topic+" [0] offset 501" {
		t.Errorf("end offset: %q", got)
	}
}
