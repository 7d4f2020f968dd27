package qtt

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// A fakeServer answers what its fields say and remembers what it was asked.
type fakeServer struct {
	web      *httptest.Server
	entities string            // of /ksql
	status   int               // of /ksql, 200 if 0
	rows     map[string]string // by query; one that begins with { is an error with status 400
	protobuf string            // of /query-stream
	stored   []Record

	asked []string // paths, calls and statements, in their order
}

func newFakeServer(t *testing.T) *fakeServer {
	f := &fakeServer{rows: map[string]string{}}
	f.web = httptest.NewServer(f)
	t.Cleanup(f.web.Close)
	return f
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		KSQL       string            `json:"ksql"`
		SQL        string            `json:"sql"`
		Properties map[string]string `json:"streamsProperties"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	f.asked = append(f.asked, strings.TrimSpace(fmt.Sprint(r.URL.Path, " ", body.KSQL, body.SQL, body.Properties["p"])))
	answer, status := f.entities, max(f.status, http.StatusOK)
	switch r.URL.Path {
	case "/query":
		answer = f.rows[body.KSQL]
		if strings.HasPrefix(answer, "{") {
			status = http.StatusBadRequest
		}
	case "/query-stream":
		answer = f.protobuf
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(answer))
}

func (f *fakeServer) URL() string { return f.web.URL }

func (f *fakeServer) CreateTopic(name string, partitions, _ int) error {
	f.asked = append(f.asked, fmt.Sprintf("topic %s %d", name, partitions))
	return nil
}

func (f *fakeServer) Produce(_ context.Context, all []topicRecords) error {
	for _, t := range all {
		f.asked = append(f.asked, fmt.Sprintf("produce %s %d", t.topic, len(t.records)))
		f.stored = append(f.stored, t.records...)
	}
	return nil
}

func (f *fakeServer) Consume(context.Context, string, int) ([]Record, error) { return f.stored, nil }

func (f *fakeServer) Settle(context.Context) error {
	f.asked = append(f.asked, "settle")
	return nil
}

func (f *fakeServer) AwaitPush(context.Context) error {
	f.asked = append(f.asked, "push")
	return nil
}

func (f *fakeServer) Close() error { return nil }

func judgeREST(t *testing.T, body string, f *fakeServer) verdict {
	t.Helper()
	return runREST(caseFrom(t, body), func(*Registry) (Server, error) { return f, nil })
}

const (
	lamps    = `"CREATE TABLE LAMPS (ID INT PRIMARY KEY, LIT BOOLEAN) WITH (KAFKA_TOPIC='lamps', FORMAT='JSON');"`
	lit      = `SELECT * FROM LAMPS;`
	lampRows = `{"header": {"schema": "S", "queryId|starts_with": "pull_"}}, {"row": {"columns": [1, true]}}, {"row": {"columns": [2, {"a": 1.0}]}}`
)

func TestAnswersAreCompared(t *testing.T) {
	body := `"statements": [` + lamps + `, "` + lit + `"], "properties": {"p": "v"},
		"inputs": [{"topic": "lamps", "key": 1, "value": {"LIT": true}}], "outputs": [{"topic": "lamps", "key": 1, "value": {"LIT": true}}],
		"responses": [{"admin": {"@type": "done", "text": "{STATEMENT}", "deep": {"n": 1}}}, {"query": [` + lampRows + `]}]`
	entity := `[{"@type": "done", "text": ` + lamps + `, "deep": {"n": 1, "m": 2}, "more": []}]`
	header := `{"header": {"queryId": "pull_7", "schema": "S"}}`
	for name, tt := range map[string]struct{ entities, rows, want string }{
		"as it is":         {entity, `[` + header + `, {"row": {"columns": [1, true]}}, {"row": {"columns": [2, {"a": 1.0}]}}]`, ""},
		"in another order": {entity, `[` + header + `, {"row": {"columns": [2, {"a": 1.0}]}}, {"row": {"columns": [1, true]}}]`, ""},
		"a row twice": {
			entity, `[` + header + `, {"row": {"columns": [1, true]}}, {"row": {"columns": [1, true]}}]`,
			`want [2,{"a":1.0}]`,
		},
		"a row less":     {entity, `[` + header + `, {"row": {"columns": [1, true]}}]`, "want 3 rows, got 2"},
		"another scale":  {entity, `[` + header + `, {"row": {"columns": [1, true]}}, {"row": {"columns": [2, {"a": 1.00}]}}]`, "rows differ"},
		"another schema": {entity, `[{"header": {"queryId": "pull_7", "schema": "T"}}, {"row": {}}, {"row": {}}]`, "row 1.header.schema"},
		"another id":     {entity, `[{"header": {"queryId": "push_7", "schema": "S"}}, {"row": {}}, {"row": {}}]`, `want "pull_" and more`},
		"no id":          {entity, `[{"header": {"schema": "S"}}, {"row": {}}, {"row": {}}]`, "queryId: it is missing"},
		"cut off":        {entity, `[` + header + `, {"row": {"columns": [1, true]}}`, "the answer is cut off"},
		"no list":        {entity, `7`, "begins with 7"},
		"another entity": {`[{"@type": "busy", "text": "", "deep": {"n": 1}}]`, `[]`, `admin.@type: want "done", got "busy"`},
		"deep inside":    {strings.Replace(entity, `"n": 1`, `"n": 2`, 1), `[]`, "admin.deep.n: want 1, got 2"},
		"no entity":      {`[]`, `[]`, "want 2 answers, got 1"},
		"a refusal":      {entity, `{"@type": "generic_error", "message": "no"}`, "refused: 400 generic_error: no"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.entities, f.rows[lit] = tt.entities, tt.rows
			wantVerdict(t, judgeREST(t, body, f), tt.want)
			statement := strings.Trim(lamps, `"`)
			want := []string{"topic lamps 4", "/ksql " + statement + "v", "produce lamps 1", "settle", "/query " + lit + "v"}
			if !slices.Equal(f.asked, want) {
				t.Errorf("asked %q, want %q", f.asked, want)
			}
		})
	}
}

func TestInputsWaitForThePushQuery(t *testing.T) {
	f := newFakeServer(t)
	f.entities, f.rows[lit] = `[{}]`, `[{"header": {}}, {"row": {"columns": []}}]`
	v := judgeREST(t, `"statements": [`+lamps+`, "`+lit+`"], "inputs": [{"topic": "lamps", "key": 1, "value": null}],
		"inputConditions": {"waitForActivePushQuery": true}, "outputConditions": {"verifyOrder": true},
		"responses": [{"admin": {}}, {"query": [{"header": {}}, {"row": {"columns": []}}]}]`, f)
	wantVerdict(t, v, "")
	if !slices.Equal(f.asked[2:], []string{"settle", "/query " + lit, "push", "produce lamps 1"}) {
		t.Errorf("asked %q", f.asked)
	}
}

func TestOrderOfRowsWhereItMatters(t *testing.T) {
	f := newFakeServer(t)
	f.entities, f.rows[lit] = `[{}]`, `[{"row": {"columns": [2]}}, {"row": {"columns": [1]}}]`
	body := `"statements": [` + lamps + `, "` + lit + `"], "responses": [{"admin": {}}, {"query": [{"row": {"columns": [1]}}, {"row": {"columns": [2]}}]}]`
	wantVerdict(t, judgeREST(t, body, f), "")
	f.asked = nil
	wantVerdict(t, judgeREST(t, body+`, "outputConditions": {"verifyOrder": true}`, f), "row 1.row.columns: want [1], got [2]")
}

func TestExpectedRESTErrors(t *testing.T) {
	refusal := `{"@type": "statement_error", "error_code": 40001, "message": "no such lamp"}`
	for name, tt := range map[string]struct {
		fails, query string
		status       int
		want         string // "text" passes by class
	}{
		"the last query":   {`"type": "x.KsqlStatementErrorMessage", "status": 400, "message": "such lamp"`, refusal, 0, ""},
		"another text":     {`"type": "x.KsqlStatementErrorMessage", "status": 400, "message": "such light"`, refusal, 0, "text"},
		"another type":     {`"type": "x.KsqlErrorMessage", "status": 400, "message": "such lamp"`, refusal, 0, "class: want generic_error"},
		"another status":   {`"status": 404, "message": "such lamp"`, refusal, 0, "class: want status 404"},
		"message only":     {`"message": "such lamp"`, refusal, 0, ""},
		"accepted":         {`"message": "such lamp"`, `[]`, 0, "accepted"},
		"a request before": {`"message": "such lamp"`, `[]`, 400, "not the last request"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.entities, f.rows[lit], f.status = `[{}]`, tt.query, tt.status
			v := judgeREST(t, `"statements": [`+lamps+`, "`+lit+`"], "expectedError": {`+tt.fails+`}`, f)
			if tt.want == "text" {
				if !v.passed || v.text || v.err == nil {
					t.Errorf("%+v", v)
				}
				return
			}
			wantVerdict(t, v, tt.want)
		})
	}
}

func TestRowsInProtobuf(t *testing.T) {
	const schema = `syntax = \"proto3\"; message M { int64 ID = 1; repeated E X = 2; double D = 4; bytes B = 5; message E { string k = 1; } }`
	answer := func(row string) string {
		return `[{"header": {"protoSchema": "` + schema + `"}}, {"row": {"protobufBytes": "` + row + `"}}, {"finalMessage": "end"}]`
	}
	body := `"statements": [` + lamps + `, "` + lit + `"], "testPullWithProtoFormat": true, "responses": [{"admin": {}}, {"query": []},
		{"queryProto": [{"header": {"protoSchema": "` + schema + `"}}, {"finalMessage": "end"},
			{"row": "ID: 7\nX {\n  k: \"a\\\"\"\n}\nX {\n}\nD: 1.0E7\nB: \"\\001\"\n"}]}]`
	for name, tt := range map[string]struct{ answer, want string }{
		"as it is":      {answer("CAcSBAoCYSISACEAAAAA0BJjQSoBAQ=="), ""},
		"another value": {answer("CAgSBAoCYSISACEAAAAA0BJjQSoBAQ=="), "rows in Protobuf differ"},
		"a row less":    {`[{"header": {"protoSchema": "` + schema + `"}}]`, "want 3 rows"},
		"another schema": {
			strings.Replace(answer("CAcSBAoCYSISACEAAAAA0BJjQSoBAQ=="), "int64 ID = 1", "int64 ID = 1 ", 1), "header and message in Protobuf differ",
		},
		"no Protobuf": {answer("CA"), "row:"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.entities, f.rows[lit], f.protobuf = `[{}]`, `[]`, tt.answer
			wantVerdict(t, judgeREST(t, body, f), tt.want)
		})
	}
}
