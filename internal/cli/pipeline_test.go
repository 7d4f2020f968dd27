package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPipelinesAreTurnedOverHTTP(t *testing.T) {
	var asked []string
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.EscapedPath())
		if strings.Contains(r.URL.Path, "none") {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer node.Close()
	address := strings.TrimPrefix(node.URL, "http://")
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := Run(t.Context(), Env{Out: &out, Err: &errs}, append([]string{"pipeline"}, args...))
		return code, out.String(), errs.String()
	}
	if code, out, _ := run("pause", "a b", "--http", address); code != 0 || !strings.Contains(out, "pipeline a b is paused") {
		t.Errorf("pause: %d, %s", code, out)
	}
	if code, out, _ := run("resume", "a", "--http", address); code != 0 || !strings.Contains(out, "pipeline a goes on") {
		t.Errorf("resume: %d, %s", code, out)
	}
	if code, _, errs := run("pause", "none", "--http", address); code != exitFailed || !strings.Contains(errs, "unknown_pipeline") || !strings.Contains(errs, "next: ") {
		t.Errorf("unknown: %d, %s", code, errs)
	}
	if code, _, _ := run("pause", "--http", address); code != exitUsage {
		t.Errorf("without a name: %d", code)
	}
	want := "POST /v1/pipelines/a%20b/pause,POST /v1/pipelines/a/resume,POST /v1/pipelines/none/pause"
	if got := strings.Join(asked, ","); got != want {
		t.Errorf("asked %s", got)
	}
}
