// Package httpapi serves the node's HTTP API and its page: what flows where, how fresh it is, and what is stuck.
//
// The root hands in functions that describe the node; nothing here reaches back. Paths:
//
//	/            the page: it speaks only the API below
//	/v1/flow     the flow as JSON
//	/v1/status   the flow, groups, storage and problems as JSON
//	/v1/events   the flow as server-sent events, one a second at most
//	/metrics     Prometheus text
//	/livez       200 while the process runs
//	/readyz      200 when the node serves, else 503 with the reason
//
// Anything else is 404 as JSON. Requests with a foreign Host or Origin are refused (DNS rebinding), and the page's scripts and
// styles come from the binary only. Not here: views, SQL, authentication.
package httpapi

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
)

//go:embed page
var page embed.FS

// A Flow is everything the page shows. Counts are records, ages and freshness milliseconds; -1 means not known.
type Flow struct {
	Node      Node       `json:"node"`
	Topics    []Topic    `json:"topics"`
	Pipelines []Pipeline `json:"pipelines"`
	Sinks     []Sink     `json:"sinks"`
}

// Node is the process.
type Node struct {
	Version   string `json:"version"`
	Broker    string `json:"broker"` // "embedded" or the cluster's address
	Kafka     string `json:"kafka"`  // where clients connect
	UptimeMs  int64  `json:"uptimeMs"`
	Directory string `json:"directory"`
}

// A Topic with its records in the log and records per second over the last seconds.
type Topic struct {
	Name       string  `json:"name"`
	Partitions int32   `json:"partitions"`
	Bytes      int64   `json:"bytes"` // of its logs; -1 not known
	Records    int64   `json:"records"`
	Rate       float64 `json:"rate"`
}

// A Pipeline reads Sources and writes Sinks.
type Pipeline struct {
	Name      string           `json:"name"`
	State     string           `json:"state"`
	Error     string           `json:"error,omitempty"`
	Sources   []string         `json:"sources"`
	Sinks     []string         `json:"sinks"`
	Processed int64            `json:"processed"`
	Epochs    int64            `json:"epochs"`
	BehindMs  int64            `json:"behindMs"` // age of the oldest record that waits; -1 not known
	Rate      float64          `json:"rate"`
	Lag       int64            `json:"lag"`
	Dropped   map[string]int64 `json:"dropped,omitempty"`
	Topology  string           `json:"topology"`
}

// A Sink writes Topics into Target.
type Sink struct {
	Name         string   `json:"name"`
	Target       string   `json:"target"`
	State        string   `json:"state"`
	Error        string   `json:"error,omitempty"`
	Topics       []string `json:"topics"`
	Delivered    int64    `json:"delivered"`
	Rate         float64  `json:"rate"`
	Lag          int64    `json:"lag"`
	FreshnessP50 int64    `json:"freshnessP50Ms"`
	FreshnessP99 int64    `json:"freshnessP99Ms"`
	Link         string   `json:"link,omitempty"` // where a person sees the result
}

// Options of New. All functions are called from request goroutines.
type Options struct {
	Flow   func() Flow
	Status func(ctx context.Context) Status
	Ready  func() error
	// Pause pauses a pipeline, or resumes it. The error is that of an unknown name.
	Pause   func(pipeline string, paused bool) error
	Metrics http.Handler
	Clock   clock.Clock
	// Also are more paths, by their patterns.
	Also map[string]http.HandlerFunc
}

// New returns the handler of all paths.
func New(o Options) http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the embedded folder is part of the binary
	}
	mux := http.NewServeMux()
	mux.HandleFunc(rootPattern, root(http.FileServerFS(files), o.Also[rootPattern]))
	mux.Handle("GET /app.js", http.FileServerFS(files))
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /v1/flow", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, o.Flow()) })
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, o.Status(r.Context()))
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) { events(w, r, o) })
	mux.HandleFunc("POST /v1/pipelines/{name}/pause", func(w http.ResponseWriter, r *http.Request) { pause(w, r, o, true) })
	mux.HandleFunc("POST /v1/pipelines/{name}/resume", func(w http.ResponseWriter, r *http.Request) { pause(w, r, o, false) })
	mux.Handle("GET /metrics", o.Metrics)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := o.Ready(); err != nil {
			writeJSON(w, http.StatusServiceUnavailable, problem{"not_ready", err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	for pattern, f := range o.Also {
		if pattern != rootPattern {
			mux.HandleFunc(pattern, f)
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusNotFound, problem{"not_found", "there is nothing at " + r.URL.Path + "; see / and /v1/flow"})
	})
	return guard(mux)
}

// rootPattern is the page, and for programs what Also has there.
const rootPattern = "GET /{$}"

// root serves the page to people; programs, which want JSON and no HTML, get what is theirs.
func root(page http.Handler, programs http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if accept := r.Header.Get("Accept"); programs != nil && strings.Contains(accept, "json") && !strings.Contains(accept, "html") {
			programs(w, r)
			return
		}
		page.ServeHTTP(w, r)
	}
}

// pause pauses or resumes the pipeline that the path names.
func pause(w http.ResponseWriter, r *http.Request, o Options, paused bool) {
	if err := o.Pause(r.PathValue("name"), paused); err != nil {
		writeJSON(w, http.StatusNotFound, problem{"unknown_pipeline", err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"paused": paused})
}

type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// guard refuses what a page on another site could send through a visitor's browser, and sets the headers every answer carries.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if !hostAllowed(r.Host) && !program(r) {
			writeJSON(w, http.StatusForbidden, problem{"foreign_host", "this node answers under its address or localhost only"})
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r.Host) {
			writeJSON(w, http.StatusForbidden, problem{"foreign_origin", "requests from other sites are refused"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostAllowed accepts addresses and localhost: a name that an attacker points at 127.0.0.1 is refused.
func hostAllowed(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	return strings.EqualFold(host, "localhost") || net.ParseIP(host) != nil
}

// program tells a request that no page in a browser sent: browsers send Origin with every POST. Consoles reach the node by the name that it
// has in their network.
func program(r *http.Request) bool {
	return r.Method == http.MethodPost && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == ""
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host == host
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(true)
	_ = enc.Encode(v) // the client went away: nobody is left to tell
}

// How long a client may take to read an event, and any other answer.
const (
	eventPatience  = 10 * time.Second
	answerPatience = time.Minute
)

// events sends the flow at once and then every second until the client leaves.
func events(w http.ResponseWriter, r *http.Request, o Options) {
	rc := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	for {
		_ = rc.SetWriteDeadline(o.Clock.Now().Add(eventPatience)) // a reader that stops reading is dropped
		if err := sendEvent(w, o.Flow()); err != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-o.Clock.After(time.Second):
		}
	}
}

func sendEvent(w http.ResponseWriter, f Flow) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{[]byte("data: "), b, []byte("\n\n")} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// protocols are HTTP/1.1 and, for clients that begin with it, HTTP/2 without TLS.
func protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// Serve answers on l until ctx ends; requests under way get a moment to finish.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	base, cancel := context.WithCancel(ctx)
	defer cancel()
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: answerPatience, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return base }, Protocols: protocols(),
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-base.Done()
		drain, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer done()
		if srv.Shutdown(drain) != nil {
			_ = srv.Close() // streams that don't end by themselves
		}
	}()
	err := srv.Serve(l)
	cancel()
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
