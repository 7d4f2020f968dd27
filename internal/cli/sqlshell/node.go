package sqlshell

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/parse"
)

// maxLine bounds a row of a result.
const maxLine = 64 << 20

const (
	mediaKSQL      = "application/vnd.ksql.v1+json"
	mediaDelimited = "application/vnd.ksqlapi.delimited.v1"
)

// An answer is what the node says to a statement that it refuses.
type answer struct {
	Message string `json:"message"`
}

// ask sends a request to the node; the body is the caller's to close. An answer that refuses the statement is an error.
func (s *shell) ask(ctx context.Context, path, accept, statement string, body any) (io.ReadCloser, error) {
	method, content := http.MethodGet, io.Reader(nil)
	if body != nil {
		method, content = http.MethodPost, bytes.NewReader(marshal(body))
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+strings.TrimPrefix(s.address, "http://")+path, content)
	if err != nil {
		return nil, &Failure{"address", err, "give --server as host:port"}
	}
	req.Header.Set("Content-Type", mediaKSQL)
	req.Header.Set("Accept", accept)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, &Failure{"unreachable", fmt.Errorf("no node answers at http://%s: %w", s.address, err), "start one with `mainstem dev`, or name its HTTP address with --server"}
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Message == "" {
		return nil, &Failure{"refused", fmt.Errorf("the node answered %s", resp.Status), "look into the node's log"}
	}
	return nil, refused(a.Message+placeOf(a.Message, statement), nil)
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings and what came from JSON
	}
	return b
}

// placeOf is the line of a statement that the node's message names, with a mark; empty if it names none.
func placeOf(message, statement string) string {
	var at parse.Position
	if n, _ := fmt.Sscanf(message, "Line: %d, Col: %d:", &at.Line, &at.Col); n < 2 {
		return ""
	}
	marked := parse.CaretAt(statement, at)
	if marked == "" {
		return ""
	}
	return "\n" + marked
}

// checkSetting asks whether there is a setting of a name.
func (s *shell) checkSetting(ctx context.Context, name string) error {
	body, err := s.ask(ctx, "/is_valid_property/"+url.PathEscape(name), mediaKSQL, "", nil)
	if err != nil {
		return err
	}
	return body.Close()
}

// entities has the node execute one statement and shows what it says.
func (s *shell) entities(ctx context.Context, statement string) error {
	body, err := s.ask(ctx, "/ksql", mediaKSQL, statement, map[string]any{"ksql": statement, "streamsProperties": s.settings})
	if err != nil {
		return err
	}
	defer body.Close()
	var all []json.RawMessage
	if err := json.NewDecoder(body).Decode(&all); err != nil {
		return &Failure{"answer", fmt.Errorf("read the node's answer: %w", err), ""}
	}
	for _, e := range all {
		if err := s.show(e); err != nil {
			return &Failure{"output", err, ""}
		}
	}
	return nil
}

// selectRows shows the rows of a query until it ends, or the user ends it.
func (s *shell) selectRows(ctx context.Context, statement string, push bool) error {
	body, err := s.ask(ctx, "/query-stream", mediaDelimited, statement, map[string]any{"sql": statement, "properties": s.settings})
	if err != nil {
		return ended(ctx, err)
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	r := &rowPrinter{shell: s, push: push}
	for lines.Scan() {
		if err := r.line(lines.Bytes(), statement); err != nil {
			return err
		}
	}
	if err := r.close(); err != nil {
		return &Failure{"output", err, ""}
	}
	if err := lines.Err(); err != nil {
		return ended(ctx, &Failure{"answer", fmt.Errorf("read the rows: %w", err), "look into the node's log"})
	}
	return nil
}

// ended is nil where the user ended what failed.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// print shows the records of a topic.
func (s *shell) print(ctx context.Context, statement string) error {
	body, err := s.ask(ctx, "/query", mediaKSQL+", text/plain, */*", statement, map[string]any{"ksql": statement, "streamsProperties": s.settings})
	if err != nil {
		return ended(ctx, err)
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue // sent to keep the connection
		}
		if _, err := fmt.Fprintf(s.out, "%s\n", lines.Bytes()); err != nil {
			return &Failure{"output", err, ""}
		}
	}
	if err := lines.Err(); err != nil {
		return ended(ctx, &Failure{"answer", fmt.Errorf("read the records: %w", err), "look into the node's log"})
	}
	return nil
}
