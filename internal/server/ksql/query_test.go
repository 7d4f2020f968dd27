package ksql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/server/ksql"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/row"
)

// A result is made-up rows: batches that are given to it, until it is closed.
type result struct {
	header  query.Header
	batches chan []query.Row // closed: the query is complete
	final   string
	failure error // comes after the batches
	once    sync.Once
	closed  chan struct{}
}

func newResult(push bool, batches ...[]query.Row) *result {
	r := &result{
		header: query.Header{ID: "q1", Push: push, Columns: []query.Column{
			{Name: "ID", Type: row.StringType, Key: true}, {Name: "N", Type: row.Bigint},
		}},
		batches: make(chan []query.Row, 10), closed: make(chan struct{}),
	}
	for _, b := range batches {
		r.batches <- b
	}
	return r
}

func (r *result) Header() query.Header { return r.header }
func (r *result) Final() string        { return r.final }
func (r *result) Close()               { r.once.Do(func() { close(r.closed) }) }

func (r *result) Next(ctx context.Context) ([]query.Row, error) {
	select {
	case b, ok := <-r.batches:
		switch {
		case ok:
			return b, nil
		case r.failure != nil:
			return nil, r.failure
		}
		return nil, io.EOF
	case <-r.closed:
		return nil, query.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *result) complete(final string, err error) *result {
	r.final, r.failure = final, err
	close(r.batches)
	return r
}

// A fake serves one result.
type fake struct {
	rows   *result
	refuse error
	asked  ksql.Request
	target ast.Name
}

func (f *fake) Exec(context.Context, ksql.Request) ([]ksql.Result, error) { return nil, f.refuse }
func (f *fake) Info() ksql.Info                                           { return ksql.Info{Version: "1", Cluster: "c"} }

func (f *fake) Query(_ context.Context, r ksql.Request) (query.Rows, error) {
	f.asked = r
	if f.refuse != nil {
		return nil, f.refuse
	}
	return f.rows, nil
}

func (f *fake) Print(context.Context, ksql.Request) (ksql.Lines, error) {
	return printed{f.rows}, f.refuse
}

// printed shows a result's first columns as lines.
type printed struct{ *result }

func (p printed) Next(ctx context.Context) (lines []string, err error) {
	rows, err := p.result.Next(ctx)
	for _, r := range rows {
		lines = append(lines, r.Values.At(0).Text())
	}
	return lines, err
}

func (f *fake) Insert(context.Context, ast.Name) (ksql.Inserter, error) { return nil, f.refuse }

func handler(s ksql.Server) http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range ksql.Paths(s, clock.System) {
		mux.HandleFunc(pattern, handler)
	}
	return mux
}

// open serves s over HTTP/1.1 and HTTP/2, and returns a client of the version.
func open(t *testing.T, s ksql.Server, version int) (url string, c *http.Client) {
	t.Helper()
	var server, client http.Protocols
	server.SetHTTP1(true)
	server.SetUnencryptedHTTP2(true)
	client.SetHTTP1(version == 1)
	client.SetUnencryptedHTTP2(version == 2)
	web := httptest.NewUnstartedServer(handler(s))
	web.Config.Protocols = &server
	web.Start()
	transport := &http.Transport{Protocols: &client}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		web.Close()
	})
	return web.URL, &http.Client{Transport: transport}
}

func post(t *testing.T, c *http.Client, url, accept, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func rowsOf(ids ...string) []query.Row {
	out := make([]query.Row, len(ids))
	for i, id := range ids {
		out[i] = query.Row{Values: row.NewRow(row.NewString(id), row.NewBigint(int64(i)))}
	}
	return out
}

const (
	plainHead = `{"queryId":"q1","columnNames":["ID","N"],"columnTypes":["STRING","BIGINT"]}`
	pullHead  = `[{"header":{"queryId":"q1","schema":"` + "`ID` STRING KEY, `N` BIGINT" + `"}}`
)

func TestResultsByPathAndMediaType(t *testing.T) {
	streamed := pullHead + ",\n" + `{"row":{"columns":["a",0]}}` + ",\n" + `{"row":{"columns":["b",1]}}` + ",\n" + `{"row":{"columns":["c",0]}}` +
		",\n" + `{"finalMessage":"Query Completed"}]`
	delimited := plainHead + "\n" + `["a",0]` + "\n" + `["b",1]` + "\n" + `["c",0]` + "\n"
	array := "[" + plainHead + `,["a",0],["b",1],["c",0]]`
	const v1, lines = "application/vnd.ksql.v1+json", "application/vnd.ksqlapi.delimited.v1"
	for name, tt := range map[string]struct{ path, accept, media, want string }{
		"query":                     {"/query", "", v1, streamed},
		"query, versioned":          {"/query", v1, v1, streamed},
		"query, JSON":               {"/query", "application/json", "application/json", streamed},
		"query, anything":           {"/query", "text/html, */*;q=0.1", v1, streamed},
		"query, lines":              {"/query", lines, lines, delimited},
		"query-stream":              {"/query-stream", "", lines, delimited},
		"query-stream, JSON":        {"/query-stream", "application/json", "application/json", array},
		"query-stream, versioned":   {"/query-stream", v1, v1, streamed},
		"query-stream, wanted most": {"/query-stream", lines + ";q=0.5, application/json;q=0.9", "application/json", array},
	} {
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, HTTP/%d", name, version), func(t *testing.T) {
				f := &fake{rows: newResult(false, rowsOf("a", "b"), rowsOf("c")).complete("Query Completed", nil)}
				url, c := open(t, f, version)
				body := `{"ksql": "SELECT 1;", "streamsProperties": {"p": 1, "q": "x", "r": true}, "sessionVariables": {"v": "w"}, "requestProperties": {}}`
				if tt.path == "/query-stream" {
					body = `{"sql": "SELECT 1;", "properties": {"p": 1, "q": "x", "r": true}, "sessionVariables": {"v": "w"}}`
				}
				resp := post(t, c, url+tt.path, tt.accept, body)
				got, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != 200 || resp.ProtoMajor != version || resp.Header.Get("Content-Type") != tt.media {
					t.Fatalf("%s %d %s: %v", resp.Proto, resp.StatusCode, resp.Header.Get("Content-Type"), err)
				}
				if string(got) != tt.want {
					t.Errorf("%s\nwant\n%s", got, tt.want)
				}
				if fmt.Sprint(f.asked) != "{SELECT 1; map[p:1 q:x r:true] map[v:w]}" {
					t.Errorf("asked %v", f.asked)
				}
				<-f.rows.closed
			})
		}
	}
}

// TestRowsOfAPushQueryComeAtOnce also closes the query by its id, from another connection.
func TestRowsOfAPushQueryComeAtOnce(t *testing.T) {
	for _, version := range []int{1, 2} {
		f := &fake{rows: newResult(true)}
		url, c := open(t, f, version)
		resp := post(t, c, url+"/query", "", `{"ksql": "SELECT 1 FROM s EMIT CHANGES;"}`)
		want := func(text string) {
			t.Helper()
			got := make([]byte, len(text))
			if n, err := io.ReadFull(resp.Body, got); string(got[:n]) != text {
				t.Fatalf("%q, want %q: %v", got[:n], text, err)
			}
		}
		want(strings.ReplaceAll(pullHead, " KEY", "") + ",\n")
		f.rows.batches <- rowsOf("a")
		want(`{"row":{"columns":["a",0]}}` + ",\n")
		if other := post(t, c, url+"/close-query", "", `{"queryId": "q2"}`); other.StatusCode != 400 {
			t.Errorf("an unknown query was closed: %d", other.StatusCode)
		}
		if closed := post(t, c, url+"/close-query", "", `{"queryId": "q1"}`); closed.StatusCode != 200 {
			t.Fatalf("not closed: %d", closed.StatusCode)
		}
		want(`{"finalMessage":"Query Completed"}]`)
		if n, err := resp.Body.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes more, %v", n, err)
		}
		<-f.rows.closed
	}
}

func TestAClientThatGoesEndsItsQuery(t *testing.T) {
	for _, version := range []int{1, 2} {
		f := &fake{rows: newResult(true)}
		url, c := open(t, f, version)
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/query-stream", strings.NewReader(`{"sql": "SELECT 1 FROM s EMIT CHANGES;"}`))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		leave()
		<-f.rows.closed
		resp.Body.Close()
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

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestAClientThatStopsReadingEndsItsQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{rows: newResult(true, rowsOf("a"))}
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		srv := &http.Server{Handler: handler(f)}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		ours, theirs := net.Pipe()
		l.conns <- theirs
		body := `{"ksql": "SELECT 1 FROM s EMIT CHANGES;"}`
		if _, err := fmt.Fprintf(ours, "POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		<-f.rows.closed // nothing is read
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		ours.Close()
	})
}

func TestErrorsOfQueries(t *testing.T) {
	refused := &session.StatementError{Phase: session.Plan, Statement: "SELECT x FROM s;", Err: errors.New("no column x")}
	push := &session.StatementError{Phase: session.Plan, Statement: "SELECT x FROM s EMIT CHANGES;", Err: errors.New("no column x")}
	const ofStatement = `400 {"@type":"statement_error","entities":[],"error_code":40001,"message":"no column x","statementText":"SELECT x FROM s;"}`
	const generic = `500 {"@type":"generic_error","error_code":50000,"message":"lost"}`
	for name, tt := range map[string]struct {
		refuse error
		rows   *result
		body   string
		accept string
		want   string
	}{
		"pull, refused":        {refuse: refused, want: ofStatement},
		"push, refused":        {refuse: push, want: `400 {"@type":"generic_error","error_code":40000,"message":"no column x"}`},
		"the server's":         {refuse: errors.New("lost"), want: generic},
		"before the first row": {rows: newResult(false).complete("", errors.New("lost")), want: generic},
		"after a row": {
			rows: newResult(false, rowsOf("a")).complete("", errors.New("lost")),
			want: `200 ` + pullHead + ",\n" + `{"row":{"columns":["a",0]}}` + ",\n" + `{"errorMessage":{"@type":"generic_error","error_code":50000,"message":"lost"}}]`,
		},
		"another's token": {body: `{"ksql": "SELECT 1;", "requestProperties": {"request.ksql.query.pull.consistency.token": "AQ=="}}`, want: `400 {"@type":"generic_error","error_code":40000,"message":"the token in request.ksql.query.pull.consistency.token is none of this server`},
		"no token yet":    {body: `{"ksql": "SELECT 1;", "requestProperties": {"request.ksql.query.push.continuation.token": ""}}`, refuse: errors.New("lost"), want: generic},
		"no JSON":         {body: `{"ksql"`, want: `400 {"@type":"generic_error","error_code":40000,"message":"The request body is not JSON of the form that this path takes: unexpected end of JSON input"}`},
		"no query":        {body: `{"sql": "SELECT 1;"}`, want: `400 {"@type":"generic_error","error_code":40000,"message":"\"ksql\" field must be populated"}`},
		"too large":       {body: `{"ksql": "` + strings.Repeat(" ", 16<<20) + `"}`, want: `413 {"@type":"generic_error","error_code":41300,"message":"The request body is larger than the 16 MiB that are allowed"}`},
		"not in HTML":     {accept: "text/html", want: `406 {"@type":"generic_error","error_code":40600,`},
		"not in Protobuf": {accept: "application/vnd.ksql.v1+protobuf", rows: &result{header: query.Header{ID: "q", Columns: []query.Column{{Name: "a b", Type: row.Int}}}, closed: make(chan struct{})}, want: `406 {"@type":"generic_error","error_code":40600,"message":"rows in Protobuf: `},
	} {
		t.Run(name, func(t *testing.T) {
			url, c := open(t, &fake{refuse: tt.refuse, rows: tt.rows}, 1)
			if tt.body == "" {
				tt.body = `{"ksql": "SELECT x FROM s;"}`
			}
			resp := post(t, c, url+"/query", tt.accept, tt.body)
			body, err := io.ReadAll(resp.Body)
			if got := fmt.Sprintf("%d %s", resp.StatusCode, body); err != nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
			if tt.rows != nil {
				<-tt.rows.closed
			}
		})
	}
}

func TestPrintIsLinesOfText(t *testing.T) {
	for want, rows := range map[string]*result{
		"a\nb\nc\n":            newResult(false, rowsOf("a", "b"), rowsOf("c")).complete("", nil),
		"a\nError: it broke\n": newResult(false, rowsOf("a")).complete("", errors.New("it broke")),
	} {
		url, c := open(t, &fake{rows: rows}, 1)
		resp := post(t, c, url+"/query", "application/vnd.ksql.v1+json, text/plain, */*", `{"ksql": "print 'a' LIMIT 3;"}`)
		body, err := io.ReadAll(resp.Body)
		if string(body) != want || err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%q, want %q: %v", body, want, err)
		}
		<-rows.closed
	}
}
