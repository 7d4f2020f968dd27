package qtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// The media types of requests and answers.
const (
	typeKSQL     = "application/vnd.ksql.v1+json"
	typeProtobuf = "application/vnd.ksql.v1+protobuf"
)

// A restClient sends statements as ksqlDB's own clients do.
type restClient struct {
	url        string
	properties map[string]any
}

// A restRefusal is an answer that is not 200.
type restRefusal struct {
	status int
	Type   string `json:"@type"` // "statement_error", "generic_error"
	Code   int    `json:"error_code"`
	Text   string `json:"message"`
}

func (r *restRefusal) Error() string { return fmt.Sprintf("%d %s: %s", r.status, r.Type, r.Text) }

// statements sends a script to /ksql and returns the entities of the answer.
func (c restClient) statements(ctx context.Context, script string) ([]any, error) {
	body := map[string]any{"ksql": script, "streamsProperties": c.properties}
	answer, err := c.post(ctx, "/ksql", typeKSQL, body)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	text, err := io.ReadAll(answer)
	if err != nil {
		return nil, err
	}
	v, err := parseJSON(text)
	if err != nil {
		return nil, fmt.Errorf("answer %q: %w", text, err)
	}
	entities, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("the answer is no list: %s", text)
	}
	return entities, nil
}

// query sends a query to /query and returns its rows as they come.
func (c restClient) query(ctx context.Context, text string) (*restRows, error) {
	answer, err := c.post(ctx, "/query", typeKSQL, map[string]any{"ksql": text, "streamsProperties": c.properties})
	if err != nil {
		return nil, err
	}
	return newRows(answer), nil
}

// protobufQuery sends a query to /query-stream for rows in Protobuf.
func (c restClient) protobufQuery(ctx context.Context, text string) (*restRows, error) {
	answer, err := c.post(ctx, "/query-stream", typeProtobuf, map[string]any{"sql": text, "properties": c.properties})
	if err != nil {
		return nil, err
	}
	return newRows(answer), nil
}

func (c restClient) post(ctx context.Context, path, accept string, body map[string]any) (io.ReadCloser, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", typeKSQL)
	request.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	refusal := &restRefusal{status: answer.StatusCode}
	text, err = io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, refusal); err != nil {
		refusal.Text = string(text)
	}
	return nil, refusal
}

// restRows are the elements of an answer that is a list, which may be long in coming.
type restRows struct {
	body   io.ReadCloser
	d      *json.Decoder
	opened bool
}

func newRows(body io.ReadCloser) *restRows {
	d := json.NewDecoder(body)
	d.UseNumber()
	return &restRows{body: body, d: d}
}

// next returns the next row; io.EOF after the last one.
func (r *restRows) next() (any, error) {
	if !r.opened {
		token, err := r.d.Token()
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		if token != json.Delim('[') {
			return nil, fmt.Errorf("the answer begins with %v, not with [", token)
		}
		r.opened = true
	}
	if !r.d.More() {
		if _, err := r.d.Token(); err != nil {
			return nil, fmt.Errorf("the answer is cut off: %v", err) // an io.EOF would say that it is complete
		}
		return nil, io.EOF
	}
	return readJSON(r.d)
}

// rest returns the rows that are left.
func (r *restRows) rest() (rows []any, err error) {
	for {
		row, err := r.next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}

func (r *restRows) close() error { return r.body.Close() }
