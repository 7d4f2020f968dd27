package registry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local/localtest"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/server/registry"
	"github.com/mainstemio/mainstem/record"
)

func door(t *testing.T) client.Door {
	t.Helper()
	return localtest.Door(t)
}

func open(t *testing.T, d client.Door) *registry.Store {
	t.Helper()
	s, err := registry.Open(t.Context(), registry.Options{Door: d, Now: func() record.Timestamp { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// serve returns a client of the interface over HTTP, and its address.
func serve(t *testing.T, s *registry.Store) (*sr.Client, string) {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, f := range registry.Paths(func(*http.Request) (*registry.Store, error) { return s, nil }) {
		mux.HandleFunc(pattern, f)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := sr.NewClient(sr.URLs(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return c, server.URL
}

const (
	order  = `{"type":"record","name":"Order","fields":[{"name":"item","type":"string"}]}`
	priced = `{"type": "record", "name": "Order", "fields": [{"name": "item", "type": "string"}, {"name": "price", "type": ["null", "long"], "default": null}]}`
	needy  = `{"type":"record","name":"Order","fields":[{"name":"item","type":"string"},{"name":"size","type":"int"}]}`
)

func TestAClientRegistersAndReads(t *testing.T) {
	ctx, s := t.Context(), open(t, door(t))
	c, _ := serve(t, s)
	first, err := c.CreateSchema(ctx, "orders-value", sr.Schema{Schema: order})
	if err != nil || first.ID != 1 || first.Version != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := c.CreateSchema(ctx, "orders-value", sr.Schema{Schema: strings.ReplaceAll(order, ",", " , ")})
	if err != nil || again.ID != 1 || again.Version != 1 {
		t.Errorf("the same schema in other words: %+v, %v", again, err)
	}
	elsewhere, err := c.CreateSchema(ctx, "others-value", sr.Schema{Schema: order})
	if err != nil || elsewhere.ID != 1 {
		t.Errorf("the same schema under another subject: %+v, %v", elsewhere, err)
	}
	second, err := c.CreateSchema(ctx, "orders-value", sr.Schema{Schema: priced})
	if err != nil || second.ID != 2 || second.Version != 2 {
		t.Errorf("%+v, %v", second, err)
	}
	subjects, err := c.Subjects(ctx)
	if err != nil || !slices.Equal(subjects, []string{"orders-value", "others-value"}) {
		t.Errorf("%v, %v", subjects, err)
	}
	versions, err := c.SubjectVersions(ctx, "orders-value")
	if err != nil || !slices.Equal(versions, []int{1, 2}) {
		t.Errorf("%v, %v", versions, err)
	}
	byID, err := c.SchemaByID(ctx, 1)
	if err != nil || byID.Schema != order || byID.Type != sr.TypeAvro {
		t.Errorf("%+v, %v", byID, err)
	}
	newest, err := c.SchemaByVersion(ctx, "orders-value", -1)
	if err != nil || newest.ID != 2 || newest.Version != 2 || newest.Subject != "orders-value" {
		t.Errorf("%+v, %v", newest, err)
	}
	found, err := c.LookupSchema(ctx, "orders-value", sr.Schema{Schema: order})
	if err != nil || found.Version != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	uses, err := c.SchemaUsagesByID(ctx, 1)
	if err != nil || len(uses) != 2 {
		t.Errorf("%+v, %v", uses, err)
	}
	types, err := c.SupportedTypes(ctx)
	if err != nil || len(types) != 3 {
		t.Errorf("%v, %v", types, err)
	}
}

func TestLevelsDecideWhatMayFollow(t *testing.T) {
	ctx := t.Context()
	c, _ := serve(t, open(t, door(t)))
	must := func(subject, schema string) {
		t.Helper()
		if _, err := c.RegisterSchema(ctx, subject, sr.Schema{Schema: schema}, -1, -1); err != nil {
			t.Fatal(err)
		}
	}
	for i, tt := range []struct {
		level sr.CompatibilityLevel
		next  string
		ok    bool
	}{
		{sr.CompatBackward, priced, true},
		{sr.CompatBackward, needy, false}, // what is there has no size
		{sr.CompatForward, needy, true},
		{sr.CompatFull, needy, false},
		{sr.CompatFull, priced, true},
		{sr.CompatNone, `"string"`, true},
	} {
		subject := fmt.Sprintf("case-%d", i)
		must(subject, order)
		for _, r := range c.SetCompatibility(ctx, sr.SetCompatibility{Level: tt.level}, subject) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		check, err := c.CheckCompatibility(ctx, subject, -1, sr.Schema{Schema: tt.next})
		if err != nil || check.Is != tt.ok {
			t.Errorf("%s: %+v, %v", tt.level, check, err)
		}
		_, err = c.RegisterSchema(ctx, subject, sr.Schema{Schema: tt.next}, -1, -1)
		var refused *sr.ResponseError
		if tt.ok != (err == nil) || !tt.ok && (!errors.As(err, &refused) || refused.StatusCode != http.StatusConflict) {
			t.Errorf("%s: %v", tt.level, err)
		}
	}
	// The transitive levels look at all versions: the one before last has no price to forget.
	must("all", priced)
	must("all", order)
	c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatForwardTransitive}, "all")
	if check, err := c.CheckCompatibility(ctx, "all", -1, sr.Schema{Schema: needy}); err != nil || !check.Is {
		t.Errorf("%+v, %v", check, err)
	}
	for _, r := range c.Compatibility(ctx, "all", "") {
		if r.Err != nil || r.Subject == "all" && r.Level != sr.CompatForwardTransitive || r.Subject == "" && r.Level != sr.CompatBackward {
			t.Errorf("%+v", r)
		}
	}
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	ctx, d := t.Context(), door(t)
	before := open(t, d)
	c, _ := serve(t, before)
	event := sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; message E { int64 t = 1; }`}
	if _, err := c.CreateSchema(ctx, "event.proto", event); err != nil {
		t.Fatal(err)
	}
	value := sr.Schema{
		Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; import "event.proto"; message V { E e = 1; }`,
		References: []sr.SchemaReference{{Name: "event.proto", Subject: "event.proto", Version: 1}},
	}
	if _, err := c.CreateSchema(ctx, "v-value", value); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{order, priced} {
		if _, err := c.CreateSchema(ctx, "orders-value", sr.Schema{Schema: schema}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.DeleteSubject(ctx, "event.proto", sr.SoftDelete); err == nil {
		t.Error("a schema that another one refers to is deleted")
	}
	if err := c.DeleteSchema(ctx, "orders-value", 1, sr.SoftDelete); err != nil {
		t.Error(err)
	}
	c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, "")
	before.Close()
	if _, err := before.Register("late", format.Definition{Kind: "AVRO", Text: order}); !errors.Is(err, registry.ErrClosed) {
		t.Errorf("register in what was closed: %v", err)
	}

	c, _ = serve(t, open(t, d))
	if versions, err := c.SubjectVersions(ctx, "orders-value"); err != nil || !slices.Equal(versions, []int{2}) {
		t.Errorf("%v, %v", versions, err)
	}
	if byID, err := c.SchemaByID(ctx, 3); err != nil || byID.Schema != order {
		t.Errorf("the schema of a version that was deleted: %+v, %v", byID, err)
	}
	if r := c.Compatibility(ctx, "")[0]; r.Level != sr.CompatNone {
		t.Errorf("%+v", r)
	}
	if got, err := c.SchemaByVersion(ctx, "v-value", 1); err != nil || len(got.References) != 1 || got.References[0] != value.References[0] {
		t.Errorf("%+v, %v", got, err)
	}
	if third, err := c.CreateSchema(ctx, "orders-value", sr.Schema{Schema: needy}); err != nil || third.Version != 3 || third.ID != 5 {
		t.Errorf("%+v, %v", third, err)
	}
}

func TestWhatSQLAsks(t *testing.T) {
	s := open(t, door(t))
	if _, err := s.Latest("t-value"); !errors.Is(err, format.ErrNoSchema) {
		t.Errorf("%v", err)
	}
	if _, err := s.ByID(1); !errors.Is(err, format.ErrNoSchema) {
		t.Errorf("%v", err)
	}
	id, err := s.Register("t-value", format.Definition{Kind: "AVRO", Text: `"int"`})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Latest("t-value"); err != nil || r.ID != id || r.Kind != "AVRO" || r.Text != `"int"` {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := s.Version("t-value", 2); !errors.Is(err, format.ErrNoSchema) {
		t.Errorf("%v", err)
	}
}

func TestErrorsAsClientsReadThem(t *testing.T) {
	_, url := serve(t, open(t, door(t)))
	for _, tt := range []struct {
		method, path, body string
		status, code       int
	}{
		{"GET", "/subjects/none/versions", "", 404, 40401},
		{"GET", "/subjects/none/versions/1", "", 404, 40401},
		{"POST", "/subjects/s/versions", `{"schema": "{\"type\": \"recor\"}"}`, 422, 42201},
		{"POST", "/subjects/s/versions", `{"schema": ""}`, 422, 42201},
		{"POST", "/subjects/s/versions", `{"schema": "message", "schemaType": "PROTOBUF"}`, 422, 42201},
		{"POST", "/subjects/s/versions", `{"schema": "{}", "schemaType": "XML"}`, 422, 42201},
		{"POST", "/subjects/s/versions", `{`, 422, 422},
		{"POST", "/subjects/s/versions", `{"schema": "long"}`, 200, 0},
		{"POST", "/subjects/s", `{"schema": "\"int\""}`, 404, 40403},
		{"GET", "/subjects/s/versions/7", "", 404, 40402},
		{"GET", "/subjects/s/versions/x", "", 422, 42202},
		{"GET", "/schemas/ids/7", "", 404, 40403},
		{"GET", "/schemas/ids/x/subjects", "", 404, 40403},
		{"PUT", "/config", `{"compatibility": "SIDEWARD"}`, 422, 42203},
		{"PUT", "/config/s", `{}`, 422, 42203},
		{"GET", "/config/s", "", 404, 40408},
		{"GET", "/config/s?defaultToGlobal=true", "", 200, 0},
		{"GET", "/mode", "", 200, 0},
		{"DELETE", "/subjects/none", "", 404, 40401},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Code int `json:"error_code"`
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err := json.Unmarshal(text, &body); err != nil || resp.StatusCode != tt.status || body.Code != tt.code {
			t.Errorf("%s %s: %d, %s", tt.method, tt.path, resp.StatusCode, text)
		}
	}
	resp, err := http.Get(url + "/schemas/ids/1/schema")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != `"long"` {
		t.Errorf("the text of a schema: %s", text)
	}
}
