package qtt

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// registryWeb serves a Registry by the part of the schema registry's HTTP interface that clients of topics need.
type registryWeb struct{ *Registry }

// A webSchema is a schema in requests and answers.
type webSchema struct {
	Subject    string         `json:"subject,omitempty"`
	ID         int            `json:"id,omitempty"`
	Version    int            `json:"version,omitempty"`
	Type       string         `json:"schemaType,omitempty"`
	Schema     string         `json:"schema,omitempty"`
	References []webReference `json:"references,omitempty"`
}

type webReference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

func (w registryWeb) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /subjects/{subject}/versions", w.register)
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}", w.version)
	mux.HandleFunc("GET /schemas/ids/{id}", w.byID)
	mux.ServeHTTP(out, r)
}

func (w registryWeb) register(out http.ResponseWriter, r *http.Request) {
	var in webSchema
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(out, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s := Schema{Type: in.Type, Text: in.Schema}
	if s.Type == "" {
		s.Type = "AVRO"
	}
	for _, ref := range in.References {
		s.References = append(s.References, Reference(ref))
	}
	answer(out, webSchema{ID: w.Register(r.PathValue("subject"), s)})
}

func (w registryWeb) version(out http.ResponseWriter, r *http.Request) {
	subject, text := r.PathValue("subject"), r.PathValue("version")
	n, err := strconv.Atoi(text)
	s, id, ok := w.Latest(subject)
	if text != "latest" && text != "-1" {
		s, id, ok = w.Version(subject, n)
	} else {
		err = nil
	}
	if !ok || err != nil {
		refuse(out, http.StatusNotFound, errors.Join(errors.New("no such version"), err).Error())
		return
	}
	full := webOf(s)
	full.Subject, full.ID, full.Version = subject, id, max(n, 1)
	answer(out, full)
}

func (w registryWeb) byID(out http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	s, ok := w.ByID(id)
	if err != nil || !ok {
		refuse(out, http.StatusNotFound, "no such schema")
		return
	}
	answer(out, webOf(s))
}

func webOf(s Schema) webSchema {
	out := webSchema{Type: s.Type, Schema: s.Text}
	for _, r := range s.References {
		out.References = append(out.References, webReference(r))
	}
	return out
}

func answer(out http.ResponseWriter, body any) {
	out.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	if err := json.NewEncoder(out).Encode(body); err != nil {
		panic(err) // it came from JSON
	}
}

func refuse(out http.ResponseWriter, status int, message string) {
	out.WriteHeader(status)
	answer(out, map[string]any{"error_code": status*100 + 1, "message": message})
}

func millis(ms int64) time.Time { return time.UnixMilli(ms) }
