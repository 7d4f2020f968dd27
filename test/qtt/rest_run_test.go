package qtt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// restLimit is how long the requests of a case may take together.
const restLimit = 2 * time.Minute

// A restRun is one REST case on its server.
type restRun struct {
	c         *testCase
	server    Server
	client    restClient
	shadow    Driver // knows the sources that the server was told of
	codecs    *topicCodecs
	responses []restResponse
}

// A restResponse is the answer to one statement: an entity, rows, or rows in Protobuf.
type restResponse struct {
	kind   string // "admin", "query", "queryProto"
	entity any
	rows   []any
}

// A restFailed is an answer with an error.
type restFailed struct {
	last bool // it is the answer to the last request
	err  error
}

// runREST runs a REST case and judges it.
func runREST(c *testCase, open openREST) (v verdict) {
	if reason := c.skipReason(); reason != "" {
		return verdict{skipped: reason}
	}
	registry := NewRegistry()
	server, err := open(registry)
	if err != nil {
		return verdict{err: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), restLimit)
	defer cancel()
	r := &restRun{c: c, server: server}
	r.client = restClient{url: server.URL(), properties: map[string]any{"auto.offset.reset": "earliest"}}
	maps.Copy(r.client.properties, c.Properties)
	if r.shadow, err = openDriver(registry); err != nil {
		return verdict{err: errors.Join(err, server.Close())}
	}
	r.codecs = newTopicCodecs(c, registry, r.shadow.Sources)
	v = r.judge(ctx, registry)
	if v.err != nil && os.Getenv("QTT") != "" {
		v.detail = r.detail()
	}
	if err := server.Close(); err != nil && v.passed {
		return verdict{err: fmt.Errorf("close: %w", err)}
	}
	return v
}

func (r *restRun) judge(ctx context.Context, registry *Registry) verdict {
	for _, t := range r.c.allTopics() {
		err := errors.Join(r.server.CreateTopic(t.Name, t.Partitions, t.Replicas), r.shadow.CreateTopic(t.Name, t.Partitions, t.Replicas))
		if err != nil {
			return verdict{err: fmt.Errorf("topic %s: %w", t.Name, err)}
		}
		if err := registerSchemas(t, registry); err != nil {
			return verdict{err: fmt.Errorf("schema of topic %s: %w", t.Name, err)}
		}
	}
	failed, err := r.requests(ctx)
	switch {
	case err != nil:
		return verdict{err: err}
	case r.c.REST.Fails != nil:
		return r.c.REST.Fails.judge(failed)
	case failed != nil:
		return verdict{err: fmt.Errorf("refused: %w", failed.err)}
	}
	err = errors.Join(r.compareResponses(), r.compareOutputs(ctx))
	return verdict{passed: err == nil, err: err}
}

// split parts the statements: those before the first SELECT go to the server together, each SELECT by itself.
func (r *restRun) split() (admin, queries []string) {
	i := slices.IndexFunc(r.c.Statements, func(s string) bool { return strings.HasPrefix(s, "SELECT ") })
	if i < 0 {
		i = len(r.c.Statements)
	}
	return r.c.Statements[:i], r.c.Statements[i:]
}

// requests sends all statements and records. It returns the first answer with an error.
func (r *restRun) requests(ctx context.Context) (*restFailed, error) {
	admin, queries := r.split()
	entities, err := r.client.statements(ctx, strings.Join(admin, "\n"))
	if failed, err := failedRequest(err, len(queries) == 0); failed != nil || err != nil {
		return failed, err
	}
	for _, e := range entities {
		r.responses = append(r.responses, restResponse{kind: "admin", entity: e})
	}
	if err := r.shadow.Exec(strings.Join(admin, "\n"), r.c.settings()); err != nil {
		return nil, fmt.Errorf("the server accepts what SQL in memory does not: %w", err)
	}
	if !r.c.REST.Input.WaitForPush {
		if err := r.produce(ctx); err != nil {
			return nil, err
		}
	}
	if r.c.REST.Fails == nil && len(queries) > 0 {
		if err := r.server.Settle(ctx); err != nil {
			return nil, fmt.Errorf("the queries do not come to rest: %w", err)
		}
	}
	for i, q := range queries {
		if failed, err := failedRequest(r.query(ctx, q), i == len(queries)-1); failed != nil || err != nil {
			return failed, err
		}
	}
	if !r.c.REST.PullAsProtobuf {
		return nil, nil
	}
	for i, q := range queries {
		if failed, err := failedRequest(r.protobufQuery(ctx, q), i == len(queries)-1); failed != nil || err != nil {
			return failed, err
		}
	}
	return nil, nil
}

// failedRequest tells an answer with an error from a request that went wrong.
func failedRequest(err error, last bool) (*restFailed, error) {
	var refusal *restRefusal
	if errors.As(err, &refusal) {
		return &restFailed{last: last, err: err}, nil
	}
	return nil, err
}

// produce writes the case's inputs.
func (r *restRun) produce(ctx context.Context) error {
	var all []topicRecords
	for i, n := range r.c.Inputs {
		record, err := r.codecs.encode(n)
		if err != nil {
			return fmt.Errorf("input %d to %s cannot be written: %w", i+1, n.Topic, err)
		}
		at := slices.IndexFunc(all, func(t topicRecords) bool { return t.topic == n.Topic })
		if at < 0 {
			at, all = len(all), append(all, topicRecords{topic: n.Topic})
		}
		all[at].records = append(all[at].records, record)
	}
	if len(all) == 0 {
		return nil
	}
	if err := r.server.Produce(ctx, all); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	return nil
}

// query sends a query and takes its rows. Where the case says so its inputs are written once the query runs, which its first row tells.
func (r *restRun) query(ctx context.Context, text string) error {
	rows, err := r.client.query(ctx, text)
	if err != nil {
		return err
	}
	defer rows.close()
	response := restResponse{kind: "query"}
	if r.c.REST.Input.WaitForPush {
		first, err := rows.next()
		if err != nil {
			return fmt.Errorf("%s: header: %w", text, err)
		}
		response.rows = append(response.rows, first)
		if err := r.server.AwaitPush(ctx); err != nil {
			return fmt.Errorf("%s: no push query runs: %w", text, err)
		}
		if err := r.produce(ctx); err != nil {
			return err
		}
	}
	rest, err := rows.rest()
	response.rows = append(response.rows, rest...)
	r.responses = append(r.responses, response)
	if err != nil {
		return fmt.Errorf("%s: rows after %d: %w", text, len(response.rows), err)
	}
	return nil
}

func (r *restRun) protobufQuery(ctx context.Context, text string) error {
	rows, err := r.client.protobufQuery(ctx, text)
	if err != nil {
		return err
	}
	defer rows.close()
	all, err := rows.rest()
	r.responses = append(r.responses, restResponse{kind: "queryProto", rows: all})
	if err != nil {
		return fmt.Errorf("%s: rows in Protobuf: %w", text, err)
	}
	return nil
}

// compareOutputs compares the topics that the case has outputs for. Topics have several partitions, between which there is no order.
func (r *restRun) compareOutputs(ctx context.Context) error {
	want := map[string][]recordNode{}
	for _, n := range r.c.Outputs {
		want[n.Topic] = append(want[n.Topic], n)
	}
	for _, topic := range sortedNames(want) {
		if err := r.compareTopic(ctx, topic, want[topic]); err != nil {
			return fmt.Errorf("topic %s: %w", topic, err)
		}
	}
	return nil
}

func (r *restRun) compareTopic(ctx context.Context, topic string, want []recordNode) error {
	c, err := r.codecs.of(topic)
	if err != nil {
		return err
	}
	records, err := r.server.Consume(ctx, topic, len(want))
	if err != nil {
		return err
	}
	var got []decodedRecord
	for i, record := range records {
		d, err := c.decode(record)
		if err != nil {
			return fmt.Errorf("record %d cannot be read: %w", i+1, err)
		}
		got = append(got, d)
	}
	if len(got) != len(want) {
		return fmt.Errorf("want %d records, got %d", len(want), len(got))
	}
	for _, w := range want {
		var differ error
		i := slices.IndexFunc(got, func(g decodedRecord) bool {
			err := r.c.compareRecord(w, g)
			if differ == nil {
				differ = err
			}
			return err == nil
		})
		if i < 0 {
			return differ
		}
		got = slices.Delete(got, i, i+1)
	}
	return nil
}

// detail shows the case and its answers.
func (r *restRun) detail() string {
	var b strings.Builder
	for i, s := range r.c.Statements {
		fmt.Fprintf(&b, "statement %d: %s\n", i+1, s)
		if i < len(r.c.REST.Responses) {
			fmt.Fprintf(&b, "  want %s\n", r.c.REST.Responses[i])
		}
		if i < len(r.responses) {
			fmt.Fprintf(&b, "  got  %s\n", r.responses[i])
		}
	}
	for _, name := range sortedNames(r.c.Properties) {
		fmt.Fprintf(&b, "property %s = %v\n", name, r.c.Properties[name])
	}
	for _, n := range r.c.Inputs {
		fmt.Fprintf(&b, "input  %s\n", n)
	}
	return b.String()
}

func (r restResponse) String() string {
	if r.kind == "admin" {
		return string(appendJSON(nil, r.entity))
	}
	return string(appendJSON(nil, r.rows))
}
