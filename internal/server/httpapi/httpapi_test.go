package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/mainstemio/mainstem/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler serves a small flow; ready is what /readyz asks.
func handler(ready error) http.Handler {
	flow := func() Flow {
		return Flow{
			Node:   Node{Version: "v1", Broker: "embedded", Kafka: "127.0.0.1:9092", UptimeMs: 5, Directory: "/data"},
			Topics: []Topic{{Name: "in", Partitions: 2, Records: 10, Rate: 1.5}},
			Pipelines: []Pipeline{{
				Name: "p", State: "failed", Error: "bad record <script>", Sources: []string{"in"}, Sinks: []string{"out"}, Processed: 9, Lag: 1,
				Dropped: map[string]int64{"null key": 2}, Topology: "text",
			}},
			Sinks: []Sink{{Name: "s", Target: "db", State: "running", Topics: []string{"out"}, FreshnessP50: -1, FreshnessP99: -1}},
		}
	}
	problem := Problem{SeverityError, "pipeline_failed", "p", "bad record", "mend it"}
	return New(Options{
		Flow:    flow,
		Status:  func(context.Context) Status { return Status{Flow: flow(), Problems: []Problem{problem}} },
		Ready:   func() error { return ready },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metric 1\n") }),
		Clock:   clock.System,
	})
}

type request struct{ method, path, host, origin string }

func do(h http.Handler, q request) *http.Response {
	r := httptest.NewRequest(q.method, "http://127.0.0.1:8080"+q.path, nil)
	if q.host != "" {
		r.Host = q.host
	}
	if q.host == "none" {
		r.Host = ""
	}
	if q.origin != "" {
		r.Header.Set("Origin", q.origin)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRoutes(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		kind, has    string
	}{
		{"GET", "/", 200, "text/html", "<h1>Mainstem</h1>"},
		{"GET", "/app.js", 200, "text/javascript", "use strict"},
		{"GET", "/style.css", 200, "text/css", "{"},
		{"HEAD", "/", 200, "text/html", ""},
		{"GET", "/v1/flow", 200, "application/json", `"kafka":"127.0.0.1:9092"`},
		{"GET", "/v1/flow?x=1", 200, "application/json", `"processed":9`},
		{"HEAD", "/v1/events", 200, "text/event-stream", ""},
		{"GET", "/metrics", 200, "", "metric 1"},
		{"GET", "/livez", 200, "application/json", `"ok"`},
		{"GET", "/readyz", 200, "application/json", `"ok"`},
		{"GET", "/index.html", 404, "application/json", "not_found"},
		{"GET", "/page/app.js", 404, "application/json", "not_found"},
		{"GET", "/v1", 404, "application/json", "not_found"},
		{"GET", "/v1/", 404, "application/json", "not_found"},
		{"GET", "/v1/flow/", 404, "application/json", "/v1/flow/"},
		{"GET", "/V1/FLOW", 404, "application/json", "not_found"},
		{"GET", "/v1%2fflow", 404, "application/json", "not_found"},
		{"GET", "/app.js/", 404, "application/json", "not_found"},
		{"GET", "/%3Cscript%3E", 404, "application/json", `\u003cscript\u003e`},
		{"GET", "/..%2f..%2fetc%2fpasswd", 404, "application/json", "not_found"},
		{"POST", "/", 404, "application/json", "not_found"},
		{"POST", "/v1/flow", 404, "application/json", "not_found"},
		{"DELETE", "/metrics", 404, "application/json", "not_found"},
		{"OPTIONS", "/v1/flow", 404, "application/json", "not_found"},
	} {
		r := do(handler(nil), request{method: c.method, path: c.path})
		text := body(t, r)
		if r.StatusCode != c.status || !strings.HasPrefix(r.Header.Get("Content-Type"), c.kind) || !strings.Contains(text, c.has) {
			t.Errorf("%s %s: %d %s\n%.200s", c.method, c.path, r.StatusCode, r.Header.Get("Content-Type"), text)
		}
		if c.status == 404 {
			var p problem
			if err := json.Unmarshal([]byte(text), &p); err != nil || p.Code != "not_found" || p.Message == "" {
				t.Errorf("%s %s: %v, %+v", c.method, c.path, err, p)
			}
		}
	}
}

func TestUncleanPathsLeadToThisNodeOnly(t *testing.T) {
	for path, want := range map[string]string{
		"//v1//flow": "/v1/flow", "/x/../v1/flow": "/v1/flow", "//evil.example/..": "/", "//evil.example/": "/evil.example/", "/./": "/",
	} {
		r := do(handler(nil), request{method: "GET", path: path})
		if to := r.Header.Get("Location"); r.StatusCode < 300 || r.StatusCode > 399 || to != want {
			t.Errorf("%s: %d to %q, want %q", path, r.StatusCode, to, want)
		}
	}
}

func TestReadyTellsWhyNot(t *testing.T) {
	h := handler(errors.New("broker: disk is full"))
	r := do(h, request{method: "GET", path: "/readyz"})
	if text := body(t, r); r.StatusCode != 503 || !strings.Contains(text, "disk is full") || !strings.Contains(text, "not_ready") {
		t.Errorf("%d %s", r.StatusCode, text)
	}
	if r := do(h, request{method: "GET", path: "/livez"}); r.StatusCode != 200 {
		t.Errorf("livez is %d", r.StatusCode)
	}
}

func TestForeignHostsAndOriginsAreRefused(t *testing.T) {
	for _, c := range []struct {
		host, origin string
		code         string // "": allowed
	}{
		{"127.0.0.1:8080", "", ""},
		{"localhost:8080", "", ""},
		{"LocalHost", "", ""},
		{"[::1]:8080", "", ""},
		{"[::1]", "", ""},
		{"192.168.1.7:8080", "", ""},
		{"localhost:8080", "http://localhost:8080", ""},
		{"evil.example", "", "foreign_host"},
		{"evil.example:8080", "", "foreign_host"},
		{"localhost.evil.example", "", "foreign_host"},
		{"127.0.0.1.evil.example:8080", "", "foreign_host"},
		{"none", "", "foreign_host"},
		{"localhost:8080", "http://evil.example", "foreign_origin"},
		{"localhost:8080", "http://localhost:9999", "foreign_origin"},
		{"localhost:8080", "null", "foreign_origin"},
		{"localhost:8080", "http://localhost:8080.evil.example", "foreign_origin"},
		{"localhost:8080", "%", "foreign_origin"},
	} {
		for _, path := range []string{"/", "/v1/flow", "/metrics", "/nothing"} {
			r := do(handler(nil), request{method: "GET", path: path, host: c.host, origin: c.origin})
			refused := r.StatusCode == http.StatusForbidden
			if text := body(t, r); refused != (c.code != "") || refused && !strings.Contains(text, c.code) {
				t.Errorf("%s from host %q origin %q: %d %.80s", path, c.host, c.origin, r.StatusCode, text)
			}
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q", path, name, got)
				}
			}
			if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: policy %q", path, csp)
			}
		}
	}
}

// The policy forbids what is written into the page itself, so none may be there; and what topics are called must not become markup.
func TestThePageHasNoScriptOrStyleInIt(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		".html": regexp.MustCompile(`(?i)<script(?:>|\s+[^>]*>)\s*\S+\s*</script>|<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:|https?://`),
		".js":   regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|https?://[^w]`),
		".css":  regexp.MustCompile(`@import|https?://`),
	}
	files, err := fs.ReadDir(page, "page")
	if err != nil || len(files) != 3 {
		t.Fatal(err, files)
	}
	for _, f := range files {
		text, err := fs.ReadFile(page, "page/"+f.Name())
		if err != nil {
			t.Fatal(err)
		}
		rule := forbidden[f.Name()[strings.LastIndexByte(f.Name(), '.'):]]
		if found := rule.Find(text); found != nil {
			t.Errorf("%s holds %q", f.Name(), found)
		}
	}
	html, _ := fs.ReadFile(page, "page/index.html")
	for _, script := range regexp.MustCompile(`<script[^>]*>`).FindAllString(string(html), -1) {
		if !strings.Contains(script, `src="/`) {
			t.Errorf("script %s", script)
		}
	}
}

func TestTheFlowsFormIsAContract(t *testing.T) {
	var got any
	if err := json.Unmarshal([]byte(body(t, do(handler(nil), request{method: "GET", path: "/v1/flow"}))), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"node":   map[string]any{"version": "v1", "broker": "embedded", "kafka": "127.0.0.1:9092", "uptimeMs": 5.0, "directory": "/data"},
		"topics": []any{map[string]any{"name": "in", "partitions": 2.0, "bytes": 0.0, "records": 10.0, "rate": 1.5}},
		"pipelines": []any{map[string]any{
			"name": "p", "state": "failed", "error": "bad record <script>", "sources": []any{"in"}, "sinks": []any{"out"}, "processed": 9.0,
			"epochs": 0.0, "behindMs": 0.0, "rate": 0.0, "lag": 1.0, "dropped": map[string]any{"null key": 2.0}, "topology": "text",
		}},
		"sinks": []any{map[string]any{
			"name": "s", "target": "db", "state": "running", "topics": []any{"out"}, "delivered": 0.0, "rate": 0.0, "lag": 0.0,
			"freshnessP50Ms": -1.0, "freshnessP99Ms": -1.0,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheStatusHasTheFlowAndWhatIsWrong(t *testing.T) {
	var got Status
	if err := json.Unmarshal([]byte(body(t, do(handler(nil), request{method: "GET", path: "/v1/status"}))), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Pipelines) != 1 || got.Node.Version != "v1" || len(got.Problems) != 1 || got.Problems[0].Code != "pipeline_failed" {
		t.Errorf("%+v", got)
	}
}

func TestEventsComeAtOnceAndThenEverySecond(t *testing.T) {
	for wait, want := range map[time.Duration]int{0: 1, 3*time.Second + time.Millisecond: 4} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			r := httptest.NewRequestWithContext(ctx, "GET", "http://localhost/v1/events", nil)
			w := httptest.NewRecorder()
			done := make(chan struct{})
			go func() {
				defer close(done)
				handler(nil).ServeHTTP(w, r)
			}()
			time.Sleep(wait)
			synctest.Wait()
			cancel()
			<-done
			checkEvents(t, w, want)
		})
	}
}

func checkEvents(t *testing.T, w *httptest.ResponseRecorder, want int) {
	t.Helper()
	events := strings.Split(strings.TrimSuffix(w.Body.String(), "\n\n"), "\n\n")
	if len(events) != want || !w.Flushed || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("%d events, want %d; flushed %t", len(events), want, w.Flushed)
	}
	for _, e := range events {
		var f Flow
		data, ok := strings.CutPrefix(e, "data: ")
		if err := json.Unmarshal([]byte(data), &f); !ok || err != nil || f.Pipelines[0].Name != "p" {
			t.Errorf("event %.60q: %v", e, err)
		}
	}
}

// pipes is a listener whose connections are in memory: their deadlines follow the bubble's time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// askForEvents serves over pipes until ctx ends, and sends the request for the stream on one of them.
func askForEvents(ctx context.Context, t *testing.T) (l *pipes, ours net.Conn, served chan error) {
	t.Helper()
	l, served = &pipes{make(chan net.Conn), make(chan struct{})}, make(chan error, 1)
	go func() { served <- Serve(ctx, l, handler(nil)) }()
	ours, theirs := net.Pipe()
	l.conns <- theirs
	if _, err := io.WriteString(ours, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return l, ours, served
}

func TestAReaderThatStopsReadingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, ours, served := askForEvents(ctx, t)
		r := bufio.NewReader(ours)
		if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatal(line, err)
		}
		began := time.Now()
		time.Sleep(eventPatience + 5*time.Second) // reads nothing
		_, err := io.Copy(io.Discard, r)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		if took := time.Since(began); err != nil || took > eventPatience+6*time.Second {
			t.Errorf("still served after %s, %v", took, err)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = ours.Close()
	})
}

func TestServeEndsItsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l, ours, served := askForEvents(ctx, t)
		defer ours.Close()
		r, err := http.ReadResponse(bufio.NewReader(ours), nil)
		if err != nil {
			t.Fatal(err)
		}
		events := bufio.NewReader(r.Body)
		if line, err := events.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
			t.Fatal(line, err)
		}
		began := time.Now()
		cancel()
		if _, err := io.Copy(io.Discard, events); err != nil {
			t.Errorf("the stream was cut, not ended: %v", err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("ended after %s", took)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener is still open: %v", err)
		}
	})
}

func TestServeReportsAListenerThatBreaks(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := Serve(t.Context(), l, handler(nil)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestConsolesUseTheNodesName: their programs post without Origin, which no browser does.
func TestConsolesUseTheNodesName(t *testing.T) {
	for _, tt := range []struct {
		request
		want int
	}{
		{request{"POST", "/v1/flow", "node.example:8080", ""}, http.StatusNotFound},
		{request{"POST", "/v1/flow", "node.example:8080", "http://node.example:8080"}, http.StatusForbidden},
		{request{"GET", "/v1/flow", "node.example:8080", ""}, http.StatusForbidden},
	} {
		if got := do(handler(nil), tt.request).StatusCode; got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.request, got, tt.want)
		}
	}
}

// TestTheRootIsAPageForPeople and something else for programs.
func TestTheRootIsAPageForPeople(t *testing.T) {
	programs := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
	h := New(Options{Metrics: http.NotFoundHandler(), Clock: clock.System, Also: map[string]http.HandlerFunc{"GET /{$}": programs}})
	for accept, want := range map[string]int{"": 200, "*/*": 200, "text/html, application/json": 200, "application/json": http.StatusTeapot} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Accept %q: %d, want %d", accept, w.Code, want)
		}
	}
}
