package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/format"
)

const mediaType = "application/vnd.schemaregistry.v1+json"

// maxBody is the largest request body.
const maxBody = 4 << 20

// Statuses of problems.
const (
	statusNotFound      = http.StatusNotFound
	statusConflict      = http.StatusConflict
	statusUnprocessable = http.StatusUnprocessableEntity
)

// A problem is an error as clients read it.
type problem struct {
	status, code int
	message      string
	reasons      []string // of what is incompatible, one each
}

// Error implements error.
func (p *problem) Error() string { return p.message }

func noSubject(name string) error {
	return &problem{status: statusNotFound, code: 40401, message: fmt.Sprintf("Subject '%s' not found.", name)}
}

func noVersion(number int) error {
	return &problem{status: statusNotFound, code: 40402, message: fmt.Sprintf("Version %d not found.", number)}
}

func noSchema() error {
	return &problem{status: statusNotFound, code: 40403, message: "Schema not found"}
}

func invalid(err error) error {
	return &problem{status: statusUnprocessable, code: 42201, message: "Invalid schema: " + err.Error()}
}

func incompatible(reasons []string) error {
	return &problem{
		status: statusConflict, code: statusConflict, reasons: reasons,
		message: "Schema being registered is incompatible with an earlier schema: " + strings.Join(reasons, "; "),
	}
}

// A schemaBody is a schema as clients send it.
type schemaBody struct {
	Schema     string         `json:"schema"`
	Kind       string         `json:"schemaType"`
	References []logReference `json:"references"`
}

func (b schemaBody) definition() format.Definition {
	return format.Definition{Kind: b.Kind, Text: b.Schema, References: references(b.References)}
}

// An answer is a schema as clients read it.
type answer struct {
	Subject    string         `json:"subject,omitempty"`
	ID         int            `json:"id,omitempty"`
	Version    int            `json:"version,omitempty"`
	Kind       string         `json:"schemaType,omitempty"`
	References []logReference `json:"references,omitempty"`
	Schema     string         `json:"schema"`
}

func answerOf(r format.Registered) answer {
	return answer{Kind: kindShown(r.Kind), References: shownReferences(r.References), Schema: r.Text}
}

// Paths returns the handlers of Confluent's interface by their patterns. store opens the registry at the first request.
func Paths(store func(*http.Request) (*Store, error)) map[string]http.HandlerFunc {
	paths := map[string]http.HandlerFunc{}
	add := func(pattern string, f func(*Store, *http.Request) (any, error)) {
		paths[pattern] = func(w http.ResponseWriter, r *http.Request) {
			s, err := store(r)
			var body any
			if err == nil {
				r.Body = http.MaxBytesReader(w, r.Body, maxBody)
				body, err = f(s, r)
			}
			send(w, body, err)
		}
	}
	add("GET /subjects", func(s *Store, _ *http.Request) (any, error) { return s.names(), nil })
	add("POST /subjects/{subject}", lookUp)
	add("DELETE /subjects/{subject}", func(s *Store, r *http.Request) (any, error) {
		return s.remove(r.Context(), r.PathValue("subject"), 0, true)
	})
	add("GET /subjects/{subject}/versions", func(s *Store, r *http.Request) (any, error) { return s.numbers(r.PathValue("subject")) })
	add("POST /subjects/{subject}/versions", registered)
	add("GET /subjects/{subject}/versions/{version}", versionOf)
	add("GET /subjects/{subject}/versions/{version}/schema", func(s *Store, r *http.Request) (any, error) { return text(versionOf(s, r)) })
	add("DELETE /subjects/{subject}/versions/{version}", removed)
	add("GET /schemas/types", func(*Store, *http.Request) (any, error) { return []string{kindJSON, kindProtobuf, kindAvro}, nil })
	add("GET /schemas/ids/{id}", schemaOf)
	add("GET /schemas/ids/{id}/schema", func(s *Store, r *http.Request) (any, error) { return text(schemaOf(s, r)) })
	add("GET /schemas/ids/{id}/versions", usesOf)
	add("GET /schemas/ids/{id}/subjects", func(s *Store, r *http.Request) (any, error) {
		uses, err := usesOf(s, r)
		if err != nil {
			return nil, err
		}
		names := []string{}
		for _, u := range uses.([]use) {
			names = append(names, u.Subject)
		}
		return names, nil
	})
	for _, path := range []string{"/config", "/config/{subject}"} {
		add("GET "+path, levelOf)
		add("PUT "+path, changeLevel)
		add("DELETE "+path, func(s *Store, r *http.Request) (any, error) {
			before, err := s.level(r.PathValue("subject"), false)
			if err != nil {
				return nil, err
			}
			return map[string]Level{"compatibilityLevel": before}, s.setLevel(r.Context(), r.PathValue("subject"), "")
		})
	}
	for _, path := range []string{"/mode", "/mode/{subject}"} {
		add("GET "+path, func(*Store, *http.Request) (any, error) { return map[string]string{"mode": "READWRITE"}, nil })
	}
	add("POST /compatibility/subjects/{subject}/versions", compatible)
	add("POST /compatibility/subjects/{subject}/versions/{version}", compatible)
	return paths
}

func send(w http.ResponseWriter, body any, err error) {
	w.Header().Set("Content-Type", mediaType)
	if err != nil {
		var p *problem
		if !errors.As(err, &p) {
			p = &problem{status: http.StatusInternalServerError, code: 50001, message: err.Error()}
		}
		w.WriteHeader(p.status)
		body = map[string]any{"error_code": p.code, "message": p.message}
	}
	if plain, ok := body.(rawText); ok {
		_, _ = w.Write([]byte(plain)) // the client is gone if it fails
		return
	}
	_ = json.NewEncoder(w).Encode(body) // the client is gone if it fails
}

// rawText is an answer that is a schema's own text.
type rawText string

func text(body any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return rawText(body.(answer).Schema), nil
}

func read(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return &problem{status: statusUnprocessable, code: statusUnprocessable, message: "The request body is not what this path takes: " + err.Error()}
	}
	return nil
}

// number reads a version of a path: a number, latest or -1.
func number(r *http.Request) (int, error) {
	text := r.PathValue("version")
	if text == "latest" || text == "-1" {
		return latest, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, &problem{status: statusUnprocessable, code: 42202, message: fmt.Sprintf("The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", text)}
	}
	return n, nil
}

func lookUp(s *Store, r *http.Request) (any, error) {
	var b schemaBody
	if err := read(r, &b); err != nil {
		return nil, err
	}
	found, n, err := s.find(r.PathValue("subject"), b.definition())
	if err != nil {
		return nil, err
	}
	a := answerOf(found)
	a.Subject, a.ID, a.Version = r.PathValue("subject"), found.ID, n
	return a, nil
}

func registered(s *Store, r *http.Request) (any, error) {
	var b schemaBody
	if err := read(r, &b); err != nil {
		return nil, err
	}
	id, err := s.register(r.Context(), r.PathValue("subject"), b.definition())
	return map[string]int{"id": id}, err
}

func versionOf(s *Store, r *http.Request) (any, error) {
	n, err := number(r)
	if err != nil {
		return nil, err
	}
	found, n, err := s.version(r.PathValue("subject"), n)
	if err != nil {
		return nil, err
	}
	a := answerOf(found)
	a.Subject, a.ID, a.Version = r.PathValue("subject"), found.ID, n
	return a, nil
}

func removed(s *Store, r *http.Request) (any, error) {
	n, err := number(r)
	if err != nil {
		return nil, err
	}
	gone, err := s.remove(r.Context(), r.PathValue("subject"), n, false)
	if err != nil {
		return nil, err
	}
	return gone[0], nil
}

func schemaOf(s *Store, r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, noSchema()
	}
	found, err := s.ByID(id)
	if err != nil {
		return nil, noSchema()
	}
	return answerOf(found), nil
}

func usesOf(s *Store, r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return []use{}, noSchema()
	}
	return s.uses(id)
}

func levelOf(s *Store, r *http.Request) (any, error) {
	l, err := s.level(r.PathValue("subject"), r.URL.Query().Get("defaultToGlobal") != "true")
	return map[string]Level{"compatibilityLevel": l}, err
}

func changeLevel(s *Store, r *http.Request) (any, error) {
	var b struct {
		Level Level `json:"compatibility"`
	}
	if err := read(r, &b); err != nil {
		return nil, err
	}
	if b.Level == "" {
		b.Level = "NOTHING"
	}
	return map[string]Level{"compatibility": b.Level}, s.setLevel(r.Context(), r.PathValue("subject"), b.Level)
}

func compatible(s *Store, r *http.Request) (any, error) {
	var b schemaBody
	if err := read(r, &b); err != nil {
		return nil, err
	}
	n := 0
	if r.PathValue("version") != "" {
		var err error
		if n, err = number(r); err != nil {
			return nil, err
		}
	}
	err := s.test(r.PathValue("subject"), n, b.definition())
	var p *problem
	if errors.As(err, &p) && p.status == statusConflict {
		out := map[string]any{"is_compatible": false}
		if r.URL.Query().Get("verbose") == "true" {
			out["messages"] = p.reasons
		}
		return out, nil
	}
	out := map[string]any{"is_compatible": true}
	if r.URL.Query().Get("verbose") == "true" {
		out["messages"] = []string{}
	}
	return out, err
}
