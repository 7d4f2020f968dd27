package registry_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// post sends a schema and returns the answer.
func post(t *testing.T, url, kind, schema string) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"schema": schema, "schemaType": kind})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.Post(url, "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func setLevel(t *testing.T, url, level string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(`{"compatibility":"`+level+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	_ = answer.Body.Close()
}

// A family has schemas of one kind: wide reads what narrow wrote but not the other way round, other reads neither.
type family struct{ kind, narrow, wide, other string }

var families = []family{
	{"JSON", `{"type":"integer"}`, `{"type":"number"}`, `{"type":"string"}`},
	{
		"PROTOBUF", `syntax = "proto3"; message A { int32 a = 1; }`, `syntax = "proto3"; message A { int32 a = 1; } message B {}`,
		`syntax = "proto3"; message A { string a = 1; }`,
	},
}

func TestLevelsOfEveryKind(t *testing.T) {
	_, url := serve(t, open(t, door(t)))
	for _, f := range families {
		for _, c := range []struct {
			level          string
			first, next    string
			status         int
			direction, not string
		}{
			{"BACKWARD", f.narrow, f.wide, 200, "", ""},
			{"BACKWARD", f.wide, f.narrow, 409, "the new schema cannot read", "what the new schema writes"},
			{"FORWARD", f.wide, f.narrow, 200, "", ""},
			{"FORWARD", f.narrow, f.wide, 409, "it cannot read what the new schema writes", "the new schema cannot read"},
			{"FULL", f.narrow, f.wide, 409, "it cannot read what the new schema writes", "the new schema cannot read"},
			{"FULL", f.wide, f.other, 409, "the new schema cannot read", ""},
			{"FULL", f.wide, f.wide, 200, "", ""},
			{"NONE", f.wide, f.other, 200, "", ""},
		} {
			subject := strings.Join([]string{f.kind, c.level, c.direction, c.first, c.next}, "-")
			subject = strings.Map(func(r rune) rune {
				if strings.ContainsRune(` "{}:;=,/<>`, r) {
					return '_'
				}
				return r
			}, subject)
			setLevel(t, url+"/config/"+subject, c.level)
			if status, answer := post(t, url+"/subjects/"+subject+"/versions", f.kind, c.first); status != 200 {
				t.Fatal(subject, status, answer)
			}
			status, answer := post(t, url+"/subjects/"+subject+"/versions", f.kind, c.next)
			if status != c.status || !strings.Contains(answer, c.direction) || c.not != "" && strings.Contains(answer, c.not) {
				t.Errorf("%s: %d %s", subject, status, answer)
			}
		}
	}
}

func TestTransitiveLevelsLookAtAllVersions(t *testing.T) {
	_, url := serve(t, open(t, door(t)))
	for _, f := range families {
		setLevel(t, url+"/config/"+f.kind, "NONE")
		for _, schema := range []string{f.other, f.narrow} {
			if status, answer := post(t, url+"/subjects/"+f.kind+"/versions", f.kind, schema); status != 200 {
				t.Fatal(status, answer)
			}
		}
		setLevel(t, url+"/config/"+f.kind, "BACKWARD")
		at := url + "/compatibility/subjects/" + f.kind + "/versions?verbose=true"
		if status, answer := post(t, at, f.kind, f.wide); status != 200 || !strings.Contains(answer, `"is_compatible":true`) || !strings.Contains(answer, `"messages":[]`) {
			t.Error(f.kind, status, answer)
		}
		setLevel(t, url+"/config/"+f.kind, "BACKWARD_TRANSITIVE")
		if status, answer := post(t, at, f.kind, f.wide); status != 200 || !strings.Contains(answer, `"is_compatible":false`) || !strings.Contains(answer, `"messages":["version 1: `) {
			t.Error(f.kind, status, answer)
		}
		if _, answer := post(t, strings.TrimSuffix(at, "?verbose=true"), f.kind, f.wide); strings.Contains(answer, "messages") {
			t.Error("without verbose:", answer)
		}
	}
}
