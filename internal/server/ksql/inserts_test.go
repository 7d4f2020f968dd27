package ksql_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/server/ksql"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/row"
)

// A sink takes rows in the place of a stream.
type sink struct {
	fake
	written []map[string]row.Value
	lost    error
}

func (s *sink) Insert(_ context.Context, target ast.Name) (ksql.Inserter, error) {
	s.target = target
	return sinkRows{s}, s.refuse
}

type sinkRows struct{ *sink }

func (s sinkRows) Columns() (key, value row.Schema) {
	return row.Schema{{Name: "ID", Type: row.StringType}}, row.Schema{{Name: "N", Type: row.Bigint}, {Name: "small", Type: row.DecimalType(3, 1)}}
}

func (s sinkRows) Insert(_ context.Context, rows []map[string]row.Value) error {
	if s.lost != nil {
		return s.lost
	}
	s.written = append(s.written, rows...)
	return nil
}

func TestInserts(t *testing.T) {
	const ok = `{"seq":0,"status":"ok"}` + "\n" + `{"seq":1,"status":"ok"}` + "\n"
	refused := func(seq int, code int, message string) string {
		return fmt.Sprintf(`{"@type":"insert_error","error_code":%d,"message":%q,"seq":%d,"status":"error"}`, code, message, seq) + "\n"
	}
	for name, tt := range map[string]struct {
		body, accept string
		lost, refuse error
		want         string
		written      string
		target       string
	}{
		"two rows":       {body: "{\"target\": \"s\"}\n{\"id\": \"a\", \"N\": 1}\n\n{\"ID\": \"b\", \"`small`\": \"2.25\"}", want: "200 " + ok, written: "a 1 null, b null 2.3", target: "S"},
		"in an array":    {body: "{\"target\": \"`s`\"}\n{\"id\": \"a\"}\n{\"id\": \"b\"}\n", accept: "application/json", want: `200 [{"seq":0,"status":"ok"},{"seq":1,"status":"ok"}]`, written: "a null null, b null null", target: "s"},
		"none":           {body: "{\"target\": \"s\"}\n", accept: "application/json", want: `200 []`, target: "S"},
		"a bad value":    {body: "{\"target\": \"s\"}\n{\"id\": \"a\"}\n{\"id\": \"b\", \"n\": \"x\"}\n{\"id\": \"c\"}\n", want: "200 " + `{"seq":0,"status":"ok"}` + "\n" + refused(1, 40000, "Can't coerce the value of N into type BIGINT: not a whole number"), written: "a null null", target: "S"},
		"no key":         {body: "{\"target\": \"s\"}\n{\"n\": 1}\n", want: "200 " + refused(0, 40000, "Key field must be specified: ID"), target: "S"},
		"a column twice": {body: "{\"target\": \"s\"}\n{\"id\": \"a\", \"n\": 1, \"N\": 2}\n", want: "200 " + refused(0, 40000, "Found multiple values for the same column N"), target: "S"},
		"no JSON":        {body: "{\"target\": \"s\"}\n[1]\n", want: "200 " + refused(0, 40000, "Invalid JSON in inserts stream"), target: "S"},
		"a long row":     {body: "{\"target\": \"s\"}\n{\"id\": \"" + strings.Repeat("a", 4<<20) + "\"}\n", want: "200 " + refused(0, 40000, "a row of more than 4194304 bytes"), target: "S"},
		"not written":    {body: "{\"target\": \"s\"}\n{\"id\": \"a\"}\n", lost: errors.New("the disk is full"), want: "200 " + refused(0, 50000, "the disk is full"), target: "S"},
		"no target":      {body: "{}\n", want: `400 {"@type":"generic_error","error_code":40000,"message":"Missing required creator property 'target'"}`},
		"no first line":  {body: "", want: `400 {"@type":"generic_error","error_code":40000,"message":"The first line is not JSON`},
		"unknown stream": {body: "{\"target\": \"s\"}\n", refuse: errors.New("no such stream"), want: `500 {"@type":"generic_error","error_code":50000,"message":"no such stream"}`, target: "S"},
	} {
		// What is too long is so by a few bytes: behind an answer that leaves much of the request unread the connection is reset.
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, HTTP/%d", name, version), func(t *testing.T) {
				s := &sink{fake: fake{refuse: tt.refuse}, lost: tt.lost}
				url, c := open(t, s, version)
				resp := post(t, c, url+"/inserts-stream", tt.accept, tt.body)
				body, err := io.ReadAll(resp.Body)
				if got := fmt.Sprintf("%d %s", resp.StatusCode, body); err != nil || !strings.HasPrefix(got, tt.want) {
					t.Errorf("%s\nwant\n%s\n%v", got, tt.want, err)
				}
				if got := written(s.written); got != tt.written || s.target.Text != tt.target {
					t.Errorf("written %q into %q, want %q", got, s.target.Text, tt.written)
				}
			})
		}
	}
}

func written(rows []map[string]row.Value) string {
	var out []string
	for _, r := range rows {
		n, small := "null", "null"
		if !r["N"].IsNull() {
			n = fmt.Sprint(r["N"].Int64())
		}
		if !r["small"].IsNull() {
			small = r["small"].Decimal().String()
		}
		out = append(out, strings.Join([]string{r["ID"].Text(), n, small}, " "))
	}
	return strings.Join(out, ", ")
}

// TestRowsAreAcknowledgedWhileTheRequestGoesOn sends a row only when the one before is acknowledged.
func TestRowsAreAcknowledgedWhileTheRequestGoesOn(t *testing.T) {
	for _, version := range []int{1, 2} {
		s := &sink{}
		url, c := open(t, s, version)
		in, out := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/inserts-stream", in)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(out, "{\"target\": \"s\"}\n") }()
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		for seq := range 3 {
			if _, err := fmt.Fprintf(out, "{\"id\": \"%d\"}\n", seq); err != nil {
				t.Fatal(err)
			}
			if !lines.Scan() || lines.Text() != fmt.Sprintf(`{"seq":%d,"status":"ok"}`, seq) {
				t.Fatalf("HTTP/%d, row %d: %q %v", version, seq, lines.Text(), lines.Err())
			}
		}
		out.Close()
		if lines.Scan() {
			t.Errorf("one line more: %q", lines.Text())
		}
		resp.Body.Close()
	}
}
